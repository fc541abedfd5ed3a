/**
 * Real Chromium, a shop and a collector on origins of their own, for all browser tests.
 *
 * The collector and recommender behaves as the server's contract says, and as badly as a test asks it to.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { WebSocketServer } from 'ws';
import { LIGHT } from './chromium.mjs';

const STATIC = new URL('../../tracking/static/recsite/', import.meta.url);
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  LIGHT,
];

export const built = (file) => readFileSync(new URL(file, STATIC));
export const integrity = (file) => 'sha384-' + createHash('sha384').update(built(file)).digest('base64');

/** How long to wait for what takes milliseconds on an idle machine: beyond it, it will never happen. */
export const DEADLINE_MS = 120_000;

/** Wait until `condition` is truthy and return its value; fail with `what` after `ms`. */
export const until = async (condition, what, ms = DEADLINE_MS) => {
  // sleep: between two looks
  for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
    const value = await condition();
    if (value) return value;
  }
  throw Error(`timed out after ${ms} ms: ${what}`);
};

/** Give what must not happen `ms` to happen: a slow machine can hide a mistake, but never fails a right page. */
export const unchanged = (ms) => sleep(ms); // sleep: a page that is left alone

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));

const readBody = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

export const product = (n, more) => ({
  item_id: `SKU${n}`,
  title: `Product number ${n} with a name of some length`,
  url: `/item/${n}`,
  image_url: `/image/${n}.svg`,
  price: 10 + n,
  currency: 'EUR',
  brand: n % 3 ? 'Northwind' : undefined,
  category: 'Shoes',
  ...more,
});

/** A collector and recommender; `collector.answer` and friends change how it behaves. */
export const startCollector = async () => {
  const sockets = new Set();
  let shoppers = 0;
  const collector = {
    /** Start over. The key changes too, so that a beacon of the test before is not taken for one of this. */
    renew: () =>
      Object.assign(collector, {
        key: `pk_test_${++shoppers}`,
        requests: [], // parsed envelopes of /v1/events that were answered with 202, newest last
        attempts: [], // [time, path, status] of every POST
        lists: [], // parsed bodies of /v1/recommendations
        hellos: [], // messages of sockets
        delayMs: 0,
        preflightMs: 0,
        isDown: false,
        listStatus: 200,
        answer: () => ({ status: 202 }), // `{status, headers, reply}` for a request of events
        items: (placement) => Array.from({ length: placement.limit || 4 }, (_, i) => product(i + 1)),
        result: (placement, result) => result, // one list of an answer
      }),
    /** Every copy that arrived: an event tracked right before a page goes comes twice. */
    copies: () => collector.requests.flatMap((envelope) => envelope.events),
    /** The events as the server knows them, each id once. */
    events: () => [...new Map(collector.copies().map((event) => [event.event_id, event])).values()],
    named: (name) => collector.events().filter((event) => event.event === name),
    sockets,
    push: (message) => sockets.forEach((socket) => socket.send(JSON.stringify(message))),
  };
  collector.renew();
  const server = createServer(async (request, response) => {
    if (collector.isDown) return request.socket.destroy();
    const path = request.url.split('?')[0];
    const cors = {
      'Access-Control-Allow-Origin': request.headers.origin || '*',
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Expose-Headers': 'Retry-After',
      'Access-Control-Allow-Headers': 'content-type',
    };
    if (request.method === 'OPTIONS') {
      collector.attempts.push([Date.now(), 'OPTIONS ' + path, 204]);
      await sleep(collector.preflightMs); // sleep: a slow answer
      return response.writeHead(204, cors).end();
    }
    if (path.endsWith('.js')) {
      const headers = { 'Content-Type': 'text/javascript', 'Access-Control-Allow-Origin': '*' };
      const script = built(path.split('/').pop());
      if (!/gzip/.test(request.headers['accept-encoding'])) return response.writeHead(200, headers).end(script);
      return response.writeHead(200, { ...headers, 'Content-Encoding': 'gzip' }).end(gzipSync(script, { level: 9 }));
    }
    const body = await readBody(request);
    await sleep(collector.delayMs); // sleep: a slow answer
    if (path === '/v1/events') {
      const envelope = JSON.parse(body);
      if (envelope.key !== collector.key) return response.writeHead(202, cors).end('{}');
      const { status, headers, reply } = collector.answer(envelope);
      collector.attempts.push([Date.now(), path, status]);
      if (status === 202) collector.requests.push({ ...envelope, received_at: Date.now(), headers: request.headers });
      return response
        .writeHead(status, { 'Content-Type': 'application/json', ...cors, ...headers })
        .end(
          JSON.stringify(
            reply || { accepted: envelope.events.length, rejected: [], anonymous_id: envelope.anonymous_id },
          ),
        );
    }
    if (path === '/v1/recommendations') {
      const ask = JSON.parse(body);
      collector.lists.push({ ...ask, headers: request.headers });
      const results = ask.placements.map((placement, i) =>
        collector.result(placement, {
          placement: placement.placement,
          rec_id: `rec-${collector.lists.length}-${i}`,
          items: collector.items(placement),
          stage: 'personalised',
        }),
      );
      return response
        .writeHead(collector.listStatus, { 'Content-Type': 'application/json', ...cors })
        .end(
          JSON.stringify(collector.listStatus === 200 ? { results } : { error: 'unavailable', message: 'try again' }),
        );
    }
    response.writeHead(404, cors).end();
  });
  const hub = new WebSocketServer({ server, path: '/v1/live' });
  hub.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      collector.hellos.push(message);
      if (message.type === 'subscribe') socket.send(JSON.stringify({ type: 'ready' }));
    });
  });
  collector.origin = await listen(server);
  collector.stop = () => {
    hub.close();
    sockets.forEach((socket) => socket.terminate());
    server.closeAllConnections();
    server.close();
  };
  return collector;
};

