/** `window.rec`: callable as `rec('track', …)` and as `rec.track(…)`. */
import { decide, isDenied, isForbidden, isGranted, standing } from './consent.js';
import { arm, flush, startDelivery } from './delivery.js';
import { anonymous, forget, setUser, touchSession, user } from './identity.js';
import { openLayer } from './layer.js';
import { announce, HOST, KEY, LAYER, option } from './page.js';
import { adopt, clear, entries, save } from './queue.js';
import { watchMarkup, watchPages } from './sources.js';
import { page, track, use } from './track.js';

const identify = (id, token, traits) => {
  id = String(id);
  if (setUser(id, token)) return track('identify', { user_id: id, token, traits });
};

/** Take a choice, and let everything follow it. */
const change = (choice, isForeign) => {
  if (isForbidden) return;
  decide(choice, isForeign);
  if (isGranted()) {
    // What happened while consent was pending belongs to the id and the session that exist from now on.
    for (const entry of entries) {
      entry.a = entry.a || anonymous();
      ({ id: entry.e.session_id, n: entry.e.session_number } = touchSession());
    }
    adopt();
    save();
    arm(0);
  } else if (isDenied() || !isForeign) {
    // Pending by a banner that has not spoken yet is no shopper who goes.
    forget();
    if (isDenied()) clear();
  }
  // Before it is ready nobody has asked for anything yet.
  if (rec.version) announce('consent', choice);
};

/** What happens once, when it is known who the shopper is: lists are asked for from here on. */
const ready = () => {
  rec.version = VERSION;
  announce('ready', rec);
};

const consent = (choice) => (LAYER && !rec.version ? (tools.own = choice) : change(choice));

/** Return who the shopper is, for requests of lists; without consent nobody. */
const id = () =>
  isGranted()
    ? { anonymous_id: anonymous(), user_id: user.id, user_token: user.token, session_id: touchSession().id }
    : {};

const on = (name, listener) =>
  addEventListener('rec:' + name, (/** @type {CustomEvent} */ event) => listener(event.detail));

/** Log out: what is queued still belongs to the user who leaves. */
const reset = () => {
  flush();
  forget();
};

const methods = { track, page, identify, reset, consent, flush, use, on, id };

/** What the reader of the data layer works with; until it is there, the shopper's own choice waits in it. */
const tools = { own: standing, change, methods, ready };

/** Install `window.rec`, replay the calls queued before it, and start; once per page, however often loaded. */
export const install = () => {
  const early = window.rec;
  if (early?.host) {
    if (early.key !== KEY) console.warn('rec: a page has one site; ignored', KEY);
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
  startDelivery();
  if (option('auto') !== 'false') watchPages();
  watchMarkup();
  if (!LAYER) ready();
};
