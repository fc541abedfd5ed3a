/** Lists that the page draws itself, in the element: the skeleton goes, the counting stays. */
import { element } from './dom.js';
import { announce, observe } from './impressions.js';

const DRAWN_MS = 100; // how long the skeleton waits for the first element of the page's own

/** What `renderItems` returned. @type {WeakMap<Element, Element[]>} */
const drawn = new WeakMap();

/** Whether the page draws this list itself: it cancels `rec:render`, or has a `renderItems(result, widget)`. */
export const draw = (host, result) => {
  const isTheirs = !announce(host, 'render', result);
  if (host.renderItems) {
    let nodes;
    try {
      nodes = host.renderItems(result, host);
    } catch (error) {
      console.error('rec: renderItems failed:', error);
      return false; // our cards are better than none
    }
    drawn.get(host)?.forEach((node) => node.remove());
    const own = nodes?.[Symbol.iterator] ? [...nodes] : [nodes || []].flat();
    drawn.set(host, own);
    host.append(...own);
  } else if (!isTheirs) {
    return false;
  }
  mark(host, result);
  setTimeout(uncover, DRAWN_MS, host, result);
  return true;
};

/**
 * Count what the page drew: elements with `data-rec-item`, or the nodes of `renderItems` where there are as many as items.
 * Called again when something in the element changed.
 */
export const mark = (host, result) => {
  const own = drawn.get(host) || [];
  result.items.forEach((item, index) => {
    const named = host.querySelectorAll(`[data-rec-item="${CSS.escape(item.item_id)}"]`);
    named.forEach((node) => observe(node, item, index, result));
    if (!named[0] && own.length === result.items.length) observe(own[index], item, index, result);
  });
  if (host.querySelector(':scope>:not([slot],template)')) uncover(host, result);
};

/** Take the skeleton away: what the page drew is in the element, or somewhere else. */
const uncover = (host, result) => {
  const root = host.shadowRoot;
  if (host.result === result && !root.querySelector('[part=own]')) root.replaceChildren(element('slot', 'own'));
};
