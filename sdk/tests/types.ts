/** Compiled, never run: what a shop may write, and what it may not. */
import type { Rec, WidgetEvents } from '../rec.js';

declare const rec: Rec;

rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
rec.track('purchase', { transaction_id: 'T1', items: [{ item_id: 7, price: '12.50' }] });
rec.track('my_own_event', { anything: true });
rec.consent('granted');
rec.use((event) => event.event !== 'secret');
rec.on('reject', ([first]) => first.message.length);
rec.recommend({ placement: 'home' }).then(({ items }) => items.length);
rec.identify('u1', 'token', { plan: 'gold' });

rec.track('refund', { transaction_id: 7 });
rec.track('page_view', {});
rec('track', 'view_item_list', { items: [{ item_id: 'SKU1', index: '3', item_brand: null }], item_list_id: 'home' });
rec('on', 'reject', ([first]) => first.message.length);
declare const anyName: string;
rec.track(anyName, { anything: true });

// @ts-expect-error a purchase has a transaction_id
rec.track('purchase', { items: [{ item_id: 'SKU1' }] });
// @ts-expect-error an item has an item_id
rec('track', 'add_to_cart', { items: [{ item_name: 'Shoe' }] });
// @ts-expect-error an amount is no truth value
rec('track', 'view_item', { items: [{ item_id: 'SKU1', price: true }] });
// @ts-expect-error a field that the contract does not know
rec.track('search', { search_term: 'shoes', search_trem: 'shoes' });
// @ts-expect-error no such choice
rec.consent('yes');
// @ts-expect-error the listener's name
rec.on('nothing', () => {});

export const onClick = (event: WidgetEvents['rec:click']): string => event.detail.item.item_id;
