/**
 * What is pushed to a data layer → GA4's e-commerce events. Pure but for what it remembers of earlier pushes.
 *
 * Only the shape is put right here: where the event and its items stand. Fields and values go as they are to the server,
 * which mends them as it does for everybody, and says so.
 *
 * References: Google Analytics 4, "Measure ecommerce"; Universal Analytics, "Enhanced ecommerce (Tag Manager)"; Tag
 * Manager, "The data layer" (later pushes are merged into what earlier ones said).
 */
import { field, plain } from './plain.js';
import { split } from './split.js';

/** GA4's e-commerce events. */
const GA4 =
  /^((add_to|remove_from|view)_cart|(view|select)_item(_list)?|add_to_wishlist|begin_checkout|purchase|refund|search)$/;

/** More of them: one that the server knows by another name, and two that it keeps as the shop's own. */
const MORE = /^(view_search_results|add_payment_info|add_shipping_info)$/;

/** By their letters alone, as in `Add To Cart` or `addToCart`. */
const SQUASHED = new Map(
  [
    'add_to_cart',
    'remove_from_cart',
    'view_cart',
    'view_item',
    'view_item_list',
    'select_item',
    'add_to_wishlist',
    'begin_checkout',
    'purchase',
    'refund',
    'search',
    'view_search_results',
  ].map((name) => [name.replaceAll('_', ''), name]),
);
const PREFIX = /^(ga4|eec|ee|gtm|ecommerce)/;

/** Those that mean something without any item. */
const ITEMLESS = /^(view_cart|begin_checkout|purchase|refund|search|view_search_results|add_(payment|shipping)_info)$/;

/** The actions of Universal Analytics, in the order in which a shopper does them. */
const UNIVERSAL = {
  impressions: 'view_item_list',
  click: 'select_item',
  detail: 'view_item',
  add: 'add_to_cart',
  remove: 'remove_from_cart',
  checkout: 'begin_checkout',
  purchase: 'purchase',
  refund: 'refund',
};

/** What may stand beside `event`, in place of an `ecommerce` around it; the rest of a push is nobody's business. */
const BESIDE =
  /^(items|products|currency(code)?|value|transactionid|tax|shipping|coupon|affiliation|itemlist(id|name)|searchterm|searchquery|query|keyword|results|recid)$/;

const NUMBERS = /^(price|discount|quantity|index|value|tax|shipping)$/;
const LISTS = ['items', 'products', 'contents', 'product', 'item'];

const squash = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Return GA4's name of an event, however it is spelled; undefined for all others. */
const nameOf = (written) => {
  if (typeof written !== 'string') return;
  const name = written.trim();
  if (GA4.test(name) || MORE.test(name)) return name;
  const letters = squash(name);
  return SQUASHED.get(letters) || SQUASHED.get(letters.replace(PREFIX, ''));
};

/** Return the items that `value` holds as a list; undefined where it holds none. */
const listOf = (value) => {
  if (typeof value === 'string') {
    try {
      const inside = JSON.parse(value);
      return typeof inside === 'object' ? listOf(inside) : [value];
    } catch {
      return value.trim() ? [value] : undefined;
    }
  }
  if (typeof value === 'number') return [value];
  if (Array.isArray(value)) {
    const [first, ...others] = value.filter((each) => each !== null && each !== undefined);
    return Array.isArray(first) && !others.length ? listOf(first) : value.filter((each) => (each ?? '') !== '');
  }
  if (!isObject(value)) return;
  const values = Object.values(value).filter((each) => each !== null);
  return values.length && values.every(isObject) ? values : [value];
};

/** Write plain digits as numbers, which nearly every shop has as text. */
const withNumbers = (fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      NUMBERS.test(name) && typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? +value : value,
    ]),
  );

/** Return parameters with a list of items, if there are any, and without other objects. */
/** @returns {any} */
const tidy = (params) => {
  const fields = Object.fromEntries(
    Object.entries(params).filter(([name, value]) => value !== undefined && !isObject(value) && !LISTS.includes(name)),
  );
  const items = LISTS.map((name) => listOf(params[name])).find(Boolean);
  return withNumbers(
    items ? { ...fields, items: items.map((item) => (isObject(item) ? withNumbers(item) : item)) } : fields,
  );
};

const hasItems = ({ items, ...fields }) =>
  items?.length || Object.keys(fields).some((name) => /^(itemid|productid|sku|id)$/.test(squash(name)));

