import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { page as embed, startWorld, unchanged, until } from './harness.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

let context;
beforeEach(async () => {
  const { collector, shop } = world;
  collector.renew();
  shop.pages['/'] = embed(collector);
  await context?.close();
  context = await world.browser.newContext();
});

const openShop = async () => {
  const page = await context.newPage();
  await page.goto(world.shop.origin + '/');
  await page.waitForFunction(() => window.rec?.version);
  return page;
};

const storedEvents = (page) =>
  page.evaluate(() =>
    Object.keys(localStorage)
      .filter((key) => key.startsWith('rec_queue.'))
      .flatMap((key) => JSON.parse(localStorage[key]).entries),
  );

const ids = (name) => new Set(world.collector.named(name).map((event) => event.event_id));

test('every event tracked right before a navigation arrives', async () => {
  const { collector, shop } = world;
  Object.assign(collector, { delayMs: 150, preflightMs: 150 });
  const page = await openShop();
  const ways = [
    'location.href = "/other"',
    'const a = document.createElement("a"); a.href = "/other"; document.body.append(a); a.click()',
    'const f = document.createElement("form"); f.action = "/other"; document.body.append(f); f.submit()',
  ];
  const sent = [];
  for (let round = 0; round < 27; round++) {
    const id = await page.evaluate(
      ([way, n]) => {
        const id = rec('track', n % 2 ? 'add_to_cart' : 'wish', { items: [{ item_id: 'SKU' + n }] });
        new Function(way)();
        return id;
      },
      [ways[round % 3], round],
    );
    sent.push(id);
    await page.waitForURL(/other/);
    await page.goto(shop.origin + '/');
    await page.waitForFunction(() => window.rec?.version);
  }
  await until(() => sent.every((id) => collector.events().some((event) => event.event_id === id)), 'all 27 to arrive');
  assert.equal(collector.attempts.filter(([, what]) => what.startsWith('OPTIONS')).length, 0, 'no CORS preflight');
});

test('what was tracked offline is sent when the network is back, in order', async () => {
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  await context.setOffline(true);
  const sent = await page.evaluate(() =>
    [1, 2, 3].map((n) => rec('track', 'view_item', { items: [{ item_id: 'SKU' + n }] })),
  );
  await unchanged(300);
  assert.equal(ids('view_item').size, 0);
  await context.setOffline(false);
  await until(() => ids('view_item').size === 3, 'three events after the network is back');
  assert.deepEqual(
    world.collector.named('view_item').map((event) => event.event_id),
    sent,
  );
  await until(async () => (await storedEvents(page)).length === 0, 'an empty queue');
});

test('a collector that answers 503 is tried again with growing pauses and gets each event', async () => {
  const { collector } = world;
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  let refusals = 3;
  collector.answer = () => (refusals-- > 0 ? { status: 503 } : { status: 202 });
  collector.attempts = [];
  const id = await page.evaluate(() =>
    rec('track', 'purchase', { transaction_id: 'T1', items: [{ item_id: 'SKU1' }] }),
  );
  await until(() => ids('purchase').has(id), 'the purchase');
  const times = collector.attempts.map(([time]) => time);
  assert.equal(times.length, 4);
  const pauses = times.slice(1).map((time, i) => time - times[i]);
  assert.ok(pauses[0] >= 450 && pauses[2] >= 1900, `pauses ${pauses}`);
});

test('Retry-After of a 429 is honoured by this page, the next one and other tabs', async () => {
  const { collector, shop } = world;
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  let isLimited = true;
  collector.answer = () => (isLimited ? { status: 429, headers: { 'Retry-After': '3' } } : { status: 202 });
  collector.attempts = [];
  await page.evaluate(() => rec('track', 'add_to_cart', { items: [{ item_id: 'SKU1' }] }));
  await until(() => collector.attempts.length, 'the refused request');
  await page.waitForFunction(() => Number(localStorage.rec_retry)); // a page that leaves before the answer cannot obey it
  const refusedAt = collector.attempts[0][0];
  isLimited = false;
  await page.goto(shop.origin + '/?next');
  await page.waitForFunction(() => window.rec?.version);
  await openShop();
  await until(() => ids('add_to_cart').size, 'the event after the pause');
  const [, second] = collector.attempts;
  assert.ok(second[0] - refusedAt >= 2900, `sent again after ${second[0] - refusedAt} ms`);
});

