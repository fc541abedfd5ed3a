/**
 * Three lists on a phone with a slow line: ours beside the packages that two vendors give to shops. Prints one JSON object.
 *
 * Usage: node lists.mjs ROUNDS. Each page is opened by a new visitor in the same Chromium, whose network and processor are
 * slowed as Lighthouse does it for a phone (150 ms, 1.6 Mbit/s, a quarter of the processor). Scripts come gzipped, and lists
 * come from a server here that speaks the shape of each vendor's API and thinks for 50 ms: their services cannot run here,
 * so nothing is said about these, only about what their packages make of a page.
 */
import { build } from 'esbuild';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { GUARD } from '../frameworks/shift.mjs';
import { built, product, startBrowser, startCollector, startShop, STUB } from '../tests/harness.mjs';

const ROUNDS = +process.argv[2];
const LIMIT_MS = 60_000;
const LATENCY_MS = 150;
const BYTES_PER_S = 1.6e6 / 8;
const SLOWER = 4;
const LISTS = ['top', 'middle', 'end'];
const PEERS = ['algolia', 'recombee'];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Name of each state: what the server answers for the list of that name, and after how long. */
const STATES = {
  full: { thinkMs: 50, items: () => 4 },
  'empty at the top': { thinkMs: 50, items: (name) => (name === 'top' ? 0 : 4) },
  late: { thinkMs: 600, items: () => 4 },
};

const bundle = async (peer) => {
  const { outputFiles } = await build({
    entryPoints: [here(`entries/lists/${peer}.js`)],
    bundle: true, write: false, format: 'iife', target: 'es2022', minify: true, legalComments: 'none', logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
};

const zip = (code) => gzipSync(code, { level: 9 });
const zipped = Object.fromEntries(await Promise.all(PEERS.map(async (peer) => [`${peer}.js`, zip(await bundle(peer))])));
/** Return a script as it is sent, ours by its name: what rec.js loads later is found beside it. */
const scriptAt = (path) => {
  const name = /\/(\w+\.js)$/.exec(path)?.[1];
  return name && (zipped[name] ??= zip(built(name)));
};

let state = STATES.full;
let asked = 0;
const hits = (name) => Array.from({ length: state.items(name) }, (_, n) => product(n + 1));

/** Return what a vendor's API answers for a request, as far as its package reads it; `undefined` for another path. */
const answer = (path, body) => {
  if (path.startsWith('/1/indexes/')) {
    const names = { 'related-products': 'top', 'bought-together': 'middle', 'trending-items': 'end' };
    const found = (request) => hits(names[request.model]).map((each) => ({ ...each, objectID: each.item_id, _score: 90 }));
    return { results: JSON.parse(body).requests.map((request) => ({ hits: found(request) })) };
  }
  if (path.startsWith('/shop/batch/'))
    return LISTS.map((name) => ({
      code: 200,
      json: { recommId: 'r', recomms: hits(name).map((values) => ({ id: values.item_id, values })) },
    }));
};

const listen = (handler) =>
  new Promise((resolve) => {
    const server = createServer(handler).listen(0, '127.0.0.1', () => resolve([server, `http://127.0.0.1:${server.address().port}`]));
  });

const [peers, peersOrigin] = await listen(async (request, response) => {
  const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*', 'Access-Control-Allow-Methods': '*' };
  const path = request.url.split('?')[0];
  const script = zipped[path.slice(1)];
  if (script) return response.writeHead(200, { 'Content-Type': 'text/javascript', 'Content-Encoding': 'gzip', ...cors }).end(script);
  if (request.method === 'OPTIONS') return response.writeHead(204, cors).end();
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  asked += 1;
  await sleep(state.thinkMs); // sleep: what a server thinks
  const reply = answer(path, Buffer.concat(chunks).toString());
  response.writeHead(reply ? 200 : 404, { 'Content-Type': 'application/json', ...cors }).end(JSON.stringify(reply ?? {}));
});
const [collector, shop, browser] = await Promise.all([startCollector(), startShop(), startBrowser()]);

const TEXT = '<p style="margin:0 0 16px;line-height:24px">' + 'Text of the shop below the list. '.repeat(6) + '</p>';
const STYLE = `<style>body{font:16px sans-serif}.list,.auc-Recommend-list{display:grid;grid-template-columns:1fr 1fr;gap:16px;
list-style:none;padding:0}.card b,.card i{display:block}</style>`;
const head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Shop</title>';

/** The page with three containers for lists, as each vendor's documentation sets one up. */
const pageOf = (name) => {
  const isOurs = name === 'recsite';
  const place = (list) =>
    isOurs ? `<rec-widget placement="${list}" heading="For you" limit="4"></rec-widget>` : `<div id="${list}"></div>`;
  const script = isOurs
    ? `${GUARD}${STUB}<script async src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}"></script>`
    : '';
  const end = isOurs ? '' : `<script src="${peersOrigin}/${name}.js"></script>`;
  return `${head}${STYLE}${script}</head><body>${LISTS.map(place).join(TEXT.repeat(4))}${TEXT}${end}</body></html>`;
};

/** In the page: sum what jumps, and note when all lists that come have their cards. */
const watch = (cards) => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  const within = (root) =>
    [...root.querySelectorAll('*')].reduce(
      (sum, each) => sum + (each.matches('a[href*="/item/"]') ? 1 : 0) + (each.shadowRoot ? within(each.shadowRoot) : 0),
      0,
    );
  const look = () => {
    if (document.body && within(document) >= cards) window.shownAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
};

/** Return `{ms, cls, bytes, requests}` of one page opened by a new visitor. */
const open = async (name, chosen) => {
  state = STATES[chosen];
  asked = 0;
  collector.renew();
  Object.assign(collector, { delayMs: state.thinkMs, items: ({ placement }) => hits(placement) });
  shop.pages['/'] = pageOf(name);
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true });
  const page = await context.newPage();
  let bytes = 0;
  page.on('request', (request) => (bytes += scriptAt(new URL(request.url()).pathname)?.length ?? 0));
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', {
    offline: false, latency: LATENCY_MS, downloadThroughput: BYTES_PER_S, uploadThroughput: BYTES_PER_S / 2,
  });
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  await page.addInitScript(watch, LISTS.reduce((sum, list) => sum + state.items(list), 0));
  await page.goto(shop.origin);
  await page.waitForFunction(() => window.shownAt, undefined, { timeout: LIMIT_MS });
  await sleep(500); // sleep: whatever moves has moved
  const [ms, cls] = await page.evaluate(() => [window.shownAt, window.shift]);
  await context.close();
  return { ms, cls, bytes, requests: name === 'recsite' ? collector.lists.length : asked };
};

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const rows = [];
try {
  for (const chosen of Object.keys(STATES)) {
    const seen = { recsite: [], algolia: [], recombee: [] };
    for (let round = 0; round < ROUNDS; round++)
      for (const name of Object.keys(seen)) seen[name].push(await open(name, chosen)); // in turn: a slow minute meets all
    for (const [name, opened] of Object.entries(seen))
      rows.push({
        name, state: chosen,
        ...Object.fromEntries(['bytes', 'requests', 'cls'].map((key) => [key, Math.max(...opened.map((each) => each[key]))])),
        ms: median(opened.map((each) => each.ms)),
      });
  }
} finally {
  await browser.close();
  collector.stop();
  shop.stop();
  peers.closeAllConnections();
  peers.close();
}
console.log(JSON.stringify({ rows }));
