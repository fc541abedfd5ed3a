/**
 * Sizes of trackers, and how many of their events survive a navigation right after the call. Prints one JSON object.
 *
 * Usage: node run.mjs ROUNDS_OURS ROUNDS_PEERS. Every library runs with its default settings in the same Chromium, against the
 * same collector on another origin: 150 ms for a CORS preflight, 150 ms for an answer. No preflight is remembered (the first event
 * of a visit, or one after the browser forgot), and pages are no-store, as carts and logged-in pages are: the browser ends them
 * with what they were about to send, where the back/forward cache would let it finish.
 *
 * Umami's tracker is in no package registry; it takes part when UMAMI_SCRIPT names the script.js of an installation.
 */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';
import { built, startBrowser } from '../tests/harness.mjs';

const [OURS_ROUNDS, PEER_ROUNDS] = process.argv.slice(2).map(Number);
const PEERS = ['plausible', 'search-insights', 'snowplow', 'rudderstack', 'segment', 'posthog'];
const SIZE_ONLY = new Set(['rudderstack']);
const UMAMI = process.env.UMAMI_SCRIPT;
const PARALLEL = 10;
const LATENCY_MS = 150;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const gzipBytes = (text) => gzipSync(text, { level: 9 }).length;

/** Return the library as one file, minified. */
const bundle = async (peer) => {
  const { outputFiles } = await build({
    entryPoints: [here(`entries/${peer}.js`)],
    bundle: true, write: false, format: 'iife', target: 'es2022', minify: true, legalComments: 'none', logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
};

/** Return the gzip -9 bytes of the smallest file a shop could serve; worked out beside the browser, as it takes long. */
const smallest = (code) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(
      `const { parentPort, workerData: [terser, code] } = require('node:worker_threads');
      import(terser).then(({ minify }) => minify(code, { ecma: 2020, format: { comments: false } })).then(({ code }) =>
        parentPort.postMessage(require('node:zlib').gzipSync(code, { level: 9 }).length));`,
      { eval: true, workerData: [import.meta.resolve('terser'), code] },
    );
    worker.once('message', resolve).once('error', reject);
  });

/** Every way a marker may stand in a request: plain, gzipped, base64 in a form. */
const readings = (url, body) => {
  const texts = [url, body.toString()];
  try {
    texts.push(gunzipSync(body).toString());
  } catch { /* not gzip */ }
  for (const [, encoded] of (url + '&' + body).matchAll(/data=([^&\s]+)/g)) {
    const bytes = Buffer.from(decodeURIComponent(encoded), 'base64');
    texts.push(bytes.toString());
    try {
      texts.push(gunzipSync(bytes).toString());
    } catch { /* not gzip */ }
  }
  return texts;
};

const listen = (handler) =>
  new Promise((resolve) => {
    const server = createServer(handler).listen(0, '127.0.0.1', () => resolve([server, `http://127.0.0.1:${server.address().port}`]));
  });

const scripts = { recsite: built('tracker.js').toString() };
for (const peer of PEERS) scripts[peer] = await bundle(peer);
if (UMAMI) {
  scripts.umami = readFileSync(UMAMI, 'utf8') + ";window.sendEvent=(marker)=>umami.track('add_to_cart',{marker});window.isReady=true";
  PEERS.push('umami');
}
const sizes = Promise.all(PEERS.map((peer) => (peer === 'umami' ? gzipBytes(readFileSync(UMAMI)) : smallest(scripts[peer]))));

const arrived = new Set();
const [collector, collectorOrigin] = await listen(async (request, response) => {
  const name = /^\/script\/([\w-]+)\.js/.exec(request.url)?.[1];
  const cors = { 'Access-Control-Allow-Origin': request.headers.origin || '*', 'Access-Control-Allow-Credentials': 'true' };
  if (name) return response.writeHead(200, { 'Content-Type': 'text/javascript', 'Cache-Control': 'max-age=600' }).end(scripts[name]);
  if (request.method === 'OPTIONS') {
    await sleep(LATENCY_MS);
    const asked = request.headers['access-control-request-headers'] || '';
    return response.writeHead(204, { ...cors, 'Access-Control-Allow-Headers': asked, 'Access-Control-Allow-Methods': 'POST, GET', 'Access-Control-Max-Age': '0' }).end();
  }
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return; // the browser gave up; what it sent is lost
  }
  for (const text of readings(request.url, Buffer.concat(chunks))) {
    for (const [marker] of text.matchAll(/marker-[\w-]+-\d+-end/g)) arrived.add(marker);
  }
  await sleep(LATENCY_MS);
  response.writeHead(200, { 'Content-Type': 'application/json', ...cors }).end('{}');
});

const OURS = '<script>window.sendEvent=(marker)=>rec("track","add_to_cart",{items:[{item_id:marker}]})</script>';
const [shop, shopOrigin] = await listen((request, response) => {
  const name = request.url.slice(1);
  const page = scripts[name]
    ? `<!doctype html><title>shop</title>${OURS.repeat(+(name === 'recsite'))}<script src="${collectorOrigin}/script/${name}.js" data-host="${collectorOrigin}" data-key="pk_bench" data-website-id="site"></script>`
    : '<!doctype html><title>other</title>';
  response.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' }).end(page);
});

const browser = await startBrowser(['--disable-blink-features=AutomationControlled']);
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

/** Return how many of `rounds` events arrived, each tracked and navigated away from by a new shopper. */
const delivered = async (name, rounds) => {
  const markers = Array.from({ length: rounds }, (_, n) => `marker-${name}-${n}-end`);
  const queue = [...markers];
  const shopper = async () => {
    for (let marker; (marker = queue.pop()); ) {
      const context = await browser.newContext({ userAgent });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      await page.goto(`${shopOrigin}/${name}`);
      await page.waitForFunction(() => window.isReady || window.rec?.version);
      await page.waitForTimeout(500); // its own page view is through
      await page.evaluate((marker) => {
        window.sendEvent(marker);
        location.href = '/other';
      }, marker);
      await page.waitForURL(/other/);
      await page.waitForTimeout(600); // long enough for a preflight and a request
      await context.close();
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, shopper));
  await sleep(500);
  return markers.filter((marker) => arrived.has(marker)).length;
};

const rows = [];
try {
  rows.push({
    name: 'recsite', gzip_bytes: gzipBytes(scripts.recsite), delivered: await delivered('recsite', OURS_ROUNDS), rounds: OURS_ROUNDS,
  });
  for (const peer of PEERS) {
    const rounds = SIZE_ONLY.has(peer) ? 0 : PEER_ROUNDS;
    rows.push({ name: peer, delivered: rounds ? await delivered(peer, rounds) : 0, rounds });
  }
  (await sizes).forEach((bytes, i) => (rows[i + 1].gzip_bytes = bytes));
} finally {
  await browser.close();
  for (const server of [collector, shop]) {
    server.closeAllConnections();
    server.close();
  }
}
console.log(JSON.stringify({
  ours: Object.fromEntries(['tracker', 'widget', 'rec'].map((file) => [file, gzipBytes(built(`${file}.js`))])),
  rows,
}));
