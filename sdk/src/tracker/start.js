/** The tracker with all that `tracker.js` alone loads after it. */
import { install } from './api.js';
import { watch } from './markup.js';

install(watch);
