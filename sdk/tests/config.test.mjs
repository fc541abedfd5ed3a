/** `window.recsite`: options where attributes cannot be written, as Tag Manager strips them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const bare = (collector, config, more = '') =>
  `<!doctype html><title>Shop</title><script>window.recsite=${JSON.stringify(config)};${more}</script>` +
  `<script async src="${collector.origin}/r/v1/rec.js"></script>`;

test('a tag without attributes takes key and options from window.recsite', async () => {
  const { context, open } = await newShopper(world);
  const key = world.collector.key;
  const page = await open('/bare', { page: bare(world.collector, { key, auto: 'false' }) });
  await page.waitForFunction(() => window.rec?.version);
  assert.equal(await page.evaluate(() => rec.key), key);
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await until(() => world.collector.named('view_item').length, 'the event');
  assert.equal(world.collector.named('page_view').length, 0, "auto: 'false' counts no page view");
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('consent and the data layer are options like all others', async () => {
  const { context, open } = await newShopper(world);
  const config = { key: world.collector.key, datalayer: 'true', consent: 'pending' };
  const push = "dataLayer=[{event:'view_item',ecommerce:{items:[{item_id:'SKU7'}]}}]";
  const page = await open('/layer', { page: bare(world.collector, config, push) });
  await page.waitForFunction(() => window.rec?.version);
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'nothing is stored while pending');
  assert.equal(world.collector.requests.length, 0);
  await page.evaluate(() => rec('consent', 'granted'));
  await until(() => world.collector.named('view_item').length, 'the event of the layer');
  await context.close();
});
