/** Lists without a widget: once, in an order of given items, or live. */
import { hasPage } from './core.js';

const TIMEOUT_MS = 5e3;
const nowhere = () => ({ items: [], error: Error('there is no page; use @recsite/node on a server') });

/** Ask for a list; lists that are asked for together are one request. Never rejects. */
export const recommend = async (wish, { cart, isLost } = {}) => {
  if (!hasPage) return nowhere();
  // A page with the script tag, too, has one request for both.
  const ask = (window.rec?.version && window.rec.recommend) || require('../../../src/widget/request.js').ask;
  return ask(wish, cart, isLost);
};

/** Put the items of a search or category page into this shopper's order. Never rejects: without an answer, as they were. */
export const rank = async (items, wish = {}) => {
  const order = items.map(String);
  if (!hasPage || !order[0])
    return { items: order.map((each) => ({ item_id: each })), ...(hasPage ? {} : { error: nowhere().error }) };
  const { user, whenReady } = require('../../../src/widget/request.js');
  await new Promise((resolve) => whenReady(() => resolve(undefined)));
  const who = user();
  try {
    const response = await fetch(window.rec.host + '/v1/rank', {
      method: 'POST',
      credentials: who.anonymous_id ? 'include' : 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({ ...who, lang: document.documentElement.lang || undefined, ...wish, items: order }),
    });
    const reply = await response.json();
    if (!response.ok) throw Error(reply.message);
    return reply.results[0];
  } catch (error) {
    return { items: order.map((each) => ({ item_id: each })), error };
  }
};
