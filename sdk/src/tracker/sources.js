/** Where events come from without a call: navigation, `data-rec-event` in markup, GA4's dataLayer. */
import { attempt, option } from './page.js';
import { page, track } from './track.js';

/** GA4's e-commerce events, as pushed by gtag or a tag manager. */
const GA4 =
  /^((add_to|remove_from|view)_cart|(view|select)_item(_list)?|add_to_wishlist|begin_checkout|purchase|refund|search)$/;

/** Count page views of ordinary and single-page shops. */
export const watchPages = () => {
  // A single-page router sets the title after the address.
  const later = () => setTimeout(page);
  page();
  if (window.navigation) {
    navigation.addEventListener('currententrychange', later);
  } else {
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name];
      history[name] = function (...args) {
        original.apply(this, args);
        later();
      };
    }
    addEventListener('popstate', later);
  }
  addEventListener('pageshow', (event) => event.persisted && page({}));
};

/** Track clicks on, or submits of, elements with `data-rec-event` and, as JSON, `data-rec-params`. */
export const watchMarkup = () => {
  for (const type of ['click', 'submit']) {
    document.addEventListener(
      type,
      (event) => {
        // Inside a widget's shadow tree the event's own target is hidden from the document.
        const element = /** @type {HTMLElement} */ (
          /** @type {Element} */ (event.composedPath()[0]).closest?.('[data-rec-event]')
        );
        if (element && (element.tagName === 'FORM') === (type === 'submit')) {
          track(
            element.dataset.recEvent,
            attempt(() => JSON.parse(element.dataset.recParams), {}),
          );
        }
      },
      true,
    );
  }
};

/** Read GA4 e-commerce pushes, past and future, so that a shop with GA4 needs no new code. */
export const watchDataLayer = () => {
  if (option('datalayer') === undefined) return;
  const layer = (window.dataLayer = window.dataLayer || []);
  const take = (entry) =>
    attempt(() => {
      const [name, params] = entry[0] === 'event' ? [entry[1], entry[2]] : [entry.event, entry.ecommerce || entry];
      if (GA4.test(name) && (params.items || name === 'search')) track(name, params);
    });
  layer.forEach(take);
  const push = layer.push;
  layer.push = (...entries) => {
    entries.forEach(take);
    return push.apply(layer, entries);
  };
};
