/**
 * Looks into a running livestow through Node's inspector: what it holds (after a garbage collection) and what it waits
 * for. Nothing in the product helps with it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';

export interface ProcessSample {
  atMs: number;
  heapBytes: number;
  rssBytes: number;
  descriptors: number;
  timers: number;
}

const evaluated = z.object({ result: z.object({ result: z.object({ value: z.string() }) }) });
const measured = z.object({ heap: z.number(), timers: z.number() });

const EXPRESSION = `JSON.stringify({
  heap: process.memoryUsage().heapUsed,
  timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
})`;

/** @param inspectorUrl as Node says it on its standard error: `ws://127.0.0.1:…` */
export async function sampleProcess(pid: number, inspectorUrl: string): Promise<ProcessSample> {
  const socket = new WebSocket(inspectorUrl);
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error(`no inspector at ${inspectorUrl}`)));
    });
    await call(socket, 'HeapProfiler.collectGarbage');
    const answer = evaluated.parse(await call(socket, 'Runtime.evaluate', { expression: EXPRESSION }));
    const { heap, timers } = measured.parse(JSON.parse(answer.result.result.value));
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const rssKib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
    const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
    return { atMs: Date.now(), heapBytes: heap, rssBytes: rssKib * 1_024, descriptors, timers };
  } finally {
    socket.close();
  }
}

let calls = 0;

function call(socket: WebSocket, method: string, params: object = {}): Promise<unknown> {
  calls += 1;
  const id = calls;
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`${method}: no answer`)), 20_000);
    const hear = ({ data }: MessageEvent): void => {
      const message: unknown = JSON.parse(String(data));
      if (typeof message !== 'object' || message === null || !('id' in message) || message.id !== id) return;
      clearTimeout(limit);
      socket.removeEventListener('message', hear);
      resolve(message);
    };
    socket.addEventListener('message', hear);
    socket.send(JSON.stringify({ id, method, params }));
  });
}
