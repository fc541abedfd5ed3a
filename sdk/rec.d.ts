/**
 * Types of the recsite SDK: `window.rec`, `<rec-widget>` and their events. Event names and fields follow Google Analytics 4;
 * they come from the server's contract in events.d.ts, lists from the API's document in api.d.ts: both lie beside this file.
 */
import type { ListProblem, Mend, RecommendedItem, RecommendedList, RejectedEvent } from './api.js';
import type { EventParams as Contract } from './events.js';

export type Consent = 'granted' | 'pending' | 'denied';

/** What is put right on the way: ids that are numbers by the SDK, amounts that are text by the server, which says so. */
type Loose<T> = T extends readonly (infer One)[]
  ? Loose<One>[]
  : T extends object
    ? { [Name in keyof T]: Loose<T[Name]> | (Name extends Id ? number : Name extends Amount ? string : never) }
    : T;
type Id = 'item_id' | 'item_list_id' | 'transaction_id' | 'rec_id';
type Amount = 'price' | 'discount' | 'quantity' | 'index' | 'value' | 'tax' | 'shipping';

/** Fields of Google Analytics 4 that the server takes and leaves aside: a data layer need not be cleaned of them. */
interface OfItem {
  affiliation?: string | null;
  coupon?: string | null;
  creative_name?: string | null;
  creative_slot?: string | null;
  google_business_vertical?: string | null;
  item_list_id?: string | number | null;
  item_list_name?: string | null;
  location_id?: string | null;
  promotion_id?: string | null;
  promotion_name?: string | null;
}
interface OfEvent {
  affiliation?: string | null;
  coupon?: string | null;
  creative_name?: string | null;
  creative_slot?: string | null;
  customer_type?: string | null;
  item_list_id?: string | number | null;
  item_list_name?: string | null;
  payment_type?: string | null;
  promotion_id?: string | null;
  promotion_name?: string | null;
  search_term?: string | null;
  shipping_tier?: string | null;
  page_location?: string | null;
  page_referrer?: string | null;
  engagement_time_msec?: number | null;
  send_to?: string | string[] | null;
}
type WithItems<T> = T extends { items: readonly (infer One)[] }
  ? Omit<T, 'items'> & { items: readonly (One & OfItem)[] }
  : T extends { items?: readonly (infer One)[] }
    ? Omit<T, 'items'> & { items?: readonly (One & OfItem)[] }
    : T;
/** What the contract does not name itself. */
type AndGa4<T> = T & Omit<OfEvent, keyof T>;

/** Parameters by event name, as in the server's contract; other names are kept as the shop's own events. */
export type EventParams = {
  [Name in Exclude<keyof Contract, 'identify'>]: AndGa4<WithItems<Loose<NonNullable<Contract[Name]>>>>;
};

/** An item inside an event; only `item_id` is required. The SDK adds `rec_id` when a recommendation led there. */
export type EventItem = EventParams['view_item']['items'][number];

/** A name that is not of the contract, so that nobody passes for an own event by a mistake in its parameters. */
type OwnName<Name extends string> = Name extends keyof Contract ? never : Name;

/** An event as it is queued and sent. */
export interface QueuedEvent {
  event_id: string;
  event: string;
  ts: number;
  session_id: string;
  session_number: number;
  page_view_id: string;
  url: string;
  params: Record<string, any>;
}

/** An item of a list, with the fields that the catalogue knows; `null` is a price that it does not know. */
export interface Item extends RecommendedItem {
  item_id: string;
}

/** One list, as the server answered. */
export interface Result extends Omit<RecommendedList, 'items'> {
  items: Item[];
  error?: undefined;
}

/** No list: `error` is what went wrong on the way, or the server's word for why there is none. */
export interface NoResult {
  items: never[];
  error: Error | ListProblem['error'];
  placement?: string;
  message?: string;
  rec_id?: undefined;
}

/** Which list; ids as text. */
export interface Wish {
  placement: string;
  /** 1 to 100; the placement's own size where it is left out. */
  limit?: number;
  /** The items of the page. */
  context_items?: string[];
  /** As in `price < 50 and category under "Shoes"`. */
  filter?: string;
  /** Items that are on the page already. */
  exclude?: string[];
}

/** A request that was refused as a whole. */
export interface Refusal {
  error: string;
  message: string;
  field?: string;
  index?: undefined;
  event_id?: undefined;
}

/** An event, or a whole request, that the server refused. */
export type Rejection = RejectedEvent | Refusal;

/** Something that the server said: a code, what it mended, or a list that there is none of. */
export type Warning = string | Mend | ListProblem | { error: string; message: string };

export interface Listeners {
  /** The tracker is there and knows who is shopping. */
  ready: Rec;
  /** Events the server refused. */
  reject: Rejection[];
  /** What the server said of requests that it answered. */
  warning: Warning[];
  /** The shopper's choice changed. */
  consent: Consent;
  /** Somebody else is shopping, or the same with another token. */
  user: unknown;
}

