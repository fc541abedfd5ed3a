/** What a button on the card of a recommended item does: the event names the list that the item came from. */
import { track } from './core.js';

const paramsOf = (item, { quantity = 1, index, result } = {}) => {
  const price = item.sale_price ?? item.price ?? undefined;
  return {
    currency: item.currency,
    value: price === undefined ? undefined : price * quantity,
    items: [
      {
        item_id: item.item_id,
        item_name: item.title,
        item_brand: item.brand,
        price,
        quantity,
        index,
        rec_id: result?.rec_id,
      },
    ],
  };
};

/** Track that an item of a list was put into the cart; `result` is the list. */
export const addToCart = (item, more) => track('add_to_cart', paramsOf(item, more));

/** Track that an item of a list was put on the wish list. */
export const addToWishlist = (item, more) => track('add_to_wishlist', paramsOf(item, more));
