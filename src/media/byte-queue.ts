/**
 * Bytes behind one another, in memory that is used again. Copying costs next to nothing; what keeps thousands of small
 * buffers for a second costs a collection of all garbage every second.
 */
export class ByteQueue {
  #memory = Buffer.alloc(0);
  #from = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#from;
  }

  /** What it holds in memory, however much of that is in use. */
  get capacity(): number {
    return this.#memory.length;
  }

  push(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The first so many of them: good until more are pushed. */
  take(bytes = this.length): Buffer {
    const taken = this.#memory.subarray(this.#from, this.#from + Math.min(bytes, this.length));
    this.#from += taken.length;
    return taken;
  }

  #makeRoom(bytes: number): void {
    const { length } = this;
    if (this.#from > 0 || this.#end + bytes > this.#memory.length) {
      const fits = length + bytes <= this.#memory.length;
      const memory = fits ? this.#memory : Buffer.allocUnsafeSlow(Math.ceil((length + bytes) * 1.5));
      this.#memory.copy(memory, 0, this.#from, this.#end);
      this.#memory = memory;
      this.#from = 0;
      this.#end = length;
    }
  }
}
