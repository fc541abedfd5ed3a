/** What the embedding page tells the SDK: the script tag's options, and guards against the page's own faults. */

/** The tag that loaded this script; a module script has no `currentScript`, so look for the key. */
const tag = /** @type {HTMLScriptElement | null} */ (
  document.currentScript || document.querySelector('script[data-key]')
);

/**
 * Return the option `data-<name>` of the script tag, or `<name>` of `window.recsite`: Tag Manager strips attributes, and a
 * package has no tag.
 * @param {string} name
 * @param {string} [fallback]
 */
export const option = (name, fallback) => window.recsite?.[name] ?? tag?.dataset[name] ?? fallback;

/** Address before `/v1/…`: `data-host`, else where the script came from. */
export const HOST = option('host') || new URL(tag?.src || location.href).origin;

export const KEY = option('key');

/** The name of the data layer that is read; undefined where none is. */
export const LAYER = option('datalayer')?.replace(/^(true)?$/, 'dataLayer');

/** Return what `fn` returns, or `fallback` when it throws: a shop page never breaks because of us. */
export const attempt = (fn, fallback) => {
  try {
    return fn();
  } catch {
    return fallback;
  }
};

/** Import a file of this very version, which only pages that use it load. */
export const load = (name) => import(`${HOST}/r/v${VERSION}/${name}.js`);

/** Tell listeners of `rec('on', name, …)`; they are window events, so that tag managers hear them too. */
export const announce = (name, detail) => dispatchEvent(new CustomEvent('rec:' + name, { detail }));

/** Run now, or when a prerendered page is really shown: a page nobody saw must leave no event. */
export const whenActive = (fn) => (document.prerendering ? document.addEventListener('prerenderingchange', fn) : fn());
