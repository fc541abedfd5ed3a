/** @recsite/js: track, recommend, rank, live lists, impressions; each is left out of a bundle that does not use it. */
export { addToCart, addToWishlist } from './actions.js';
export { consent, flush, id, identify, init, on, page, renewToken, reset, track, use } from './core.js';
export { observe, observeMarkup } from './impressions.js';
export { rank, recommend } from './lists.js';
export { subscribe } from './live.js';
