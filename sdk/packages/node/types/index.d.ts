/** Types of @recsite/node. */
import type { Api } from './api.js';

export type * from './api.js';
export type { AnyEvent, EventItem, EventParams } from './events.js';

/** The server refused: `status`, `error` (its code), `message` and `field` (the path of what was wrong). */
export declare class ApiError extends Error {
  readonly status: number;
  readonly error: string;
  readonly field: string;
}

/** Operation → HTTP method, path, and what its last argument is. */
export declare const OPERATIONS: { readonly [Name in keyof Api]: readonly [string, string, 'body' | 'query' | ''] };

export interface RecsiteOptions {
  timeoutMs?: number;
  /** How often a request is sent again after a broken connection, a 429 or a 503. */
  retries?: number;
}

/** A site's API, with a secret key. Rejects with ApiError, or with what fetch rejects with when there is no answer in time. */
export declare class Recsite {
  constructor(url: string, key: string, options?: RecsiteOptions);
}
export interface Recsite extends Api {}

/** The anonymous id of a request's `Cookie` header, or undefined. */
export declare function anonymousId(cookies: string | null | undefined): string | undefined;

/** The token by which a page may name the user: a JWT (HS256), valid for 15 minutes at most. */
export declare function signUserToken(
  userId: string | number,
  options: { site: string; secret: string; lifetimeS?: number; now?: number },
): string;
