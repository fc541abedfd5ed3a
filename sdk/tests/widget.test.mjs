import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { product, startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

const AXE = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const cards = (page, n = 0) => page.locator('rec-widget').nth(n).locator('li');
const titles = (page, n = 0) => cards(page, n).locator('[part=name]').allTextContents();
const shown = (page, n = 0) => cards(page, n).locator('[part=name]:not(:empty)').first().waitFor();
const update = (placement, numbers, recId = 'live-1') => ({
  type: 'update',
  version: 1,
  results: [{ placement, rec_id: recId, items: numbers.map((n) => product(n)) }],
});

test('twelve widgets make one request and one socket', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const body = Array.from(
    { length: 12 },
    (_, n) => `<rec-widget placement="p${n}" item-id="SKU7" limit="${n + 1}" live></rec-widget>`,
  ).join('');
  const page = await open('/', { body: body + '<p>' + 'x '.repeat(20_000) + '</p>' }); // a page that takes a while to parse
  await shown(page, 11);
  await until(() => collector.hellos.length >= 2, 'the subscription');
  await unchanged(500);
  assert.equal(collector.lists.length, 1);
  assert.equal(collector.sockets.size, 1);
  assert.deepEqual(collector.lists[0].placements[11], { placement: 'p11', limit: 12, context_items: ['SKU7'] });
  assert.deepEqual(
    collector.hellos.map(({ type }) => type),
    ['hello', 'subscribe'],
  );
  const [hello, subscribe] = collector.hellos;
  assert.equal(hello.anonymous_id, collector.lists[0].anonymous_id);
  assert.equal(subscribe.placements.length, 12);
  assert.equal(subscribe.seen.p3, 'rec-1-3');
  assert.ok(JSON.stringify(subscribe).length < 4096);
  await context.close();
});

test('the request names page, cart, language and context, and nothing the API would refuse', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', {
    body: '<rec-widget placement="pdp" item-id="SKU7" context="A, B" cart="C,D"></rec-widget>',
  });
  await shown(page);
  const { headers, ...asked } = collector.lists[0];
  assert.match(headers['content-type'], /^text\/plain/);
  assert.deepEqual(asked, {
    key: collector.key,
    anonymous_id: asked.anonymous_id,
    placements: [{ placement: 'pdp', limit: 4, context_items: ['SKU7', 'A', 'B'] }],
    cart: ['C', 'D'],
    url: world.shop.origin + '/',
    lang: 'en',
  });
  await context.close();
});

test('more lists than the API takes in one request are asked for in two, and a cart is sent once', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const cart = Array.from({ length: 10 }, (_, n) => 'C' + n);
  const body = Array.from(
    { length: 25 },
    (_, n) => `<rec-widget placement="p${n}" cart="${cart}" live></rec-widget>`,
  ).join('');
  const page = await open('/', { body });
  await shown(page, 24);
  await until(() => collector.hellos.length >= 2, 'the subscription');
  assert.deepEqual(collector.lists.map(({ placements }) => placements.length).sort(), [20, 5]);
  for (const asked of [...collector.lists, collector.hellos.at(-1)]) assert.deepEqual(asked.cart, cart);
  assert.ok(collector.hellos.at(-1).placements.length <= 20);
  await context.close();
});

