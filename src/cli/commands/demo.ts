/**
 * `livestow demo`: the main job on a simulated creator, end to end, with no key and no account: found, recorded through a
 * few faults, shipped to a folder, sealed, read back. Done only when the archive verifies.
 */
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { verifySession } from '../../archive/verify.ts';
import type { Config } from '../../config/schema.ts';
import { Secret } from '../../kernel/secret.ts';
import { composeRecorder } from '../../daemon/compose.ts';
import { recordCreator } from '../../daemon/record-creator.ts';
import { findFfmpeg } from '../../ffmpeg/capabilities.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { LivestowError } from '../../kernel/errors.ts';
import type { Manifest } from '../../model/manifest.ts';
import { demoScenario } from '../../sandbox/default-scenario.ts';
import type { FaultType } from '../../sandbox/faults.ts';
import { createSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { openStore } from '../../store/open-store.ts';
import { fixedCadence } from '../../watch/cadence.ts';
import { action, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { serveArchive } from '../archive-server.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { statusLine } from '../status-line.ts';
import { livestowVersion } from '../version.ts';

const HANDLE = 'alice';
const POLL_MS = 1_000;
const STALL_MS = 3_000;

/** What the demo's scenario does, in words. */
const FAULTS: Partial<Record<FaultType, string>> = {
  media: "the picture's size changes (a guest)",
  drop: 'the connection drops in mid-picture',
  stall: 'the connection stays open and gives nothing',
  end: 'the broadcast is over',
};

export const demoCommand: CommandFactory = (context) =>
  new Command('demo')
    .description('records a simulated creator through a few faults, and verifies the archive')
    .option('--keep-open', 'leave the pages of the archive running at the end')
    .option('--dir <dir>', 'where the archive is put', 'livestow-demo')
    .addHelpText('after', '\nNo key, no account, nothing outside this machine. Takes about a minute.')
    .action(
      action(async (flags: { keepOpen?: true; dir: string }, command: Command): Promise<ExitCode> => {
        const { config } = await context.loadConfig(command);
        const stop = context.stopSignal();
        const told = new Set<string>();
        const sandbox = await createSandbox({
          scenario: {},
          signal: stop,
          onProgress: ({ name }) => {
            if (!told.has(name)) say(context, `making the simulated media "${name}" (once)`);
            told.add(name);
          },
        });
        try {
          const folder = resolve(context.cwd, flags.dir);
          const manifest = await record(context, demoConfig(config, sandbox, folder), sandbox, stop);
          if (!manifest) return stop.aborted ? EXIT.interrupted : EXIT.failed;
          await readBack(context, folder, manifest, stop);
          if (flags.keepOpen) await keepOpen(context, command, join(folder, 'archive'), stop);
          return EXIT.done;
        } finally {
          await sandbox.close();
        }
      }),
    );

function demoConfig(config: Config, sandbox: Sandbox, folder: string): Config {
  return {
    ...config,
    apiKey: new Secret(sandbox.apiKey),
    apiUrl: sandbox.apiUrl,
    mediaHosts: ['127.0.0.1'],
    proxy: null,
    store: join(folder, 'archive'),
    spool: join(folder, 'spool'),
    diskReserveBytes: 0,
    pollIntervalMs: POLL_MS,
    stallTimeoutMs: STALL_MS,
  };
}

async function record(
  context: CliContext,
  config: Config,
  sandbox: Sandbox,
  stop: AbortSignal,
): Promise<Manifest | undefined> {
  const status = statusLine(context);
  const log = status.around(
    context.createLogger({ ...config, logLevel: config.logLevel === 'info' ? 'error' : config.logLevel }),
  );
  const { clock } = context;
  const recorder = await composeRecorder({ config, clock, log, version: livestowVersion() });
  let sealed: Manifest | undefined;
  let unsubscribe = (): void => {};
  try {
    say(
      context,
      `Waiting for @${HANDLE}, who goes live on a simulated CDN with a guest, a drop and a stall …`,
    );
    await sandbox.setScenario(demoScenario);
    const told = new Set<number>();
    unsubscribe = sandbox.subscribe((event) => {
      // One fault may hit several connections.
      if (event.type !== 'fault' || told.has(event.faultId)) return;
      told.add(event.faultId);
      say(context, `  the simulated CDN: ${FAULTS[event.fault] ?? event.fault}`);
    });
    await recordCreator(
      {
        handle: HANDLE,
        once: true,
        noWait: false,
        cadence: fixedCadence(POLL_MS),
        onSession: (session) => {
          say(context, `@${HANDLE} is live: recording ${session.session}`);
          status.follow(session);
        },
        onOver: () => say(context, 'Shipping and sealing what was recorded …'),
        onSealed: (manifest) => {
          sealed = manifest;
        },
      },
      recorder.deps,
      stop,
    );
  } finally {
    unsubscribe();
    status.clear();
    await recorder.close();
  }
  return sealed;
}

async function readBack(
  context: CliContext,
  folder: string,
  manifest: Manifest,
  stop: AbortSignal,
): Promise<void> {
  const { out } = context;
  const location = join(folder, 'archive');
  const store = openStore(location);
  const ref = { handle: HANDLE, session: manifest.session };
  try {
    say(context, 'Verifying: every object is read back, hashed and decoded …');
    const ffmpeg = await findFfmpeg();
    const { ok, findings, segments, pictures, bytes } = await verifySession(store, ref, {
      depth: 'decode',
      ffmpeg: ffmpeg.path,
      signal: stop,
    });
    if (!ok) {
      for (const { kind, key } of findings) out.line(`  ${kind}: ${key}`);
      throw new LivestowError('STORE_CORRUPT', 'the archive of the demo does not verify', {
        hint: 'this is a bug, or a disk that fails; run it again with --log-level debug',
      });
    }
    const { coverage, gaps, epochs } = manifest;
    out.line(
      `\nSealed and verified: ${pictures} pictures in ${segments} segments (${formatBytes(bytes)}), ${epochs.length} epochs.`,
    );
    out.line(
      `Recorded ${(coverage.recordedMs / 1000).toFixed(1)} s of ${(coverage.liveMs / 1000).toFixed(1)} s:`,
    );
    for (const { from, ms, cause } of gaps)
      out.line(`  missing ${(ms / 1000).toFixed(1)} s from ${from}: ${cause}`);
    out.line(`\nIt lies in ${join(location, 'creators', HANDLE, manifest.session)}`);
    out.line('Browse it:');
    const at = `--store ${JSON.stringify(location)}`;
    const livestow = import.meta.filename.endsWith('.ts') ? 'scripts/livestow' : 'livestow';
    out.line(`  ${livestow} ls ${at}`);
    out.line(`  ${livestow} browse ${at}`);
    out.line(`  ${livestow} play @${HANDLE} ${at}`);
    out.line(`  ${livestow} export @${HANDLE} -o alice.mp4 ${at}`);
  } finally {
    store.close();
  }
}

async function keepOpen(
  context: CliContext,
  command: Command,
  location: string,
  stop: AbortSignal,
): Promise<void> {
  const loaded = await context.loadConfig(command);
  const config = {
    ...loaded.config,
    store: location,
    listen: { host: '127.0.0.1', port: 0 },
    token: null,
    viewerToken: null,
  };
  const store = openStore(location);
  try {
    await using ending = new AsyncDisposableStack();
    const url = await serveArchive(context, { store, config, loaded }, ending);
    context.out.line(`\nThe archive: ${url}/  (Ctrl-C ends it)`);
    if (!stop.aborted) await once(stop, 'abort');
  } finally {
    store.close();
  }
}

const say = ({ err }: CliContext, text: string): void => err.line(text);
