/**
 * Events not yet acknowledged, in memory and in localStorage under a key of this page's own.
 *
 * A page that goes away releases its key (time 0) and the next page adopts it at once; the key of a page that died
 * silently is adopted when its heartbeat is old. Two pages adopting one key send an event twice, which the server
 * knows by its `event_id`.
 */
import { uuid7 } from './ids.js';
import { attempt } from './page.js';
import { read, remove, write } from './storage.js';

const PREFIX = 'rec_queue.';
const OWN = PREFIX + uuid7();
const CAP_EVENTS = 200;
const CAP_CHARS = 128e3;
const BEAT_MS = 3e4;
const DEAD_MS = 15e4; // timers of a hidden tab run once a minute
const OLDEST_MS = 6048e5; // the server takes no event older than 7 days

/** Each entry is `{e: event, a: anonymous id, u: user id}`: who it was is settled when it happens. */
export let entries = [];
let isStored;
let beat;

/** Store the queue as it is now; `time` 0 releases it to any page. */
export const save = (time = Date.now()) => {
  clearTimeout(beat);
  isStored = entries[0] && write(OWN, { time, entries });
  if (!isStored) remove(OWN);
  else if (time) beat = setTimeout(save, BEAT_MS);
};

/** Add entries; over the caps impressions go first, then the oldest, purchases never. */
export const push = (...more) => {
  entries.push(...more);
  while (entries.length > CAP_EVENTS || (entries[1] && JSON.stringify(entries).length > CAP_CHARS)) {
    const worst =
      entries.find(({ e }) => e.event === 'view_item_list') || entries.find(({ e }) => e.event !== 'purchase');
    if (!worst) break;
    entries = entries.filter((entry) => entry !== worst);
  }
  save();
};

/** Remove acknowledged (or refused) entries. */
export const drop = (done) => {
  entries = entries.filter((entry) => !done.includes(entry));
  save();
};

/** Return the keys of all queues that are stored. */
const keys = () => attempt(() => Object.keys(localStorage), []).filter((key) => key.startsWith(PREFIX));

/** Forget everything, of every tab. */
export const clear = () => {
  entries = [];
  keys().forEach(remove);
};

/** Take over what released and dead pages left. */
export const adopt = () => {
  const now = Date.now();
  for (const key of keys()) {
    const left = read(key);
    if (key !== OWN && Math.abs(now - left?.time) > DEAD_MS) {
      remove(key);
      attempt(() => push(...left.entries.filter(({ e }) => now - e.ts < OLDEST_MS)));
    }
  }
};

/** Return from the back/forward cache: what another page adopted meanwhile is no longer ours. */
export const reclaim = () => {
  if (isStored) entries = read(OWN)?.entries || [];
  save();
};
