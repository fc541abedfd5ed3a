/** The widget in Vue 3. */
import { createSSRApp, createApp, h, reactive } from 'vue';

const App = (props) =>
  h(
    'main',
    props.item && [
      h(
        'rec-widget',
        {
          key: props.item.key,
          placement: 'pdp',
          'item-id': props.item.id,
          limit: props.limit,
          heading: props.heading,
          live: props.live,
          template: props.isServed && 'card',
        },
        // Vue takes a served <template> for the place of a transition: there the card is one of the page, by its id.
        props.isServed
          ? []
          : [
              h('template', [
                h('a', { 'data-bind': 'href:url' }, [h('b', { 'data-bind': 'text:title' })]),
                h('button', { 'data-rec-action': 'add_to_cart', 'data-bind': 'value:item_id; data-list:rec_id' }, '+'),
              ]),
            ],
      ),
    ],
  );

/** Return the app of a state, as the server makes it and as a page takes it over. */
export const make = (state, isServed) => (isServed ? createSSRApp : createApp)({ render: () => App(state) });
export { reactive };
