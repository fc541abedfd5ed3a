import { headers } from 'next/headers';
import { inTheirOrder } from '../../lib/recsite.js';
import { Observed } from '../shop.jsx';

/** With Cache Components, pages stream what is somebody's own; this one waits, so that the list stands in the HTML. */
export const instant = false;

const found = (term) => Array.from({ length: 12 }, (_, n) => `SKU${n + 1}`).filter((id) => id.includes(term));

/** A search page, re-ranked; its links work without a script. */
const Search = async ({ searchParams }) => {
  const term = `${(await searchParams).q ?? ''}`;
  const { items, recId } = await inTheirOrder((await headers()).get('cookie'), found(term));
  return (
    <main>
      <h1>{items.length} found</h1>
      <ol data-rec-list="search" data-rec-id={recId}>
        {items.map((id) => (
          <li key={id} data-rec-item={id}>
            <a href={`/product/${encodeURIComponent(id)}`}>{id}</a>
          </li>
        ))}
      </ol>
      <Observed />
    </main>
  );
};
export default Search;
