/** One request for all lists of a page. */
const TIMEOUT_MS = 5e3;

const waiting = [];

/** What the API takes in one request. */
export const MOST_LISTS = 20;
const MOST_ITEMS = 100;

/** Return the item ids of all these lists, each once: every widget of a page may name the same cart. */
export const union = (lists) => [...new Set(lists.flat())].slice(0, MOST_ITEMS);

/** Run now, or once `type` happens. */
const when = (isTrue, type, fn) => (isTrue ? fn() : addEventListener(type, fn, { once: true }));

/** Run when the tracker is there. */
export const whenReady = (fn) => when(window.rec?.version, 'rec:ready', fn);

/** Run when the page is parsed: then all its widgets are known. */
const whenParsed = (fn) => when(document.readyState !== 'loading', 'DOMContentLoaded', fn);

/** Return the key and who asks: what the API accepts of `rec.id()`. */
export const user = () => ({ key: rec.key, ...rec.id(), session_id: undefined });

const send = async () => {
  const batch = waiting.splice(0, MOST_LISTS);
  if (waiting[0]) send();
  try {
    const who = user();
    const response = await fetch(rec.host + '/v1/recommendations', {
      method: 'POST',
      // Without consent no cookie travels, and the server answers with lists for everyone.
      credentials: who.anonymous_id ? 'include' : 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({
        ...who,
        placements: batch.map(({ wish }) => wish),
        cart: union(batch.map(({ cart }) => cart)),
        url: location.href.slice(0, 2e3),
        lang: document.documentElement.lang,
      }),
    });
    const reply = await response.json();
    if (!response.ok) {
      console.warn(reply); // a mistake to be found; what the network does, the browser says itself
      throw Error(reply.message);
    }
    batch.forEach(({ resolve }, i) => resolve(reply.results[i]));
  } catch (error) {
    batch.forEach(({ resolve }) => resolve({ items: [], error }));
  }
};

/**
 * Ask for one list and resolve with its result `{placement, rec_id, items, …}`, or with `{items: [], error}`.
 * @param {{placement: string, limit?: number, context_items?: string[]}} wish
 * @param {string[]} [cart] item ids in the cart
 */
export const ask = (wish, cart = []) =>
  new Promise((resolve) => {
    if (!waiting.length) whenParsed(() => whenReady(() => setTimeout(send)));
    waiting.push({ wish, cart, resolve });
  });
