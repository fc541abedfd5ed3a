/** An event with any number of items → events that the server takes. Pure. */

const MAX_ITEMS = 200;
const MAX_BYTES = 30e3; // the server takes 32 KiB, the head of an event included
const MOST_BYTES = 45e3; // what the tracker takes; the server cuts it, and says so

/** Which stand for the whole cart: a second part would take the place of the first. */
const WHOLE = /^(view_cart|begin_checkout)$/;
const KEPT = /^(item_?id|id|sku|price|discount|quantity|index|rec_id)$/i;
/** What an order has once, however many events tell of it. */
const ONCE = /^(value|revenue|total|tax|shipping|coupon)$/i;

const bytes = (value) => new Blob([JSON.stringify(value)]).size;

const bare = (item) =>
  item && typeof item === 'object'
    ? Object.fromEntries(Object.entries(item).filter(([name]) => KEPT.test(name)))
    : item;

/** Return the lists that `items` are cut into, in their order. */
const portions = (items) => {
  const lists = [[]];
  let size = 0;
  for (const item of items) {
    const own = bytes(item) + 1;
    if (lists.at(-1).length && (lists.at(-1).length >= MAX_ITEMS || size + own > MAX_BYTES)) {
      lists.push([]);
      size = 0;
    }
    lists.at(-1).push(own > MAX_BYTES ? bare(item) : item);
    size += own;
  }
  return lists;
};

/**
 * Return one or more events `[name, params]` that say the same. An order that is split stays one: each part has its
 * number, and the first its whole value, tax and shipping.
 * @param {string} name
 * @param {any} params
 * @returns {[string, any][]}
 */
export const split = (name, params) => {
  const { items, ...head } = params;
  if (!Array.isArray(items) || (items.length <= MAX_ITEMS && bytes(params) <= MAX_BYTES)) return [[name, params]];
  if (WHOLE.test(name)) {
    let few = items.map(bare);
    while (few.length > MAX_ITEMS && bytes(few) > MOST_BYTES) few = few.slice(0, Math.max(MAX_ITEMS, few.length >> 1));
    return [[name, { ...head, items: few }]];
  }
  const rest = Object.fromEntries(Object.entries(head).filter(([field]) => !ONCE.test(field)));
  const hasValue = ['value', 'revenue', 'total'].some((field) => (head[field] ?? '') !== '');
  const isOrder = name === 'purchase' || name === 'refund';
  return portions(items).map((part, number) => [
    name,
    { ...(number ? { ...rest, ...(isOrder && hasValue && { value: 0 }) } : head), items: part },
  ]);
};
