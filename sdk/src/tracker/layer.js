/**
 * The way to the reader of the data layer, a file of its own that only pages with `data-datalayer` load.
 *
 * Until the reader has looked at the layer nobody knows whether events may leave, so consent is pending. A page that
 * goes away before, or to which the reader never comes, hands over its pushes as they are, for the server to read: unless
 * something on it asks for consent, which only the reader understands.
 */
import { attempt, LAYER, load } from './page.js';

/** Let the reader have the layer; `settle` when the page cannot wait for it. */
export const openLayer = (settle, tools) => {
  let from = 0;
  const layer = (window[LAYER] ||= []);
  const blind = () =>
    attempt(() => {
      if (window.__tcfapi || layer.some((entry) => entry?.[0] === 'consent')) return;
      settle();
      for (const { event, ecommerce, 1: name, 2: params } of layer.slice(from, (from = layer.length)).filter(Boolean))
        if (ecommerce) event && rec.track(event, { ecommerce });
        else params?.items && rec.track(name, params);
    });
  addEventListener('pagehide', blind);
  load('datalayer').then(({ read }) => {
    removeEventListener('pagehide', blind);
    read(LAYER, layer, from, tools);
  }, blind);
};
