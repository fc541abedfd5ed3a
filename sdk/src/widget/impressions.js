/** Impressions, clicks and actions of recommended items, wherever they are drawn: in our cards, or in the shop's own. */
const SEEN_MS = 1e3; // an impression: half of it in view for a second

/** @typedef {{item: any, index: number, result: any, since?: unknown}} Mark what an element shows, and of which list */
/** @type {WeakMap<EventTarget, Mark>} */
const marks = new WeakMap();
/** Ids that were counted, by list. @type {WeakMap<object, Set<string>>} */
const counted = new WeakMap();

/** Tell the page; false when it wants to do the rest itself. */
export const announce = (target, name, detail) =>
  target.dispatchEvent(new CustomEvent('rec:' + name, { detail, bubbles: true, composed: true, cancelable: true }));

const track = (name, result, marked) =>
  rec.track(name, {
    item_list_id: result.placement,
    rec_id: result.rec_id,
    items: marked.map(({ item, index }) => ({ item_id: item.item_id, index })),
  });

/** Count an impression once per item and list. */
const inView = new IntersectionObserver(
  (changes) => {
    // The array stands for this moment: an element that leaves, or leaves and returns, no longer carries it.
    for (const { target, isIntersecting } of changes) {
      const mark = marks.get(target);
      if (mark) mark.since = isIntersecting && changes;
    }
    setTimeout(() => {
      const lists = new Map();
      for (const { target } of changes) {
        const mark = marks.get(target);
        if (mark?.since !== changes || document.hidden) continue;
        const { item, result } = mark;
        const known = counted.get(result) || new Set();
        if (known.has(item.item_id)) continue;
        counted.set(result, known.add(item.item_id));
        lists.set(result, [...(lists.get(result) || []), mark]);
      }
      lists.forEach((marked, result) => track('view_item_list', result, marked));
    }, SEEN_MS);
  },
  { threshold: 0.5 },
);

/** Tell of a click on `data-rec-action`; what goes into the cart or onto the list of wishes is tracked, too. */
const act = (element, action, detail) => {
  const { item, index, result } = detail;
  if (!announce(element, 'action', { action, ...detail }) || !/^add_to_(cart|wishlist)$/.test(action)) return;
  const price = item.sale_price ?? item.price;
  rec.track(action, {
    currency: item.currency,
    value: price,
    items: [
      {
        item_id: item.item_id,
        item_name: item.title,
        price,
        quantity: 1,
        index,
        item_list_id: result.placement,
        rec_id: result.rec_id,
      },
    ],
  });
};

const click = (event) => {
  const element = event.currentTarget;
  const mark = marks.get(element);
  const target = event.composedPath().find((node) => node.matches?.('[data-rec-action],a,[role=link]'));
  if (!mark || !target || event.button > 1) return;
  const { item, index, result } = mark;
  const detail = { item, index, result, rec_id: result.rec_id };
  const action = target.dataset.recAction;
  if (!action) {
    track('select_item', result, [mark]);
    if (!announce(element, 'click', detail)) event.preventDefault();
  } else if (!event.button) {
    event.preventDefault(); // a button in a link does not follow it
    act(element, action, detail);
  }
};

/**
 * Count impressions and clicks of an element that shows an item, until the function that it returns is called. Again with
 * the same item and list changes nothing.
 * @param {Element} element
 * @param {{item_id: string}} item
 * @param {number} index its position in the list, from 0
 * @param {{placement: string, rec_id: string}} result the list, as `rec:render` or `rec.recommend` gave it
 */
export const observe = (element, item, index, result) => {
  const before = marks.get(element);
  marks.set(element, { ...before, item, index, result });
  if (before?.result !== result || before.item.item_id !== item.item_id) {
    inView.unobserve(element); // what is in view is reported again
    inView.observe(element);
    element.addEventListener('click', click);
    element.addEventListener('auxclick', click);
  }
  return () => {
    inView.unobserve(element);
    marks.delete(element);
  };
};
