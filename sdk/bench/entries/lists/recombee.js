/** Three lists in one batch, drawn by the shop: the package is a client of the API and draws nothing itself. */
import recombee from 'recombee-js-api-client';

const baseUri = new URL(document.currentScript.src).host;
const client = new recombee.ApiClient('shop', 'token', { baseUri, useHttps: false });
const wish = (type, ...about) =>
  new recombee[type](...about, 4, { returnProperties: true, scenario: 'page', cascadeCreate: true });

const card = ({ id, values }) => {
  const link = Object.assign(document.createElement('a'), { className: 'card', href: values.url, id });
  const picture = Object.assign(document.createElement('img'), {
    src: values.image_url,
    width: 160,
    height: 160,
    alt: '',
  });
  const title = Object.assign(document.createElement('b'), { textContent: values.title });
  const price = Object.assign(document.createElement('i'), { textContent: `${values.price} €` });
  link.append(picture, title, price);
  return link;
};

const wishes = [
  wish('RecommendItemsToItem', 'SKU9', 'visitor'),
  wish('RecommendItemsToItem', 'SKU9', 'visitor'),
  wish('RecommendItemsToUser', 'visitor'),
];
const batch = Object.assign(new recombee.Batch(wishes), { ensureHttps: false });
client.send(batch).then((replies) =>
  ['top', 'middle', 'end'].forEach((name, n) => {
    const { recomms } = replies[n].json;
    if (recomms.length === 0) return;
    const heading = Object.assign(document.createElement('h2'), { textContent: 'For you' });
    const list = Object.assign(document.createElement('div'), { className: 'list' });
    list.append(...recomms.map(card));
    document.getElementById(name).append(heading, list);
  }),
);
