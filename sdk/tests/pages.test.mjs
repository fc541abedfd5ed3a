import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { built, integrity, openUndriven, page as embed, startWorld, STUB, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const views = () => world.collector.named('page_view');
const paths = () => views().map((event) => new URL(event.url).pathname + new URL(event.url).search);

test('a single-page shop counts each address once, in pushState, replaceState and back', async () => {
  for (const init of [undefined, () => delete window.navigation]) {
    const { context, open } = await newShopper(world);
    const page = await open('/spa', { init });
    await until(() => views().length === 1, 'first view');
    await page.evaluate(async () => {
      const tick = () => new Promise((resolve) => setTimeout(resolve, 30)); // sleep: the pace of a user
      history.pushState({}, '', '/spa/shoes');
      document.title = 'Shoes'; // routers set it afterwards
      await tick();
      history.pushState({ again: 1 }, '', '/spa/shoes'); // same address again
      await tick();
      history.replaceState({}, '', '/spa/shoes#reviews');
      await tick();
      history.replaceState({}, '', '/spa/shoes?page=2');
      await tick();
      for (let times = 0; times < 2; times++) {
        const gone = new Promise((resolve) => addEventListener('popstate', resolve, { once: true }));
        history.back(); // asynchronous: a second one before the first arrived makes one step of both
        await gone;
        await tick();
      }
    });
    await until(() => views().length >= 5, 'five views');
    await unchanged(2200); // nothing more is waiting for its batch
    assert.deepEqual(paths(), ['/spa', '/spa/shoes', '/spa/shoes?page=2', '/spa/shoes', '/spa']);
    assert.equal(views()[1].params.page_title, 'Shoes');
    assert.equal(new Set(views().map((event) => event.page_view_id)).size, views().length, 'each view has its own id');
    await context.close();
  }
});

test('a return from the back/forward cache counts a page view, though the widget has a socket open', async () => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/cached', { body: '<rec-widget placement="home" live></rec-widget>' });
  await until(() => collector.sockets.size === 1, 'the socket');
  await page.evaluate(() => (window.stillHere = true));
  await page.goto(shop.origin + '/other');
  await until(() => collector.sockets.size === 0, 'the socket closed');
  await page.evaluate(() => history.back()).catch(() => {}); // the answer may be lost with the page
  await page.waitForURL(/cached/, { waitUntil: 'commit' });
  assert.equal(await page.evaluate(() => window.stillHere), true, 'the page came from the cache');
  await until(() => views().length === 2, 'the second view');
  await until(() => collector.sockets.size === 1, 'the socket again');
  const subscribed = collector.hellos.filter(({ type }) => type === 'subscribe').at(-1);
  assert.equal(subscribed.seen.home, 'rec-1-0', 'the server learns which list is on screen');
  await context.close();
});

test('a prerendered page is counted when it is shown, not before', async () => {
  const { collector, shop } = world;
  await newShopper(world).then(({ context }) => context.close());
  const shownAfterMs = 2500; // time for the prerendered page to misbehave
  shop.pages['/next'] = embed(collector, {
    body: `<script>rec("track", "view_item", { items: [{ item_id: "SKU9" }] });
      document.addEventListener("prerenderingchange", () => rec("track", "activated", { at: Date.now() }))</script>`,
  });
  shop.pages['/first'] = embed(collector, {
    body: `<script type="speculationrules">{"prerender":[{"urls":["/next"],"eagerness":"immediate"}]}</script>
      <a href="/next">next</a><script>setTimeout(() => document.querySelector("a").click(), ${shownAfterMs})</script>`,
  });
  const end = await openUndriven(shop.origin + '/first');
  try {
    await until(() => collector.named('activated').length, 'Chromium to prerender and activate the page');
    await until(() => views().length === 2 && collector.named('view_item').length, 'its events');
    assert.deepEqual(paths(), ['/first', '/next']);
    const activatedAt = collector.named('activated')[0].params.at;
    for (const event of [views()[1], collector.named('view_item')[0]]) {
      assert.ok(
        Math.abs(event.ts - activatedAt) < 500,
        `${event.event} at ${event.ts - activatedAt} ms from activation`,
      );
    }
  } finally {
    await end();
  }
});

