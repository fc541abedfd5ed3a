/** Types of @recsite/react. */
import type { Item, ListOf, NoResult, Options, Result, Wish } from '@recsite/js';
import type { ElementType, ReactNode, RefCallback } from 'react';
import type {} from '@recsite/js/jsx';

export interface RecsiteProps extends Omit<Options, 'key'> {
  /** A publishable key (`pk_…`): React keeps `key` for itself. */
  siteKey: string;
  /** Who is logged in, with a token signed by the shop's server; null or nothing for nobody. */
  user?: { id: string | number; token?: string } | null;
  children?: ReactNode;
}

/** Start the tracker once the page is hydrated. */
export declare function Recsite(props: RecsiteProps): ReactNode;

export interface ListOptions extends Omit<Wish, 'context_items'> {
  /** The items of the page. */
  contextItems?: readonly (string | number)[];
  /** Ids of the items in the cart. */
  cart?: string[];
  /** A result that the server brought: drawn as it is, and not asked for again. */
  initial?: Result;
  /** Follow the shopper's events. */
  live?: boolean;
  /** false: ask for nothing yet. */
  enabled?: boolean;
}

export interface ListState {
  /** What is shown; undefined before the first answer. */
  result: Result | NoResult | undefined;
  items: Item[];
  isPending: boolean;
  error: NoResult['error'] | undefined;
}

/** A list, asked for after mounting and again when what is asked for, or who is shopping, changes. */
export declare function useRecommendations(options: ListOptions): ListState;

export interface ItemActions {
  /** Track `add_to_cart`, with the list that the item came from; returns the id of the event. */
  addToCart(more?: { quantity?: number }): string | undefined;
  addToWishlist(more?: { quantity?: number }): string | undefined;
}

/** `ref` counts impressions and clicks of the element that it is put on. */
export declare function useItem(
  item: Item,
  index: number,
  result: ListOf | undefined,
): ItemActions & { ref: RefCallback<Element> };

export interface SlotOptions extends ItemActions {
  index: number;
  result: Result;
}

export interface RecommendationsProps extends ListOptions {
  /** Draw one card. */
  children: (item: Item, options: SlotOptions) => ReactNode;
  /** The element around the list, `ul` by default. */
  as?: ElementType;
  /** The element around each card, `li` by default; it has to take a `ref`. */
  itemAs?: ElementType;
  className?: string;
  /** Until the list is known. */
  pending?: ReactNode;
  /** Where there is none. */
  fallback?: ReactNode;
  heading?: ReactNode | ((result: Result) => ReactNode);
}

/** A list with the shop's own cards. */
export declare function Recommendations(props: RecommendationsProps): ReactNode;
