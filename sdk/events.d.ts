// Generated from tracking/contract/events.py by `python manage.py schema`; do not edit.
export declare const SCHEMA_VERSION: "1.3";
/** Items were put into the cart. */
export interface AddToCart {
  event: "add_to_cart";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemsParams;
}
/** Items were put on the wish list. */
export interface AddToWishlist {
  event: "add_to_wishlist";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemsParams;
}
/** An event by its GA4 name, or one of the shop's own. */
export type AnyEvent = PageView | ViewItemList | SelectItem | ViewItem | AddToCart | RemoveFromCart | ViewCart | BeginCheckout | AddToWishlist | Purchase | Refund | Search | Identify | CustomEvent;
/** The checkout was begun. */
export interface BeginCheckout {
  event: "begin_checkout";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params?: CartParams;
}
/** The cart as it stands. */
export interface CartParams {
  items?: EventItem[];
  currency?: string | null;
  value?: number | null;
  coupon?: string | null;
}
/** What is true of the page for all events of a request. */
export interface Context {
  ref?: string | null;
  lang?: string | null;
  tz?: string | null;
  vw?: number | null;
  bot?: boolean;
  lib?: string | null;
  bot_class?: "agent" | "crawler" | "monitoring" | "script" | "search" | null;
}
/** An event of the shop's own; it is kept and archived, and moves no built-in feature. */
export interface CustomEvent {
  event: string;
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params?: Record<string, unknown>;
}
/** An item inside an event, with GA4's field names; only ``item_id`` is required. */
export interface EventItem {
  item_id: string;
  item_name?: string | null;
  item_brand?: string | null;
  item_category?: string | null;
  item_category2?: string | null;
  item_category3?: string | null;
  item_category4?: string | null;
  item_category5?: string | null;
  item_variant?: string | null;
  price?: number | null;
  discount?: number | null;
  quantity?: number;
  index?: number | null;
  rec_id?: string | null;
}
/** One validated envelope, as it stands in the log: the events of one request and one user. */
export interface EventRecord {
  v: string;
  site: string;
  received_at_ms: number;
  anonymous_id?: string | null;
  user_id?: string | null;
  consent?: "denied" | "granted" | "pending";
  source?: "browser" | "import" | "server";
  ctx?: Context;
  events?: (PageView | ViewItemList | SelectItem | ViewItem | AddToCart | RemoveFromCart | ViewCart | BeginCheckout | AddToWishlist | Purchase | Refund | Search | Identify)[];
  custom?: CustomEvent[];
  network?: number | null;
}
/** The anonymous user turned out to be a known one. */
export interface Identify {
  event: "identify";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: IdentifyParams;
}
/** Joins the envelope's anonymous id to ``user_id``; the token is checked when collected and never stored. */
export interface IdentifyParams {
  user_id: string;
  token?: string | null;
  traits?: Record<string, string | number | number | boolean | null>;
}
/** ``item_list_id`` is the placement and ``rec_id`` the reply that filled it. */
export interface ItemListParams {
  items: EventItem[];
  item_list_id?: string | null;
  item_list_name?: string | null;
  rec_id?: string | null;
}
/** The items that an event is about. */
export interface ItemsParams {
  items: EventItem[];
  currency?: string | null;
  value?: number | null;
}
/** What the page is. */
export interface PageParams {
  page_title?: string | null;
  page_type?: string | null;
}
/** A page was seen. */
export interface PageView {
  event: "page_view";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params?: PageParams;
}
/** Items were bought; the strongest sign there is. */
export interface Purchase {
  event: "purchase";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: PurchaseParams;
}
/** An order that was placed. */
export interface PurchaseParams {
  transaction_id: string;
  items: EventItem[];
  currency?: string | null;
  value?: number | null;
  tax?: number | null;
  shipping?: number | null;
  coupon?: string | null;
}
/** A request's body before its events are looked at one by one. */
export interface RawEnvelope {
  key?: string | null;
  v?: string;
  sent_at?: number | null;
  source?: "import" | "server";
  anonymous_id?: string | null;
  user_id?: string | null;
  user_token?: string | null;
  consent?: "denied" | "granted" | "pending";
  ctx?: Context;
  events?: AnyEvent[];
  records?: RawGroup[];
}
/** The events of one user inside a server's request for many. */
export interface RawGroup {
  anonymous_id?: string | null;
  user_id?: string | null;
  consent?: "denied" | "granted" | "pending";
  ctx?: Context;
  events: AnyEvent[];
}
/** A purchase, or items of it, were given back. */
export interface Refund {
  event: "refund";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: RefundParams;
}
/** No items and no value mean that the whole transaction is refunded. */
export interface RefundParams {
  transaction_id: string;
  refund_id?: string | null;
  items?: EventItem[];
  currency?: string | null;
  value?: number | null;
}
/** Items were taken out of the cart. */
export interface RemoveFromCart {
  event: "remove_from_cart";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemsParams;
}
/** The shop was searched. */
export interface Search {
  event: "search";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: SearchParams;
}
/** What was searched for. */
export interface SearchParams {
  search_term: string;
  results?: number | null;
}
/** A click on an item of a list. */
export interface SelectItem {
  event: "select_item";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemListParams;
}
/** The cart was seen. */
export interface ViewCart {
  event: "view_cart";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params?: CartParams;
}
/** An item's own page was seen. */
export interface ViewItem {
  event: "view_item";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemsParams;
}
/** An impression: the items were actually seen in a list. */
export interface ViewItemList {
  event: "view_item_list";
  event_id: string;
  ts: number;
  session_id?: string | null;
  session_number?: number | null;
  page_view_id?: string | null;
  url?: string | null;
  params: ItemListParams;
}
/** What `rec('track', name, params)` takes, by name. */
export interface EventParams {
  add_to_cart: AddToCart['params'];
  add_to_wishlist: AddToWishlist['params'];
  begin_checkout: BeginCheckout['params'];
  identify: Identify['params'];
  page_view: PageView['params'];
  purchase: Purchase['params'];
  refund: Refund['params'];
  remove_from_cart: RemoveFromCart['params'];
  search: Search['params'];
  select_item: SelectItem['params'];
  view_cart: ViewCart['params'];
  view_item: ViewItem['params'];
  view_item_list: ViewItemList['params'];
}
