/** What a shop writes with @recsite/vue. */
import { Recommendations, recsite, useRecommendations, vRecItem } from '@recsite/vue';
import type { Result } from '@recsite/js';
import { createSSRApp, defineComponent, h, ref } from 'vue';

const limit = ref(4);
export const Shop = defineComponent({
  directives: { recItem: vRecItem },
  props: { initial: { type: Object, required: true } },
  setup(props) {
    const { items, result, isPending } = useRecommendations(() => ({ placement: 'home', limit: limit.value }));
    return () => [
      isPending.value ? h('p', `${result.value?.rec_id}`) : items.value.map((item) => h('p', item.title)),
      h(
        Recommendations,
        { placement: 'similar', initial: props.initial as Result, contextItems: [7], as: 'ol' },
        {
          item: ({ item, addToCart }: { item: Result['items'][number]; addToCart: () => void }) =>
            h('button', { onClick: () => addToCart() }, item.title),
        },
      ),
    ];
  },
});
createSSRApp(Shop).use(recsite, { key: 'pk_1', host: 'https://recs.shop.example' });
// @ts-expect-error a placement is needed
useRecommendations({ limit: 4 });
