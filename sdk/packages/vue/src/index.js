/** @recsite/vue: `useRecommendations`, `<Recommendations>`, `vRecItem`, and the plugin that starts the tracker. */
import { addToCart, addToWishlist, id, init, observe, on, recommend, subscribe } from '@recsite/js';
import {
  computed,
  defineComponent,
  h,
  onMounted,
  onScopeDispose,
  shallowRef,
  toValue,
  watch,
  withDirectives,
} from 'vue';

/** `app.use(recsite, { key, host })`; in server rendering it starts nothing. */
export const recsite = {
  install(app, options) {
    init(options);
    app.directive('rec-item', vRecItem);
    app.component('Recommendations', Recommendations);
  },
};

const wishOf = ({ placement, limit, contextItems, filter, exclude }) => ({
  placement,
  limit,
  context_items: contextItems?.map(String),
  filter,
  exclude,
});

/**
 * A list, asked for once mounted and again when what is asked for changes; `options` may be a getter or a ref.
 *
 * `initial` is a result that the server brought: it is drawn as it is and not asked for again, until who is shopping or what
 * is asked for changes. `live` follows the shopper's events.
 */
export const useRecommendations = (options) => {
  const given = computed(() => toValue(options));
  const asked = computed(() => JSON.stringify([wishOf(given.value), given.value.cart ?? []]));
  const result = shallowRef(given.value.initial);
  const isPending = shallowRef(!result.value);
  let isLost = () => true;
  let done = result.value ? asked.value : undefined;
  let ends = [];
  let unfollow;

  const follow = () => {
    unfollow?.();
    unfollow = undefined;
    if (!given.value.live) return;
    const [wish, cart] = JSON.parse(asked.value);
    unfollow = subscribe(wish, (next) => (result.value = next), { cart, seen: result.value?.rec_id });
  };

  const load = async () => {
    if (done === asked.value) return follow();
    const mine = asked.value;
    let isOver = false;
    isLost();
    isLost = () => (isOver = true);
    isPending.value = true;
    const [wish, cart] = JSON.parse(mine);
    const next = await recommend(wish, { cart, isLost: () => isOver });
    if (isOver) return;
    done = mine;
    result.value = next;
    isPending.value = false;
    follow();
  };

  onMounted(() => {
    const known = () => JSON.stringify([id().anonymous_id, id().user_id]);
    let who = window.rec?.version ? known() : undefined;
    const look = () => {
      if (!window.rec?.version) return;
      // Who is logged in is said right after the start: that is nobody else.
      if (who === undefined) return void setTimeout(() => (who ??= known()));
      const now = known();
      const isOther = who !== now;
      who = now;
      if (!isOther) return;
      done = undefined;
      load();
    };
    ends = ['ready', 'user', 'consent'].map((name) => on(name, look));
    load();
    ends.push(
      watch(asked, load),
      watch(() => !!given.value.live, follow),
    );
  });
  onScopeDispose(() => {
    isLost();
    unfollow?.();
    ends.forEach((end) => end());
  });
  return {
    result,
    items: computed(() => result.value?.items ?? []),
    isPending,
    error: computed(() => result.value?.error),
  };
};

const ends = new WeakMap();
const mark = (element, { value }) => {
  ends.get(element)?.();
  ends.set(element, observe(element, value.item, value.index, value.result));
};

/** `v-rec-item="{ item, index, result }"`: counts impressions and clicks of an element. */
export const vRecItem = {
  mounted: mark,
  updated: (element, binding) => {
    const { value, oldValue } = binding;
    if (value.item !== oldValue?.item || value.result !== oldValue?.result || value.index !== oldValue?.index)
      mark(element, binding);
  },
  unmounted: (element) => ends.get(element)?.(),
  getSSRProps: () => ({}),
};

/**
 * A list with the shop's own cards: the slot `item` draws one of them from `{ item, index, result, addToCart }`, inside an
 * element that counts impressions and clicks. `pending` stands there until the list is known, `fallback` where there is none.
 */
export const Recommendations = defineComponent({
  name: 'Recommendations',
  props: {
    placement: { type: String, required: true },
    limit: Number,
    contextItems: Array,
    cart: Array,
    filter: String,
    exclude: Array,
    initial: Object,
    live: Boolean,
    as: { type: String, default: 'ul' },
    itemAs: { type: String, default: 'li' },
  },
  setup(props, { slots, expose }) {
    const list = useRecommendations(() => props);
    expose(list);
    return () => {
      const result = list.result.value;
      const items = list.items.value;
      if (!items.length) return (list.isPending.value ? slots.pending : slots.fallback)?.();
      return [
        slots.heading?.({ result }),
        h(
          props.as,
          null,
          items.map((item, index) =>
            withDirectives(
              h(
                props.itemAs,
                { key: item.item_id },
                slots.item?.({
                  item,
                  index,
                  result,
                  addToCart: (more) => addToCart(item, { index, result, ...more }),
                  addToWishlist: (more) => addToWishlist(item, { index, result, ...more }),
                }),
              ),
              [[vRecItem, { item, index, result }]],
            ),
          ),
        ),
      ];
    };
  },
});
