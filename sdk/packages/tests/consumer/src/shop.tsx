/** What a shop writes with @recsite/react, in React 18 and 19. */
import { Recommendations, Recsite, useItem, useRecommendations } from '@recsite/react';
import type { Item, Result } from '@recsite/js';

const Card = ({ item, index, result }: { item: Item; index: number; result: Result }) => {
    const { ref, addToCart } = useItem(item, index, result);
    return (
        <div ref={ref}>
            <a href={item.url}>{item.title}</a> <b>{item.price?.toFixed(2)}</b>
            <button onClick={() => addToCart({ quantity: 2 })}>Add</button>
        </div>
    );
};

const Own = () => {
    const { items, result, isPending, error } = useRecommendations({
        placement: 'home',
        live: true,
        contextItems: [7],
    });
    if (isPending || error || !result || result.error) return <p>{`${error}`}</p>;
    return items.map((item, index) => <Card key={item.item_id} {...{ item, index, result }} />);
};

export const Shop = ({ initial }: { initial: Result }) => (
    <Recsite siteKey="pk_1" host="https://recs.shop.example" user={{ id: 42, token: 'x' }}>
        <Recommendations placement="similar" initial={initial} limit={4} fallback={<p>None</p>} as="ol">
            {(item, { index, addToCart }) => <button onClick={() => addToCart()}>{`${index} ${item.title}`}</button>}
        </Recommendations>
        <Own />
        <rec-widget
            placement="home"
            item-id="SKU1"
            limit={4}
            live
            heading=""
            className="wide"
            onClick={() => undefined}
        />
        {/* @ts-expect-error a widget has a placement */}
        <rec-widget limit={4} />
        {/* @ts-expect-error no such layout */}
        <rec-widget placement="home" layout="table" />
    </Recsite>
);
