/** Types of @recsite/vue. */
import type { Item, ListOf, NoResult, Options, RecWidgetElement, Result, WidgetAttributes, Wish } from '@recsite/js';
import type {
  ComputedRef,
  DefineComponent,
  MaybeRefOrGetter,
  ObjectDirective,
  Plugin,
  ShallowRef,
  SlotsType,
} from 'vue';

/** `app.use(recsite, { key, host })`. */
export declare const recsite: Plugin<[Options]>;

export interface ListOptions extends Omit<Wish, 'context_items'> {
  /** The items of the page. */
  contextItems?: (string | number)[];
  /** Ids of the items in the cart. */
  cart?: string[];
  /** A result that the server brought: drawn as it is, and not asked for again. */
  initial?: Result;
  /** Follow the shopper's events. */
  live?: boolean;
}

export interface ListState {
  /** What is shown; undefined before the first answer. */
  result: ShallowRef<Result | NoResult | undefined>;
  items: ComputedRef<Item[]>;
  isPending: ShallowRef<boolean>;
  error: ComputedRef<NoResult['error'] | undefined>;
}

/** A list, asked for once mounted and again when what is asked for, or who is shopping, changes. */
export declare function useRecommendations(options: MaybeRefOrGetter<ListOptions>): ListState;

/** `v-rec-item="{ item, index, result }"`: counts impressions and clicks of an element. */
export declare const vRecItem: ObjectDirective<Element, { item: Item; index: number; result: ListOf }>;

export interface ItemSlot {
  item: Item;
  index: number;
  result: Result;
  /** Track `add_to_cart`, with the list that the item came from; returns the id of the event. */
  addToCart(more?: { quantity?: number }): string | undefined;
  addToWishlist(more?: { quantity?: number }): string | undefined;
}

/** A list with the shop's own cards. */
export declare const Recommendations: DefineComponent<
  ListOptions & { as?: string; itemAs?: string },
  ListState,
  {},
  {},
  {},
  {},
  {},
  {},
  string,
  {},
  {},
  {},
  SlotsType<{ item: ItemSlot; heading: { result: Result }; pending: {}; fallback: {} }>
>;

declare module 'vue' {
  interface GlobalComponents {
    Recommendations: typeof Recommendations;
    'rec-widget': DefineComponent<WidgetAttributes & Partial<Pick<RecWidgetElement, 'template' | 'renderItems'>>>;
  }
}
