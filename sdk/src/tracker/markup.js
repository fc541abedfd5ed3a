/**
 * What a page says without a call: `data-rec-event` in markup, its cookies, and the history of browsers without the
 * Navigation API.
 *
 * `rec.js` brings it along; `tracker.js` alone, which must stay small, loads it right after it started.
 */

/** Track clicks on, or submits of, elements with `data-rec-event` and, as JSON, `data-rec-params`. */
const watchMarkup = () => {
  for (const type of ['click', 'submit']) {
    document.addEventListener(
      type,
      (event) => {
        // Inside a widget's shadow tree the event's own target is hidden from the document.
        const element = /** @type {HTMLElement} */ (
          /** @type {Element} */ (event.composedPath()[0]).closest?.('[data-rec-event]')
        );
        if (!element || (element.tagName === 'FORM') !== (type === 'submit')) return;
        let params;
        try {
          params = JSON.parse(element.dataset.recParams);
        } catch {
          // None, or none that can be read: the event counts.
        }
        rec.track(element.dataset.recEvent, params);
      },
      true,
    );
  }
};

/** Count page views of single-page shops. */
const watchHistory = () => {
  // A router sets the title after the address.
  const later = () => setTimeout(rec.page);
  later(); // where the page went while this was on its way
  if (window.navigation) return navigation.addEventListener('currententrychange', later);
  for (const name of ['pushState', 'replaceState']) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      later();
    };
  }
  addEventListener('popstate', later);
};

/** Take away the cookie that an answer on its way brings after the shopper has said no. */
const watchCookie = () =>
  window.cookieStore?.addEventListener('change', ({ changed }) => {
    if (changed.some(({ name }) => name === 'rec_aid') && !rec.id().anonymous_id)
      document.cookie = 'rec_aid=;path=/;max-age=0';
  });

/** Watch this page; its views, too, unless the shop counts them itself. */
export const watch = (isCounted) => {
  watchMarkup();
  watchCookie();
  if (isCounted) watchHistory();
};
