/** One request for all lists of a page. */
const TIMEOUT_MS = 5e3;

let waiting = [];

/** Address of the live socket when the server names one. */
export let liveUrl;

/** Run when the tracker is there. */
export const whenReady = (fn) =>
  window.rec?.version ? fn() : addEventListener('rec:ready', () => fn(), { once: true });

/** Run when the page is parsed: then all its widgets are known. */
const whenParsed = (fn) =>
  document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', fn, { once: true }) : fn();

/** Return who asks: what the API accepts of `rec.id()`. */
export const shopper = () => {
  const { session_id, ...who } = window.rec.id();
  return who;
};

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
        key: rec.key,
        ...who,
        placements: batch.map(({ wish }) => wish),
        cart: batch.find(({ cart }) => cart)?.cart,
        url: location.href,
        lang: document.documentElement.lang || navigator.language,
      }),
    });
    const reply = await response.json();
    if (!response.ok) throw Error(`rec: ${response.status} ${reply.error}: ${reply.message}`);
    liveUrl = reply.live_url;
    batch.forEach(({ resolve }, i) => resolve(reply.results[i]));
  } catch (error) {
    batch.forEach(({ reject }) => reject(error));
  }
};

/**
 * Ask for one list and resolve with its result `{placement, rec_id, items, …}`.
 * @param {{placement: string, limit?: number, context_items?: string[]}} wish
 * @param {string[]} [cart] item ids in the cart
 */
export const ask = (wish, cart) =>
  new Promise((resolve, reject) => {
    if (!waiting.length) whenParsed(() => whenReady(() => setTimeout(send)));
    waiting.push({ wish, cart, resolve, reject });
  });
