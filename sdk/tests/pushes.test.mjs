/** The reader of the data layer without a browser: each shape of push, consent, and sequences of both. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { consentMode } from '../src/datalayer/consent-mode.js';
import { pushReader } from '../src/datalayer/pushes.js';
import { judge, strictest } from '../src/datalayer/signals.js';
import { model, perform, sequence } from './sequences.mjs';

const SEQUENCES = +(process.env.SEQUENCES || 600);

/** Return the events of all these pushes, read one after the other. */
const readAll = (...pushes) => {
  const eventsOf = pushReader();
  return pushes.flatMap((push) => eventsOf(push));
};
const args = function () {
  return arguments;
};
const ids = (events) => events.map(([name, { items }]) => [name, items?.map((item) => item.item_id ?? item.id)]);

test('four ways to push the items of one event', () => {
  const item = { item_id: 'MUG-7', price: 12 };
  const wanted = [['view_item', ['MUG-7']]];
  assert.deepEqual(ids(readAll({ event: 'view_item', currency: 'EUR', items: [item] })), wanted);
  assert.deepEqual(ids(readAll({ event: 'view_item', ecommerce: { view_item: { items: [item] } } })), wanted);
  assert.deepEqual(ids(readAll({ event: 'ee_view_item', ecommerce: { items: [item] } })), wanted);
  assert.deepEqual(
    ids(readAll({ ecommerce: { items: [item] } }, { event: 'gtm.dom' }, { event: 'view_item' })),
    wanted,
  );
  assert.deepEqual(ids(readAll(args('event', 'view_item', { items: [item] }))), wanted);
  assert.deepEqual(ids(readAll(['event', 'View Item', { items: item }])), wanted);
  assert.deepEqual(ids(readAll({ event: 'view_item', ecommerce: { items: JSON.stringify([item]) } })), wanted);
});

test('what was said before an event is merged into it until it is cleared, and lists are exchanged whole', () => {
  const read = (...pushes) => readAll(...pushes).map(([, params]) => params);
  const [first, second] = read(
    { ecommerce: { currency: 'EUR', items: [{ item_id: 'a' }, { item_id: 'b' }] } },
    { event: 'view_item_list' },
    { ecommerce: { items: [{ item_id: 'c' }] } },
    { event: 'view_item' },
    { ecommerce: null },
    { event: 'view_item' },
  );
  assert.deepEqual(first, { currency: 'EUR', items: [{ item_id: 'a' }, { item_id: 'b' }] });
  assert.deepEqual(second, { currency: 'EUR', items: [{ item_id: 'c' }] });
  assert.equal(
    read({ event: 'add_to_cart', ecommerce: { items: [{ item_id: 'a' }] } }, { event: 'view_item' }).length,
    1,
  );
});

test('Universal Analytics: each action of a push is an event, with or without a name of its own', () => {
  const products = [{ id: 'P-1', name: 'Lamp', price: '30.00', quantity: 2 }];
  const events = readAll(
    {
      ecommerce: { currencyCode: 'SEK', impressions: products, detail: { actionField: { list: 'Search' }, products } },
    },
    { event: 'addToCart', ecommerce: { add: { products } } },
    { event: 'checkout', ecommerce: { checkout: { actionField: { step: 1 }, products } } },
    { event: 'checkout', ecommerce: { checkout: { actionField: { step: 2, option: 'Visa' }, products } } },
    { event: 'eec', ecommerce: { promoView: { promotions: [{ id: 'x' }] } } },
    { ecommerce: { purchase: { actionField: { id: 'O-9', revenue: '60.00', tax: '12' }, products } } },
    { ecommerce: { refund: { actionField: { id: 'O-9' } } } },
  );
  assert.deepEqual(
    events.map(([name]) => name),
    ['view_item_list', 'view_item', 'add_to_cart', 'begin_checkout', 'purchase', 'refund'],
  );
  assert.deepEqual(events[1][1], { currency: 'SEK', list: 'Search', items: [{ ...products[0], price: 30 }] });
  assert.deepEqual(events[4][1].transaction_id, 'O-9');
  assert.deepEqual(events[4][1].revenue, '60.00', 'fields go to the server as they are, which mends them');
  assert.deepEqual(events[5], ['refund', { transaction_id: 'O-9' }]);
  const standard = {
    transactionId: 'S-1',
    transactionTotal: '9',
    transactionProducts: [{ sku: 'Q', name: 'q', price: 9 }],
  };
  assert.deepEqual(readAll(standard), [
    ['purchase', { transaction_id: 'S-1', value: 9, items: standard.transactionProducts }],
  ]);
});

