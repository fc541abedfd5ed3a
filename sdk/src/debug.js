/** What each list is, on the list itself, and what the server said, in the console: for `data-debug` or `?rec_debug`. */
import { start } from './widget/overlay.js';

start();
