/**
 * Who is shopping: the anonymous id, the user the shop named, the browsing session.
 *
 * The server keeps the anonymous id as a first-party cookie, which outlives script storage (7 days in Safari);
 * localStorage is the second copy, and the only one when the collector is on another site.
 */
import { isDenied, isGranted } from './consent.js';
import { secretId, uuid7 } from './ids.js';
import { announce, attempt } from './page.js';
import { read, remove, write } from './storage.js';

const IDLE_MS = 18e5; // 30 minutes, as in GA4
const LONGEST_MS = 864e5;

/** Undefined until somebody looks. */
export let anonymousId;
/** `{id, token}` of the identified user, or an empty object; a page knows only what it was told. */
export let user = {};
/** `{id, n, start, a, user}`: its number, when it began, whose it is, and who logged in. Undefined until it is looked at. */
let session;
let last; // when something happened in it: a key of its own, so that who only goes on writes over no log-in
let told;

/** Look who is there, and tell lists, socket and listeners where that is somebody else now: they follow in one step. */
export const tell = (isActive) => {
  const here = touchSession(isActive);
  const now = here.a && [here.a, user.id, user.token] + '';
  if (told !== (told = now) && rec.version) announce('user', told);
  return here;
};

/** Use `id` from now on: the server answers with the id it knows this browser by. */
export const adoptAnonymous = (id) => {
  // An old answer that says nothing new must not write over what another tab made of the shopper meanwhile.
  if (id !== anonymousId) write('rec_aid', (anonymousId = id));
};

/** Take the user for this page; return whether the session did not know it yet. The token is never stored. */
export const setUser = (id, token) => {
  const kept = tell();
  const isNew = kept.user !== id;
  user = { id, token };
  kept.user = id;
  if (isNew) write('rec_session', kept);
  return isNew;
};

/**
 * Take over what other tabs did to the shopper, and return `{id, n, a, user}` of the browsing session, which tabs share
 * through storage; without consent only who the user is. It goes on when `isActive`. Only what this tab changed is written:
 * looking writes over nobody's log-in.
 * @param {any} [isActive]
 */
const touchSession = (isActive) => {
  if (!isGranted()) return { user: user.id };
  const now = Date.now();
  const id = read('rec_aid'); // nothing where storage is full or denied
  if (id && anonymousId && id !== anonymousId) become(id);
  if (!anonymousId) {
    // A sandboxed page may not even ask for its cookies.
    const cookie = session || attempt(() => document.cookie.match(/\brec_aid=([\w-]+)/)[1]);
    // Whatever stands there: an id that the server would not read would cost every event.
    // Storage first, and no cookie where somebody has just left: a late answer may have brought back theirs.
    adoptAnonymous([id, cookie, secretId()].find((each) => /^[\w-]{16,64}$/.test(each)));
  }
  const before = session;
  const kept = read('rec_session');
  // Another visitor's is what a tab wrote that has not heard yet.
  if (kept?.a === anonymousId) session = kept;
  last = read('rec_last') || last;
  // Math.abs: a clock set back must not stretch a session; "not within", as what is no number is within nothing.
  if (!(Math.abs(now - last) <= IDLE_MS && Math.abs(now - session?.start) <= LONGEST_MS)) {
    isActive = session = { id: uuid7(), n: ~~session?.n + 1, start: now };
  }
  session.a = anonymousId;
  if (session !== kept) write('rec_session', session);
  if (isActive) write('rec_last', (last = now));
  if (before && session.user && session.user !== before.user && session.user !== user.id) {
    // Another tab logged in: this one has no token of theirs until the shop gives it one.
    user = {};
    // Kept for token.js, which may come later.
    announce('login', (rec.login = session.user));
  }
  return session;
};

const become = (id) => {
  anonymousId = id;
  session = user = {}; // nobody yet, so that who logs in elsewhere is heard
};

/** Forget the cookie, which an answer for whoever was here before may have brought back. */
export const dropCookie = () => attempt(() => (document.cookie = 'rec_aid=;path=/;max-age=0'));

/**
 * Whoever said no has no cookie, either: an answer to the page before may have brought one; see markup.js for answers to
 * this page. Where a banner has not spoken yet, it may be the cookie of somebody who said yes.
 */
export const keepOut = () => isDenied() && dropCookie();

/** Forget user, anonymous id and session: the next event comes from a stranger. */
export const forget = () => {
  become();
  dropCookie();
  ['rec_aid', 'rec_session', 'rec_last', 'rec_clicked', 'rec_retry'].forEach(remove);
};

/**
 * Follow other tabs. Where something was said there of the shopper, who logged in is heard from now on, though consent may
 * come only now. Another word in storage, of the shop or of a queue, makes nobody of whom this page was told of.
 * @param {any} isOfUser
 */
export const sync = (isOfUser) => {
  if (isOfUser) session ||= {};
  tell();
};