test('an order in the words of two Analytics counts once, and again where it is told again in the same', () => {
  const ga4 = { event: 'purchase', ecommerce: { transaction_id: 5, items: [{ item_id: 'a' }] } };
  const universal = { ecommerce: { purchase: { actionField: { id: '5' }, products: [{ id: 'a' }] } } };
  assert.equal(readAll(ga4, universal).length, 1);
  assert.equal(readAll(universal, ga4).length, 1);
  assert.equal(readAll(ga4, ga4).length, 2, 'the server knows orders that are told twice, and what they add');
});

test('searches, refunds of everything, empty carts, and steps of the checkout need no item', () => {
  const names = (...pushes) => readAll(...pushes).map(([name]) => name);
  assert.deepEqual(names(args('event', 'view_search_results', { search_term: 'tent' })), ['view_search_results']);
  assert.deepEqual(names({ event: 'search', search_term: 'tent' }), ['search']);
  assert.deepEqual(names({ event: 'refund', ecommerce: { transaction_id: 'T' } }), ['refund']);
  assert.deepEqual(names({ event: 'view_cart', ecommerce: { items: [] } }), ['view_cart']);
  assert.deepEqual(names(args('event', 'add_payment_info', { items: [{ item_id: 'a' }] })), ['add_payment_info']);
  assert.deepEqual(
    names({ event: 'view_item', ecommerce: {} }, { event: 'view_cart' }, args('event', 'scroll', {})),
    [],
  );
});

test('of a push without ecommerce nothing but fields of GA4 leaves the page', () => {
  const [[, params]] = readAll({
    event: 'add_to_cart',
    items: [{ item_id: 'a' }],
    value: 5,
    user: { mail: 'a@example.com' },
    userId: '7',
    'gtm.uniqueEventId': 3,
  });
  assert.deepEqual(params, { items: [{ item_id: 'a' }], value: 5 });
  const [[, own]] = readAll(
    args('event', 'view_item', { items: [{ item_id: 'a' }], user_data: { mail: 'a@example.com' } }),
  );
  assert.deepEqual(own, { items: [{ item_id: 'a' }] });
});

test('a cart is never split, for a second part would take the place of the first', () => {
  const items = Array.from({ length: 900 }, (_, n) => ({ item_id: 'K' + n, item_name: 'x'.repeat(300), quantity: 1 }));
  const events = readAll({ event: 'view_cart', ecommerce: { value: 7, items } });
  assert.equal(events.length, 1);
  assert.ok(events[0][1].items.length >= 200 && new Blob([JSON.stringify(events)]).size < 48e3);
});

test('consent mode: defaults wait, updates decide, the most exact region counts, unknown ones all do', () => {
  const after = (visitor, ...commands) => {
    const mode = consentMode(visitor);
    for (const command of commands) mode.take(...command, 1000);
    return mode.state(1000);
  };
  const all = (value) => ({ analytics_storage: value, personalization_storage: value });
  const [yes, no] = [all('granted'), all('denied')];
  assert.equal(after(undefined), undefined);
  assert.equal(after(undefined, ['default', no]), 'pending');
  assert.equal(after(undefined, ['default', no], ['update', yes]), 'granted');
  assert.equal(after(undefined, ['update', yes], ['default', no]), 'granted', 'a default never takes an update back');
  assert.equal(after(undefined, ['default', yes], ['update', no]), 'denied');
  assert.equal(after(undefined, ['default', yes], ['update', { personalization_storage: 'denied' }]), 'denied');
  assert.equal(
    after(undefined, ['default', { ...yes, ad_storage: 'denied', ad_personalization: 'denied' }]),
    'granted',
  );
  assert.equal(after(undefined, ['default', { ad_storage: 'granted' }]), 'pending', 'none of ours is named');
  assert.equal(after(undefined, ['default', no], ['update', { analytics_storage: 'granted' }]), 'pending');
  assert.equal(after(undefined, ['default', { analytics_storage: ' Granted ' }]), 'granted');
  assert.equal(after(undefined, ['default', { analytics_storage: true }]), 'pending');
  assert.equal(after(undefined, ['other', yes], ['default', null]), undefined);
  const regions = [
    ['default', yes],
    ['default', { ...no, region: ['DE', 'US-CA'] }],
    ['default', { ...yes, region: 'US' }],
  ];
  for (const [visitor, state] of [
    ['US', 'granted'],
    ['US-CA', 'pending'],
    ['US-NY', 'granted'],
    ['de-by', 'pending'],
    ['FR', 'granted'],
    [undefined, 'pending'],
  ])
    assert.equal(after(visitor, ...regions), state, visitor);
  assert.equal(after('FR', ['default', { ...no, region: ['DE'] }]), undefined, 'nothing is said of France');
});

