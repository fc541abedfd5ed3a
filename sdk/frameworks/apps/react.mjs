/** The widget in React, in StrictMode: as 18 and as 19, by what `react` stands for in the bundle. */
import { createElement as h, StrictMode } from 'react';

export const BUTTON = 'value:item_id; data-list:rec_id';
const CARD = `<a data-bind="href:url"><b data-bind="text:title"></b></a><button data-rec-action="add_to_cart" data-bind="${BUTTON}">+</button>`;

const Card = ({ isServed }) =>
  isServed
    ? h('template', { dangerouslySetInnerHTML: { __html: CARD } })
    : h(
        'template',
        null,
        h('a', { 'data-bind': 'href:url' }, h('b', { 'data-bind': 'text:title' })),
        h('button', { 'data-rec-action': 'add_to_cart', 'data-bind': BUTTON }, '+'),
      );

export const App = ({ item, limit, heading, live, isServed }) =>
  h(
    StrictMode,
    null,
    h(
      'main',
      null,
      item &&
        h(
          'rec-widget',
          { key: item.key, placement: 'pdp', 'item-id': item.id, limit, heading, live },
          h(Card, { isServed }),
        ),
    ),
  );
