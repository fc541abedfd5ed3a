/** Impressions and clicks of lists that the shop draws itself, on the server or in the page. */
import { hasPage, queue } from './core.js';

/** Count impressions and clicks of an element that shows an item; returns what ends it. */
export const observe = (element, item, index, result) => {
  if (!hasPage) return () => {};
  queue();
  return require('../../../src/widget/impressions.js').observe(element, item, index, result);
};

/** Count impressions and clicks of markup with `data-rec-item` below `root`, now and as it comes; returns what ends it. */
export const observeMarkup = (root) => {
  if (!hasPage) return () => {};
  queue();
  return require('../../../src/served.js').follow(root || document);
};
