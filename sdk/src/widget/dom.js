/** Small builders for the widget's markup; text and checked addresses only, never HTML. */

/** Return an element that `::part(part)` styles, with children; falsy children are left out. */
export const element = (tag, part, ...children) => {
  const node = document.createElement(tag);
  node.setAttribute('part', part);
  node.append(...children.filter(Boolean));
  return node;
};

/** Return `address` when it is http(s), else an empty text: `javascript:` in a catalogue must do nothing. */
export const webAddress = (address) => {
  const link = document.createElement('a'); // it parses as the page will
  link.href = address || 'none:';
  return /^https?:$/.test(link.protocol) ? link.href : '';
};

/** Return an amount as the page's language writes it; without an amount or a known currency, as it is. */
export const money = (amount, currency, language) => {
  try {
    return amount && new Intl.NumberFormat(language, { style: 'currency', currency }).format(amount);
  } catch {
    return amount;
  }
};
