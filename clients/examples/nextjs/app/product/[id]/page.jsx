import { headers } from 'next/headers';
import { listFor } from '../../../lib/recsite.js';
import { Similar } from '../../shop.jsx';

/** With Cache Components, pages stream what is somebody's own; this one waits, so that the list stands in the HTML. */
export const instant = false;

const Product = async ({ params }) => {
  const { id } = await params;
  const cookies = (await headers()).get('cookie');
  const initial = await listFor(cookies, { placement: 'product_similar', context_items: [id], limit: 4 });
  return (
    <main>
      <h1>{id}</h1>
      <Similar id={id} initial={initial} />
    </main>
  );
};
export default Product;