test('layout does not shift: not when the list arrives, not with a live update, not without a heading', async () => {
  const { collector } = world;
  for (const [width, layout] of [
    [1280, 'grid'],
    [390, 'grid'],
    [1280, 'carousel'],
    [390, 'carousel'],
  ]) {
    const { context, open } = await newShopper(world, { viewport: { width, height: 900 } });
    collector.delayMs = 300;
    const page = await open('/', {
      head: '<style>rec-widget:not(:defined){display:block;min-height:400px}</style>',
      init: () => {
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.value))).observe({
          type: 'layout-shift',
          buffered: true,
        });
      },
      body: `<rec-widget placement="a" heading="For you" layout="${layout}" live></rec-widget><p>text below</p><rec-widget placement="b" layout="${layout}"></rec-widget><p>more</p>`,
    });
    await until(() => page.evaluate(() => document.querySelector('rec-widget')?.shadowRoot), 'the skeleton');
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const skeleton = await page.evaluate(() =>
      [...document.querySelectorAll('rec-widget')].map((each) => each.offsetHeight),
    );
    const before = await page.evaluate(() => window.shift);
    await shown(page);
    await until(() => collector.hellos.length >= 2, 'the subscription');
    collector.push(update('a', [9, 8, 7, 6]));
    await until(async () => (await titles(page))[0].startsWith('Product number 9'), 'the update');
    await unchanged(200);
    const cards = await page.evaluate(() =>
      [...document.querySelectorAll('rec-widget')].map((each) => each.offsetHeight),
    );
    assert.deepEqual(cards, skeleton, `${layout} at ${width}`);
    const shift = (await page.evaluate(() => window.shift)) - before;
    assert.ok(shift < 0.001, `layout shift ${shift} for ${layout} at ${width}`);
    await context.close();
  }
});

test('a card shows picture, brand, name and price in the language of the page; sale prices stand beside the old', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  collector.items = () => [
    product(1, { price: 1234.5, sale_price: 999, image_url: '/image/{w}.svg' }),
    product(2, { price: null }),
    product(3, { currency: 'nonsense' }),
  ];
  const page = await open('/', { body: '<div lang="de-DE"><rec-widget placement="a" limit="3"></rec-widget></div>' });
  await shown(page);
  const prices = await cards(page).locator('[part=price]').allTextContents();
  assert.deepEqual(
    prices.map((text) => text.replace(/\s/g, ' ')),
    ['999,00 €1.234,50 €', '', '13'],
  );
  assert.equal(
    await cards(page)
      .first()
      .locator('s')
      .textContent()
      .then((text) => text.replace(/\s/g, ' ')),
    '1.234,50 €',
  );
  const image = cards(page).first().locator('img');
  assert.equal(await image.getAttribute('loading'), 'lazy');
  assert.match(await image.getAttribute('srcset'), /\/image\/240\.svg 240w,.*\/image\/960\.svg 960w/);
  assert.ok(await image.getAttribute('sizes'));
  assert.equal(await image.getAttribute('alt'), '');
  await context.close();
});

test('no field of a catalogue can run script, in our card or in a template', async () => {
  const { collector } = world;
  const evil = '"><img src=x onerror=window.pwned=1><script>window.pwned=1</script>';
  const fields = ['item_id', 'title', 'brand', 'price', 'sale_price', 'currency', 'category', 'url', 'image_url'];
  const addresses = [
    'javascript:window.pwned=1',
    'JaVa\nScript:window.pwned=1',
    'data:text/html,<script>parent.pwned=1</script>',
    'vbscript:x',
    'http://[bad',
    42,
    { x: 1 },
  ];
  const template = `<template><a data-bind="href:url;title:title;onclick:title"><img data-bind="src:image_url;alt:title;onerror:title"><b data-bind="text:title;innerHTML:title;srcdoc:title"></b><i data-bind="price:price;text:brand;style:title"></i></a></template>`;
  for (const own of ['', template]) {
    const { context, open } = await newShopper(world);
    collector.items = () => [
      Object.fromEntries(fields.map((field) => [field, evil])),
      ...addresses.map((address, n) => product(n, { url: address, image_url: address })),
    ];
    const page = await open('/', { body: `<rec-widget placement="a" limit="8" heading='${evil}'>${own}</rec-widget>` });
    await until(
      () =>
        page.evaluate(
          () =>
            document.querySelector('rec-widget')?.shadowRoot?.querySelectorAll('li').length === 8 &&
            !document.querySelector('rec-widget').shadowRoot.querySelector('[aria-hidden]'),
        ),
      'the cards',
    );
    const links = await page.evaluate(() =>
      [...document.querySelector('rec-widget').shadowRoot.querySelectorAll('a')]
        .map((a) => a.getAttribute('href'))
        .filter(Boolean),
    );
    for (const href of links) assert.match(href, /^https?:/);
    for (let n = 0; n < 8; n++) await cards(page).nth(n).locator('a').first().dispatchEvent('click', { button: 1 });
    const inside = await page.evaluate(() => {
      const root = document.querySelector('rec-widget').shadowRoot;
      return [
        root.querySelectorAll('script, iframe').length,
        [...root.querySelectorAll('*')].some((node) =>
          [...node.attributes].some(
            ({ name }) =>
              name.startsWith('on') || name === 'srcdoc' || (name === 'style' && node.tagName !== 'SECTION'),
          ),
        ),
      ];
    });
    await unchanged(100);
    assert.deepEqual(inside, [0, false]);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.deepEqual(page.errors, []);
    await context.close();
  }
});

