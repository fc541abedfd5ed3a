/**
 * Whether this shopper may be tracked.
 *
 * granted: events are stored and sent. pending: events wait in memory, nothing is stored or sent. denied: nothing
 * at all. A page with `data-datalayer` is pending until the reader of the layer knows what Google's Consent Mode or a TCF
 * banner says. Global Privacy Control means denied, whatever the page says, and leaves no trace in storage.
 */
import { attempt, LAYER, option } from './page.js';

const STORED = 'rec_consent';
const CHOICE = /^(granted|pending|denied)$/;
export const isForbidden = navigator.globalPrivacyControl && option('gpc') !== 'ignore';

/** Return what the shopper chose on an earlier page, or, by now, in another tab. */
export const stored = () => attempt(() => localStorage.getItem(STORED).match(CHOICE)[0]);

/** What the shopper chose on an earlier page, else what the shop says of those who have not. */
export const standing = stored() || option('consent', 'granted');

export let state = isForbidden ? 'denied' : LAYER ? 'pending' : standing;

export const isGranted = () => state === 'granted';
export const isDenied = () => state === 'denied';

/** Take the shopper's choice, and remember it unless that is somebody else's task. */
export const decide = (choice, isForeign) => {
  if (!CHOICE.test(choice)) throw TypeError(`'${choice}' is not ${CHOICE}`);
  state = choice;
  if (!isForeign)
    attempt(() => {
      // Other tabs hear each word, also the one that is not kept.
      localStorage.setItem(STORED, choice);
      if (choice === 'pending') localStorage.removeItem(STORED);
    });
};
