/** The reader of the data layer: a module that the tracker imports on pages with `data-datalayer`, and nowhere else. */
import { consentMode } from './datalayer/consent-mode.js';
import { watch } from './datalayer/layers.js';
import { pushReader } from './datalayer/pushes.js';
import { follow, strictest } from './datalayer/signals.js';
import { tabs } from './datalayer/tabs.js';

const STORED = 'rec_consent';
const CHOICES = /^(granted|pending|denied)$/;

const attempt = (fn) => {
  try {
    return fn();
  } catch {
    /* a push of somebody else's: never the page's trouble */
  }
};

/**
 * Read `layer`, which the page calls `window[name]`, from the entry `from` on, and follow it.
 * @param {string} name
 * @param {unknown[]} layer
 * @param {number} from
 * @param {{own: string, change: (choice: string, isForeign?: boolean) => void, methods: any, ready: () => void}} tools
 *   of the tracker: what the shopper chose, or else the script tag says; how to change it; its methods; and what to
 *   call once, when it is known whether anything may be sent.
 */
export const read = (name, layer, from, { own: told, change, methods, ready }) => {
  const standing = CHOICES.test(told) ? told : 'pending';
  if (standing !== told) console.warn(`rec: '${told}' is not granted, pending or denied`);
  const tag = /** @type {HTMLElement | null} */ (document.querySelector('script[data-datalayer]'));
  const said = { ...tag?.dataset, ...window.recsite };
  const mode = consentMode(said.region);
  const eventsOf = pushReader();
  // What the script tag says counts until somebody speaks.
  const isOwn = standing !== (said.consent ?? 'granted') || standing === attempt(() => localStorage.getItem(STORED));
  let own = isOwn ? standing : undefined;

  let known = 'pending'; // as the tracker began
  let signal; // of the banner in this tab
  let heard; // of the banner in another tab, since this one's spoke last
  let isSettled = false;

  const now = () => {
    const here = strictest(mode.state(Date.now()), banner.state());
    if (here !== signal) heard = undefined;
    signal = here;
    return own || heard || signal ? strictest(own, heard || signal) : standing;
  };

  const speak = () => {
    if (!isSettled) return;
    const waitMs = mode.waitMs(Date.now());
    if (waitMs) setTimeout(speak, waitMs);
    const next = now();
    if (next === known) return;
    known = next;
    change(next, true);
    // A banner that has not spoken yet says nothing to tabs where it has.
    if (signal === next && next !== 'pending' && !heard) others.tell(next);
    // Whoever withdraws leaves nothing here: the banner remembers it.
    if (next === 'denied' && own !== 'denied') attempt(() => localStorage.removeItem(STORED));
  };

  const banner = follow(window, speak);
  // A banner speaks in one tab; who withdrew there has withdrawn here.
  const others = tabs((word) => {
    heard = word;
    speak();
  });

  const take = (entry) =>
    attempt(() => {
      banner.look();
      if (entry?.[0] === 'consent') {
        mode.take(entry[1], entry[2], Date.now());
        speak();
      } else {
        for (const [event, params] of eventsOf(entry)) methods.track(event, params);
      }
    });

  methods.consent = (choice) => {
    if (!CHOICES.test(choice)) return change(choice); // which names it in a warning
    own = choice;
    if (now() === choice) {
      known = choice;
      change(choice);
    } else {
      attempt(() => localStorage.removeItem(STORED)); // what it was before; the stricter word is another's to remember
      speak();
    }
  };

  watch(window, name, layer.slice(from), take, layer);
  for (const type of ['DOMContentLoaded', 'load']) addEventListener(type, banner.look);
  banner.look();
  isSettled = true;
  speak();
  ready();
};