test('a template with data-bind makes the shop its own card', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  collector.items = () => [product(1), product(3, { brand: undefined })];
  const page = await open('/', {
    body: `<rec-widget placement="a" limit="2"><template><a class="mine" data-bind="href:url; aria-label:title"><img data-bind="src:image_url; alt:title">
      <strong data-bind="text:title"></strong><span data-bind="price:price"></span><em data-bind="text:brand; if:brand"></em></a></template></rec-widget>`,
  });
  await until(async () => (await cards(page).locator('strong').first().textContent()) !== '', 'the cards');
  assert.equal(await cards(page).locator('a.mine').first().getAttribute('href'), world.shop.origin + '/item/1');
  assert.deepEqual(await cards(page).locator('span').allTextContents(), ['€11.00', '€13.00']);
  assert.deepEqual(
    await cards(page)
      .locator('em')
      .evaluateAll((all) => all.map((each) => each.hidden)),
    [false, true],
  );
  await context.close();
});

test('an impression is half a card for a second, once per item and list', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world, { viewport: { width: 1280, height: 700 } });
  const page = await open('/', {
    body: '<div style="height:1500px"></div><rec-widget placement="a" live></rec-widget>',
  });
  await page.locator('rec-widget').locator('img').first().waitFor({ state: 'attached' });
  await unchanged(1300);
  const impressions = () => collector.named('view_item_list');
  assert.equal(impressions().length, 0, 'not in view');
  const jump = (ms) =>
    page.evaluate(
      (ms) =>
        new Promise((resolve) => {
          scrollTo(0, 9999);
          setTimeout(() => {
            scrollTo(0, 0);
            resolve();
          }, ms);
        }),
      ms,
    );
  await jump(500);
  await unchanged(3300);
  assert.equal(impressions().length, 0, 'too short');
  await page.evaluate(() => scrollTo(0, 9999));
  await until(() => impressions().length, 'the impression');
  assert.deepEqual(impressions()[0].params, {
    item_list_id: 'a',
    rec_id: 'rec-1-0',
    items: [1, 2, 3, 4].map((n) => ({ item_id: `SKU${n}`, index: n - 1 })),
  });
  await jump(1500);
  await page.evaluate(() => scrollTo(0, 9999));
  await unchanged(3300);
  assert.equal(impressions().length, 1, 'not counted again');
  collector.push(update('a', [1, 2, 30, 4]));
  await until(() => impressions().length === 2, 'a new list counts again');
  assert.deepEqual(
    impressions()[1].params.items.map(({ item_id }) => item_id),
    ['SKU1', 'SKU2', 'SKU30', 'SKU4'],
  );
  assert.equal(impressions()[1].params.rec_id, 'live-1');
  await context.close();
});

test('a click is tracked before the page goes, cancelled or opened in a tab alike, and attributed', async () => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { body: '<rec-widget placement="a"></rec-widget>' });
  await shown(page);
  await cards(page).nth(1).click();
  await page.waitForURL(/item\/2/);
  await until(() => collector.named('select_item').length === 1, 'the click');
  assert.deepEqual(collector.named('select_item')[0].params, {
    item_list_id: 'a',
    rec_id: 'rec-1-0',
    items: [{ item_id: 'SKU2', index: 1 }],
  });
  await page.goto(shop.origin + '/');
  await shown(page);
  const detail = await page.evaluate(
    () =>
      new Promise((resolve) => {
        document.addEventListener(
          'rec:click',
          (event) => {
            event.preventDefault();
            resolve(event.detail);
          },
          { once: true },
        );
        document.querySelector('rec-widget').shadowRoot.querySelectorAll('a')[2].click();
      }),
  );
  assert.deepEqual([detail.item.item_id, detail.index], ['SKU3', 2]);
  assert.equal(page.url(), shop.origin + '/');
  await cards(page).nth(3).click({ button: 'middle' });
  await until(() => collector.named('select_item').length === 3, 'three clicks');
  await page.evaluate(() =>
    rec('track', 'purchase', { transaction_id: 'T1', items: [{ item_id: 'SKU2' }, { item_id: 'SKU9' }] }),
  );
  await until(() => collector.named('purchase').length, 'the purchase');
  assert.deepEqual(collector.named('purchase')[0].params.items, [
    { item_id: 'SKU2', rec_id: 'rec-1-0' },
    { item_id: 'SKU9' },
  ]);
  await context.close();
});

