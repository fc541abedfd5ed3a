/** The tracker alone. */
import { install } from './tracker/api.js';

install();
