/** JSON in localStorage; every call is harmless when storage is full, denied or not consented to. */
import { isGranted } from './consent.js';
import { attempt } from './page.js';

/** Return the value kept under `key`, or something falsy. */
export const read = (key) => isGranted() && attempt(() => JSON.parse(localStorage.getItem(key)));

/** Keep `value` under `key`; return whether it is now stored. */
export const write = (key, value) =>
  isGranted() && attempt(() => (localStorage.setItem(key, JSON.stringify(value)), true));

/** Forget `key`, consent or not. */
export const remove = (key) => attempt(() => localStorage.removeItem(key));