test('a live update waits while pointer or focus is on the widget, then comes and says so', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { body: '<button id="away">away</button><rec-widget placement="a" live></rec-widget>' });
  await shown(page);
  await until(() => collector.hellos.length >= 2, 'the subscription');
  const status = page.locator('rec-widget').locator('[role=status]');
  await page.evaluate(() => (window.first = document.querySelector('rec-widget').shadowRoot.querySelector('li')));
  await cards(page).nth(1).hover();
  collector.push(update('a', [1, 20, 21, 22], 'live-1'));
  await unchanged(400);
  assert.match((await titles(page))[1], /number 2 /, 'nothing moves under the pointer');
  assert.equal(await status.textContent(), '');
  await page.mouse.move(0, 0);
  await until(async () => (await titles(page))[1].startsWith('Product number 20'), 'the update after the pointer left');
  assert.equal(await status.textContent(), 'Recommendations updated');
  const isSame = await page.evaluate(
    () => window.first === document.querySelector('rec-widget').shadowRoot.querySelector('li'),
  );
  assert.ok(isSame, 'the card of an item that stayed is the same element');
  await cards(page).nth(1).locator('a').focus();
  collector.push(update('a', [30, 31, 32, 33], 'live-2'));
  collector.push(update('a', [40, 41, 42, 43], 'live-3'));
  await unchanged(400);
  assert.match((await titles(page))[1], /number 20 /, 'nothing moves under the focus');
  await page.focus('#away');
  await until(async () => (await titles(page))[0].startsWith('Product number 40'), 'only the newest');
  await page.evaluate(() => document.addEventListener('rec:update', (event) => event.preventDefault()));
  collector.push(update('a', [50, 51, 52, 53], 'live-4'));
  await unchanged(300);
  assert.match((await titles(page))[0], /number 40 /, 'the shop may refuse an update');
  await context.close();
});

test('a lost socket comes back and says which lists it has; a refused one stays away', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { body: '<rec-widget placement="a" live></rec-widget>' });
  await shown(page);
  await until(() => collector.hellos.length === 2, 'the subscription');
  collector.push(update('a', [5, 6, 7, 8]));
  await until(async () => (await titles(page))[0].startsWith('Product number 5'), 'the update');
  collector.sockets.forEach((socket) => socket.close(1012));
  await until(() => collector.hellos.length === 4, 'hello and subscribe again');
  assert.deepEqual(collector.hellos[3].seen, { a: 'live-1' });
  collector.sockets.forEach((socket) => socket.close(1008));
  await unchanged(2500);
  assert.equal(collector.hellos.length, 4);
  await context.close();
});

test('two live widgets of one placement are one subscription, and the last is kept fresh', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', {
    body: '<rec-widget placement="a" live></rec-widget><rec-widget placement="a" item-id="SKU5" live></rec-widget>',
  });
  await shown(page, 1);
  await until(() => collector.hellos.length === 2, 'the subscription');
  assert.deepEqual(collector.hellos[1].placements, [{ placement: 'a', limit: 4, context_items: ['SKU5'] }]);
  collector.push(update('a', [9, 8, 7, 6]));
  await until(async () => (await titles(page, 1))[0].startsWith('Product number 9'), 'the update');
  assert.match((await titles(page, 0))[0], /number 1 /);
  await context.close();
});

