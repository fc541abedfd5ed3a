/** From a call of the shop to an entry in the queue. */
import { attribute } from './attribution.js';
import { isDenied } from './consent.js';
import { arm } from './delivery.js';
import { tell, user } from './identity.js';
import { uuid7 } from './ids.js';
import { attempt, whenActive } from './page.js';
import { entries, push } from './queue.js';

const BATCH_EVENTS = 20;
const BATCH_MS = 2e3;
const LARGEST = 48e3; // bytes of one event, under what keepalive carries; the server cuts long lists itself
/** Sent at once: what changes the shopper's lists, and what must not be lost. */
const AT_ONCE = /^(view_item|select_item|identify|purchase|refund|.+_cart)$/;

const hooks = [];
let lastPage;
let pageViewId = uuid7();

/** Register a function that sees every event before it is queued; `false` drops the event. */
export const use = (hook) => hooks.push(hook);

/**
 * Leave out what is null or empty, write ids that are numbers as text, as clicks are remembered by them, and mend half an
 * emoji, which no server could read. The rest the server mends, and says so.
 */
const tidy = (key, value) =>
  (value ?? '') === ''
    ? undefined
    : /_id$/.test(key) && value === +value
      ? value + ''
      : (value.toWellFormed?.() ?? value);

/** Queue one event and return its id; undefined when the shopper denied consent. */
export const track = (name, params) => {
  if (isDenied()) return;
  const id = uuid7();
  const copy = JSON.parse(JSON.stringify(params || {}), tidy); // the caller may change its object before we send
  whenActive(() => {
    const session = tell(1);
    attribute(name, copy);
    const event = {
      event_id: id,
      event: name,
      ts: Date.now(),
      session_id: session.id,
      session_number: session.n,
      page_view_id: pageViewId,
      url: location.href.slice(0, 2e3),
      params: copy,
    };
    if (hooks.some((hook) => attempt(() => hook(event)) === false)) return;
    if (new Blob([JSON.stringify(event)]).size > LARGEST) throw RangeError(`'${name}' is over 48 kB`);
    push({ e: event, a: session.a, u: user.id });
    arm(AT_ONCE.test(name) || entries[BATCH_EVENTS - 1] ? 0 : BATCH_MS);
  });
  return id;
};

/** Count a page view; the same address again counts only when `params` say that it is a new page. */
export const page = (params) => {
  const address = location.pathname + location.search;
  if (!params && address === lastPage) return;
  if (lastPage) pageViewId = uuid7();
  lastPage = address;
  return track('page_view', { page_title: document.title.slice(0, 500), ...params });
};
