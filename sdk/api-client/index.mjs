/**
 * A small client of the API for shop servers (Node 20 or newer, Deno, Bun); no dependencies.
 *
 *     const recsite = new Recsite('https://rec.shop.example', 'sk_…');
 *     const { results } = await recsite.recommend({ placement: 'home_for_you', user_id: 'u-1' });
 *
 * Each method takes the path's names first, then the query or the body as an object, and resolves with the JSON of the
 * answer. A test holds OPERATIONS to the OpenAPI document. Pages use the widget or rec.recommend() instead.
 */

/** Operation → HTTP method, path, and what its last argument is. */
export const OPERATIONS = {
  sendEvents: ['POST', '/v1/events', 'body'],
  recommend: ['POST', '/v1/recommendations', 'body'],
  recommendPublic: ['GET', '/v1/recommendations/{placement}', 'query'],
  rank: ['POST', '/v1/rank', 'body'],
  listItems: ['GET', '/v1/items', 'query'],
  writeItems: ['PUT', '/v1/items', 'body'],
  readItem: ['GET', '/v1/items/{item_id}', ''],
  writeItem: ['PUT', '/v1/items/{item_id}', 'body'],
  hideItem: ['DELETE', '/v1/items/{item_id}', ''],
  listPlacements: ['GET', '/v1/placements', ''],
  listExchangeRates: ['GET', '/v1/exchange-rates', 'query'],
  writeExchangeRates: ['PUT', '/v1/exchange-rates', 'body'],
  deleteExchangeRates: ['DELETE', '/v1/exchange-rates', 'query'],
  readReport: ['GET', '/v1/reports', 'query'],
  exportUser: ['GET', '/v1/users/{user_id}', 'query'],
  readFeatures: ['GET', '/v1/users/{user_id}/features', 'query'],
  readHistory: ['GET', '/v1/users/{user_id}/history', 'query'],
  eraseUser: ['DELETE', '/v1/users/{user_id}', 'query'],
  readErasure: ['GET', '/v1/users/{user_id}/erasure', ''],
  explain: ['GET', '/v1/explanations/{rec_id}', ''],
  health: ['GET', '/v1/health', ''],
};

const RETRIED = [429, 503];
const LONGEST_PAUSE_MS = 5000;

/** The server refused: `status`, `error` (its code), `message` and `field` (the path of what was wrong). */
export class ApiError extends Error {
  constructor(status, { error = 'unknown', message = '', field = '' }) {
    super(`${status} ${error}: ${message}`);
    Object.assign(this, { name: 'ApiError', status, error, field });
  }
}

/** A site's API. Rejects with ApiError, or with what fetch rejects with when there is no answer in time. */
export class Recsite {
  #url;
  #key;
  #timeoutMs;
  #retries;

  constructor(url, key, { timeoutMs = 5000, retries = 2 } = {}) {
    this.#url = new URL(url).href.replace(/\/$/, '');
    this.#key = key;
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
  }

  async #call(operation, values) {
    const [method, template, more] = OPERATIONS[operation];
    const left = [...values];
    const path = template.replace(/\{\w+\}/g, () => encodeURIComponent(left.shift()));
    const given = left[0] ?? {};
    const query = new URLSearchParams();
    if (more === 'query') {
      for (const [name, value] of Object.entries(given)) for (const each of [value].flat()) query.append(name, each);
    }
    const address = this.#url + path + (query.size ? `?${query}` : '');
    for (let attempt = 0; ; attempt++) {
      const isLast = attempt >= this.#retries;
      let response;
      try {
        response = await fetch(address, {
          method,
          headers: { Authorization: `Bearer ${this.#key}`, 'Content-Type': 'application/json' },
          body: more === 'body' ? JSON.stringify(given) : undefined,
          signal: AbortSignal.timeout(this.#timeoutMs),
        });
      } catch (error) {
        if (isLast) throw error;
        await pause(100 * 2 ** attempt);
        continue;
      }
      if (response.status === 204) return undefined;
      if (response.ok) return response.json();
      if (isLast || !RETRIED.includes(response.status)) {
        throw new ApiError(response.status, await response.json().catch(() => ({ message: response.statusText })));
      }
      await pause(Math.min(1000 * (Number(response.headers.get('retry-after')) || 0.5), LONGEST_PAUSE_MS));
    }
  }

  static {
    for (const operation of Object.keys(OPERATIONS)) {
      this.prototype[operation] = function (...values) {
        return this.#call(operation, values);
      };
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