test('widgets that come, change and go: later ones join the socket, the last one closes it', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { body: '<rec-widget placement="a" live></rec-widget>' });
  await shown(page);
  await until(() => collector.hellos.length === 2, 'the subscription');
  await page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<rec-widget placement="b" live></rec-widget>');
    document.querySelector('rec-widget').setAttribute('item-id', 'SKU5');
  });
  await until(() => collector.hellos.at(-1).placements?.length === 2, 'both subscribed');
  assert.equal(collector.sockets.size, 1);
  assert.equal(collector.lists.length, 2, 'one request for both');
  assert.deepEqual(collector.lists[1].placements.map(({ placement }) => placement).sort(), ['a', 'b']);
  await page.evaluate(() => document.querySelectorAll('rec-widget').forEach((each) => each.remove()));
  await until(() => collector.sockets.size === 0, 'no socket');
  assert.deepEqual(page.errors, []);
  await context.close();
});

test('on failure the fallback shows, else the widget leaves no gap; both tell the page', async () => {
  const { collector } = world;
  for (const [status, items] of [
    [503, 4],
    [200, 0],
  ]) {
    const { context, open } = await newShopper(world);
    collector.listStatus = status;
    collector.items = () => Array.from({ length: items }, (_, n) => product(n));
    const page = await open('/', {
      init: () => {
        window.failed = [];
        addEventListener('rec:error', (event) => window.failed.push(event.target.getAttribute('placement')));
      },
      body: '<rec-widget placement="a"><p slot="fallback">Our bestsellers</p></rec-widget><rec-widget placement="b"></rec-widget>',
    });
    await until(() => page.evaluate(() => window.failed.length === 2), 'two errors');
    assert.ok(await page.getByText('Our bestsellers').isVisible());
    assert.equal(
      page.logs.some((text) => text.includes('try again')),
      status === 503,
      'the reason is in the console',
    );
    assert.equal(
      await page
        .locator('rec-widget')
        .nth(1)
        .evaluate((each) => each.offsetHeight),
      0,
    );
    await context.close();
  }
});

test('one unknown placement shows its fallback, and the other lists of the page are shown', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  collector.items = ({ placement }) => (placement === 'nowhere' ? [] : [product(1), product(2)]);
  const page = await open('/', {
    body: '<rec-widget placement="nowhere"><p slot="fallback">Our bestsellers</p></rec-widget><rec-widget placement="b"></rec-widget>',
  });
  await shown(page, 1);
  assert.ok(await page.getByText('Our bestsellers').isVisible());
  assert.equal(await cards(page, 1).count(), 2);
  await context.close();
});

test('a live update leaves a carousel where it is, on the edge of a card', async () => {
  const { collector } = world;
  for (const viewport of [
    { width: 1280, height: 900 },
    { width: 390, height: 900 },
  ]) {
    const { context, open } = await newShopper(world, { viewport });
    const page = await open('/', {
      body: '<rec-widget placement="a" limit="12" layout="carousel" heading="New" live></rec-widget>',
    });
    await shown(page);
    await until(() => collector.hellos.length >= 2, 'the subscription');
    await page.mouse.move(5, 5);
    const list = page.locator('rec-widget').locator('ul');
    // How far the list is scrolled, and where the first card that can be seen begins.
    const state = () =>
      list.evaluate((ul) => [
        ul.scrollLeft,
        Math.abs(
          Math.round(
            [...ul.children]
              .map((li) => li.getBoundingClientRect().left - ul.getBoundingClientRect().left)
              .find((left) => left > -100),
          ),
        ),
      ]);
    const send = async (numbers) => {
      collector.push(update('a', numbers, 'live-' + numbers[0]));
      await page.getByText(`Product number ${numbers[0]} `).waitFor({ state: 'attached' });
      await unchanged(700); // a smooth scroll would be over
    };
    await send([30, 31, 32, 33, 34, 1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(await state(), [0, 0], 'it does not follow the card that stood first');
    await list.evaluate((ul) => ul.scrollTo({ left: ul.children[2].offsetLeft - ul.offsetLeft, behavior: 'instant' }));
    const [before] = await state();
    assert.ok(before > 200);
    await send([40, 32, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
    assert.deepEqual(await state(), [before, 0]);
    await context.close();
  }
});

test('loading="lazy" asks only when the widget is near', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world, { viewport: { width: 800, height: 600 } });
  const page = await open('/', {
    body: '<div style="height:3000px"></div><rec-widget placement="a" loading="lazy"></rec-widget>',
  });
  await until(() => collector.requests.length, 'page view');
  await unchanged(300);
  assert.equal(collector.lists.length, 0);
  await page.evaluate(() => scrollTo(0, 2300));
  await until(() => collector.lists.length === 1, 'the list');
  await context.close();
});

test('rec:render lets the shop draw itself; rec.recommend gives lists without a widget', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', {
    init: () =>
      addEventListener('rec:render', (event) => {
        event.preventDefault();
        window.drawn = event.detail;
      }),
    body: '<rec-widget placement="a"></rec-widget>',
  });
  await until(() => page.evaluate(() => window.drawn), 'rec:render');
  const result = await page.evaluate(() => rec.recommend({ placement: 'own', limit: 2 }));
  assert.deepEqual([result.placement, result.items.length], ['own', 2]);
  collector.listStatus = 503;
  const failed = await page.evaluate(() =>
    rec.recommend({ placement: 'own' }).then(({ items, error }) => [items, error.message]),
  );
  assert.deepEqual(failed, [[], 'try again']);
  await context.close();
});

