/** One request for all lists of a page. */
const TIMEOUT_MS = 5e3;
const PAUSE_MS = 50;

let waiting = [];

/** What the API takes in one request. */
export const MOST_LISTS = 20;
const MOST_ITEMS = 100;

/** Return the item ids of all these lists, each once: every widget of a page may name the same cart. */
export const union = (lists) => [...new Set(lists.flat())].slice(0, MOST_ITEMS);

/** Run when the tracker is there. */
export const whenReady = (fn) => (window.rec?.version ? fn() : addEventListener('rec:ready', fn, { once: true }));

/** Send when the page is parsed, or its parsing pauses, or takes long: until then more widgets may come. */
const gather = (size, looks = 10) => {
  const now = document.getElementsByTagName('*').length;
  if (document.readyState !== 'loading' || now === size || !looks) setTimeout(send);
  else setTimeout(gather, PAUSE_MS, looks % 2 ? size : now, looks - 1);
};

/** Return the key and who asks: what the API accepts of `rec.id()`. */
export const user = () => ({ key: rec.key, ...rec.id(), session_id: undefined });

/** Tell listeners of `rec('on', 'warning', …)` what the server said. */
const warn = (warnings) => warnings[0] && dispatchEvent(new CustomEvent('rec:warning', { detail: warnings }));

const send = async () => {
  const wanted = waiting.filter(({ isLost }) => !isLost?.());
  const batch = wanted.splice(0, MOST_LISTS);
  waiting = wanted;
  if (!batch[0]) return;
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
    if (JSON.stringify(user()) !== JSON.stringify(who)) {
      // The shopper is somebody else by now: what was answered is nobody's.
      waiting.push(...batch);
      setTimeout(send);
      return;
    }
    if (!response.ok) {
      warn([reply]);
      console.warn(reply); // a mistake to be found; what the network does, the browser says itself
      throw Error(reply.message);
    }
    warn([...(reply.warnings || []), ...reply.results.filter(({ error }) => error)]);
    batch.forEach(({ resolve }, i) => resolve(reply.results[i]));
  } catch (error) {
    batch.forEach(({ resolve }) => resolve({ items: [], error }));
  }
};

/**
 * Ask for one list and resolve with its result `{placement, rec_id, items, …}`, or with `{items: [], error}`.
 * @param {{placement: string, limit?: number, context_items?: string[], filter?: string}} wish
 * @param {string[]} [cart] item ids in the cart
 * @param {() => boolean} [isLost] looked at before the request: nobody waits for it any more
 */
export const ask = (wish, cart = [], isLost) =>
  new Promise((resolve) => {
    if (!waiting[0]) whenReady(gather);
    waiting.push({ wish, cart, isLost, resolve });
  });
