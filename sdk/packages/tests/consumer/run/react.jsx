/** The shop in React: the same component on the server, hydrated, and mounted. */
import { Recommendations, Recsite, useItem, useRecommendations } from '@recsite/react';
import { createElement, StrictMode, useState } from 'react';

const Card = ({ item, index, result }) => {
    const { ref, addToCart } = useItem(item, index, result);
    return (
        <article ref={ref} style={{ height: 80 }}>
            <a href={item.url}>{item.title}</a>
            <button onClick={() => addToCart({ quantity: 2 })}>Add</button>
        </article>
    );
};

const Own = ({ placement }) => {
    const { items, result, isPending } = useRecommendations({ placement, live: true, limit: 2 });
    return (
        <div id="own">
            {isPending
                ? 'pending'
                : items.map((item, index) => <Card key={item.item_id} {...{ item, index, result }} />)}
        </div>
    );
};

const Page = ({ initial, host, siteKey }) => {
    const [page, setPage] = useState({ placement: 'home', user: null });
    globalThis.setPage = (next) => setPage((last) => ({ ...last, ...next }));
    return (
        <Recsite siteKey={siteKey} host={host} user={page.user}>
            <Recommendations placement="similar" initial={initial} as="ol" itemAs="li" fallback={<p>Nothing</p>}>
                {(item, { addToCart }) => (
                    <>
                        <a href={item.url}>{item.title}</a>
                        <button onClick={() => addToCart()}>Add</button>
                    </>
                )}
            </Recommendations>
            {page.placement && <Own placement={page.placement} />}
        </Recsite>
    );
};

export const app = (props) => createElement(StrictMode, null, createElement(Page, props));
