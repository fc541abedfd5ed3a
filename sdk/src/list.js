/** What a list needs once it is there: a file that the widget loads while it asks for its first list. */
export { arrows } from './widget/arrows.js';
export { fill } from './widget/fill.js';
export { observe } from './widget/impressions.js';
export { draw, mark } from './widget/own-list.js';
export { settle } from './widget/updates.js';
