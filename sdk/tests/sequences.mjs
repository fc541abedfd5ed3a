/** Random sequences of what a page may do to its data layer, and ten lines that say what has to be sent of each. */

/** Return a generator of numbers below 1 that is the same for the same seed (mulberry32). */
const numbers = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let n = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
  return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
};

const LIST_EVENTS = [
  'view_item_list',
  'add_to_cart',
  'remove_from_cart',
  'add_to_wishlist',
  'view_item',
  'select_item',
];

/** Shapes of pushes: `(ids, name, item) => pushes`; an array is a gtag command. Unrelated pushes bring nothing. */
const SHAPES = {
  ga4: (ids, name, item) => [{ event: name, ecommerce: { currency: 'EUR', items: ids.map(item) } }],
  gtag: (ids, name, item) => [['event', name, { items: ids.map(item) }]],
  beside: (ids, name, item) => [
    { event: name, currency: 'EUR', items: ids.map(item), user: { mail: 'a@example.com' } },
  ],
  nested: (ids, name, item) => [{ event: name, ecommerce: { [name]: { items: ids.map(item) } } }],
  spelled: (ids, name, item) => [{ event: 'ee_' + name, ecommerce: { items: ids.map(item) } }],
  camel: (ids, name, item) => [
    { event: name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), ecommerce: { items: ids.map(item) } },
  ],
  object: (ids, name, item) => [{ event: name, ecommerce: { items: { ...ids.map(item) } } }],
  holes: (ids, name, item) => [{ event: name, ecommerce: { items: ids.flatMap((id) => [null, item(id)]) } }],
  before: (ids, name, item) => [
    { ecommerce: null },
    { ecommerce: { items: ids.map(item) } },
    { event: 'gtm.dom' },
    { event: name },
    { ecommerce: null },
  ],
  inTwo: (ids, name, item) => [
    { ecommerce: null },
    { ecommerce: { currency: 'EUR' } },
    { 'ecommerce.items': ids.map(item) },
    { event: name },
    { ecommerce: null },
  ],
};
const UNIVERSAL = {
  view_item_list: 'impressions',
  view_item: 'detail',
  add_to_cart: 'add',
  remove_from_cart: 'remove',
  select_item: 'click',
};
const NOISE = [
  { event: 'gtm.js', 'gtm.start': 1 },
  { event: 'scroll', percent: 90 },
  { event: 'view_item' },
  { ecommerce: null },
  { ecommerce: { promoView: { promotions: [{ id: 'p' }] } }, event: 'promo' },
  ['js', 1],
  ['config', 'G-1'],
  ['set', { currency: 'EUR' }],
  null,
  7,
  'text',
];

/**
 * Return the steps of a sequence. `{push: [...], ids, name}` brings these ids, `{consent}`, `{tcf}` and `{own}` are words,
 * `{load: true}` is when the reader is there, and `{exchange}` puts another array in the place of the layer.
 */
export const sequence = (seed, { most = 700, length = 30 } = {}) => {
  const random = numbers(seed);
  const one = (list) => list[Math.floor(random() * list.length)];
  let items = 0;
  let orders = 0;
  const push = () => {
    const count = random() < 0.1 ? Math.ceil(random() * most) : Math.ceil(random() * 3);
    const ids = Array.from({ length: count }, () => `S${seed}-${items++}`);
    const text = random() < 0.3 ? 'x'.repeat(Math.floor(random() * 400)) : undefined;
    const key = one(['item_id', 'item_id', 'id', 'sku']);
    const item = (id) => ({ [key]: id, item_name: text, price: '9.50', quantity: 1 });
    const kind = random();
    if (kind < 0.15) {
      const ecommerce = { transaction_id: `T${seed}-${orders++}`, value: 12, tax: 1, items: ids.map(item) };
      const order = { id: ecommerce.transaction_id, revenue: '12', tax: 1 };
      const universal = { event: 'order', ecommerce: { purchase: { actionField: order, products: ids.map(item) } } };
      const pushes = one([
        [{ event: 'purchase', ecommerce }],
        [universal],
        [{ event: 'purchase', ecommerce }, universal],
      ]);
      return { push: pushes, ids, name: 'purchase' };
    }
    if (kind < 0.3) {
      const name = one(Object.keys(UNIVERSAL));
      const products = ids.map((id) => ({ ...item(id), id, item_id: undefined, sku: undefined }));
      const part = name === 'view_item_list' ? products : { products };
      return { push: [{ event: one([undefined, 'any']), ecommerce: { [UNIVERSAL[name]]: part } }], ids, name };
    }
    const name = one(LIST_EVENTS);
    return { push: one(Object.values(SHAPES))(ids, name, item), ids, name };
  };
  const steps = Array.from({ length }, () => {
    const kind = random();
    if (kind < 0.55) return push();
    if (kind < 0.75) return { push: [one(NOISE)], ids: [] };
    if (kind < 0.85) return { consent: [one(['default', 'update', 'update']), one(['granted', 'denied'])] };
    if (kind < 0.9) return { own: one(['granted', 'denied', 'pending']) };
    if (kind < 0.95) return { exchange: one(['empty', 'copy']) };
    return { tcf: one(['granted', 'denied', 'shown']) };
  });
  const withTcf = random() < 0.4;
  const usesConsent = random() < 0.7;
  const kept = steps.filter((step) => (withTcf || !step.tcf) && (usesConsent || !step.consent));
  const loadAt = Math.floor(random() * (kept.length + 1));
  kept.splice(loadAt, 0, { load: true });
  // The tracker holds the first array for the reader, and the page the newest: what stood between them alone is lost.
  const first = kept.findIndex((step) => step.exchange);
  const known = kept.filter((step, index) => !step.exchange || index === first || index > loadAt);
  return { steps: known, hasTcf: withTcf };
};

/** What has to be sent: the ids in their order, by what the strictest word is at each step. */
export const model = ({ steps, hasTcf }) => {
  const words = { tcf: hasTcf ? 'pending' : undefined };
  const sent = [];
  let [isLoaded, held] = [false, []];
  for (const step of steps) {
    if (step.push) held.push(...step.ids);
    if (step.consent) words[step.consent[0]] = step.consent[1];
    if (step.own) words.own = step.own;
    if (step.tcf && step.tcf !== 'shown') words.tcf = step.tcf; // a banner that is looked at again changes nothing
    isLoaded ||= !!step.load;
    const mode = words.update ?? (words.default === 'denied' ? 'pending' : words.default);
    const state = ['denied', 'pending'].find((word) => [words.own, mode, words.tcf].includes(word));
    if (isLoaded && !state) sent.push(...held);
    if (isLoaded && state !== 'pending') held = [];
  }
  return sent;
};

/** Return what a step does to `window`, as the page would: `layer` is the name of its data layer. */
export const perform = (window, step, layer = 'dataLayer') => {
  for (const entry of step.push ?? []) {
    if (Array.isArray(entry)) window.gtag(...entry);
    else window[layer].push(entry);
  }
  const analytics = step.consent?.[1];
  if (analytics) window.gtag('consent', step.consent[0], { ad_storage: 'denied', analytics_storage: analytics });
  if (step.exchange) window[layer] = step.exchange === 'copy' ? [...window[layer]] : [];
  if (step.tcf) window.tell(step.tcf);
  if (step.own) window.rec.consent(step.own);
};
