/** The tracker alone. */
import { install } from './tracker/api.js';
import { load } from './tracker/page.js';

install((isCounted) => load('markup').then(({ watch }) => watch(isCounted)));
