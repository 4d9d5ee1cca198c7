/** A client of the sandbox as simple as can be: asks, receives to the end, and keeps what it got. */
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { FlvTagReader, type FlvTag } from '../../src/media/flv.ts';
import { unitOfFlvTag, type FlvUnit } from '../../src/media/flv-units.ts';

export interface Stream {
  codecFamily: string;
  qualityKey: string;
  flvUrl?: string;
  hlsUrl?: string;
  cmafUrl?: string;
  resolution?: string;
  bitrate?: number;
}

export interface Answer {
  data: {
    lookupStatus: string;
    liveStatus: string | null;
    profile: { handle: string; avatarUrl: string | null; platformUserId: string } | null;
    live: {
      roomId: string;
      title: string | null;
      startedAt: string | null;
      streams: Stream[];
      coverUrl: string | null;
    } | null;
  };
  meta: { requestId: string; creditsCharged: number; version: string; cached?: boolean };
}

export const ask = (
  sandbox: Sandbox,
  handle: string,
  key: string | null = sandbox.apiKey,
): Promise<Response> =>
  fetch(`${sandbox.apiUrl}/v1/tiktok/profiles/${encodeURIComponent(handle)}/live`, {
    headers: key === null ? {} : { 'x-api-key': key },
  });

export async function lookUp(sandbox: Sandbox, handle: string): Promise<Answer> {
  return (await (await ask(sandbox, handle)).json()) as Answer;
}

export async function streamOf(sandbox: Sandbox, handle: string, index = 0): Promise<Stream> {
  const stream = (await lookUp(sandbox, handle)).data.live?.streams[index];
  if (!stream) {
    throw new Error(`${handle} has no stream ${index}`);
  }
  return stream;
}

export interface Received {
  url: string;
  status: number;
  bytes: Buffer;
  tags: FlvTag[];
  units: FlvUnit[];
  /** True when the body ended properly. */
  whole: boolean;
}

/** Everything until the connection ends, one way or the other. `opened` is called when the response has begun. */
export async function receive(
  url: string,
  { signal, opened }: { signal?: AbortSignal; opened?: () => void } = {},
): Promise<Received> {
  const response = await fetch(url, signal ? { signal } : {});
  opened?.();
  const chunks: Buffer[] = [];
  const whole = await collect(response, chunks).then(
    () => true,
    () => false,
  );
  const bytes = Buffer.concat(chunks);
  const tags = response.ok && bytes.length > 0 ? new FlvTagReader().push(bytes) : [];
  return {
    url,
    status: response.status,
    bytes,
    tags,
    units: tags.flatMap((tag) => unitOfFlvTag(tag) ?? []),
    whole,
  };
}

async function collect(response: Response, chunks: Buffer[]): Promise<void> {
  for await (const chunk of response.body ?? []) {
    chunks.push(Buffer.from(chunk as Uint8Array));
  }
}
