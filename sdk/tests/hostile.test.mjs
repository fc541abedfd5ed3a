/** What shops, their other scripts and their shoppers' extensions do to us; nothing of it may reach the page or cost events. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { page as embed, startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const POISON = [
  'null',
  '1',
  '"text"',
  '[]',
  '{}',
  '[null]',
  '[1,[2]]',
  '{"time":',
  '{"time":0}',
  '{"time":0,"entries":[null]}',
  '{"id":{},"last":"x","start":[],"n":"y"}',
];
const KEYS = ['rec_aid', 'rec_session', 'rec_retry', 'rec_clicked', 'rec_consent', 'rec_queue.foreign'];

test("whatever stands under our keys in localStorage, events arrive in the contract's form", async () => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/poison', { page: '<!doctype html><title>x</title>' });
  for (const poison of POISON) {
    collector.renew(); // the shopper before is gone, with the key
    await page.goto(shop.origin + '/poison');
    await context.clearCookies();
    await page.evaluate(
      ([keys, text]) => {
        localStorage.clear();
        keys.forEach((key) => localStorage.setItem(key, text));
      },
      [KEYS, poison],
    );
    shop.pages['/poisoned'] = embed(collector);
    await page.goto(shop.origin + '/poisoned');
    await page.waitForFunction(() => window.rec?.version);
    await page.evaluate(() => {
      rec('track', 'select_item', { rec_id: 'r1', items: [{ item_id: 'SKU1' }] });
      rec('track', 'add_to_cart', { items: [{ item_id: 'SKU1' }] });
    });
    await until(
      () => ['page_view', 'select_item', 'add_to_cart'].every((name) => collector.named(name).length),
      `events beside ${poison}`,
    );
    for (const { anonymous_id, events } of collector.requests) {
      assert.match(anonymous_id, /^[\w-]{16,64}$/);
      for (const { session_id, session_number } of events) {
        assert.match(session_id, /^[\w-]{36}$/, poison);
        assert.ok(Number.isInteger(session_number) && session_number > 0, `${poison}: session ${session_number}`);
      }
    }
    assert.equal(collector.named('add_to_cart')[0].params.items[0].rec_id, 'r1', poison);
    assert.deepEqual([page.errors, page.logs], [[], []], poison);
  }
  await context.close();
});

test('a foreign cookie of our name is not taken for an id', async () => {
  const { context, open } = await newShopper(world);
  await context.addCookies([{ name: 'rec_aid', value: 'other', url: world.shop.origin }]);
  await open('/');
  await until(() => world.collector.named('page_view').length, 'page view');
  assert.match(world.collector.requests[0].anonymous_id, /^[0-9a-f]{32}$/);
  await context.close();
});

test('a blocked host costs the page nothing: no error, no word of ours in the console, few attempts', async () => {
  const { context, open } = await newShopper(world);
  let attempts = 0;
  await context.route(/\/v1\/(events|recommendations|live)/, (route) => (attempts++, route.abort('blockedbyclient')));
  const page = await open('/blocked', { body: '<rec-widget placement="home" live></rec-widget>' });
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    for (let n = 0; n < 300; n++) rec('track', 'view_item', { items: [{ item_id: 'SKU' + n }] });
  });
  await unchanged(3000);
  assert.ok(attempts <= 6, `${attempts} attempts in 3 s`);
  const ours = page.logs.filter((text) => !text.startsWith('Failed to load resource')); // the browser's own line for each
  assert.deepEqual([page.errors, ours], [[], []]);
  const stored = await page.evaluate(() => JSON.stringify(localStorage).length);
  assert.ok(stored < 200_000, `${stored} characters stored`);
  await context.close();
});

test('a script that an extension refuses leaves a page whose calls do nothing', async () => {
  const { context, open } = await newShopper(world);
  await context.route(/rec\.js/, (route) => route.abort('blockedbyclient'));
  const page = await open('/refused', { body: '<rec-widget placement="home">…</rec-widget>' });
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('the script in the head without async, before the body, sees the whole page', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const html = `<!doctype html><html><head><title>Boots</title><script src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}"></script></head>
    <body><button data-rec-event="wish">wish</button><rec-widget placement="home"></rec-widget></body></html>`;
  const page = await open('/head', { page: html });
  await page.click('button');
  await page.locator('rec-widget').locator('a').first().waitFor();
  await until(() => collector.named('wish').length && collector.named('page_view').length, 'both events');
  assert.equal(collector.named('page_view')[0].params.page_title, 'Boots');
  assert.deepEqual([page.errors, page.logs], [[], []]);
  await context.close();
});

test('of two sites on one page the first counts, and the second is told', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const body = `<script src="${collector.origin}/r/v1/rec.js" data-key="pk_of_another_site"></script>`;
  const page = await open('/two', {
    page: `<!doctype html><title>x</title><script src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}"></script>${body}`,
  });
  await until(() => collector.named('page_view').length, 'page view');
  await unchanged(500);
  assert.equal(collector.attempts.length, 1);
  assert.deepEqual(page.logs, ['rec: ignored site pk_of_another_site']);
  await context.close();
});

test('ten thousand marked elements cost what one costs', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const body = Array.from(
    { length: 10_000 },
    (_, n) => `<i data-rec-event="wish" data-rec-params='{"n":${n}}'>${n} </i>`,
  ).join('');
  const page = await open('/many', { body });
  await page.waitForFunction(() => window.rec?.version);
  const ms = await page.evaluate(() => {
    const marked = [...document.querySelectorAll('i')].slice(-20);
    const started = performance.now();
    marked.forEach((element) => element.click());
    return performance.now() - started;
  });
  await until(() => collector.named('wish').length === 20, 'the clicks');
  assert.deepEqual(
    collector.named('wish').map(({ params }) => params.n),
    Array.from({ length: 20 }, (_, n) => 9980 + n),
  );
  assert.ok(ms < 200, `20 clicks took ${ms} ms`);
  await context.close();
});

test('a burst of routes: those passed in one go are not pages, those that were shown are', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/burst');
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(async () => {
    for (let n = 0; n < 100; n++) history.pushState({}, '', '/redirect/' + n);
    for (let n = 0; n < 30; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5)); // sleep: the pace of a router
      history.pushState({}, '', '/shown/' + n);
    }
  });
  await until(() => collector.named('page_view').some(({ url }) => url.endsWith('/shown/29')), 'the last page');
  const paths = collector.named('page_view').map(({ url }) => new URL(url).pathname);
  assert.equal(paths.filter((path) => path.startsWith('/redirect')).length, 1, 'the last of 100');
  assert.equal(paths.filter((path) => path.startsWith('/shown')).length, 30);
  assert.equal(new Set(collector.named('page_view').map((event) => event.page_view_id)).size, paths.length);
  await context.close();
});

test('text that no server could read is put right: half an emoji in a title cut short', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/emoji', {
    page: `<!doctype html><title>${'x'.repeat(499)}😀</title><script src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}"></script>`,
  });
  await page.evaluate(() => rec('track', 'search', { search_term: 'boots \ud83d' }));
  await until(() => collector.named('search').length && collector.named('page_view').length, 'both events');
  for (const event of [
    collector.named('page_view')[0].params.page_title,
    collector.named('search')[0].params.search_term,
  ])
    assert.ok(event.isWellFormed());
  await context.close();
});
