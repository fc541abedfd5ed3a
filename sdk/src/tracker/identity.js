/**
 * Who is shopping: the anonymous id, the user the shop named, the browsing session.
 *
 * The server keeps the anonymous id as a first-party cookie, which outlives script storage (7 days in Safari);
 * localStorage is the second copy, and the only one when the collector is on another site.
 */
import { isGranted } from './consent.js';
import { secretId, uuid7 } from './ids.js';
import { attempt } from './page.js';
import { read, remove, write } from './storage.js';

const IDLE_MS = 18e5; // 30 minutes, as in GA4
const LONGEST_MS = 864e5;

let anonymousId;
/** `{id, token}` of the identified user, or an empty object; a page knows only what it was told. */
export let user = {};
let session;

/** Return the anonymous id, made at first use; undefined without consent. */
export const anonymous = () => {
  if (isGranted() && !anonymousId) {
    // A sandboxed page may not even ask for its cookies.
    const cookie = attempt(() => document.cookie.match(/(?:^|; )rec_aid=([\w-]+)/)[1]);
    // Whatever stands there: an id that the server would not read would cost every event.
    adoptAnonymous([cookie, read('rec_aid')].find((id) => /^[\w-]{16,64}$/.test(id)) || secretId());
  }
  return anonymousId;
};

/** Use `id` from now on: the server answers with the id it knows this browser by. */
export const adoptAnonymous = (id) => {
  anonymousId = id;
  write('rec_aid', id);
};

/** Take the user for this page; return whether the session did not know it yet. The token is never stored. */
export const setUser = (id, token) => {
  user = { id, token };
  const isNew = touchSession().user !== id;
  session.user = id;
  write('rec_session', session);
  return isNew;
};

/** Return `{id, n}` of the browsing session and keep it alive; tabs share it through storage. */
export const touchSession = () => {
  const now = Date.now();
  session = read('rec_session') || session;
  // Math.abs: a clock set back must not stretch a session; "not within", as what is no number is within nothing.
  if (!(Math.abs(now - session?.last) <= IDLE_MS && Math.abs(now - session.start) <= LONGEST_MS)) {
    session = { id: uuid7(), start: now, n: (+session?.n || 0) + 1 };
  }
  session.last = now;
  write('rec_session', session);
  return session;
};

/** Forget user, anonymous id and session: the next event comes from a stranger. */
export const forget = () => {
  anonymousId = session = undefined;
  user = {};
  ['rec_aid', 'rec_session', 'rec_clicked', 'rec_retry'].forEach(remove);
  attempt(() => (document.cookie = 'rec_aid=;path=/;max-age=0'));
};
