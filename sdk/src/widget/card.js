/** One item as markup: our card, or the shop's own `<template>` filled by `data-bind`. */
import { element, money, webAddress } from './dom.js';

/** Return the image of an item; `{w}` in its address stands for a width the image server can make. */
const picture = ({ image_url: address }) => {
  const sized = (width) => webAddress(address && `${address}`.replace('{w}', width));
  if (!sized(480)) return;
  const image = element('img', 'image');
  image.alt = ''; // the link's text names the item; a second name would only be read twice
  image.loading = 'lazy'; // before src, else it is fetched at once
  image.sizes = 'auto,33vw';
  image.srcset = [240, 480, 960].map((width) => sized(width) + ` ${width}w`);
  image.src = sized(480);
  return image;
};

/** Return our card; an item without fields gives the skeleton. */
const ownCard = (item, language) => {
  const { price, sale_price: salePrice, currency } = item;
  const isSale = salePrice && salePrice < price;
  const listPrice = money(price, currency, language);
  const link = element(
    'a',
    'link',
    element('div', 'media', picture(item)),
    element(
      'div',
      'text',
      element('div', 'brand', item.brand),
      element('div', 'name', item.title),
      element(
        'div',
        'price',
        isSale && element('span', 'sale', money(salePrice, currency, language)),
        isSale ? element('s', 'list-price', listPrice) : listPrice,
      ),
    ),
  );
  const address = webAddress(item.url);
  if (address) link.href = address;
  return link;
};

/**
 * Fill a copy of the shop's template: `data-bind="text:title; href:url; src:image_url; alt:title; price:price; if:brand"`.
 * Addresses must be http(s), and no binding can make HTML or an event handler.
 */
const bind = (template, item, language) => {
  const copy = template.content.cloneNode(true);
  for (const node of copy.querySelectorAll('[data-bind]')) {
    for (const [, target, field] of node.dataset.bind.matchAll(/([\w-]+)\s*:\s*(\w+)/g)) {
      const value = item[field] ?? '';
      if (target === 'if') node.hidden = !value;
      else if (target === 'text') node.textContent = value;
      else if (target === 'price') node.textContent = money(value, item.currency, language);
      else if (/^(href|src)$/.test(target)) node.setAttribute(target, webAddress(value));
      else if (/^(alt|title|aria-label)$/.test(target)) node.setAttribute(target, value);
    }
  }
  return copy;
};

/** Return the list element of one item, or a skeleton for `{}`. */
export const card = (item, template, language) =>
  element('li', 'item', template ? bind(template, item, language) : ownCard(item, language));
