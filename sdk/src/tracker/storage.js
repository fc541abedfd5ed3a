/** JSON in web storage; every call is harmless when storage is full, denied or not consented to. */
import { isGranted } from './consent.js';
import { attempt } from './page.js';

/** Return the value kept under `key`, or undefined. */
export const read = (key, area = 'localStorage') =>
  isGranted() ? attempt(() => JSON.parse(window[area].getItem(key))) ?? undefined : undefined;

/** Keep `value` under `key`; return whether it is now stored. */
export const write = (key, value, area = 'localStorage') =>
  isGranted() && attempt(() => (window[area].setItem(key, JSON.stringify(value)), true), false);

/** Forget `key`, consent or not. */
export const remove = (key, area = 'localStorage') => attempt(() => window[area].removeItem(key));

/** Return all keys of localStorage that start with `prefix`. */
export const keys = (prefix) =>
  attempt(() => Object.keys(localStorage), []).filter((key) => key.startsWith(prefix));
