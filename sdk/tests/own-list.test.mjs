import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const html = (page) => page.evaluate(() => document.querySelector('rec-widget').shadowRoot.innerHTML);
const ids = (events) => events.flatMap(({ params }) => params.items.map(({ item_id: id }) => id));

/** Ways in which a page draws a list itself; each marks its elements with the item, or returns one for each. */
const WAYS = {
  'rec:render': () =>
    addEventListener('rec:render', (event) => {
      event.preventDefault();
      // As frameworks do: later.
      setTimeout(() => {
        for (const item of event.detail.items) {
          const node = document.createElement('p');
          node.dataset.recItem = item.item_id;
          node.innerHTML = '<a href="#x">own</a>';
          event.target.append(node);
        }
      }, 20);
    }),
  renderItems: () =>
    addEventListener('DOMContentLoaded', () => {
      document.querySelector('rec-widget').renderItems = (result) =>
        result.items.map(() => Object.assign(document.createElement('p'), { innerHTML: '<a href="#x">own</a>' }));
    }),
  'rec.observe': () =>
    addEventListener('rec:render', (event) => {
      event.preventDefault();
      event.detail.items.forEach((item, index) => {
        const node = Object.assign(document.createElement('p'), { innerHTML: '<a href="#x">own</a>' });
        document.body.append(node);
        window.rec.observe(node, item, index, event.detail);
      });
    }),
};

for (const [name, init] of Object.entries(WAYS))
  test(`a page that draws with ${name} loses the skeleton, and neither impressions nor clicks`, async () => {
    const { collector } = world;
    const { context, open } = await newShopper(world);
    const page = await open('/', { init, body: '<rec-widget placement="a" limit="3"></rec-widget>' });
    await until(async () => !(await html(page)).includes('<li'), 'no skeleton');
    await until(() => collector.named('view_item_list').length, 'the impression');
    assert.deepEqual(ids(collector.named('view_item_list')).sort(), ['SKU1', 'SKU2', 'SKU3']);
    await page.getByText('own').nth(1).click();
    await until(() => collector.named('select_item').length, 'the click');
    assert.deepEqual(collector.named('select_item')[0].params, {
      item_list_id: 'a',
      rec_id: 'rec-1-0',
      items: [{ item_id: 'SKU2', index: 1 }],
    });
    assert.deepEqual(page.errors, []);
    await context.close();
  });

test('lists are asked for while the page is still being parsed, and a widget is moved without being asked for again', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  await context.route(/slow\.js/, (route) =>
    until(() => collector.lists.length, 'the request').then(() => route.fulfill({ body: '' })),
  );
  const page = await open('/', {
    body: '<rec-widget placement="a"></rec-widget><rec-widget placement="b"></rec-widget><script src="/slow.js"></script><p>end</p>',
  });
  assert.equal(collector.lists.length, 1);
  assert.equal(collector.lists[0].placements.length, 2);
  await page.evaluate(() => document.body.append(document.querySelector('rec-widget')));
  await page.evaluate(() => window.rec.recommend({ placement: 'last' }));
  assert.deepEqual(
    collector.lists.map(({ placements }) => placements.length),
    [2, 1],
  );
  await context.close();
});
