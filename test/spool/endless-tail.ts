/** Writes a tail without end and says, after each batch, how many packets are on the disk. Run as a process: FOLDER */
import { TailWriter } from '../../src/spool/tail-writer.ts';
import { audio, media, state, variant, video } from './numbered-media.ts';

const [folder = ''] = process.argv.slice(2);
const tail = new TailWriter(folder, 1, (error) => {
  throw error;
});
tail.beginEpoch(1, variant, video, audio);
let written = 0;
for (let atMs = 0; ; atMs += 100) {
  for (const packet of media(atMs, atMs + 100)) {
    tail.append(packet, () => state(60_000 + atMs));
    written += 1;
  }
  await tail.flush();
  // Reading it back waits for the disk.
  await tail.packetsAfter(1, Infinity);
  process.stdout.write(`${written}\n`);
}
