/** The shop in Vue: the same component on the server, hydrated, and mounted. */
import { Recommendations, recsite, useRecommendations, vRecItem } from '@recsite/vue';
import { createSSRApp, defineComponent, h, shallowRef, withDirectives } from 'vue';

export const app = (props) => {
  const page = shallowRef({ placement: 'home' });
  globalThis.setPage = (next) => (page.value = { ...page.value, ...next });
  const Own = defineComponent({
    setup() {
      const { items, result, isPending } = useRecommendations(() => ({
        placement: page.value.placement,
        live: true,
        limit: 2,
      }));
      return () =>
        h('div', { id: 'own' }, [
          isPending.value
            ? 'pending'
            : items.value.map((item, index) =>
                withDirectives(
                  h('article', { key: item.item_id, style: 'height:80px' }, h('a', { href: item.url }, item.title)),
                  [[vRecItem, { item, index, result: result.value }]],
                ),
              ),
        ]);
    },
  });
  const Page = defineComponent({
    setup: () => () => [
      h(
        Recommendations,
        { placement: 'similar', initial: props.initial, as: 'ol' },
        {
          item: ({ item, addToCart }) => [
            h('a', { href: item.url }, item.title),
            h('button', { onClick: () => addToCart() }, 'Add'),
          ],
          fallback: () => h('p', 'Nothing'),
        },
      ),
      page.value.placement ? h(Own) : undefined,
    ],
  });
  return createSSRApp(Page).use(recsite, { key: props.siteKey, host: props.host });
};
