/** The data layer on a page: when its reader comes, what it may send, and which arrays it follows. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { integrity, startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const GTAG = 'window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}';
const script = (code) => `<script>${GTAG};${code}</script>`;
const VIEW = "gtag('event','view_item',{items:[{item_id:'SKU1',price:9}]});";
const LAYER = { attributes: 'data-datalayer' };
const stored = (page) => page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]);
const NOTHING = [[], [], ''];
const isRead = (page) => page.waitForFunction(() => window.rec?.version);
const views = () => world.collector.named('view_item').map(({ params }) => params.items[0].item_id);

test('consent mode denied in the layer: nothing is sent or stored; an update to granted starts it', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const head = script(`gtag('consent','default',{ad_storage:'denied',analytics_storage:'denied'});${VIEW}`);
  const page = await open('/', { ...LAYER, head, body: '<rec-widget placement="home" live></rec-widget>' });
  await page.locator('rec-widget').locator('a').first().waitFor();
  await page.evaluate(() => dataLayer.push({ event: 'add_to_cart', ecommerce: { items: [{ item_id: 'SKU2' }] } }));
  await unchanged(700);
  assert.equal(collector.attempts.length, 0);
  assert.deepEqual(
    [collector.sockets.size, collector.lists.length, collector.lists[0].anonymous_id],
    [0, 1, undefined],
  );
  assert.deepEqual(await stored(page), NOTHING);

  await page.evaluate(() => gtag('consent', 'update', { analytics_storage: 'granted' }));
  await until(() => views().length && collector.named('add_to_cart').length, 'what waited');
  await until(() => collector.lists.length === 2, 'a personal list');
  assert.equal(collector.lists[1].anonymous_id, collector.requests[0].anonymous_id);
  await context.close();
});

test('a shopper who said yes stays the same one and in one session, though every page begins with denied', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const head = script("gtag('consent','default',{analytics_storage:'denied',wait_for_update:500})");
  for (const path of ['/a', '/b', '/c']) {
    const page = await open(path, { ...LAYER, head });
    await isRead(page);
    await page.evaluate(() => gtag('consent', 'update', { analytics_storage: 'granted' }));
    await until(() => collector.named('page_view').some(({ url }) => url.endsWith(path)), path);
    await page.close();
  }
  assert.equal(new Set(collector.requests.map((envelope) => envelope.anonymous_id)).size, 1);
  const events = collector.named('page_view');
  assert.equal(new Set(events.map((event) => event.session_id)).size, 1);
  assert.deepEqual(new Set(events.map((event) => event.session_number)), new Set([1]));
  await context.close();
});

test('an update to denied stops everything and removes what was stored', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { ...LAYER, head: script("gtag('consent','default',{analytics_storage:'granted'})") });
  await until(() => collector.named('page_view').length, 'page view');
  await page.evaluate(() => rec('consent', 'granted'));
  assert.notDeepEqual(await stored(page), NOTHING);
  await page.evaluate(() => {
    gtag('consent', 'update', { analytics_storage: 'denied' });
    gtag('event', 'view_item', { items: [{ item_id: 'SKU9' }] });
  });
  await unchanged(400);
  assert.deepEqual(await stored(page), NOTHING);
  await page.goto(world.shop.origin + '/other');
  await unchanged(300);
  assert.deepEqual(views(), []);
  assert.deepEqual(await stored(page), NOTHING);
  await context.close();
});

test('wait_for_update holds a granted default back, and no longer than it says', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const head = script(`gtag('consent','default',{analytics_storage:'granted',wait_for_update:1500});${VIEW}`);
  const page = await open('/', { ...LAYER, head });
  await isRead(page);
  assert.equal(collector.attempts.length, 0);
  assert.deepEqual(await stored(page), NOTHING);
  await until(() => views().length, 'the event after the wait');
  await context.close();
});

test('the strictest word counts: consent mode, TCF, and what the shop says itself', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  // A stand-in for a TCF 2.2 banner: it answers as the specification says, and is nobody's product.
  const head =
    script(`window.__tcfapi=(command,version,callback)=>{if(command==='addEventListener')window.tell=(data)=>callback({listenerId:1,gdprApplies:true,...data},true)};
    gtag('consent','default',{analytics_storage:'granted',personalization_storage:'granted'});${VIEW}`);
  const page = await open('/', { ...LAYER, head });
  await isRead(page);
  const consents = (...purposes) => ({
    purpose: { consents: Object.fromEntries(purposes.map((each) => [each, true])) },
  });
  await page.evaluate((data) => window.tell({ eventStatus: 'cmpuishown', ...data }), consents());
  await unchanged(300);
  assert.equal(collector.attempts.length, 0, 'the banner is on screen');
  assert.deepEqual(await stored(page), NOTHING);
  await page.evaluate((data) => window.tell({ eventStatus: 'useractioncomplete', ...data }), consents(1, 5, 6, 7, 8));
  await until(() => views().length, 'what waited');
  await page.evaluate(() => rec('consent', 'denied'));
  assert.deepEqual(await stored(page), [['rec_consent'], [], '']);
  await page.evaluate(() => rec('consent', 'granted'));
  await page.evaluate(() => gtag('event', 'view_item', { items: [{ item_id: 'SKU2' }] }));
  await until(() => views().includes('SKU2'), 'the shopper came back');
  await page.evaluate((data) => window.tell({ eventStatus: 'useractioncomplete', ...data }), consents(1, 7, 8));
  await page.evaluate(() => gtag('event', 'view_item', { items: [{ item_id: 'SKU3' }] }));
  await unchanged(400);
  assert.deepEqual(await stored(page), NOTHING);
  assert.ok(!views().includes('SKU3'));
  await context.close();
});

test('where TCF does not apply, or the region is another, nothing has to be waited for', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const tcf = script(
    `window.__tcfapi=(command,version,callback)=>callback({gdprApplies:false,eventStatus:'tcloaded'},true);${VIEW}`,
  );
  await open('/tcf', { ...LAYER, head: tcf });
  await until(() => views().length === 1, 'no GDPR');
  const regions = `gtag('consent','default',{analytics_storage:'granted'});gtag('consent','default',{analytics_storage:'denied',region:['DE','US-CA']});${VIEW}`;
  await open('/ny', { attributes: 'data-datalayer data-region="US-NY"', head: script(regions) });
  await until(() => views().length === 2, 'New York');
  for (const [path, attributes] of [
    ['/ca', 'data-datalayer data-region="us-ca"'],
    ['/unknown', 'data-datalayer'],
  ]) {
    const page = await open(path, { attributes, head: script(regions) });
    await isRead(page);
  }
  await unchanged(400);
  assert.equal(views().length, 2);
  assert.ok(!collector.named('page_view').some(({ url }) => /ca$|unknown$/.test(url)));
  await context.close();
});

test('a visitor who leaves before the reader came loses nothing, unless consent is asked for', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  await context.route(/datalayer\.js/, () => {}); // never answered
  const purchase = "dataLayer.push({event:'purchase',ecommerce:{transaction_id:'T1',items:[{item_id:'SKU1'}]}});";
  const page = await open('/thanks', { ...LAYER, head: script(purchase + VIEW) });
  await page.waitForFunction(() => window.rec?.host);
  await unchanged(200);
  assert.equal(collector.attempts.length, 0);
  await page.goto(world.shop.origin + '/other');
  await until(() => collector.named('purchase').length && views().length, 'a beacon');
  assert.equal(collector.named('purchase')[0].params.ecommerce.transaction_id, 'T1');
  assert.equal(collector.named('page_view').length, 1);
  await context.close();

  for (const question of ["gtag('consent','default',{analytics_storage:'denied'});", 'window.__tcfapi=()=>{};']) {
    const asked = await newShopper(world);
    await asked.context.route(/datalayer\.js/, () => {});
    const second = await asked.open('/asked', { ...LAYER, head: script(question + purchase) });
    await second.waitForFunction(() => window.rec?.host);
    await second.goto(world.shop.origin + '/other');
    await unchanged(400);
    assert.equal(collector.attempts.length, 0, question);
    assert.deepEqual(await stored(second), NOTHING);
    await asked.context.close();
  }
});

test('where the reader is refused, the rest works, and pushes go as they are', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  await context.route(/datalayer\.js/, (route) => route.abort('blockedbyclient'));
  const page = await open('/', { ...LAYER, head: script(VIEW), body: '<rec-widget placement="home"></rec-widget>' });
  await page.locator('rec-widget').locator('a').first().waitFor();
  await until(() => collector.named('page_view').length && views().length, 'events');
  await page.evaluate(() => {
    rec('consent', 'denied');
    dataLayer.push({ event: 'purchase', ecommerce: { transaction_id: 'T1', items: [{ item_id: 'SKU1' }] } });
  });
  await page.goto(world.shop.origin + '/other');
  await unchanged(400);
  assert.equal(collector.named('purchase').length, 0, 'a denial stands to the end');
  await context.close();
});

test('the reader is loaded once, of the version of the script, and only where a layer is named', async () => {
  const { context, open } = await newShopper(world);
  const asked = [];
  context.on('request', (request) => /datalayer/.test(request.url()) && asked.push(new URL(request.url()).pathname));
  await isRead(await open('/without'));
  assert.deepEqual(asked, []);
  const page = await open('/with', LAYER);
  await isRead(page);
  assert.deepEqual(asked, [`/r/v${await page.evaluate(() => rec.version)}/datalayer.js`]);
  await context.close();
});

test('strict policies: a nonce, trusted types, the host alone', async () => {
  const { collector } = world;
  for (const [path, sources] of [
    ['/nonce', "'nonce-abc'"],
    ['/dynamic', "'nonce-abc' 'strict-dynamic'"],
    ['/host', `${collector.origin} 'nonce-abc'`],
  ]) {
    const { context, open } = await newShopper(world);
    const policy = `default-src 'none'; script-src ${sources}; connect-src ${collector.origin}; require-trusted-types-for 'script'; trusted-types 'none'`;
    const html = `<!doctype html><title>x</title><script nonce="abc">${GTAG};${VIEW}</script><script ${path === '/host' ? '' : 'nonce="abc"'} async src="${collector.origin}/r/v1/rec.js" data-key="${collector.key}" data-datalayer></script>`;
    const page = await open(path, { page: { html, headers: { 'Content-Security-Policy': policy } } });
    await until(() => views().length, path);
    assert.deepEqual([page.errors, page.logs], [[], []], path);
    await context.close();
  }
});

test('a link with its hash keeps any other reader out', async () => {
  const { collector } = world;
  for (const hash of [integrity('datalayer.js'), integrity('widget.js')]) {
    const isRight = hash === integrity('datalayer.js');
    const { context, open } = await newShopper(world);
    const asked = [];
    context.on('request', (request) => /datalayer/.test(request.url()) && asked.push(request.url()));
    const link = `<link rel="modulepreload" href="${collector.origin}/r/v${version}/datalayer.js" integrity="${hash}" crossorigin="anonymous">`;
    const code = "dataLayer.push({ecommerce:{items:[{item_id:'SKU1'}]}},{event:'view_item'})"; // for a reader alone
    const page = await open('/linked', { ...LAYER, head: link + script(code) });
    await isRead(page);
    await unchanged(200);
    assert.deepEqual([views().length, asked.length], [isRight ? 1 : 0, 1], hash);
    await context.close();
  }
});

test('the array under its own name, exchanged, copied, declared by var, with a push of somebody else', async () => {
  const { context, open } = await newShopper(world);
  const push = (n) => `{event:'view_item',ecommerce:{items:[{item_id:'N${n}'}]}}`;
  const head = `<script>var shopLayer=[${push(1)}]</script>`;
  const page = await open('/named', { attributes: 'data-datalayer="shopLayer"', head });
  await until(() => views().includes('N1'), 'what stood there');
  await page.evaluate(`shopLayer = [...shopLayer, ${push(2)}]; shopLayer.push(${push(3)})`);
  await until(() => views().includes('N2') && views().includes('N3'), 'a copy that took its place');
  await page.evaluate(`shopLayer.push = Array.prototype.push; shopLayer.push(${push(4)})`);
  await until(() => views().includes('N4'), 'past our hook');
  await page.evaluate(`shopLayer = [${push(6)}]`);
  await page.goto(world.shop.origin + '/other');
  await until(() => views().includes('N6'), 'exchanged as the page goes');
  assert.deepEqual(views().sort(), ['N1', 'N2', 'N3', 'N4', 'N6']);
  const other = await open('/replaced', { ...LAYER, head: `<script>dataLayer=[${push(7)}]</script>` });
  await until(() => views().includes('N7'), 'the first array');
  await other.evaluate(`dataLayer = [${push(8)}]; dataLayer = []; dataLayer.push(${push(9)})`);
  await until(() => views().includes('N8') && views().includes('N9'), 'both that followed at once');
  await other.evaluate(`const twice = ${push(5)}; dataLayer = []; dataLayer.push(twice, twice)`);
  await until(() => views().filter((id) => id === 'N5').length === 2, 'what is pushed twice');
  assert.equal(views().length, 10);
  await context.close();
});

test('functions, elements, cycles, getters that throw and BigInt cost fields, never the event or the page', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', LAYER);
  await isRead(page);
  await page
    .evaluate(() => {
      const items = [{ item_id: 'SKU1', price: 9, element: document.body, quantity: 2n, render() {} }];
      const push = { event: 'purchase', eventCallback() {}, ecommerce: { transaction_id: 'T1', items, window } };
      items[0].self = items[0];
      items.push(items);
      push.ecommerce.push = push;
      document.body.fiber = push;
      Object.defineProperty(push.ecommerce, 'coupon', { enumerable: true, get: () => JSON.parse('{') });
      dataLayer.push(push, () => 1, Symbol('x'), document.body, window, new Proxy({}, { has: () => JSON.parse('{') }));
      gtag;
    })
    .catch(() => {});
  await until(() => collector.named('purchase').length, 'the purchase');
  assert.deepEqual(collector.named('purchase')[0].params, {
    transaction_id: 'T1',
    items: [{ item_id: 'SKU1', price: 9, quantity: 2 }],
  });
  assert.deepEqual([page.errors, page.logs], [[], []]);
  await context.close();
});