test('a request that the collector refuses for good is dropped, reported and not sent again', async () => {
  const { collector } = world;
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  collector.attempts = [];
  collector.answer = () => ({ status: 403, reply: { error: 'origin_not_allowed', message: 'no', field: 'origin' } });
  const refused = await page.evaluate(
    () =>
      new Promise((resolve) => {
        rec('on', 'reject', resolve);
        rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
      }),
  );
  assert.equal(refused[0].error, 'origin_not_allowed');
  await until(async () => (await storedEvents(page)).length === 0, 'an empty queue');
  assert.equal(collector.attempts.length, 1);
});

test('a page that dies while the collector is down leaves its events to the next page', async () => {
  const { collector, shop } = world;
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  collector.isDown = true;
  const id = await page.evaluate(() =>
    rec('track', 'purchase', { transaction_id: 'T1', items: [{ item_id: 'SKU1' }] }),
  );
  await until(async () => (await storedEvents(page)).length, 'the stored event');
  await page.close(); // pagehide runs, the beacon is lost with the collector
  collector.isDown = false;
  await openShop();
  await until(() => ids('purchase').has(id), 'the adopted purchase');
  assert.equal(shop.origin.length > 0, true);
});

test('the queue of a tab that crashed is adopted once its heartbeat is old, a living one is left alone', async () => {
  const page = await openShop();
  const entry = (name) => ({
    e: { event_id: `id-${name}`, event: name, ts: Date.now(), params: {} },
    a: 'a'.repeat(32),
  });
  await page.evaluate(
    ([dead, living, ancient]) => {
      localStorage['rec_queue.dead'] = JSON.stringify({ time: Date.now() - 2e5, entries: [dead] });
      localStorage['rec_queue.living'] = JSON.stringify({ time: Date.now() - 2e4, entries: [living] });
      localStorage['rec_queue.ancient'] = JSON.stringify({ time: Date.now() - 9e8, entries: [ancient] });
      localStorage['rec_queue.broken'] = '{"time":';
    },
    [
      entry('dead_event'),
      entry('living_event'),
      { ...entry('ancient_event'), e: { ...entry('ancient_event').e, ts: Date.now() - 8 * 864e5 } },
    ],
  );
  await page.goto(world.shop.origin + '/?again');
  await until(() => ids('dead_event').size, 'the orphan');
  await until(async () => (await storedEvents(page).catch(() => [{}])).length === 1, 'only the living queue left');
  assert.equal(ids('living_event').size, 0);
  assert.equal(ids('ancient_event').size, 0, 'events older than 7 days are dropped');
});

test('two tabs deliver each event once, under one shopper and one session', async () => {
  const [one, two] = [await openShop(), await openShop()];
  const sent = [];
  for (let n = 0; n < 10; n++) {
    for (const page of [one, two]) {
      sent.push(await page.evaluate((n) => rec('track', 'view_item', { items: [{ item_id: 'SKU' + n }] }), n));
    }
  }
  await until(() => ids('view_item').size === 20, 'all events of both tabs');
  const events = world.collector.copies().filter(({ event }) => event === 'view_item');
  assert.equal(events.length, 20, 'no event twice');
  assert.deepEqual(new Set(events.map((event) => event.event_id)), new Set(sent));
  assert.equal(new Set(events.map((event) => event.session_id)).size, 1);
  assert.equal(new Set(world.collector.requests.map((envelope) => envelope.anonymous_id)).size, 1);
});

test('with storage full the shop keeps its data and events still arrive', async () => {
  const page = await openShop();
  const id = await page.evaluate(() => {
    let size = 2 ** 22;
    for (let n = 0; size >= 1; n++) {
      try {
        localStorage['shop' + n] = 'x'.repeat(size);
      } catch {
        size >>= 1;
      }
    }
    return rec('track', 'add_to_cart', { items: [{ item_id: 'SKU1' }] });
  });
  await until(() => ids('add_to_cart').has(id), 'the event');
});

test('with storage denied (a sandboxed page) events still arrive and nothing throws', async () => {
  const { collector, shop } = world;
  shop.pages['/sandbox'] = { html: embed(collector), headers: { 'Content-Security-Policy': 'sandbox allow-scripts' } };
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error));
  await page.goto(shop.origin + '/sandbox');
  await page.waitForFunction(() => window.rec?.version);
  assert.equal(
    await page.evaluate(() => {
      try {
        return typeof localStorage;
      } catch (error) {
        return error.name;
      }
    }),
    'SecurityError',
  );
  const id = await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await until(() => ids('view_item').has(id), 'the event');
  await page.goto(shop.origin + '/other');
  assert.deepEqual(errors, []);
});

