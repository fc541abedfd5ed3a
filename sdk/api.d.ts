// Generated from the API's document by `python manage.py api_types`; do not edit.
import type { AnyEvent, Context, RawGroup } from './events.js';

/** Anonymous ids of the same user, beside those that we know of */
export interface AlsoKnownAs {
  anonymous_id?: string[];
}
/** What collect answers with 202. ``warnings`` holds a code for what is true of the whole request, and a ``Mend`` for each value that was mended or dropped, of at most ``MAX_WARNINGS`` */
export interface CollectAnswer {
  accepted: number;
  rejected: RejectedEvent[];
  anonymous_id: string | null;
  warnings: (string | Mend)[];
  parked?: number;
}
/** What was erased from the archive */
export interface ErasedFiles {
  files: number;
  rows: number;
}
/** What was erased from Redis */
export interface ErasedKeys {
  keys: number;
}
/** What was erased from a table of the database */
export interface ErasedRows {
  rows: number;
}
/** What was erased; events up to ``erased_at_ms`` do not come back. A receipt that a restored backup lost has its time alone: ``restored`` is true then */
export interface ErasureReceipt {
  erased_at_ms: number;
  user_keys?: number;
  redis?: ErasedKeys;
  database?: ErasedRows;
  archive?: ErasedFiles;
  dead_letters?: ErasedRows;
  /** Stores that it did not look into, and why */
  not_looked_at?: string[];
  restored?: boolean;
}
/** A request's body before its events are looked at one by one. Browsers send the ``events`` of one user. A shop's server, which has a secret key, may send ``records`` of many users instead, and say that they are an ``import``: then times are kept as they are */
export interface EventsRequest {
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
/** That the API answers; with a key, which model versions do */
export interface Health {
  status: string;
  site?: string | null;
  models?: Record<string, unknown> | null;
  sources?: Record<string, unknown> | null;
}
/** One page, newest first; ``next`` is the ``after`` of the following one */
export interface HistoryPage {
  events: Record<string, unknown>[];
  next: string | null;
}
/** Where a page begins, and how long it is */
export interface HistoryQuery {
  anonymous_id?: string[];
  /** The ``next`` of the page before */
  after?: string;
  limit?: number;
}
/** What to write; fields that are left out stay. A new item needs a title. Names of product feeds (id, link, image_link …) are understood as well */
export interface ItemFields {
  item_id?: string;
  title?: string;
  description?: string;
  brand?: string;
  /** A path, such as Shoes > Boots */
  category?: string;
  url?: string;
  /** {w} stands for a width */
  image_url?: string;
  /** In the main unit: 12.99, or "12.99 EUR". Null empties it */
  price?: number | string | null;
  /** In the main unit: 12.99, or "12.99 EUR". Null empties it */
  sale_price?: number | string | null;
  /** Before it the sale price does not count. Null empties it */
  sale_starts_at?: string | null;
  /** From then on it does not count. Null empties it */
  sale_ends_at?: string | null;
  /** What the shop paid; never shown, for rules by margin */
  cost?: number | string | null;
  currency?: string;
  availability?: "in_stock" | "out_of_stock" | "preorder" | "backorder";
  stock?: number | null;
  /** Shared by variants of one product */
  group_id?: string;
  tags?: string[];
  /** Texts, numbers and booleans by name; merged with the old */
  attributes?: Record<string, unknown>;
  /** Titles by language; merged with the old */
  titles?: Record<string, unknown>;
  is_active?: boolean;
  first_seen_at?: string;
}
/** An item as it stands in the catalogue; prices in the currency's main unit, and in its smallest one */
export interface ItemOut {
  item_id: string;
  title: string;
  description: string;
  brand: string;
  category: string;
  url: string;
  image_url: string;
  price: number | null;
  sale_price: number | null;
  price_minor: number | null;
  sale_price_minor: number | null;
  sale_starts_at: string | null;
  sale_ends_at: string | null;
  currency: string;
  availability: string;
  stock: number | null;
  group_id: string;
  tags: string[];
  attributes: Record<string, unknown>;
  is_active: boolean;
}
/** One page; ``next`` is the ``after`` of the following one */
export interface ItemPage {
  items: ItemOut[];
  next: string | null;
}
/** Items to write; each names its ``item_id`` and what it changes */
export interface ItemsIn {
  items: ItemFields[];
}
/** Stands where a list would be that the site does not have, that was asked for wrongly or cost too much */
export interface ListProblem {
  placement: string;
  items: unknown[];
  error: "unknown_placement" | "invalid_request" | "list_too_expensive";
  message: string;
  /** What is wrong in the query of this list */
  field: string;
}
/** One thing that was done to an event, as the answer, the debugger and the data-quality page show it. Attributes ---------- path : str Where, as in ``events[1].params.items[0].price``. field : str The contract's name of the field, or of the one that it stands in; one of few, since it labels a metric. value : str What was sent, at most 80 characters. done : str One of ``Done``. became : str or None What it became; None for what was dropped. remedy : str What to send instead */
export interface Mend {
  path: string;
  field: string;
  value: string;
  done: string;
  became?: string | null;
  remedy: string;
}
/** Where a page begins, and how long it is */
export interface PageQuery {
  /** Last item id of the page before */
  after?: string;
  limit?: number;
}
/** A placement of the site */
export interface PlacementOut {
  name: string;
  heading: string;
  strategy: string;
  size: number;
}
/** One list of a request */
export interface PlacementRequest {
  placement: string;
  limit?: number | null;
  context_items?: string[];
  filter?: string | null;
  exclude?: string[];
}
export interface Problem {
  /** Codes may be added: treat an unknown one by its status. | status | `error` | means | |---|---|---| | 400 | `invalid_request` | a field of the request is wrong; `field` is its path | | 400 | `filter_too_expensive` | the filters of a request cost too much; simplify them | | 400 | `list_too_expensive` | instead of a list: those before it cost all that a request may | | 400 | `invalid_gzip` | the body is not gzip, or cut short | | 400 | `invalid_event` | an event breaks the contract; correct it, never send it again as it is | | 400 | `invalid_json` | an event or a record is not JSON | | 400 | `unknown_event` | the name of an event is nearly one of ours; correct it | | 400 | `event_too_large` | an event is larger than 32 kB | | 400 | `too_many_events` | send fewer events a request | | 400 | `too_deep` | an event is nested too deep; flatten it | | 400 | `invalid_character` | a text holds U+0000 | | 400 | `too_old` | an event is more than ten years old; send milliseconds since 1970 | | 400 | `missing_user` | neither `user_id` nor `anonymous_id` was sent | | 400 | `future_schema` | a newer schema than this server's, and no place to keep it | | 400 | `invalid_item` | a field of an item is wrong; the other items are written | | 401 | `missing_key` | no key was sent | | 401 | `unknown_key` | the key or token is unknown, expired or revoked | | 401 | `unknown_certificate` | the client certificate is unknown, expired or revoked | | 403, 400 | `secret_key_needed` | only a secret key may do this; send it from the shop's server | | 403 | `secret_key_in_browser` | a page used a secret key; revoke it | | 403 | `origin_not_allowed` | the page is not among the site's origins; add it in the admin | | 403 | `insufficient_scope` | the token lacks the scope of this operation | | 404 | `unknown_placement` | the site has no active placement of this name | | 404 | `unknown_item` | the site has no such item; write it first | | 404 | `unknown_rec_id` | this site made no reply with this `rec_id` | | 404 | `not_kept` | the reply is older than a day, or not in the sample | | 404 | `not_erased` | the user was never erased | | 404 | `unknown_address` | there is nothing at this address | | 405 | `method_not_allowed` | `Allow` says which methods are | | 408 | `body_timeout` | the body did not arrive within 5 s | | 408 | `head_timeout` | the head of the request did not arrive within 5 s | | 409 | `in_progress` | the first request with this `Idempotency-Key` is still being answered; wait | | 413 | `body_too_large` | send less a request | | 413 | `record_too_large` | the events of one user are too large for the log; send fewer a request | | 415 | `unsupported_media_type` | send JSON, as `application/json` or `text/plain` | | 415 | `unsupported_encoding` | send gzip or no content encoding | | 422 | `idempotency_key_reused` | this `Idempotency-Key` came with another body before | | 429 | `quota_exceeded` | wait as `Retry-After` says, or raise the site's quota | | 500 | `internal_error` | our fault; it is logged | | 503 | `unavailable` | the process is starting, or a store that this needs is unavailable; try again | */
  error: string;
  message: string;
  field: string;
}
/** Body of ``POST /v1/rank``: the items of a search or category page, to be put in this user's order */
export interface RankRequest {
  device?: "app" | "desktop" | "mobile" | "tablet" | null;
  locale?: string | null;
  country?: string | null;
  campaign?: string | null;
  query?: string | null;
  page?: "account" | "cart" | "category" | "checkout" | "home" | "other" | "product" | "search" | null;
  url?: string | null;
  key?: string | null;
  anonymous_id?: string | null;
  user_id?: string | null;
  user_token?: string | null;
  items: string[];
  placement?: string | null;
  limit?: number | null;
  context_items?: string[];
  filter?: string | null;
  fields?: ("availability" | "brand" | "category" | "currency" | "image_url" | "item_id" | "price" | "reason" | "sale_price" | "title" | "url")[] | null;
  budget_ms?: number | null;
  explain?: boolean;
  lang?: string | null;
}
/** One unit of ``currency`` was worth ``rate`` ``worth_in`` on a day */
export interface RateOut {
  day: string;
  currency: string;
  worth_in: string;
  rate: number;
}
/** One page; ``next`` is the ``after`` of the following one */
export interface RatePage {
  rates: RateOut[];
  next: string | null;
}
/** How many rates are gone */
export interface RatesDeleted {
  deleted: number;
}
/** Rates to write: each has ``day``, ``currency``, ``rate`` and, where it is not the site's, ``worth_in`` */
export interface RatesIn {
  rates: Record<string, unknown>[];
}
/** Which rates, where the page begins, and how long it is */
export interface RatesQuery {
  /** The currency that is quoted, such as USD */
  currency?: string;
  first?: string | null;
  last?: string | null;
  /** `next` of the page before */
  after?: string;
  limit?: number;
}
/** What became of the rates */
export interface RatesWritten {
  created: number;
  changed: number;
  unchanged: number;
}
/** Body of ``POST /v1/recommendations``. Either ``placements``, or one ``placement`` with its fields beside it */
export interface RecommendRequest {
  device?: "app" | "desktop" | "mobile" | "tablet" | null;
  locale?: string | null;
  country?: string | null;
  campaign?: string | null;
  query?: string | null;
  page?: "account" | "cart" | "category" | "checkout" | "home" | "other" | "product" | "search" | null;
  url?: string | null;
  key?: string | null;
  anonymous_id?: string | null;
  user_id?: string | null;
  user_token?: string | null;
  placements?: PlacementRequest[] | null;
  placement?: string | null;
  limit?: number | null;
  context_items?: string[];
  filter?: string | null;
  exclude?: string[];
  cart?: string[];
  fields?: ("availability" | "brand" | "category" | "currency" | "image_url" | "item_id" | "price" | "reason" | "sale_price" | "title" | "url")[] | null;
  budget_ms?: number | null;
  explain?: boolean;
  lang?: string | null;
}
export interface Recommendations {
  /** In the order of the request */
  results: (RecommendedList | ListProblem)[];
  live_url: string;
  warnings?: string[];
}
/** Prices are in the currency's main unit. Only the chosen fields, where fields were chosen */
export interface RecommendedItem {
  item_id?: string;
  title?: string;
  url?: string;
  image_url?: string;
  currency?: string;
  brand?: string;
  category?: string;
  availability?: string;
  /** Why the item is listed: recents, purchases, popular, trending, newest, fresh, content, sessions, tfidf, covisitation, next, walk, around, factors, als, baskets, pinned, editorial, exploration, given */
  reason?: string;
  price?: number | null;
  sale_price?: number | null;
}
export interface RecommendedList {
  placement: string;
  heading: string | null;
  /** Send it back with clicks, carts and purchases */
  rec_id: string;
  items: RecommendedItem[];
  /** personalised: from the user's own history; session: from what the request says: the page's item, the cart; popular: popular items; editorial: items that merchandisers named; empty: no items */
  stage: "personalised" | "session" | "popular" | "editorial" | "empty";
  /** no_history: nothing is known of the user yet; no_model: no model version is live; model_failed: the model could not answer; pipeline_error: a step of the pipeline failed; store_unavailable: the feature store did not answer; deadline: the time budget was spent; no_candidates: no source found an item that may be shown */
  fallback_reason: "no_history" | "no_model" | "model_failed" | "pipeline_error" | "store_unavailable" | "deadline" | "no_candidates" | null;
  model_version: string | null;
  variant: string;
  feature_age_ms?: number | null;
  explanation?: Record<string, unknown>;
  /** What the page should hear of this list, such as item ids that the catalogue does not have */
  warnings?: string[];
  /** How the widget lays the cards out where the page does not say; absent: a grid */
  layout?: "grid" | "carousel";
}
/** One refused event in the answer */
export interface RejectedEvent {
  index: number;
  event_id: string | null;
  error: string;
  message: string;
  field: string;
}
/** An item that was not written, and why; ``field`` is the path in the request */
export interface RejectedItem {
  index: number;
  item_id: string;
  error: string;
  message: string;
  field: string;
}
/** A report; ``incremental`` figures stand with experiments and hold-outs */
export interface Report {
  first: string;
  last: string;
  time_zone: string;
  currency: string;
  by: "day" | "hour" | "placement" | "variant" | "model_version" | "rule" | "item";
  attribution: "last_click_1d" | "last_click_7d" | "last_touch_1d" | "last_touch_7d" | "linear_1d" | "linear_7d";
  /** When the figures were last added up */
  made_at: string | null;
  rows: ReportRow[];
}
/** Days of the site's time zone with both ends, the grain of the rows, and who gets the credit */
export interface ReportAsked {
  /** The first day; six days before the last where it is left out */
  first?: string | null;
  /** The last day; today where it is left out */
  last?: string | null;
  /** One row for each */
  by?: "day" | "hour" | "placement" | "variant" | "model_version" | "rule" | "item";
  /** Model and window; items know `last_click_1d` alone */
  attribution?: "last_click_1d" | "last_click_7d" | "last_touch_1d" | "last_touch_7d" | "linear_1d" | "linear_7d";
  /** Of one placement alone */
  placement?: string;
}
/** Figures of a group; ``key`` is a day, an hour's beginning, or a name, and empty where there is none */
export interface ReportRow {
  key: string;
  lists: number;
  impressions: number;
  clicks: number;
  add_to_carts: number;
  orders: number;
  units: number;
  revenue: number;
  /** What no exchange rate converts, by currency */
  revenue_apart: Record<string, number>;
}
/** Which rates: a currency, and a span of UTC days with both ends; all where nothing is named */
export interface SpanQuery {
  /** The currency that is quoted, such as USD */
  currency?: string;
  first?: string | null;
  last?: string | null;
}
/** Everything that is kept of a user, by store */
export interface UserExport {
  user_keys: string[];
  features: Record<string, unknown>;
  database: Record<string, unknown>;
  events: Record<string, unknown>[];
}
/** What became of the items: bad ones are named, the others are written */
export interface WrittenItems {
  created: number;
  updated: number;
  unchanged: number;
  rejected: RejectedItem[];
}
/** A method for each operation of the API. */
export interface Api {
  /** `POST /v1/events`: Send events; 202 means that they are durable. */
  sendEvents(body: EventsRequest): Promise<CollectAnswer>;
  /** `DELETE /v1/exchange-rates`: Delete exchange rates. */
  deleteExchangeRates(query?: { currency?: string; first?: string | null; last?: string | null }): Promise<RatesDeleted>;
  /** `GET /v1/exchange-rates`: List exchange rates. */
  listExchangeRates(query?: { currency?: string; first?: string | null; last?: string | null; after?: string; limit?: number }): Promise<RatePage>;
  /** `PUT /v1/exchange-rates`: Write exchange rates. */
  writeExchangeRates(body: RatesIn): Promise<RatesWritten>;
  /** `GET /v1/explanations/{rec_id}`: Explain a reply. */
  explain(rec_id: string): Promise<Record<string, unknown>>;
  /** `GET /v1/health`: Health. */
  health(): Promise<Health>;
  /** `GET /v1/items`: List items. */
  listItems(query?: { after?: string; limit?: number }): Promise<ItemPage>;
  /** `PUT /v1/items`: Write items. */
  writeItems(body: ItemsIn): Promise<WrittenItems>;
  /** `DELETE /v1/items/{item_id}`: Hide an item. */
  hideItem(item_id: string): Promise<undefined>;
  /** `GET /v1/items/{item_id}`: Read an item. */
  readItem(item_id: string): Promise<ItemOut>;
  /** `PUT /v1/items/{item_id}`: Write an item. */
  writeItem(item_id: string, body: ItemFields): Promise<ItemOut>;
  /** `GET /v1/placements`: List placements. */
  listPlacements(): Promise<PlacementOut[]>;
  /** `POST /v1/rank`: Given items in the shopper's order. */
  rank(body: RankRequest): Promise<Recommendations>;
  /** `POST /v1/recommendations`: Personal lists for the placements of a page. */
  recommend(body: RecommendRequest): Promise<Recommendations>;
  /** `GET /v1/recommendations/{placement}`: A list for everybody, made to be cached. */
  recommendPublic(placement: string, query?: { context_items?: string; limit?: number; filter?: string; fields?: string; lang?: string }): Promise<Recommendations>;
  /** `GET /v1/reports`: Read a report. */
  readReport(query?: { first?: string | null; last?: string | null; by?: "day" | "hour" | "placement" | "variant" | "model_version" | "rule" | "item"; attribution?: "last_click_1d" | "last_click_7d" | "last_touch_1d" | "last_touch_7d" | "linear_1d" | "linear_7d"; placement?: string }): Promise<Report>;
  /** `DELETE /v1/users/{user_id}`: Erase a user. */
  eraseUser(user_id: string, query?: { anonymous_id?: string[] }): Promise<ErasureReceipt>;
  /** `GET /v1/users/{user_id}`: Export a user. */
  exportUser(user_id: string, query?: { anonymous_id?: string[] }): Promise<UserExport>;
  /** `GET /v1/users/{user_id}/erasure`: Read the receipt of an erasure. */
  readErasure(user_id: string): Promise<ErasureReceipt>;
  /** `GET /v1/users/{user_id}/features`: Read features. */
  readFeatures(user_id: string, query?: { anonymous_id?: string[] }): Promise<Record<string, unknown>>;
  /** `GET /v1/users/{user_id}/history`: Read history. */
  readHistory(user_id: string, query?: { anonymous_id?: string[]; after?: string; limit?: number }): Promise<HistoryPage>;
}
