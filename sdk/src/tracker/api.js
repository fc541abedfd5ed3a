/** `window.rec`: callable as `rec('track', …)` and as `rec.track(…)`. */
import { decide, isGranted } from './consent.js';
import { arm, flush, startDelivery } from './delivery.js';
import { anonymous, currentUser, forget, setUser, touchSession } from './identity.js';
import { attempt, announce, HOST, KEY, option } from './page.js';
import { adopt, all, clear, save } from './queue.js';
import { watchDataLayer, watchMarkup, watchPages } from './sources.js';
import { page, track, use } from './track.js';

const identify = (id, token, traits) => {
  if (setUser(String(id), token)) return track('identify', { user_id: String(id), token, traits });
};

const consent = (choice) => {
  if (!decide(choice)) return;
  if (isGranted()) {
    // What happened while consent was pending belongs to the id that exists from now on.
    all().forEach((entry) => (entry.a = entry.a || anonymous()));
    adopt();
    save();
    arm(0);
  } else {
    forget();
    if (choice === 'denied') clear();
  }
  announce('consent', choice);
};

/** Return who the shopper is, for requests of lists; without consent nobody. */
const id = () =>
  isGranted()
    ? {
        anonymous_id: anonymous(),
        user_id: currentUser().id,
        user_token: currentUser().token,
        session_id: touchSession().id,
      }
    : {};

const on = (name, listener) =>
  addEventListener('rec:' + name, (/** @type {CustomEvent} */ event) => listener(event.detail));

/** Log out: what is queued still belongs to the user who leaves. */
const reset = () => {
  flush();
  forget();
};

const methods = { track, page, identify, reset, consent, flush, use, on, id };

/** Install `window.rec`, replay the calls queued before it, and start; once per page, however often loaded. */
export const install = () => {
  const early = window.rec;
  if (early?.version) {
    if (early.key !== KEY) console.warn('rec: a page has one site; ignored', KEY);
    return;
  }
  const rec = (method, ...args) => {
    try {
      return methods[method](...args);
    } catch (error) {
      console.warn(`rec: ${method} failed:`, error);
    }
  };
  for (const method in methods) rec[method] = (...args) => rec(method, ...args);
  window.rec = Object.assign(rec, { version: VERSION, host: HOST, key: KEY });
  // Early calls come first: they may set consent, the user, or a hook.
  for (const args of early?.q || []) rec(...args);
  startDelivery();
  if (option('auto') !== 'false') watchPages();
  watchMarkup();
  attempt(watchDataLayer);
  announce('ready', rec);
};
