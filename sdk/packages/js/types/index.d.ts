/** Types of @recsite/js. */
import type { Consent, EventParams, Item, ListOf, Listeners, Methods, NoResult, Result, Wish } from './rec.js';

export type * from './rec.js';
export type { Api } from './api.js';

export interface Options {
  /** A publishable key (`pk_…`). */
  key: string;
  /** Where Recsite runs, such as `https://recs.example.com`; best a path's origin of the shop's own. */
  host: string;
  /** Until the shopper chooses; `granted` by default. */
  consent?: Consent;
  /** false: the shop counts page views itself. */
  auto?: boolean;
  /** The data layer to read e-commerce pushes and consent from: true for `dataLayer`, or its name. */
  datalayer?: string | true;
  /** Where the visitor is, as in `DE` or `US-CA`, for consent defaults by region. */
  region?: string;
  /** The shop asked the shopper itself, in spite of Global Privacy Control. */
  gpc?: 'ignore';
}

/** Start, once per page; does nothing on a server. Throws where key or host cannot be right. */
export declare function init(options: Options): void;
export declare const track: Methods['track'];
export declare const page: Methods['page'];
export declare const identify: Methods['identify'];
/** Take a function that answers a new token for a user id; it is called before one expires. */
export declare const renewToken: Methods['token'];
export declare const reset: Methods['reset'];
export declare const consent: Methods['consent'];
export declare const flush: Methods['flush'];
export declare const use: Methods['use'];
/** Who is shopping; empty without consent, before the tracker is there, and on a server. */
export declare const id: Methods['id'];
/** Listen; returns what ends it. */
export declare function on<Name extends keyof Listeners>(
  name: Name,
  listener: (detail: Listeners[Name]) => void,
): () => void;

export interface RecommendOptions {
  /** Ids of the items in the cart. */
  cart?: string[];
  /** Looked at before the request: nobody waits for it any more. */
  isLost?: () => boolean;
}

/** Ask for a list; lists that are asked for together are one request. Never rejects. */
export declare function recommend(wish: Wish, options?: RecommendOptions): Promise<Result | NoResult>;

/** What `rank` answers where there was no answer: the items in the order in which they were given. */
export interface Unranked {
  items: Item[];
  error: Error;
  rec_id?: undefined;
}

/** Put the items of a search or category page into this shopper's order. Never rejects. */
export declare function rank(
  items: readonly (string | number)[],
  wish?: { placement?: string; limit?: number; context_items?: string[]; filter?: string },
): Promise<Result | Unranked>;

/** Call `listener` with each new list as the shopper's events arrive; returns what ends it. */
export declare function subscribe(
  wish: Wish,
  listener: (result: Result) => void,
  options?: { cart?: string[]; seen?: string },
): () => void;

/** Count impressions and clicks of an element that shows an item; returns what ends it. */
export declare function observe(element: Element, item: { item_id: string }, index: number, result: ListOf): () => void;

/** The same for markup with `data-rec-item`, `data-rec-list` and `data-rec-id`, now and as it comes. */
export declare function observeMarkup(root?: Document | Element): () => void;

export interface ActionOptions {
  quantity?: number;
  index?: number;
  result?: ListOf;
}

type Actionable = Pick<Item, 'item_id'> & Partial<Item>;

/** Track that an item of a list was put into the cart; returns the id of the event. */
export declare function addToCart(item: Actionable, options?: ActionOptions): string | undefined;
/** Track that an item of a list was put on the wish list; returns the id of the event. */
export declare function addToWishlist(item: Actionable, options?: ActionOptions): string | undefined;

/** What `track(name, params)` takes. */
export type ParamsOf<Name extends keyof EventParams> = EventParams[Name];
