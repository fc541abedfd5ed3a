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

/** Return how well a default of `region` fits a visitor: the more exact, the more; 0 is another part of the world. */
const fit = (region, visitor) => {
  if (!region) return 1;
  if (visitor.startsWith(region + '-')) return 2;
  return region === visitor ? 3 : 0;
};

/**
 * Return an empty Consent Mode.
 * @param {string} [visitor] ISO 3166-2 code of where the visitor is, such as `DE` or `US-CA`; without one all regions
 *   count, and the strictest default does
 */
export const consentMode = (visitor) => {
  const home = visitor?.trim().toUpperCase();
  /** What is the default of a type, by region; of those without, by an empty text. */
  const defaults = new Map(TYPES.map((type) => [type, new Map()]));
  const updates = new Map();
  let isHere = false;
  let waitUntil = 0;

  const defaultOf = (type) => {
    const said = [...defaults.get(type)];
    // Where the visitor is unknown, each of the regions may be theirs.
    if (!home) return (said.find(([, value]) => value === 'denied') ?? said[0])?.[1];
    return said.sort(([one], [other]) => fit(other, home) - fit(one, home))[0]?.[1];
  };

  return {
    /** Take a command `gtag('consent', kind, fields)` that came at `now`. */
    take: (kind, fields, now) => {
      if ((kind !== 'default' && kind !== 'update') || typeof fields !== 'object' || !fields) return;
      const isDefault = kind === 'default';
      const named = [fields.region ?? []].flat().map((region) => String(region).trim().toUpperCase());
      const regions = (isDefault && named.length ? named : ['']).filter((region) => !home || fit(region, home));
      if (!regions.length) return; // of another part of the world
      isHere = true;
      for (const type of TYPES) {
        const value = word(fields[type]);
        if (value && isDefault) for (const region of regions) defaults.get(type).set(region, value);
        else if (value) updates.set(type, value);
      }
      if (!isDefault) waitUntil = 0;
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
      if ([...updates.values()].includes('denied')) return 'denied';
      return values.includes('granted') && !values.includes('denied') && waitUntil <= now ? 'granted' : 'pending';
    },
  };
};