test('wait_for_update holds back what defaults grant, until it is over or somebody decides', () => {
  const mode = consentMode();
  mode.take('default', { analytics_storage: 'granted', wait_for_update: 500 }, 1000);
  assert.deepEqual([mode.state(1499), mode.waitMs(1400), mode.state(1500)], ['pending', 100, 'granted']);
  mode.take('default', { analytics_storage: 'granted', wait_for_update: 1e12 }, 2000);
  assert.equal(mode.waitMs(2000), 60_000);
  mode.take('update', { analytics_storage: 'granted' }, 2001);
  assert.equal(mode.state(2001), 'granted');
});

test('TCF: the purposes 1, 5 and 6, once the shopper decided', () => {
  const said = (eventStatus, ...purposes) => ({
    gdprApplies: true,
    eventStatus,
    purpose: { consents: Object.fromEntries(purposes.map((each) => [each, true])) },
  });
  assert.equal(judge(said('tcloaded', 1, 5, 6), true), 'granted');
  assert.equal(judge(said('useractioncomplete', 1, 5, 6, 2, 3), true), 'granted');
  for (const missing of [[5, 6], [1, 6], [1, 5], []]) assert.equal(judge(said('tcloaded', ...missing), true), 'denied');
  assert.equal(judge(said('cmpuishown', 1, 5, 6), true), undefined);
  assert.equal(judge(said('tcloaded', 1, 5, 6), false), undefined);
  assert.equal(judge({ gdprApplies: false }, true), 'granted');
  assert.equal(judge({ gdprApplies: true, eventStatus: 'tcloaded' }, true), 'denied');
  assert.deepEqual(
    [strictest('granted', 'pending', 'denied'), strictest(undefined), strictest()],
    ['denied', undefined, undefined],
  );
});

/** Run the reader on a page and a tracker of its own, and return what the tracker sent. */
const run = async ({ steps, hasTcf }, read) => {
  const sent = [];
  let [state, held] = ['pending', []];
  const methods = {
    track: (...event) => {
      if (state !== 'denied') held.push(event);
      if (state === 'granted') sent.push(...held.splice(0));
    },
  };
  const change = (choice) => {
    state = choice;
    if (state === 'granted') sent.push(...held.splice(0));
    if (state === 'denied') held = [];
  };
  const listeners = [];
  const page = {
    dataLayer: [],
    gtag() {
      page.dataLayer.push(arguments);
    },
    tell: (word) => {
      const consents = word === 'granted' ? { 1: true, 5: true, 6: true } : {};
      const data = {
        gdprApplies: true,
        eventStatus: word === 'shown' ? 'cmpuishown' : 'tcloaded',
        purpose: { consents },
      };
      told = word === 'shown' ? told : data;
      listeners.forEach((listener) => listener(data, true));
    },
  };
  let told;
  if (hasTcf) {
    page.__tcfapi = (command, version, listener) => {
      listeners.push(listener);
      if (told) listener(told, true);
    };
  }
  const tools = { own: 'granted', change, methods, ready: () => {} };
  methods.consent = (choice) => (tools.own = choice);
  page.rec = { consent: (choice) => methods.consent(choice) };
  const first = page.dataLayer;
  globalThis.window = page;
  for (const step of steps) {
    perform(page, step);
    if (step.load) read('dataLayer', first, 0, tools);
  }
  return sent;
};

test(`${SEQUENCES} random sequences send what ten lines say`, async (context) => {
  // Node's own channel would tell each of these pages of all the others, and keep the process alive.
  const globals = { document: { querySelector: () => null }, addEventListener: () => {}, BroadcastChannel: undefined };
  const before = { ...globals, BroadcastChannel, document: undefined, addEventListener: undefined, window: undefined };
  Object.assign(globalThis, globals);
  context.after(() => Object.assign(globalThis, before));
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const { read } = await import('../src/datalayer.js');
  let events = 0;
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    const made = sequence(seed);
    const sent = await run(made, read);
    const said = `seed ${seed}`;
    assert.deepEqual(
      sent.flatMap(([, { items }]) => items.map((item) => item.item_id ?? item.id ?? item.sku)),
      model(made),
      said,
    );
    const names = new Map(made.steps.flatMap(({ ids: own = [], name }) => own.map((id) => [id, name])));
    const orders = new Map();
    for (const [name, params] of sent) {
      const { items } = params;
      for (const item of items) assert.equal(names.get(item.item_id ?? item.id ?? item.sku), name, said);
      assert.ok(items.length <= 200 && new Blob([JSON.stringify(params)]).size <= 32 * 1024, said);
      if (name !== 'purchase') continue;
      const parts = orders.get(params.transaction_id) ?? [];
      orders.set(params.transaction_id, [...parts, [+(params.value ?? params.revenue), params.tax ?? 0]]);
    }
    for (const parts of orders.values()) {
      assert.deepEqual(
        parts.reduce(([value, tax], part) => [value + part[0], tax + part[1]], [0, 0]),
        [12, 1],
        said,
      );
    }
    events += sent.length;
  }
  assert.ok(events > SEQUENCES * 3, `${events} events were sent at all`);
});
