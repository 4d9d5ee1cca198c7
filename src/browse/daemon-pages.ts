/** The pages of a daemon, and what admins order on them: a form that is sent does it, and leads back to the page. */
import { Hono, type Context } from 'hono';
import { LivestowError } from '../kernel/errors.ts';
import { requireHandle } from '../model/handle.ts';
import type { DaemonView } from '../web/daemon-view.ts';
import { onlyAdmins, type Guarded } from '../web/guard.ts';
import type { Assets } from './assets.ts';
import { creatorsPage } from './creators-page.ts';
import { pageHeaders } from './headers.ts';
import { jobsPage } from './jobs-page.ts';
import { nowPage } from './now-page.ts';
import { page, type Html, type PageName, type Viewer } from './page.ts';

const MOST_HISTORY = 50;

export interface DaemonPagesDeps {
  daemon: DaemonView;
  assets: Assets;
  viewerOf: (c: Context<Guarded>) => Viewer;
  /** Resolves with what says whether something of a session is in the archive, as of now. */
  archived: () => Promise<(handle: string, session: string) => boolean>;
}

export function daemonPages({ daemon, assets, viewerOf, archived }: DaemonPagesDeps): Hono<Guarded> {
  const pages = new Hono<Guarded>();
  const show = (
    c: Context<Guarded>,
    current: PageName,
    title: string,
    events: readonly string[],
    body: Html,
  ) => {
    pageHeaders(c);
    return c.html(page({ title, current, viewer: viewerOf(c), assets, live: { events } }, body));
  };
  const mayOrder = (c: Context<Guarded>): boolean => viewerOf(c).role === 'admin';

  pages.get('/now', async (c) =>
    show(
      c,
      'now',
      'Now',
      ['live', 'recording', 'gap', 'sealed', 'failed', 'disk', 'credits', 'config'],
      nowPage(await daemon.status(), daemon.creatorStatuses(), await archived()),
    ),
  );
  pages.get('/creators', async (c) => {
    const creators = await daemon.creators();
    const groups = [...new Set(creators.flatMap(({ group }) => group ?? []))].sort();
    return show(
      c,
      'creators',
      'Creators',
      ['live', 'recording', 'sealed', 'config'],
      creatorsPage({ creators, groups, mayOrder: mayOrder(c) }),
    );
  });
  pages.get('/jobs', (c) =>
    show(
      c,
      'jobs',
      'Jobs',
      ['job'],
      jobsPage({
        jobs: daemon.jobs(),
        history: daemon.jobHistory({ most: MOST_HISTORY }),
        creators: daemon.creatorStatuses(),
        mayOrder: mayOrder(c),
      }),
    ),
  );

  const order = (path: string, back: string, give: (c: Context<Guarded>) => Promise<unknown>): void => {
    pages.post(path, async (c) => {
      if (!mayOrder(c)) throw onlyAdmins();
      if (daemon.isEnding) throw new LivestowError('UNAVAILABLE', 'livestow serve is ending');
      await give(c);
      return c.redirect(back, 303);
    });
  };
  const handleOf = (c: Context<Guarded>): string => requireHandle(c.req.param('handle') ?? '');
  order('/creators', '/creators', async (c) => {
    const { handle, group } = await c.req.parseBody();
    const named = typeof group === 'string' && group !== '' ? { group } : {};
    await daemon.add({ handle: requireHandle(typeof handle === 'string' ? handle.trim() : ''), ...named });
  });
  order('/creators/:handle/pause', '/creators', (c) => daemon.setPaused(handleOf(c), true));
  order('/creators/:handle/resume', '/creators', (c) => daemon.setPaused(handleOf(c), false));
  order('/creators/:handle/record', '/creators', (c) => daemon.recordNow(handleOf(c)));
  order('/creators/:handle/stop', '/creators', (c) => daemon.stopRecording(handleOf(c)));
  order('/creators/:handle/remove', '/creators', (c) => daemon.remove(handleOf(c)));
  order('/creators/:handle/note', '/creators', async (c) => {
    const { note } = await c.req.parseBody();
    const text = typeof note === 'string' ? note.trim().slice(0, MOST_NOTE) : '';
    await daemon.setNote(handleOf(c), text === '' ? null : text);
  });
  order('/jobs/:job/run', '/jobs', (c) => Promise.resolve(daemon.runJob(c.req.param('job') ?? '')));
  order('/jobs/:job/stop', '/jobs', (c) => Promise.resolve(daemon.stopJob(c.req.param('job') ?? '')));
  return pages;
}

const MOST_NOTE = 500;
