/** One item as markup: our card, or the shop's own `<template>` filled by `data-bind`. */
import { element, money, webAddress } from './dom.js';

/** Return the image of an item; `{w}` in its address stands for a width the image server can make. */
const picture = (item) => {
  const sized = (width) => webAddress(String(item.image_url).replace('{w}', width));
  const src = item.image_url && sized(480);
  if (!src) return;
  const srcset = /{w}/.test(item.image_url)
    ? [240, 480, 960].map((width) => `${sized(width)} ${width}w`).join()
    : undefined;
  return element('img', {
    part: 'image',
    alt: '', // the link's text names the item; a second name would only be read twice
    loading: 'lazy',
    decoding: 'async',
    width: 480,
    height: 480,
    sizes: srcset && 'auto,(max-width:640px) 45vw,25vw',
    srcset,
    src,
  });
};

/** Return our card; an item without fields gives the skeleton. */
const ownCard = (item, language) => {
  const { price, list_price: listPrice, currency } = item;
  const isSale = +listPrice > +price;
  const has = (value) => (value == null ? '' : value);
  return element(
    'a',
    { part: 'link', href: item.url && webAddress(item.url) },
    element(
      'div',
      { class: 'm', part: 'media' },
      picture(item),
      isSale ? element('span', { class: 'd', part: 'badge' }, `−${Math.round(100 - (100 * price) / listPrice)}%`) : null,
    ),
    element(
      'div',
      { class: 't', part: 'text' },
      item.brand || !item.item_id ? element('div', { class: 'b', part: 'brand' }, has(item.brand)) : null,
      element('div', { class: 'n', part: 'name' }, has(item.title)),
      element(
        'div',
        { class: isSale ? 'p o' : 'p', part: 'price' },
        price == null ? null : money(price, currency, language),
        isSale ? element('s', { part: 'list-price' }, money(listPrice, currency, language)) : null,
      ),
    ),
  );
};

/**
 * Fill a copy of the shop's template. `data-bind="text:title; href:url; src:image_url; alt:title; price:price; if:brand"`;
 * addresses must be http(s), and no binding can make HTML or an event handler.
 */
const bind = (template, item, language) => {
  const copy = template.content.cloneNode(true);
  for (const node of copy.querySelectorAll('[data-bind]')) {
    for (const pair of node.dataset.bind.split(';')) {
      const [target, field] = pair.split(':').map((part) => part.trim());
      const value = item[field];
      if (target === 'if') node.hidden = value == null || value === '';
      else if (value == null) continue;
      else if (target === 'text') node.textContent = value;
      else if (target === 'price') node.textContent = money(value, item.currency, language);
      else if (/^(href|src)$/.test(target) && webAddress(value)) node.setAttribute(target, webAddress(value));
      else if (/^(alt|title|aria-label)$/.test(target)) node.setAttribute(target, value);
    }
  }
  return copy;
};

/** Return the list element of one item, or a skeleton for `{}`. */
export const card = (item, template, language) => {
  const isSkeleton = !item.item_id;
  return element(
    'li',
    { part: 'item', class: isSkeleton ? 'k' : null },
    template ? bind(template, item, language) : ownCard(item, language),
  );
};