test('carousel arrows scroll by a page, mirrored in right-to-left pages', async () => {
  for (const dir of ['ltr', 'rtl']) {
    const { context, open } = await newShopper(world, { reducedMotion: 'reduce' });
    const page = await open('/', {
      body: `<div dir="${dir}"><rec-widget placement="a" limit="12" layout="carousel" heading="New"></rec-widget></div>`,
    });
    await shown(page);
    const list = page.locator('rec-widget').locator('ul');
    const [previous, next] = await page.locator('rec-widget').locator('button').all();
    assert.equal(await next.getAttribute('aria-label'), 'next');
    await next.click();
    const forward = await list.evaluate((ul) => ul.scrollLeft);
    assert.ok(dir === 'ltr' ? forward > 300 : forward < -300, `${dir} ${forward}`);
    await previous.click();
    assert.ok(Math.abs(await list.evaluate((ul) => ul.scrollLeft)) < 10);
    const [a, b] = [await previous.boundingBox(), await next.boundingBox()];
    assert.equal(a.x < b.x, dir === 'ltr', 'the arrows change sides');
    await context.close();
  }
});

test('the server lays out what the page leaves open, and the page wins; nothing below jumps', async () => {
  const { collector } = world;
  for (const width of [1280, 390]) {
    const { context, open } = await newShopper(world, { viewport: { width, height: 3000 } });
    collector.delayMs = 300;
    collector.result = (_, list) => ({ ...list, heading: 'For you', layout: 'carousel' });
    const page = await open('/', {
      init: () => {
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.value))).observe({
          type: 'layout-shift',
          buffered: true,
        });
      },
      head: '<style>rec-widget:not(:defined){display:block;min-height:900px}</style>',
      body:
        '<rec-widget placement="a" limit="8" heading></rec-widget><p>one</p><rec-widget placement="b"></rec-widget>' +
        '<p>two</p><rec-widget placement="c" layout="grid" heading></rec-widget><p style="height:9000px">three</p>',
    });
    await until(() => page.evaluate(() => document.querySelector('rec-widget')?.shadowRoot), 'the skeleton');
    const heights = () => page.evaluate(() => [...document.querySelectorAll('rec-widget')].map((w) => w.offsetHeight));
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const [skeleton, before] = [await heights(), await page.evaluate(() => window.shift)];
    for (const n of [0, 1, 2]) await shown(page, n);
    const arrows = await page.evaluate(() =>
      [...document.querySelectorAll('rec-widget')].map((each) => each.shadowRoot.querySelectorAll('button').length),
    );
    assert.deepEqual(arrows, [2, 2, 0], 'only the page that says grid keeps it');
    assert.deepEqual(await heights(), skeleton);
    assert.equal(await page.evaluate(() => window.shift), before);
    await page.evaluate(() => scrollTo(0, 6000));
    await until(async () => (await heights())[0] < skeleton[0], 'the room that nobody looks at');
    await context.close();
  }
});

