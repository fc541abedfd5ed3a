/** Everything of @recsite/js, for a page without a framework. */
import * as recsite from '@recsite/js';
import { defineWidget } from '@recsite/js/widget';

Object.assign(window, { recsite_js: recsite, defineWidget });