/** Return the events that Universal Analytics' actions in `ecommerce` mean. */
const universal = (ecommerce) => {
  const currency = ecommerce.currencyCode ?? ecommerce.currency;
  return Object.entries(UNIVERSAL).flatMap(([action, name]) => {
    const part = ecommerce[action];
    if (Array.isArray(part) && action === 'impressions')
      return part.length ? [[name, tidy({ currency, items: part })]] : [];
    if (!isObject(part) || !('products' in part || 'actionField' in part)) return [];
    const { id, step, ...own } = isObject(part.actionField) ? part.actionField : {};
    if (action === 'checkout' && step > 1) return []; // further on in the checkout that was begun
    const isOrder = action === 'purchase' || action === 'refund';
    const params = tidy({ currency, ...own, ...(isOrder && { transaction_id: id }), products: part.products });
    return isOrder || hasItems(params) || action === 'checkout' ? [[name, params]] : [];
  });
};

/** Return the order that a page of Universal Analytics' standard e-commerce tells of. */
const standard = (entry) => [
  'purchase',
  tidy({
    transaction_id: plain(entry.transactionId),
    value: plain(entry.transactionTotal),
    tax: plain(entry.transactionTax),
    shipping: plain(entry.transactionShipping),
    currency: plain(entry.transactionCurrency),
    items: plain(entry.transactionProducts),
  }),
];

/** Return `ecommerce` of a push, also where its fields are named by a path, as in `'ecommerce.items'`. */
const ecommerceOf = (entry) => {
  const whole = field(entry, 'ecommerce');
  const paths = Object.keys(entry).filter((name) => name.startsWith('ecommerce.'));
  if (!paths.length) return plain(whole);
  return { ...plain(whole), ...Object.fromEntries(paths.map((name) => [name.slice(10), plain(field(entry, name))])) };
};

/** Return a function that takes one push after the other and returns the events that it brings, as `[name, params]`. */
export const pushReader = () => {
  let kept; // `ecommerce` of pushes without an event of ours
  const told = new Map(); // by transaction: in which words its order was told

  /** Return the event of `params`, or none where there is nothing to tell. */
  const event = (name, written, params, isCommand) => {
    const nested = [params.ecommerce, params[written]].filter(isObject);
    const fields = tidy(Object.assign({}, params, ...nested));
    const isTold = ITEMLESS.test(name) ? isCommand || Object.keys(fields).length : hasItems(fields);
    return isTold ? [[name, fields]] : [];
  };

  const ofCommand = ([, written, params]) => {
    const name = nameOf(written);
    return name ? event(name, written, plain(params) || {}, true) : [];
  };

  const ofObject = (entry) => {
    const written = field(entry, 'event');
    const name = nameOf(written);
    const ecommerce = ecommerceOf(entry);
    if (isObject(ecommerce)) {
      const actions = listOf(ecommerce.items) ? [] : universal(ecommerce);
      if (actions.length) return actions.map((each) => [...each, 'universal']);
      if (!name) {
        kept = { ...kept, ...ecommerce };
        return [];
      }
      const own = event(name, written, ecommerce);
      if (!kept || own.some(([, params]) => hasItems(params))) {
        kept = undefined;
        return own;
      }
      return event(name, written, { ...kept, ...ecommerce });
    }
    if ('ecommerce' in entry) kept = undefined; // cleared, as shops do before each event
    if (field(entry, 'transactionId') && field(entry, 'transactionProducts')) return [[...standard(entry), 'standard']];
    const beside = Object.fromEntries(
      Object.keys(entry)
        .filter((key) => BESIDE.test(squash(key)))
        .map((key) => [key, plain(field(entry, key))]),
    );
    const hasOwn = listOf(beside.items ?? beside.products);
    if (name) {
      if (hasOwn || /search/.test(name)) return event(name, written, beside);
      return kept ? event(name, written, { ...kept, ...beside }) : [];
    }
    if (hasOwn && written === undefined) kept = { ...kept, ...beside };
    return [];
  };

  return (entry) => {
    if (typeof entry !== 'object' || !entry) return [];
    const isCommand = typeof field(entry, 0) === 'string';
    const events = !isCommand ? ofObject(entry) : entry[0] === 'event' ? ofCommand(entry) : [];
    return events
      .filter(([name, params, words = 'ga4']) => {
        const order = name === 'purchase' && params.transaction_id;
        if (!order) return true;
        // A shop on its way from one Analytics to the next tells of each order in the words of both.
        if (!told.has(String(order))) told.set(String(order), words);
        return told.get(String(order)) === words;
      })
      .flatMap(([name, params]) => split(name, params));
  };
};
