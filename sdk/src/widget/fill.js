/** An item in its card: in ours, or by `data-bind` in the shop's own. Never HTML, and addresses are http(s) or none. */
import { element } from './dom.js';

/** Return `address` when it is http(s), else an empty text: `javascript:` in a catalogue must do nothing. */
const webAddress = (address) => {
  const link = document.createElement('a'); // it parses as the page will
  link.href = address || 'none:';
  return /^https?:$/.test(link.protocol) ? link.href : '';
};

/** Return an amount as the page's language writes it; without an amount or a known currency, as it is. */
const money = (amount, currency, language) => {
  try {
    return amount && new Intl.NumberFormat(language, { style: 'currency', currency }).format(amount);
  } catch {
    return amount;
  }
};

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

/** Fill our own card; it is filled once, as it never comes to another item. */
const fillOurs = (li, item, language) => {
  const { price, sale_price: salePrice, currency } = item;
  const link = li.firstChild;
  if (link.dataset.item) return;
  link.dataset.item = item.item_id;
  const isSale = salePrice && salePrice < price;
  const listPrice = money(price, currency, language);
  const put = (part, ...content) => li.querySelector(`[part=${part}]`).append(...content.filter(Boolean));
  put('media', picture(item));
  put('brand', item.brand);
  put('name', item.title);
  put(
    'price',
    isSale && element('span', 'sale', money(salePrice, currency, language)),
    isSale ? element('s', 'list-price', listPrice) : listPrice,
  );
  const address = webAddress(item.url);
  if (address) link.href = address;
};

/** What `data-bind` may set: nothing that is script, style or HTML. */
const BOUND = /^(href|src|alt|title|value|name|class|id|aria-.+|data-.+)$/;

/**
 * Fill a card of the shop's: `data-bind="text:title; href:url; src:image_url; alt:title; price:price; if:brand;
 * value:item_id; data-list:rec_id"`. A card that stays may have come to another list or index, so it is filled again.
 */
const fillTheirs = (li, item, index, result, language) => {
  const values = { ...item, index, rec_id: result.rec_id, placement: result.placement };
  for (const node of li.querySelectorAll('[data-bind]')) {
    for (const [, target, field] of node.dataset.bind.matchAll(/([\w-]+)\s*:\s*(\w+)/g)) {
      const value = values[field] ?? '';
      const text = /^(href|src)$/.test(target) ? webAddress(value) : `${value}`;
      if (target === 'if') node.hidden = !value;
      else if (target === 'text') node.textContent = text;
      else if (target === 'price') node.textContent = money(value, item.currency, language);
      // The same again would load a picture again.
      else if (BOUND.test(target) && node.getAttribute(target) !== text) node.setAttribute(target, text);
    }
  }
};

/** Put an item into the card that was made for it. */
export const fill = (li, item, index, result, template, language) =>
  template ? fillTheirs(li, item, index, result, language) : fillOurs(li, item, language);
