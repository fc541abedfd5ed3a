/** Tracker and widget in one file: what most shops embed. */
import './tracker/start.js';
import './widget.js';
