/** Tracker and widget in one file: what most shops embed. */
import './tracker.js';
import './widget.js';