export interface Methods {
  /** Queue an event; its id, or undefined when consent is denied. */
  track<Name extends keyof EventParams>(name: Name, params: EventParams[Name]): string | undefined;
  track<Name extends string>(name: OwnName<Name>, params?: Record<string, unknown>): string | undefined;
  /** Count a page view. The same address again counts only with `params`. */
  page(params?: Record<string, unknown>): string | undefined;
  /** Name the shopper, on every page, with a token signed by the shop's server. */
  identify(
    id: string | number,
    token?: string,
    traits?: Record<string, string | number | boolean | null>,
  ): string | undefined;
  /** Log out: the next event comes from a stranger. */
  reset(): void;
  /** Take a function that answers a new token for a user id; it is called before one expires. */
  token(renew: (userId: string) => string | undefined | null | Promise<string | undefined | null>): void;
  consent(choice: Consent): void;
  /** Send what is queued, without waiting for its batch. */
  flush(): Promise<void>;
  /** See, change or (by returning false) drop every event before it is queued. */
  use(hook: (event: QueuedEvent) => unknown): void;
  on<Name extends keyof Listeners>(name: Name, listener: (detail: Listeners[Name]) => void): void;
  /** Who is shopping; empty without consent. */
  id(): { anonymous_id?: string; user_id?: string; user_token?: string; session_id?: string };
  /** Ask for a list without a widget; never rejects. `isLost` is looked at before the request. */
  recommend(wish: Wish, cart?: string[], isLost?: () => boolean): Promise<Result | NoResult>;
  /** Count impressions and clicks of an element that shows an item; returns what ends it. */
  observe(element: Element, item: { item_id: string }, index: number, result: ListOf): () => void;
}

/** The list that an item is from: a `Result` is one. */
export interface ListOf {
  placement?: string;
  rec_id?: string;
}

export interface Rec extends Methods {
  <Name extends keyof EventParams>(method: 'track', name: Name, params: EventParams[Name]): string | undefined;
  <Name extends string>(method: 'track', name: OwnName<Name>, params?: Record<string, unknown>): string | undefined;
  <Name extends keyof Listeners>(method: 'on', name: Name, listener: (detail: Listeners[Name]) => void): void;
  <Name extends Exclude<keyof Methods, 'track' | 'on'>>(
    method: Name,
    ...args: Parameters<Methods[Name]>
  ): ReturnType<Methods[Name]>;
  /** Calls made before the script was there. */
  q?: IArguments[];
  readonly version: string;
  readonly host: string;
  readonly key: string;
}

/** Events of `<rec-widget>`; all bubble and can be cancelled. */
export interface WidgetEvents {
  /** Before a list is drawn; cancel to draw it yourself. */
  'rec:render': CustomEvent<Result>;
  /** A click on an item, tracked already; cancel to stay on the page. */
  'rec:click': CustomEvent<{ item: Item; index: number; result: Result; rec_id?: string }>;
  /** A button with `data-rec-action` inside a card; cancel to do it yourself, untracked. */
  'rec:action': CustomEvent<{ action: string; item: Item; index: number; result: Result; rec_id: string }>;
  /** Before a live update is drawn; cancel to keep the list. */
  'rec:update': CustomEvent<Result>;
  /** No list; cancel to keep skeleton or list as they are. */
  'rec:error': CustomEvent<NoResult>;
}

/** Events of the tracker, on `window`: what `rec('on', name, …)` hears. */
export type PageEvents = { [Name in keyof Listeners as `rec:${Name}`]: CustomEvent<Listeners[Name]> };

/** Attributes of `<rec-widget>`, for JSX and templates. */
export interface WidgetAttributes {
  placement: string;
  'item-id'?: string;
  /** More items of the page, comma-separated. */
  context?: string;
  /** Items in the cart, comma-separated. */
  cart?: string;
  filter?: string;
  /** Id of a `<template>` of the page that is the card. */
  template?: string;
  limit?: number | string;
  /** Empty: the heading that the placement has on the server. */
  heading?: string;
  /** Empty or left out: the layout that the placement, or an experiment's arm, has on the server. */
  layout?: 'grid' | 'carousel' | '';
  loading?: 'eager' | 'lazy';
  live?: boolean | '' | 'true' | 'false';
  label?: string;
  'label-previous'?: string;
  'label-next'?: string;
  'label-updated'?: string;
}

/** The element, as `document.querySelector('rec-widget')` finds it. Attributes are properties, too, in camel case. */
export interface RecWidgetElement extends HTMLElement {
  /** The list that it shows. */
  readonly result: Result | undefined;
  placement: string | null;
  itemId: string | number | null;
  context: string | readonly string[] | null;
  cart: string | readonly string[] | null;
  filter: string | null;
  limit: string | number | null;
  heading: string | null;
  layout: 'grid' | 'carousel' | null;
  loading: 'eager' | 'lazy' | null;
  live: boolean | string | null;
  /** Instead of a `<template>` inside: what a framework cannot write as a child. */
  template: HTMLTemplateElement | string | null | undefined;
  /** Draw the items yourself: return one element for each, or undefined after drawing them elsewhere. */
  renderItems: ((result: Result, widget: RecWidgetElement) => Iterable<Node> | undefined | void) | null | undefined;
  addEventListener<Type extends keyof (WidgetEvents & HTMLElementEventMap)>(
    type: Type,
    listener: (this: RecWidgetElement, event: (WidgetEvents & HTMLElementEventMap)[Type]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Options where attributes cannot be written: `window.recsite = { key: 'pk_…' }` before the script. Values are text. */
export interface PageOptions {
  key: string;
  host?: string;
  consent?: Consent;
  auto?: 'true' | 'false';
  datalayer?: string;
  region?: string;
  gpc?: 'ignore';
}

declare global {
  interface Window {
    rec: Rec;
    recsite?: PageOptions;
  }
  interface HTMLElementTagNameMap {
    'rec-widget': RecWidgetElement;
  }
  interface HTMLElementEventMap extends WidgetEvents {}
  interface DocumentEventMap extends WidgetEvents {}
  interface WindowEventMap extends WidgetEvents, PageEvents {}
}