test('the script loaded twice works once', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const again = `<script async src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}"></script>`;
  const page = await open('/twice', { head: again, body: `<rec-widget placement="home"></rec-widget>${again}` });
  await until(() => views().length && collector.lists.length, 'a view and a list');
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await unchanged(2500);
  assert.deepEqual([views().length, collector.named('view_item').length, collector.lists.length], [1, 1, 1]);
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('tracker and widget as two files work like one, in either order', async () => {
  const { collector } = world;
  for (const [first, second] of [
    ['tracker.js', 'widget.js'],
    ['widget.js', 'tracker.js'],
  ]) {
    const { context, open } = await newShopper(world);
    const tag = (file) => `<script src="${collector.origin}/r/v1/${file}" data-key="${collector.key}"></script>`;
    const html = `<!doctype html><title>x</title>${tag(first)}${tag(second)}<rec-widget placement="home"></rec-widget>`;
    const page = await open('/split', { page: html });
    await until(() => views().length === 1 && collector.lists.length === 1, 'a view and a list');
    await page.locator('rec-widget').locator('a').first().waitFor();
    await context.close();
  }
});

test('a strict Content-Security-Policy with Subresource Integrity needs no exception', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const src = `${collector.origin}/r/v1.0.0/rec.js`;
  const csp = [
    "default-src 'none'",
    `script-src ${collector.origin}`,
    `connect-src ${collector.origin} ${collector.origin.replace('http', 'ws')}`,
    "img-src 'self'",
    "style-src 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  const html = `<!doctype html><title>x</title><script async crossorigin src="${src}" integrity="${integrity('rec.js')}" data-key="${collector.key}"></script>
    <rec-widget placement="home" heading="For you" live></rec-widget>`;
  const page = await open('/strict', { page: { html, headers: { 'Content-Security-Policy': csp } } });
  await until(() => views().length && collector.sockets.size, 'a view and a socket');
  await page.locator('rec-widget').locator('img').first().waitFor();
  const violations = page.logs.filter((text) => /Content Security Policy|Trusted/i.test(text));
  assert.deepEqual(violations, []);
  const height = await page
    .locator('rec-widget')
    .locator('img')
    .first()
    .evaluate((image) => image.clientHeight);
  assert.ok(height > 50, 'the style sheet works');
  await context.close();
});

test('calls queued by the one-line stub are replayed in order, before the page view', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const calls =
    '<script>rec("use",function(e){e.params.shop_language="de"});rec("identify","u1","t.o.k");rec("track","view_item",{items:[{item_id:"SKU1"}]})</script>';
  await open('/stub', { stub: STUB + calls });
  await until(() => views().length && collector.named('view_item').length, 'both events');
  const names = collector.events().map((event) => event.event);
  assert.deepEqual(names, ['identify', 'view_item', 'page_view']);
  assert.ok(
    collector.events().every((event) => event.params.shop_language === 'de'),
    'the hook saw all',
  );
  assert.equal(collector.requests[0].user_id, 'u1');
  assert.equal(collector.requests[0].user_token, 't.o.k');
  assert.equal(new Set(collector.events().map((event) => event.page_view_id)).size, 1);
  await context.close();
});

test('data-auto="false" leaves page views to the shop', async () => {
  const { context, open } = await newShopper(world);
  const page = await open('/manual', { attributes: 'data-auto="false"' });
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => history.pushState({}, '', '/manual/2'));
  await unchanged(300);
  assert.equal(views().length, 0);
  await page.evaluate(() => {
    rec.page();
    rec.page(); // the same address
    rec.page({ page_type: 'overlay' }); // but this says that it is a new page
  });
  await until(() => views().length === 2, 'two views');
  await context.close();
});

test('the built files carry their licence and fit their budgets', async () => {
  const { gzipSync } = await import('node:zlib');
  const { BUDGET_BYTES } = await import('../build.mjs');
  for (const [file, budget] of Object.entries(BUDGET_BYTES)) {
    assert.match(built(file).toString(), /^\/\*! rec\.js \d+\.\d+\.\d+ \| Apache-2\.0 \*\//);
    const bytes = gzipSync(built(file), { level: 9 }).length;
    assert.ok(bytes <= budget, `${file} has ${bytes} of ${budget} bytes`);
  }
});
