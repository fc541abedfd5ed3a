/**
 * Sends the queue, at least once: an entry leaves it only when the server answered for it.
 *
 * While the page lives, one keepalive fetch at a time. When it goes away, a beacon carries a second copy of all that
 * is unanswered and the stored queue stays for the next page. text/plain costs no CORS preflight.
 */
import { isGranted } from './consent.js';
import { adoptAnonymous, anonymousId, dropCookie, user } from './identity.js';
import { announce, attempt, HOST, KEY } from './page.js';
import { adopt, drop, entries, save } from './queue.js';
import { read, write } from './storage.js';

const BATCH_EVENTS = 20;
const BATCH_BYTES = 48e3; // browsers let 64 KiB of keepalive requests and beacons be in flight together
const TIMEOUT_MS = 1e4;
const LONGEST_WAIT_MS = 3e5;
const LONGEST_HOLD_MS = 36e5; // whatever the server or a wrong clock says
const TRIES = 10;

let timer;
let timerAt = 0;
let isSending = false;
let failures = 0;
let retryAt = 0;

/** Return how long to be quiet, or false: one back-off for all pages of the shop, so that a new page is no new storm. */
const quietMs = () => {
  const ms = (read('rec_retry') || retryAt) - Date.now();
  return ms > 0 && ms <= LONGEST_HOLD_MS && ms;
};

const backOff = (ms) => {
  retryAt = ms && Date.now() + ms;
  write('rec_retry', retryAt);
};

/** Send after `ms`, or when back-off allows. */
export const arm = (ms) => {
  const at = Date.now() + Math.max(ms, /** @type {any} */ (quietMs()));
  if (timer && at >= timerAt) return;
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(flush, at - Date.now());
};

const envelope = (batch) => {
  const { a, u } = batch[0];
  return JSON.stringify({
    key: KEY,
    v: '1.0',
    sent_at: Date.now(),
    anonymous_id: a,
    user_id: u,
    user_token: u === user.id ? user.token : undefined,
    ctx: {
      ref: document.referrer.slice(0, 2e3),
      lang: navigator.language,
      tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      vw: innerWidth,
      bot: navigator.webdriver || undefined,
      lib: 'rec.js/' + VERSION,
    },
    events: batch.map(({ e }) => e),
  });
};

/** Return the longest prefix that fits one request and belongs to one shopper. */
const nextBatch = (queued) => {
  const { a, u } = queued[0];
  const end = queued.findIndex((entry, i) => i === BATCH_EVENTS || entry.a !== a || entry.u !== u);
  let batch = queued.slice(0, end < 0 ? BATCH_EVENTS : end); // a copy: the queue grows while the batch is on its way
  while (batch[1] && new Blob([envelope(batch)]).size > BATCH_BYTES) {
    batch = batch.slice(0, batch.length >> 1);
  }
  return batch;
};

/** Send one batch; the rest follows when it is answered. */
export const flush = async () => {
  clearTimeout(timer);
  timer = 0;
  if (isSending || !entries[0] || !isGranted()) return;
  if (quietMs()) return arm(0);
  isSending = true;
  const batch = nextBatch(entries);
  let response;
  let reply;
  try {
    response = await fetch(HOST + '/v1/events', {
      method: 'POST',
      body: envelope(batch),
      keepalive: true,
      credentials: 'include',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    reply = await response.json();
  } catch {
    // No answer, or one without JSON: the status decides.
  }
  isSending = false;
  if (/^(undefined|408|429|5..)$/.test(/** @type {any} */ (response?.status))) {
    const askedMs = 1e3 * /** @type {any} */ (response?.headers.get('Retry-After')) || 0;
    const ownMs = Math.min(LONGEST_WAIT_MS, 500 * 2 ** ++failures) * (0.5 + Math.random());
    backOff(Math.min(Math.max(askedMs, ownMs), LONGEST_HOLD_MS));
    if (failures < TRIES) arm(0);
    return;
  }
  drop(batch);
  calm();
  if (batch[0].a !== anonymousId) dropCookie();
  else if (reply?.anonymous_id) adoptAnonymous(reply.anonymous_id);
  if (reply?.warnings?.[0]) announce('warning', reply.warnings);
  const refused = reply?.error ? [reply] : reply?.rejected;
  if (refused?.[0]) {
    console.warn('rec: events refused', refused);
    announce('reject', refused);
  }
};

const beacon = (batch) => {
  if (!navigator.sendBeacon(HOST + '/v1/events', envelope(batch)) && batch[1]) {
    beacon(batch.slice(0, batch.length >> 1));
    beacon(batch.slice(batch.length >> 1));
  }
};

/** The page goes away: send a copy of everything, unless the server asked for quiet, and leave the rest to the next page. */
const leave = () => {
  if (isGranted() && !quietMs()) {
    for (let rest = entries; rest[0];) {
      const batch = nextBatch(rest);
      attempt(() => beacon(batch));
      rest = rest.slice(batch.length);
    }
  }
  save(0);
};

/** Nothing is wrong any more: go on. */
const calm = () => {
  failures = 0;
  backOff(0);
  arm(0);
};

/** Start to deliver, first of all what earlier pages left. */
export const startDelivery = () => {
  addEventListener('pagehide', leave);
  addEventListener('visibilitychange', flush); // it bubbles
  addEventListener('online', calm);
  adopt();
  arm(0);
};