/** A shop: `shop.pages[path]` is HTML or `{html, headers}`; other paths are an empty page, `/image/…` a picture. */
export const startShop = async () => {
  const shop = { pages: {}, posts: [] };
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://shop').pathname;
    if (path.startsWith('/image/')) {
      response.writeHead(200, { 'Content-Type': 'image/svg+xml' });
      return response.end(
        '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="480"><rect width="480" height="480" fill="#cde"/></svg>',
      );
    }
    if (path.endsWith('.js') && !shop.pages[path]) {
      return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(built(path.split('/').pop()));
    }
    const page = shop.pages[path] || '<!doctype html><title>other</title>';
    const { html, headers, type } = typeof page === 'string' ? { html: page } : page;
    response.writeHead(200, { 'Content-Type': type || 'text/html; charset=utf-8', ...headers }).end(html);
  });
  shop.origin = await listen(server);
  shop.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return shop;
};

/** Start Chromium; a missing browser is an error here, because every test of this folder needs it. */
export const startBrowser = (flags = []) => {
  if (!existsSync(CHROMIUM)) throw Error(`no Chromium at ${CHROMIUM}; install it or set CHROMIUM to its path`);
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...flags],
    // Playwright switches the back/forward cache off; shoppers have it on.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
};

/**
 * Open `url` in a Chromium that nobody drives, and return a function that ends it: DevTools, and with it Playwright,
 * keeps Chromium from prerendering.
 */
export const openUndriven = async (url) => {
  const profile = await mkdtemp(join(tmpdir(), 'rec-sdk-'));
  const chromium = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`, '--remote-debugging-port=0', url], {
    stdio: 'ignore',
    detached: true,
  });
  return async () => {
    process.kill(-chromium.pid, 'SIGKILL');
    await once(chromium, 'exit');
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
};

export const STUB = '<script>window.rec=window.rec||function(){(rec.q=rec.q||[]).push(arguments)}</script>';

/** Return a page that embeds the SDK. */
export const page = (collector, { attributes = '', file = 'rec.js', head = '', body = '', stub = STUB } = {}) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Shop</title>${head}${stub}<script async src="${collector.origin}/r/v1/${file}" data-key="${collector.key}" ${attributes}></script></head>
<body>${body}</body></html>`;

/** Everything one test file needs; call `stop` when done. */
export const startWorld = async (flags) => {
  const [collector, shop, browser] = await Promise.all([startCollector(), startShop(), startBrowser(flags)]);
  return {
    collector,
    shop,
    browser,
    stop: async () => {
      await browser.close();
      collector.stop();
      shop.stop();
    },
  };
};
