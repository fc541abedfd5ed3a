/** Lists that follow the shopper: one socket for all of a page. */
import { hasPage } from './core.js';

const lists = new Set();
let changed;
let isAsked = false;

const wake = () => {
  const start = () => {
    changed ||= require('../../../src/live.js').follow(() => [...lists]);
    changed();
  };
  if (isAsked) return changed?.();
  isAsked = true;
  require('../../../src/widget/request.js').whenReady(start);
};

/**
 * Call `listener(result)` with each new list of a placement, as the shopper's events arrive; returns what ends it.
 * `seen` is the `rec_id` of the list on screen, so that the same is not sent again.
 */
export const subscribe = (wish, listener, { cart = [], seen } = {}) => {
  if (!hasPage) return () => {};
  const list = {
    wish,
    cart,
    seen,
    update: (result) => {
      list.seen = result.rec_id;
      listener(result);
    },
  };
  lists.add(list);
  wake();
  return () => {
    lists.delete(list);
    changed?.();
  };
};
