/**
 * Whether this shopper may be tracked.
 *
 * granted: events are stored and sent. pending: events wait in memory, nothing is stored or sent. denied: nothing
 * at all. Global Privacy Control means denied, whatever the page says, and leaves no trace in storage.
 */
import { attempt, option } from './page.js';

const STORED = 'rec_consent';
const isForbidden = navigator.globalPrivacyControl && option('gpc') !== 'ignore';

const CHOICE = /^(granted|pending|denied)$/;

let state = isForbidden
  ? 'denied'
  : attempt(() => localStorage.getItem(STORED).match(CHOICE)[0]) || option('consent', 'granted');

export const isGranted = () => state === 'granted';
export const isDenied = () => state === 'denied';

/** Take the shopper's choice and remember it; return whether it counts. */
export const decide = (choice) => {
  if (isForbidden) return false;
  if (!CHOICE.test(choice)) {
    throw TypeError(`'${choice}' is not granted, pending or denied`);
  }
  state = choice;
  attempt(() => (choice === 'pending' ? localStorage.removeItem(STORED) : localStorage.setItem(STORED, choice)));
  return true;
};
