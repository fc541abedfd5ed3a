/** Small builders for the widget's markup; text and checked addresses only, never HTML. */

/** Return an element with these attributes (null and undefined are left out) and children. */
export const element = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const name in attributes) {
    if (attributes[name] != null) node.setAttribute(name, attributes[name]);
  }
  node.append(...children.filter((child) => child != null));
  return node;
};

/** Return `address` when it is http(s), else undefined: `javascript:` in a catalogue must stay text. */
export const webAddress = (address) => {
  try {
    const url = new URL(address, location.href);
    return /^https?:$/.test(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
};

/** Return an amount as the page's language writes it; without a known currency, as a plain number. */
export const money = (amount, currency, language) => {
  try {
    return new Intl.NumberFormat(language || undefined, { style: 'currency', currency }).format(amount);
  } catch {
    return String(amount);
  }
};
