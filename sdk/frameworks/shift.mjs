/**
 * What jumps: layout shift of a page with widgets at its top, its middle and its end, at two widths, and what a page asks for.
 *
 * Lists are full, short, empty, late, refused, unanswered as the script is blocked, or come alive only later. The shop's
 * own text stands below each, which is what would move; it is scrolled through, so that what was held back comes.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { built, page as embed, product, until } from '../tests/harness.mjs';
import { newShopper } from '../tests/open.mjs';

export const WIDTHS = [390, 1280];

/** What docs/sdk.md gives for keeping a widget's place until the script is there, as it stands on that page. */
export const GUARD = /```html\n(<style>\s*rec-widget:not[\s\S]*?)```/.exec(
  readFileSync(new URL('../../docs/sdk.md', import.meta.url), 'utf8'),
)[1];

const few = (count) => (wish) => Array.from({ length: Math.min(count, wish.limit) }, (_, n) => product(n));

/** Name of each state of the lists, and how the collector behaves. */
export const STATES = {
  full: {},
  short: { items: few(1) },
  empty: { items: () => [] },
  late: { delayMs: 1200 },
  refused: { listStatus: 503 },
  blocked: { blockedAt: 'once' },
  'blocked-late': { blockedAt: 'later' },
  'live-appearing': { items: () => [], isLive: true },
  'live-growing': { items: few(1), isLive: true },
};

const TEXT = '<p style="margin:0 0 16px;line-height:24px">' + 'Text of the shop below the list. '.repeat(6) + '</p>';
const body = (layout) =>
  ['top', 'middle', 'end']
    .map((name) => `<rec-widget placement="${name}" heading="For you" limit="4" layout="${layout}" live></rec-widget>`)
    .join(TEXT.repeat(12)) + TEXT;

const watch = () => {
  window.shift = 0;
  window.sockets = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  });
  observer.observe({ type: 'layout-shift', buffered: true });
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      window.sockets += 1;
    }
  };
};

/** A port that Chromium refuses by itself. */
const BLOCKED = 'http://127.0.0.1:9/r';

/**
 * Return `{state, layout, width, cls, requests, sockets, bytes, hole}` of one page: `bytes` of scripts, gzip; `hole` is the
 * largest place in pixels that is left without a script, once the page was scrolled through.
 */
export const shiftOf = async (world, state, width, layout = 'grid') => {
  const { collector } = world;
  const { blockedAt: isBlocked, isLive, ...behaviour } = STATES[state];
  const { context, open } = await newShopper(world, { viewport: { width, height: 844 }, reducedMotion: 'reduce' });
  Object.assign(collector, behaviour);
  // As a blocker does it, before anything is painted; or as a slow proxy does.
  if (isBlocked === 'later') await context.route(/rec\.js/, (route) => route.abort());
  let bytes = 0;
  context.on('request', (request) => {
    const name = /\/r\/v.*\/(\w+\.js)$/.exec(request.url())?.[1];
    if (name) bytes += gzipSync(built(name), { level: 9 }).length;
  });
  const html = embed(collector, { head: GUARD, body: body(layout) });
  const page = await open('/', {
    init: watch,
    page: isBlocked === 'once' ? html.replace(`${collector.origin}/r`, BLOCKED) : html,
  });
  if (!isBlocked) await until(() => collector.lists.length, 'the request of lists', 20_000);
  if (!isBlocked && state !== 'refused') await until(() => collector.hellos.length > 1, 'the socket', 20_000);
  await sleep(400 + (behaviour.delayMs || 0)); // sleep: whatever moves has moved
  if (isLive) {
    const results = ['top', 'middle', 'end'].map((placement) => ({
      placement,
      rec_id: 'live-' + placement,
      items: [1, 2, 3, 4].map((n) => product(n)),
    }));
    collector.push({ type: 'update', version: 1, results });
    await sleep(300); // sleep: whatever moves has moved
  }
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  for (let top = 0; top < height; top += 500) {
    await page.evaluate((y) => scrollTo({ top: y, behavior: 'instant' }), top);
    await sleep(60); // sleep: a shopper reads
  }
  const hole = await page.evaluate(() => {
    const all = [...document.querySelectorAll('rec-widget')];
    return window.rec?.version ? 0 : Math.max(...all.map((each) => each.offsetHeight));
  });
  await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
  await sleep(150); // sleep: whatever moves has moved
  const [cls, sockets] = await page.evaluate(() => [window.shift, window.sockets]);
  const requests = collector.lists.length;
  await context.close();
  return { state, layout, width, cls, requests, sockets, bytes, hole };
};