test('axe finds nothing in any layout, state or colour scheme', async () => {
  const { collector } = world;
  for (const contextOptions of [
    { viewport: { width: 1280, height: 900 } },
    { viewport: { width: 390, height: 900 }, colorScheme: 'dark' },
  ]) {
    const { context, open } = await newShopper(world, contextOptions);
    collector.items = ({ limit }) =>
      Array.from({ length: limit }, (_, n) => product(n, n % 2 ? { sale_price: 5 } : {}));
    const page = await open('/', {
      head: '<meta name="color-scheme" content="light dark">',
      body: `<main><h1>Shop</h1><rec-widget placement="a" heading="For you" live></rec-widget><rec-widget placement="b"></rec-widget>
        <rec-widget placement="c" layout="carousel" heading="New" limit="8"></rec-widget><rec-widget placement="d" heading></rec-widget></main>`,
    });
    await shown(page, 3);
    await page.evaluate(AXE);
    await page.evaluate(() => {
      if (!matchMedia('(prefers-color-scheme: dark)').matches) document.body.style.background = '#f2efe9';
    }); // a tinted shop
    const run = () =>
      page.evaluate(() =>
        axe
          .run(document, { resultTypes: ['violations'] })
          .then(({ violations }) =>
            violations.map((each) => [
              each.id,
              each.nodes.map((node) => node.failureSummary + ' ' + JSON.stringify(node.target)),
            ]),
          ),
      );
    assert.deepEqual(await run(), []);
    await page.evaluate(() => {
      document
        .querySelector('main')
        .insertAdjacentHTML(
          'beforeend',
          '<rec-widget placement="e" loading="lazy" style="position:absolute;top:9999px"></rec-widget>',
        );
    });
    assert.deepEqual(await run(), [], 'with a skeleton');
    await context.close();
  }
});

test('keyboard: every card is one tab stop with a visible focus, in reading order', async () => {
  const { context, open } = await newShopper(world, { reducedMotion: 'reduce' });
  const page = await open('/', {
    body: '<rec-widget placement="a" layout="carousel" limit="8" heading="New"></rec-widget>',
  });
  await shown(page);
  const seen = [];
  for (let n = 0; n < 10; n++) {
    await page.keyboard.press('Tab');
    seen.push(
      await page.evaluate(() => {
        const at = document.querySelector('rec-widget').shadowRoot.activeElement;
        return [
          at.ariaLabel || at.querySelector('[part=name]').textContent.split(' ')[2],
          getComputedStyle(at).outlineStyle !== 'none',
        ];
      }),
    );
  }
  assert.deepEqual(
    seen.map(([name]) => name),
    ['previous', 'next', '1', '2', '3', '4', '5', '6', '7', '8'],
  );
  assert.ok(seen.every(([, hasOutline]) => hasOutline));
  const isInView = await cards(page)
    .nth(7)
    .evaluate((li) => li.getBoundingClientRect().right <= innerWidth);
  assert.ok(isInView, 'the focused card is scrolled into view');
  await context.close();
});

test('nothing moves for those who asked for less motion', async () => {
  for (const reducedMotion of ['reduce', 'no-preference']) {
    const { context, open } = await newShopper(world, { reducedMotion });
    world.collector.delayMs = 1000;
    const page = await open('/', { body: '<rec-widget placement="a" layout="carousel"></rec-widget>' });
    await until(
      () => page.evaluate(() => document.querySelector('rec-widget')?.shadowRoot?.querySelector('li')),
      'the skeleton',
    );
    const [animation, scroll] = await page.evaluate(() => {
      const root = document.querySelector('rec-widget').shadowRoot;
      return [
        getComputedStyle(root.querySelector('li')).animationName,
        getComputedStyle(root.querySelector('ul')).scrollBehavior,
      ];
    });
    assert.deepEqual([animation, scroll], reducedMotion === 'reduce' ? ['none', 'auto'] : ['f', 'smooth']);
    await context.close();
  }
});
