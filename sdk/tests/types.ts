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

// @ts-expect-error no such choice
rec.consent('yes');
// @ts-expect-error the listener's name
rec.on('nothing', () => {});

export const onClick = (event: WidgetEvents['rec:click']): string => event.detail.item.item_id;
