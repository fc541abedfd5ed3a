import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const item = { item_id: 'SKU1', item_name: 'Shoe', price: 12.5, quantity: 2 };

test('GA4 pushes of dataLayer and gtag, before and after, become events', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const head = `<script>window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}
    dataLayer.push({ecommerce:null});dataLayer.push({event:'view_item',ecommerce:{currency:'EUR',items:[{item_id:'SKU1',item_name:'Shoe',price:'12.50',quantity:'2',item_brand:'',coupon:null}]}});</script>`;
  const page = await open('/', { head, attributes: 'data-datalayer' });
  await page.waitForFunction(() => window.rec?.version);
  const length = await page.evaluate(() => {
    gtag('js', new Date());
    gtag('config', 'G-1');
    gtag('event', 'purchase', {
      transaction_id: 42,
      value: '25',
      currency: 'EUR',
      items: [{ item_id: 7, price: 12.5 }],
    });
    gtag('event', 'search', { search_term: 'shoes' });
    gtag('event', 'scroll', { percent: 90 });
    dataLayer.push({ event: 'add_to_cart', ecommerce: { items: [{ item_id: 'SKU2' }] } }, { event: 'gtm.click' });
    dataLayer.push({ event: 'view_item' }, null, 'text', {
      get event() {
        throw Error('hostile');
      },
    });
    return dataLayer.length;
  });
  await until(() => collector.named('search').length && collector.named('add_to_cart').length, 'the events');
  assert.equal(length, 13, 'the layer itself is as the tag manager expects it');
  assert.deepEqual(
    collector.named('view_item').map(({ params }) => params),
    [{ currency: 'EUR', items: [item] }],
  );
  assert.deepEqual(collector.named('purchase')[0].params, {
    transaction_id: '42',
    value: 25,
    currency: 'EUR',
    items: [{ item_id: '7', price: 12.5 }],
  });
  assert.equal(collector.named('scroll').length, 0);
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('without data-datalayer the layer is left alone', async () => {
  const { context, open } = await newShopper(world);
  const page = await open('/', {
    head: "<script>dataLayer=[{event:'view_item',ecommerce:{items:[{item_id:'SKU1'}]}}]</script>",
  });
  await until(() => world.collector.named('page_view').length, 'page view');
  await unchanged(300);
  assert.equal(world.collector.named('view_item').length, 0);
  await context.close();
  void page;
});

test('data-rec-event tracks clicks and submits, also in shadow trees, and survives broken JSON', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', {
    body: `<button data-rec-event="add_to_cart" data-rec-params='{"items":[{"item_id":"SKU1"}]}'><b>add</b></button>
      <i data-rec-event="broken" data-rec-params="{">x</i><form data-rec-event="newsletter" action="javascript:void 0"><input><button>ok</button></form>
      <div id="host"></div><script>document.getElementById('host').attachShadow({mode:'open'}).innerHTML='<u data-rec-event="inside">inside</u>'</script>`,
  });
  await page.waitForFunction(() => window.rec?.version);
  await page.click('b');
  await page.click('i');
  await page.click('input');
  await page.click('form button');
  await page.click('u');
  await until(
    () => ['add_to_cart', 'broken', 'newsletter', 'inside'].every((name) => collector.named(name).length === 1),
    'four events',
  );
  assert.deepEqual(collector.named('add_to_cart')[0].params, { items: [{ item_id: 'SKU1' }] });
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('hooks see, change and drop events; one that throws does no harm', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    rec('use', () => {
      throw Error('hook');
    });
    rec('use', (event) => event.event !== 'secret');
    rec('use', (event) => {
      event.params.shop = 'de';
    });
    rec('track', 'secret', {});
    rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
  });
  await until(() => collector.named('view_item').length, 'the event');
  await unchanged(2200);
  assert.equal(collector.named('view_item')[0].params.shop, 'de');
  assert.equal(collector.named('secret').length, 0);
  await context.close();
});

test('no call can throw into the shop: cycles, BigInt, unknown methods', async () => {
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    const cycle = {};
    cycle.self = cycle;
    rec('track', 'view_item', cycle);
    rec.track('view_item', { n: 10n });
    rec('no_such_method');
    rec('track');
  });
  assert.deepEqual(page.errors, []);
  assert.equal(page.logs.filter((text) => text.startsWith('rec: ')).length, 3);
  await context.close();
});

test('event ids are UUIDv7 in the order of their events, and params are a copy', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await page.waitForFunction(() => window.rec?.version);
  const sent = await page.evaluate(async () => {
    const ids = [];
    const params = { items: [{ item_id: 'SKU1' }] };
    for (let n = 0; n < 5; n++) {
      ids.push(rec('track', 'wish', params));
      await new Promise((resolve) => setTimeout(resolve, 3)); // sleep: the pace of a user
    }
    params.items[0].item_id = 'changed';
    return ids;
  });
  await until(() => collector.named('wish').length === 5, 'events');
  for (const id of sent) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual([...sent].sort(), sent);
  assert.ok(Math.abs(parseInt(sent[0].replace('-', '').slice(0, 12), 16) - Date.now()) < 10_000);
  assert.equal(collector.named('wish')[4].params.items[0].item_id, 'SKU1');
  await context.close();
});

test('a click on a recommendation is put on later cart and purchase items for 24 hours', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() =>
    rec('track', 'select_item', { item_list_id: 'home', rec_id: 'r1', items: [{ item_id: 'SKU1' }] }),
  );
  await page.reload();
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    const items = () => [{ item_id: 'SKU1' }, { item_id: 'SKU2' }, { item_id: 'SKU1', rec_id: 'own' }];
    rec('track', 'add_to_cart', { items: items() });
    rec('track', 'view_item_list', { item_list_id: 'category', items: items() });
    const now = Date.now;
    Date.now = () => now() + 25 * 36e5;
    rec('track', 'purchase', { transaction_id: 'T1', items: items() });
  });
  await until(
    () => ['add_to_cart', 'view_item_list', 'purchase'].every((name) => collector.named(name).length),
    'events',
  );
  const ids = (name) => collector.named(name)[0].params.items.map((each) => each.rec_id);
  assert.deepEqual(ids('add_to_cart'), ['r1', undefined, 'own']);
  assert.deepEqual(ids('view_item_list'), [undefined, undefined, 'own']);
  assert.deepEqual(ids('purchase'), [undefined, undefined, 'own'], 'a day later it is no longer ours');
  await context.close();
});
