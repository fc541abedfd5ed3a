/** Small builders for the widget's markup; text and checked addresses only, never HTML. */

/** Return an element that `::part(part)` styles, with children; falsy children are left out. */
export const element = (tag, part, ...children) => {
  const node = document.createElement(tag);
  node.setAttribute('part', part);
  node.append(...children.filter(Boolean));
  return node;
};
