/**
 * Google's Consent Mode, version 2, as its commands stand in the data layer. Pure: time is an argument.
 *
 * Two of its types govern us: `analytics_storage` (ids and events that are kept to measure) and `personalization_storage`
 * (lists made for one shopper). Both must be granted where they are named; the types of advertising and security say
 * nothing of us. A default that denies is a page that waits for its banner, hence pending: nothing is stored or sent,
 * and nothing is forgotten. An update that denies is the shopper's own word, hence denied.
 *
 * Reference: Google, "Consent mode reference" (default, update, region, wait_for_update).
 */

const TYPES = ['analytics_storage', 'personalization_storage'];
const LONGEST_WAIT_MS = 6e4;

const word = (value) =>
  value === undefined || value === null || value === ''
    ? undefined
    : /^\s*granted\s*$/i.test(value)
      ? 'granted'
      : 'denied';

/** Return how well a region fits the visitor's: 2 the very subdivision, 1 its country; 0 not at all. */
const fit = (region, visitor) => (region === visitor ? 2 : visitor.startsWith(region + '-') ? 1 : 0);

/**
 * Return an empty Consent Mode.
 * @param {string} [visitor] ISO 3166-2 code of where the visitor is, such as `DE` or `US-CA`; without one all regions count,
 *   and the strictest default does
 */
export const consentMode = (visitor) => {
  const home = visitor?.trim().toUpperCase();
  /** @type {{type: string, value: string, rank: number}[]} */
  const defaults = [];
  const updates = new Map();
  let isHere = false;
  let waitUntil = 0;

  const defaultOf = (type) => {
    const said = defaults.filter((each) => each.type === type);
    const most = Math.max(...said.map(({ rank }) => rank));
    const values = said.filter(({ rank }) => !home || rank === most).map(({ value }) => value);
    // Where the visitor is unknown, each of the regions may be theirs.
    return !home && values.includes('denied') ? 'denied' : values.at(-1);
  };

  return {
    /** Take a command `gtag('consent', kind, fields)` that came at `now`. */
    take: (kind, fields, now) => {
      if ((kind !== 'default' && kind !== 'update') || typeof fields !== 'object' || !fields) return;
      isHere = true;
      const regions = [fields.region ?? []].flat().map((region) => String(region).trim().toUpperCase());
      const rank = !home ? 0 : regions.length ? Math.max(...regions.map((region) => fit(region, home))) : 0;
      if (kind === 'default' && home && regions.length && !rank) return; // of another part of the world
      for (const type of TYPES) {
        const value = word(fields[type]);
        if (value && kind === 'update') updates.set(type, value);
        else if (value) defaults.push({ type, value, rank });
      }
      if (kind === 'update') waitUntil = 0;
      else if (fields.wait_for_update > 0) {
        waitUntil = Math.max(waitUntil, now + Math.min(+fields.wait_for_update, LONGEST_WAIT_MS));
      }
    },
    /** Return how many milliseconds of `wait_for_update` are left. */
    waitMs: (now) => Math.max(0, waitUntil - now),
    /** Return granted, pending or denied; undefined where the page does not use Consent Mode. */
    state: (now) => {
      if (!isHere) return;
      const values = TYPES.map((type) => updates.get(type) ?? defaultOf(type));
      if (TYPES.some((type) => updates.get(type) === 'denied')) return 'denied';
      return values.includes('granted') && !values.includes('denied') && waitUntil <= now ? 'granted' : 'pending';
    },
  };
};
