/**
 * Lists that come with the page's HTML: a script of its own, for pages that have some, beside the tracker's.
 *
 * Impressions and clicks of markup that says what it shows: `data-rec-item` is the item's id, `data-rec-list` the placement
 * and `data-rec-id` the reply's `rec_id`; both may stand on the item or on anything around it. `data-rec-index` is the
 * position; without it the items of a list are counted from 0. `data-rec-price`, `data-rec-currency` and `data-rec-title`
 * are for buttons with `data-rec-action`.
 */
import { observe } from './widget/impressions.js';
import { whenReady } from './widget/request.js';

const ITEM = '[data-rec-item]';

/** Lists by placement and `rec_id`: one object for all elements of a list. */
const lists = new Map();

const listOf = (element) => {
  const placement = element.closest('[data-rec-list]')?.dataset.recList;
  const recId = element.closest('[data-rec-id]')?.dataset.recId;
  const name = JSON.stringify([placement, recId]);
  if (!lists.has(name)) lists.set(name, { placement, rec_id: recId });
  return lists.get(name);
};

/**
 * Observe what is below `root` now, and what comes, changes or goes; return what ends it.
 * @param {Document | Element} root
 */
export const follow = (root) => {
  /** @type {Map<Element, () => void>} */
  const observed = new Map();

  const look = () => {
    for (const [element, end] of observed) {
      if (element.isConnected && element.matches(ITEM)) continue;
      end();
      observed.delete(element);
    }
    const counts = new Map();
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(ITEM))) {
      const { recItem: id, recPrice: price, recCurrency: currency, recTitle: title, recIndex } = element.dataset;
      if (!id) continue;
      const list = listOf(element);
      const count = counts.get(list) || 0;
      counts.set(list, count + 1);
      const item = { item_id: id, title, currency, price: price && +price };
      observed.set(element, observe(element, item, recIndex ? +recIndex : count, list));
    }
  };

  const changes = new MutationObserver(look);
  changes.observe(root, {
    subtree: true,
    childList: true,
    attributeFilter: ['data-rec-item', 'data-rec-id', 'data-rec-list', 'data-rec-index'],
  });
  look();
  return () => {
    changes.disconnect();
    observed.forEach((end) => end());
    observed.clear();
  };
};

/** Follow the whole page once the tracker is there: what the script of this name does. */
export const start = () => whenReady(() => follow(document));
