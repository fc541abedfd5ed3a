/** What the server knows of the shopper who asks for a page, and the lists that it brings along. */
import { anonymousId, Recsite } from '@recsite/node';

const HOST = process.env.NEXT_PUBLIC_RECSITE_HOST ?? 'http://127.0.0.1:8000';
const recsite = new Recsite(HOST, process.env.RECSITE_SECRET ?? 'sk_', { timeoutMs: 300, retries: 0 });

/** Return one list for the shopper whose cookies these are, or undefined: then the page asks itself. */
export const listFor = async (cookies, wish) => {
  try {
    const { results } = await recsite.recommend({ ...wish, anonymous_id: anonymousId(cookies) });
    return results[0]?.items.length ? results[0] : undefined;
  } catch {
    return undefined;
  }
};

/** Return the items of a search page in the shopper's order, or as they were, with the `rec_id` of the reply. */
export const inTheirOrder = async (cookies, items) => {
  try {
    const { results } = await recsite.rank({ items, anonymous_id: anonymousId(cookies) });
    return { items: results[0].items.map((item) => item.item_id), recId: results[0].rec_id };
  } catch {
    return { items, recId: undefined };
  }
};
