/**
 * One socket for all live widgets of a page.
 *
 * Closed when the page is left (an open socket keeps it out of the back/forward cache) or hidden for long, opened
 * again when it is shown; then the server learns which lists are on screen and sends only what changed.
 */
import { MOST_LISTS, user, union } from './request.js';

const HIDDEN_MS = 3e4;
const LONGEST_WAIT_MS = 6e4;
const widgets = new Set();

/** Return the live widgets by placement: an update names one, so of two widgets with the same the last is fresh. */
const byPlacement = () => new Map([...widgets].map((widget) => [widget._wish().placement, widget]));

let socket;
let failures = 0;
let timer;

const later = (fn, ms) => {
  clearTimeout(timer);
  timer = setTimeout(fn, ms);
};

const subscribe = () => {
  const all = [...byPlacement()].slice(0, MOST_LISTS);
  say({
    type: 'subscribe',
    placements: all.map(([, widget]) => widget._wish()),
    cart: union(all.map(([, widget]) => widget._cart())),
    seen: Object.fromEntries(all.map(([placement, widget]) => [placement, widget._result?.rec_id])),
  });
};

const say = (message) => socket.readyState === 1 && socket.send(JSON.stringify(message));

const open = () => {
  if (socket) return subscribe();
  if (!widgets.size || document.hidden || !user().anonymous_id) return;
  const mine = (socket = new WebSocket(rec.host.replace('http', 'ws') + '/v1/live'));
  mine.onopen = () => {
    say({ type: 'hello', ...user() });
    subscribe();
  };
  mine.onmessage = ({ data }) => {
    failures = 0;
    for (const result of JSON.parse(data).results || []) byPlacement().get(result.placement)?._update(result);
  };
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    socket = undefined;
    if (code >> 1 === 504) widgets.clear(); // 1008 or 1009, policy or size: asking again cannot help
    later(open, Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures++) * (0.5 + Math.random()));
  };
};

const close = () => {
  clearTimeout(timer);
  const old = socket;
  socket = undefined;
  old?.close();
};

/** Keep this widget's list fresh; widgets of one reply join with one message. */
export const join = (widget) => {
  widgets.add(widget);
  if (socket || !failures) later(open); // else a reconnect is on its way
};

/** Stop; the last one closes the socket. */
export const leave = (widget) => {
  widgets.delete(widget);
  if (!widgets.size) close();
};

addEventListener('pagehide', close);
addEventListener('pageshow', open);
addEventListener('visibilitychange', () =>
  // it bubbles
  document.hidden ? later(close, HIDDEN_MS) : later(open),
);
