/** A card without its item: the skeleton, which `fill.js` fills once the list is there. */
import { element } from './dom.js';

/** Return a copy of the shop's template; React and Vue append to `<template>` itself what HTML puts into its content. */
const copyOf = (template) => {
  const copy = template.content.cloneNode(true);
  for (const node of template.childNodes) copy.append(node.cloneNode(true));
  return copy;
};

/** Return a list element that holds our card, or the shop's own. */
export const card = (template) =>
  element(
    'li',
    'item',
    template
      ? copyOf(template)
      : element(
          'a',
          'link',
          element('div', 'media'),
          element('div', 'text', element('div', 'brand'), element('div', 'name'), element('div', 'price')),
        ),
  );
