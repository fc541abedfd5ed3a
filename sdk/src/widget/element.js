/** `<rec-widget placement="…" item-id="…" limit="4" heading="…" layout="carousel" loading="lazy" live>`. */
import { control } from './control.js';

/** The element itself holds nothing; its controller does, from the first time it is in a page. */
export class RecWidget extends HTMLElement {
  static observedAttributes = ['placement', 'item-id', 'limit', 'context', 'cart'];

  connectedCallback() {
    // Prettier would move the bracket that makes this a cast.
    // prettier-ignore
    (/** @type {any} */ (this)._control ||= control(this))._start();
  }

  disconnectedCallback() {
    /** @type {any} */ (this)._control._stop();
  }

  attributeChangedCallback() {
    /** @type {any} */ (this)._control?._change();
  }
}
