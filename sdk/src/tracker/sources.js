/** Where events come from without a call: navigation, and `data-rec-event` in markup. */
import { attempt } from './page.js';
import { page, track } from './track.js';

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
