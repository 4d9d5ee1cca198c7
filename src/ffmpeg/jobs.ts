/** stub, replaced soon */
import { execa } from 'execa';
export async function makePoster(
  source: string,
  out: string,
  options: { signal: AbortSignal },
): Promise<void> {
  await execa('ffmpeg', ['-v', 'error', '-y', '-i', source, '-frames:v', '1', out], {
    cancelSignal: options.signal,
  });
}
