/** What `tracker.js` alone loads right after it started. */
export { watch } from './tracker/markup.js';
