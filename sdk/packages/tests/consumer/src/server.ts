/** What a shop's server writes with @recsite/node. */
import { anonymousId, ApiError, Recsite, signUserToken } from '@recsite/node';

const recsite = new Recsite('https://recs.shop.example', 'sk_1', { timeoutMs: 500, retries: 0 });
export const page = async (cookies: string | undefined): Promise<string> => {
  try {
    const { results } = await recsite.recommend({ placement: 'home', anonymous_id: anonymousId(cookies) ?? null });
    const list = results[0];
    if (!list || 'error' in list) return list?.message ?? 'none';
    const [first] = list.items;
    // @ts-expect-error a price may be null
    first?.price?.toFixed(2).length ?? list.heading.length;
    await recsite.writeItem('SKU1', { title: 'Shoe', price: '12.99 EUR', stock: null });
    for (let after: string | null = ''; after !== null;) {
      const items = await recsite.listItems({ after, limit: 200 });
      after = items.next;
    }
    await recsite.sendEvents({ events: [{ event: 'search', event_id: 'e-1', ts: 0, params: { search_term: 'x' } }] });
    return signUserToken(42, { site: 'shop', secret: 's' });
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.error} ${error.field}`;
    throw error;
  }
};
// @ts-expect-error items are needed
recsite.rank({ limit: 1 });
