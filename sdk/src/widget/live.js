/**
 * One socket for all live widgets of a page.
 *
 * Closed when the page is left (an open socket keeps it out of the back/forward cache) or hidden for long, opened
 * again when it is shown; then the server learns which lists are on screen and sends only what changed.
 */
import { liveUrl, shopper } from './request.js';

const HIDDEN_MS = 3e4;
const LONGEST_WAIT_MS = 6e4;
const POLICY = 1008;
const TOO_LARGE = 1009;

/** Widgets by placement; the first widget of a placement gets its updates. */
const widgets = new Map();
let socket;
let failures = 0;
let timer;
let isRefused = false;

const say = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));

const subscribe = () => {
  const all = [...widgets.values()];
  say({
    type: 'subscribe',
    placements: all.map((widget) => widget._wish()),
    cart: all.map((widget) => widget._cart()).find((cart) => cart),
    seen: Object.fromEntries(all.map((widget) => [widget._wish().placement, widget._result?.rec_id])),
  });
};

const open = () => {
  clearTimeout(timer);
  if (socket || isRefused || !widgets.size || document.hidden || !shopper().anonymous_id) return;
  const mine = (socket = new WebSocket(liveUrl || rec.host.replace(/^http/, 'ws') + '/v1/live'));
  mine.onopen = () => {
    say({ type: 'hello', key: rec.key, ...shopper() });
    subscribe();
  };
  mine.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'ready') failures = 0;
    for (const result of message.results || []) widgets.get(result.placement)?._update(result);
  };
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    socket = undefined;
    isRefused = code === POLICY || code === TOO_LARGE;
    timer = setTimeout(open, Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures++) * (0.5 + Math.random()));
  };
};

const close = () => {
  clearTimeout(timer);
  const old = socket;
  socket = undefined;
  old?.close();
};

/** Keep this widget's list fresh. */
export const join = (widget) => {
  const { placement } = widget._wish();
  if (widgets.has(placement) && widgets.get(placement) !== widget) return;
  widgets.set(placement, widget);
  clearTimeout(timer);
  timer = setTimeout(() => (socket ? subscribe() : open())); // widgets of one reply join with one message
};

/** Stop; the last one closes the socket. */
export const part = (widget) => {
  for (const [placement, each] of widgets) if (each === widget) widgets.delete(placement);
  if (!widgets.size) close();
};

addEventListener('pagehide', close);
addEventListener('pageshow', open);
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (document.hidden) timer = setTimeout(close, HIDDEN_MS);
  else open();
});
