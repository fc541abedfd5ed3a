/** Three lists as the package's README sets them up: its own widgets, a card of the shop's. */
import recommend from '@algolia/recommend';
import { frequentlyBoughtTogether, relatedProducts, trendingItems } from '@algolia/recommend-js';

const url = new URL(document.currentScript.src).host;
const recommendClient = recommend('app', 'key', { hosts: [{ url, protocol: 'http', accept: 3 }] });

const itemComponent = ({ item, html }) =>
  html`<a class="card" href=${item.url}>
    <img src=${item.image_url} width="160" height="160" alt="" /><b>${item.title}</b><i>${item.price} €</i>
  </a>`;

const shared = { recommendClient, indexName: 'shop', maxRecommendations: 4, itemComponent };
relatedProducts({ ...shared, container: '#top', objectIDs: ['SKU9'] });
frequentlyBoughtTogether({ ...shared, container: '#middle', objectIDs: ['SKU9'] });
trendingItems({ ...shared, container: '#end' });
