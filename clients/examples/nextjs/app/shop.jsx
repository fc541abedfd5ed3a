'use client';
/** What runs in the page: the tracker, and lists with the shop's own cards. */
import { observeMarkup } from '@recsite/js';
import { Recommendations, Recsite } from '@recsite/react';
import { useEffect } from 'react';

export const Shop = Recsite;

/** The list that the server brought, or else one that the page asks for; live from then on. */
export const Similar = ({ id, initial }) => (
  <Recommendations
    placement="product_similar"
    contextItems={[id]}
    limit={4}
    live
    initial={initial}
    heading={<h2>Similar</h2>}
    fallback={<p>Nothing similar yet</p>}
  >
    {(item, { addToCart }) => (
      <>
        <a href={`/product/${encodeURIComponent(item.item_id)}`}>{item.title}</a>
        <button onClick={() => addToCart()}>Add to cart</button>
      </>
    )}
  </Recommendations>
);

/** Counts impressions and clicks of markup that a server component wrote. */
export const Observed = () => {
  useEffect(() => observeMarkup(), []);
  return null;
};
