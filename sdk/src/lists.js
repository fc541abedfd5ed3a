/** The script for lists that come with the page's HTML. */
import { start } from './served.js';

start();
