/** `<rec-widget placement="…" item-id="…" limit="4" heading="…" layout="carousel" loading="lazy" live>`. */
import { control } from './control.js';

const ATTRIBUTES = [
  ...['placement', 'item-id', 'context', 'cart', 'limit', 'filter', 'template'],
  ...['heading', 'layout', 'loading', 'live', 'label', 'label-previous', 'label-next', 'label-updated'],
];
const names = [];

/** The element itself holds what the page gave it; its controller does the rest, while it is in a page. */
export class RecWidget extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  connectedCallback() {
    const self = /** @type {any} */ (this);
    if (!self._control)
      for (const name of names)
        if (Object.hasOwn(self, name)) {
          // It was set before the script was there, and hides the property of the class.
          const value = self[name];
          delete self[name];
          self[name] = value;
        }
    (self._control ||= control(this))._start();
  }

  disconnectedCallback() {
    /** @type {any} */ (this)._control._stop();
  }

  attributeChangedCallback() {
    /** @type {any} */ (this)._control?._changed();
  }

  /** The list that it shows. */
  get result() {
    return /** @type {any} */ (this)._control?._result;
  }
}

// Each attribute is a property as well, in camel case; the last is a property alone.
for (const name of [...ATTRIBUTES, 'renderItems']) {
  const values = new WeakMap();
  const property = name.replace(/-./g, (part) => part[1].toUpperCase());
  names.push(property);
  Object.defineProperty(RecWidget.prototype, property, {
    get() {
      return values.get(this) ?? this.getAttribute(name);
    },
    // As frameworks hand it over: false and null take it away, true is there, a list is comma-separated.
    set(value) {
      const isObject = value?.call || value?.content;
      values.set(this, isObject && value);
      if (isObject || (value ?? false) === false) this.removeAttribute(name);
      else this.setAttribute(name, value === true ? '' : value);
      this.attributeChangedCallback();
    },
  });
}