for (const hours of [1, -1]) {
  test(`a clock ${hours} h wrong leaves the server's time of an event right`, async () => {
    const page = await context.newPage();
    await page.addInitScript((ms) => {
      const now = Date.now;
      Date.now = () => now() + ms;
    }, hours * 36e5);
    await page.goto(world.shop.origin + '/');
    await page.waitForFunction(() => window.rec?.version);
    const happenedAt = Date.now();
    await page.evaluate(() => rec('track', 'search', { search_term: 'shoes' })); // waits for its batch
    await until(() => ids('search').size, 'the search');
    const envelope = world.collector.requests.find(({ events }) => events.some(({ event }) => event === 'search'));
    const event = envelope.events.find(({ event }) => event === 'search');
    const serverTime = envelope.received_at - (envelope.sent_at - event.ts);
    assert.ok(Math.abs(event.ts - happenedAt) > 35e5, 'the clock is wrong');
    assert.ok(Math.abs(serverTime - happenedAt) < 1000, `off by ${serverTime - happenedAt} ms`);
  });
}

test('a clock that is set back while a pause is kept does not silence the page', async () => {
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  await page.evaluate(() => localStorage.setItem('rec_retry', Date.now() + 9e7));
  const id = await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await until(() => ids('view_item').has(id), 'the event');
});

test('the queue is capped: impressions go first, purchases never', async () => {
  const { collector } = world;
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  collector.isDown = true;
  const counts = await page.evaluate(async () => {
    rec('track', 'purchase', { transaction_id: 'T0', items: [{ item_id: 'SKU0' }] });
    for (let n = 0; n < 150; n++) rec('track', 'view_item_list', { items: [{ item_id: 'SKU' + n }] });
    for (let n = 0; n < 180; n++) rec('track', 'view_item', { items: [{ item_id: 'SKU' + n }] });
    const key = Object.keys(localStorage).find((key) => key.startsWith('rec_queue.'));
    const names = JSON.parse(localStorage[key]).entries.map(({ e }) => e.event);
    const count = (name) => names.filter((each) => each === name).length;
    return [names.length, count('purchase'), count('view_item_list'), count('view_item')];
  });
  assert.deepEqual(counts, [200, 1, 19, 180]);
  const bytes = await page.evaluate(() => {
    for (let n = 0; n < 60; n++) rec('track', 'big', { text: 'x'.repeat(5000) });
    const key = Object.keys(localStorage).find((key) => key.startsWith('rec_queue.'));
    return localStorage[key].length;
  });
  assert.ok(bytes < 130_000, `${bytes} bytes stored`);
});

test('batches hold at most 20 events and 48 kB', async () => {
  const { collector } = world;
  const page = await openShop();
  await page.evaluate(() => {
    for (let n = 0; n < 45; n++) rec('track', 'small', { n });
    for (let n = 0; n < 6; n++) rec('track', 'big', { text: 'é'.repeat(10_000) });
  });
  await until(
    () => collector.named('small').length === 45 && collector.named('big').length === 6,
    'all events',
    15_000,
  );
  for (const { events, headers } of collector.requests) {
    assert.ok(events.length <= 20);
    assert.ok(+headers['content-length'] <= 48_000, `${headers['content-length']} bytes`);
  }
});

test('an event of more than 48 kB is refused with a warning instead of blocking the queue', async () => {
  const page = await openShop();
  const warnings = [];
  page.on('console', (message) => warnings.push(message.text()));
  await page.evaluate(() => {
    rec('track', 'huge', { text: 'ü'.repeat(24_000) }); // bytes count, not characters
    rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
  });
  await until(() => ids('view_item').size, 'the next event');
  assert.ok(
    warnings.some((text) => text.includes("'huge' is over 48 kB")),
    warnings.join(),
  );
});

test('a list that the server has to cut reaches it whole', async () => {
  const page = await openShop();
  await page.evaluate(() => {
    const items = Array.from({ length: 110 }, (_, i) => ({ item_id: 'SKU' + i, item_name: 'Raincoat '.repeat(35) }));
    rec('track', 'view_item_list', { items });
  });
  await until(() => ids('view_item_list').size, 'the list');
  const sent = world.collector.named('view_item_list')[0];
  assert.equal(sent.params.items.length, 110);
  assert.ok(JSON.stringify(sent).length > 32 * 1024);
});

test('hidden pages send what they hold at once', async () => {
  const page = await openShop();
  await until(() => ids('page_view').size, 'page view');
  const hiddenAt = Date.now();
  await page.evaluate(() => {
    rec('track', 'search', { search_term: 'shoes' });
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  await until(() => ids('search').size, 'the search');
  assert.ok(Date.now() - hiddenAt < 1500, 'before its batch was due');
});
