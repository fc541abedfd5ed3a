/**
 * Tokens that the shop renews: a module that the tracker imports once `rec('token', fn)` is called.
 *
 * `fn(userId)` answers a token, or a promise of one. It is asked before the token that the page was given expires, when the
 * server says that it is no longer valid, and when another tab logged somebody in. One question is open at a time, and what
 * is answered for somebody who is no longer there is thrown away. Without an answer the shopper stays anonymous.
 */
const EARLY_MS = 6e4;
const PAUSE_MS = 1e4; // after an answer: what the server refuses again and again is not asked for again and again
const NO_LONGER = /^user_token_(expired|missing|invalid)$/;

/** Return how long a token lives from the moment it was signed, in ms: clocks of pages are wrong, their difference is not. */
const lifeMs = (token) => {
  try {
    const { iat, exp } = JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return (exp - iat) * 1e3;
  } catch {
    return NaN;
  }
};

const warn = (message) =>
  dispatchEvent(new CustomEvent('rec:warning', { detail: [{ error: 'token_not_renewed', message }] }));

let ask;
let isAsking = false;
let pausedUntil = 0;
let timer;
let seen;
/** Who another tab logged in, and as which visitor: nobody, once the shopper here is somebody, or another visitor. */
let foreign;
let foreignOf;

const hear = (userId) => {
  foreign = userId;
  foreignOf = rec.id().anonymous_id;
};

const renew = async (isDue) => {
  const { anonymous_id: anonymousId, user_id: userId, user_token: old } = rec.id();
  if (foreignOf !== anonymousId) foreign = undefined;
  const wanted = userId ?? foreign;
  if (!anonymousId || !wanted || isAsking || (!isDue && Date.now() < pausedUntil)) return;
  isAsking = true;
  let token;
  try {
    token = await ask(wanted);
  } catch (error) {
    warn(`the function given to rec('token') failed: ${error?.message}`);
  }
  isAsking = false;
  const now = rec.id();
  if (now.anonymous_id !== anonymousId || now.user_id !== userId || (!userId && foreign !== wanted)) return renew();
  if (typeof token === 'string' && token && token !== old) {
    foreign = undefined;
    rec.identify(wanted, token);
  } else if (token !== undefined) {
    warn(`the function given to rec('token') answered no new token for ${wanted}`);
  }
  pausedUntil = Date.now() + PAUSE_MS;
};

/** Set the clock for the token that the page has now. */
const look = () => {
  const { user_id: userId, user_token: token } = rec.id();
  if (userId) foreign = undefined;
  if (token === seen) return;
  seen = token;
  pausedUntil = 0; // the page gave another one
  clearTimeout(timer);
  const ms = lifeMs(token);
  if (ms > 0) timer = setTimeout(renew, Math.max(ms - EARLY_MS, ms / 2), true);
};

/** Return who logged in in another tab before this file came, where they have not left again. */
const missed = () => {
  try {
    const { user } = JSON.parse(localStorage.rec_session);
    if (user === rec.login) return user;
  } catch {
    // No session.
  }
};

/** Ask `fn` from now on. */
export const follow = (fn) => {
  const isFirst = !ask;
  ask = fn;
  if (isFirst) {
    addEventListener('rec:user', look);
    addEventListener('rec:login', (/** @type {CustomEvent} */ { detail }) => {
      hear(detail);
      pausedUntil = 0;
      renew();
    });
    addEventListener('rec:warning', (/** @type {CustomEvent} */ { detail }) => {
      if (detail.some((each) => NO_LONGER.test(each))) renew();
    });
  }
  look();
  const { user_id: userId, user_token: token } = rec.id();
  if (!userId && isFirst) hear(missed());
  if (userId ? !token : foreign) renew();
};
