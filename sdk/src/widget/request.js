/** One request for all lists of a page. */
const TIMEOUT_MS = 5e3;

let waiting = [];

/** Address of the live socket when the server names one. */
export let liveUrl;

/** Run now, or once `type` happens. */
const when = (isTrue, type, fn) => (isTrue ? fn() : addEventListener(type, fn, { once: true }));

/** Run when the tracker is there. */
export const whenReady = (fn) => when(window.rec?.version, 'rec:ready', fn);

/** Run when the page is parsed: then all its widgets are known. */
const whenParsed = (fn) => when(document.readyState !== 'loading', 'DOMContentLoaded', fn);

/** Return the key and who asks: what the API accepts of `rec.id()`. */
export const shopper = () => ({ key: rec.key, ...rec.id(), session_id: undefined });

const send = async () => {
  const batch = waiting;
  waiting = [];
  try {
    const who = shopper();
    const response = await fetch(rec.host + '/v1/recommendations', {
      method: 'POST',
      // Without consent no cookie travels, and the server answers with lists for everyone.
      credentials: who.anonymous_id ? 'include' : 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({
        ...who,
        placements: batch.map(({ wish }) => wish),
        cart: batch.flatMap(({ cart }) => cart),
        url: location.href.slice(0, 2e3),
        lang: document.documentElement.lang,
      }),
    });
    const reply = await response.json();
    if (!response.ok) throw Error(reply.message);
    liveUrl = reply.live_url;
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
