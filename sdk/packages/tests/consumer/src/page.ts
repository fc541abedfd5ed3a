/** What a shop writes with @recsite/js, and what it may not. */
import {
  addToCart,
  consent,
  id,
  identify,
  init,
  observe,
  observeMarkup,
  on,
  rank,
  recommend,
  renewToken,
  subscribe,
  track,
  use,
} from '@recsite/js';
import type { EventItem, Item, Result } from '@recsite/js';
import { defineWidget } from '@recsite/js/widget';

init({ key: 'pk_1', host: 'https://recs.shop.example', consent: 'pending', auto: false, datalayer: true });
track('purchase', {
  transaction_id: 'T1',
  value: '12,50',
  affiliation: 'Berlin',
  items: [{ item_id: 7, price: null, affiliation: 'Berlin', location_id: 'x', item_category5: null }],
});
track('wheel_spun', { anything: true });
identify(42, undefined, { tier: 'gold', since: null });
renewToken(async (userId) => (await fetch('/token/' + userId)).text());
consent('granted');
use((event) => event.event !== 'secret');
on('reject', ([first]) => first?.message.length);
on('warning', ([first]) => (typeof first === 'string' ? first : first?.toString()));
const ends: (() => void)[] = [on('consent', (choice) => choice === 'denied'), observeMarkup()];
ends.forEach((end) => end());
const shopper: string | undefined = id().anonymous_id;

const price = (item: Item): number | null => item.sale_price ?? item.price ?? null;
export const show = async (element: Element): Promise<string> => {
  const list = await recommend({ placement: 'home', limit: 4, filter: 'price < 50' }, { cart: ['SKU1'] });
  if (list.error) return `${list.error}`;
  const first = list.items[0];
  // @ts-expect-error there may be no first item
  first.title;
  // @ts-expect-error a price may be null
  const amount: number | undefined = first?.price;
  if (first) observe(element, first, 0, list);
  if (first) addToCart(first, { quantity: 2, index: 0, result: list });
  const ranked = await rank(['SKU1', 2], { limit: 10 });
  const end = subscribe({ placement: 'home' }, (next: Result) => next.items.map(price), { seen: list.rec_id });
  end();
  return `${ranked.items.length}${amount}${shopper}`;
};
const item: EventItem = { item_id: 'SKU1', coupon: 'C' };
track('add_to_cart', { items: [item], currency: 'EUR' });

defineWidget();
const widget = document.querySelector('rec-widget');
widget?.addEventListener('rec:click', (event) => event.detail.item.item_id);
const found: Result | undefined = widget?.result;
document.addEventListener('rec:render', (event) => event.detail.items.length);
addEventListener('rec:consent', (event) => event.detail === 'granted');
addEventListener('rec:reject', (event) => event.detail[0]?.message);
window.rec('track', 'view_item', { items: [{ item_id: found?.rec_id ?? 'none' }] });
window.recsite = { key: 'pk_1', auto: 'false' };

// @ts-expect-error a purchase has a transaction_id
track('purchase', { items: [{ item_id: 'SKU1' }] });
// @ts-expect-error an item has an item_id
track('view_item', { items: [{ item_name: 'Shoe' }] });
// @ts-expect-error a typing mistake in a field
track('search', { search_term: 'shoes', search_trem: 'shoes' });
// @ts-expect-error a key is needed
init({ host: 'https://recs.shop.example' });
// @ts-expect-error no such choice
consent('yes');
