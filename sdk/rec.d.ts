/**
 * Types of the recsite SDK: `window.rec` and `<rec-widget>`. Event names and fields follow Google Analytics 4; they come from
 * the server's contract in events.d.ts, which lies beside this file.
 */
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

/** Parameters by event name, as in the server's contract; other names are kept as the shop's own events. */
export type EventParams = { [Name in Exclude<keyof Contract, 'identify'>]: Loose<NonNullable<Contract[Name]>> };

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

/** An item of a list, with the attributes that the catalogue knows. */
export interface Item {
  item_id: string;
  title?: string;
  url?: string;
  image_url?: string;
  price?: number;
  sale_price?: number;
  currency?: string;
  brand?: string;
  category?: string;
  availability?: string;
  reason?: string;
}

/** One list, as the server answered. */
export interface Result {
  placement: string;
  rec_id: string;
  heading?: string | null;
  items: Item[];
  stage: string;
  fallback_reason: string | null;
  model_version: string | null;
  variant: string;
  feature_age_ms: number | null;
}

/** An event, or a whole request, that the server refused. */
export interface Rejection {
  error: string;
  message: string;
  field?: string;
  index?: number;
  event_id?: string | null;
}

export interface Listeners {
  /** Events the server refused. */
  reject: Rejection[];
  /** The shopper's choice changed. */
  consent: Consent;
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
  consent(choice: Consent): void;
  /** Send what is queued, without waiting for its batch. */
  flush(): Promise<void>;
  /** See, change or (by returning false) drop every event before it is queued. */
  use(hook: (event: QueuedEvent) => unknown): void;
  on<Name extends keyof Listeners>(name: Name, listener: (detail: Listeners[Name]) => void): void;
  /** Who is shopping; empty without consent. */
  id(): { anonymous_id?: string; user_id?: string; user_token?: string; session_id?: string };
  /** Ask for a list without a widget; never rejects. */
  recommend(
    wish: { placement: string; limit?: number; context_items?: string[] },
    cart?: string[],
  ): Promise<Result | { items: []; error: Error }>;
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
  'rec:click': CustomEvent<{ item: Item; index: number; result: Result }>;
  /** Before a live update is drawn; cancel to keep the list. */
  'rec:update': CustomEvent<Result>;
  /** No list; cancel to keep skeleton or list as they are. */
  'rec:error': CustomEvent<{ items: []; error?: Error }>;
}

/** Attributes of `<rec-widget>`, for JSX and templates. */
export interface WidgetAttributes {
  placement: string;
  'item-id'?: string;
  /** More items of the page, comma-separated. */
  context?: string;
  /** Items in the cart, comma-separated. */
  cart?: string;
  limit?: number | string;
  /** Empty: the heading that the placement has on the server. */
  heading?: string;
  layout?: 'grid' | 'carousel';
  loading?: 'eager' | 'lazy';
  live?: boolean | '';
  label?: string;
  'label-previous'?: string;
  'label-next'?: string;
  'label-updated'?: string;
}
