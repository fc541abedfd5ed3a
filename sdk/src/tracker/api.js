/** `window.rec`: callable as `rec('track', …)` and as `rec.track(…)`. */
import { decide, isDenied, isForbidden, isGranted, standing, state, stored } from './consent.js';
import { arm, flush, startDelivery } from './delivery.js';
import { forget, keepOut, setUser, sync, tell, user } from './identity.js';
import { openLayer } from './layer.js';
import { announce, HOST, KEY, LAYER, load, option } from './page.js';
import { adopt, clear, entries, reclaim, save } from './queue.js';
import { page, track, use } from './track.js';

const identify = (id, token, traits) => {
  id += '';
  const isNew = setUser(id, token);
  tell();
  if (isNew) return track('identify', { user_id: id, token, traits });
};

/** Take a choice, and let everything follow it. */
const change = (choice, isForeign) => {
  if (isForbidden) return;
  keepOut(); // who says yes after a no is a stranger, though a late answer has just brought the cookie back
  decide(choice, isForeign);
  if (isGranted()) {
    const session = tell(); // who logged in elsewhere is here, else whom this page was told of before
    if (user.id) setUser(user.id, user.token);
    // What happened while consent was pending belongs to the id and the session that exist from now on.
    for (const entry of entries) {
      entry.a ||= session.a;
      entry.e.session_id = session.id;
      entry.e.session_number = session.n;
    }
    adopt();
    save();
    arm(0);
  } else if (isDenied() || !isForeign) {
    // Pending by a banner that has not spoken yet is no shopper who goes.
    forget();
    if (isDenied()) clear();
  }
  tell();
  // Before it is ready nobody has asked for anything yet.
  if (rec.version) announce('consent', choice);
};

/** What happens once, when it is known who the shopper is: lists are asked for from here on. */
const ready = () => {
  tell();
  rec.version = VERSION;
  announce('ready', rec);
};

const consent = (choice) => (LAYER && !rec.version ? (tools.own = choice) : change(choice));

/** Return who the shopper is, for requests of lists; without consent nobody. */
const id = () => {
  const { a, id } = tell();
  return a ? { anonymous_id: a, user_id: user.id, user_token: user.token, session_id: id } : {};
};

const on = (name, listener) =>
  addEventListener('rec:' + name, (/** @type {CustomEvent} */ event) => listener(event.detail));

/** Log out: what is queued still belongs to the user who leaves. */
const reset = () => {
  flush();
  forget();
  tell();
};

/** Follow other tabs; a page that returns from the back/forward cache looks at what it missed. */
const follow = (choice, isOfUser) => {
  sync(choice || isOfUser);
  // Only what is new: each says its word in storage, and would hear the other say it again.
  if (choice && choice !== state) rec.consent(choice);
};

/** Take the shop's function that answers a token for a user id; it is asked when one expires, or another tab logs in. */
const token = (renew) => load('token').then(({ follow }) => follow(renew));

const methods = { track, page, identify, token, reset, consent, flush, use, on, id };

/** What the reader of the data layer works with; until it is there, the shopper's own choice waits in it. */
const tools = { own: standing, change, methods, ready };

/**
 * Install `window.rec`, replay the calls queued before it, and start; once per page, however often loaded.
 * @param {(isCounted: boolean) => void} watch of markup.js
 */
export const install = (watch) => {
  const early = window.rec;
  if (early?.host) {
    if (early.key !== KEY) console.warn('rec: ignored site', KEY);
    return;
  }
  /** @type {any} */
  const rec = (method, ...args) => {
    try {
      return methods[method](...args);
    } catch (error) {
      console.warn(`rec: ${method} failed:`, error);
    }
  };
  for (const method in methods) rec[method] = (...args) => rec(method, ...args);
  window.rec = Object.assign(rec, { host: HOST, key: KEY });
  // Early calls come first: they may set consent, the user, or a hook.
  for (const args of early?.q || []) rec(...args);
  if (LAYER) openLayer(() => rec.version || /** @type {any} */ (ready)(change(tools.own, true)), tools);
  // What storage says now: words of two tabs may cross, and the last one counts. "pending" is not kept, and a word that is
  // not there any more was taken back.
  addEventListener('storage', ({ key, newValue }) =>
    follow(key === 'rec_consent' && (stored() || (newValue === 'pending' && newValue)), key === 'rec_session'),
  );
  const isCounted = option('auto') !== 'false';
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    reclaim();
    follow(stored(), true);
    arm(0);
    if (isCounted) page({});
  });
  keepOut();
  startDelivery();
  if (isCounted) page();
  watch(isCounted);
  if (!LAYER) ready();
};
