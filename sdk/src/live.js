/**
 * The socket of all live lists of a page: a module that the widget imports once a list is live.
 *
 * It follows who the shopper is. For somebody else, and for nobody, it is closed at once, so that nothing of who was
 * there before can arrive, and opened again for who is there now; a new token of the same user is said on it. It is closed,
 * too, when the page is left (an open socket keeps it out of the back/forward cache) or hidden for long, and opened when
 * the page is shown; then the server learns which lists are on screen and sends only what changed.
 */
const HIDDEN_MS = 3e4;
const LONGEST_WAIT_MS = 6e4;
const MOST_LISTS = 20; // of one socket
const MOST_ITEMS = 100; // of a cart

/**
 * Keep the lists of `lists()` fresh, and return what to call when they are others.
 * @param {() => {wish: any, cart: string[], seen?: string, update: (result: any) => void}[]} lists
 */
export const follow = (lists) => {
  let socket;
  let who; // whose socket it is
  let failures = 0;
  let isRefused = false;
  let timer;

  const later = (fn, ms) => {
    clearTimeout(timer);
    timer = setTimeout(fn, ms);
  };

  /** Return who is here; undefined without consent. */
  const present = () => {
    const { anonymous_id: anonymousId, user_id: userId } = rec.id();
    return anonymousId && [anonymousId, userId] + '';
  };

  /** An update names a placement, so of two lists with the same the last is fresh. */
  const byPlacement = () => new Map(lists().map((list) => [list.wish.placement, list]));

  // Whoever looks who is here may find out that the socket is somebody else's: then it is closed.
  const say = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));

  const greet = () =>
    say({
      type: 'hello',
      key: rec.key,
      ...rec.id(),
      session_id: undefined,
      lang: document.documentElement.lang || undefined,
    });

  const subscribe = () => {
    const all = [...byPlacement()].slice(0, MOST_LISTS);
    say({
      type: 'subscribe',
      placements: all.map(([, { wish }]) => wish),
      cart: [...new Set(all.flatMap(([, { cart }]) => cart))].slice(0, MOST_ITEMS),
      seen: Object.fromEntries(all.map(([placement, { seen }]) => [placement, seen])),
    });
  };

  const warn = (warnings) => warnings?.[0] && dispatchEvent(new CustomEvent('rec:warning', { detail: warnings }));

  const close = () => {
    const old = socket;
    socket = undefined;
    old?.close();
  };

  const open = () => {
    who = present();
    const mine = (socket = new WebSocket(rec.host.replace('http', 'ws') + '/v1/live'));
    mine.onopen = () => {
      if (socket !== mine) return;
      greet();
      subscribe();
    };
    mine.onmessage = ({ data }) => {
      if (socket !== mine) return; // for somebody who is gone
      failures = 0;
      const message = JSON.parse(data);
      warn(message.type === 'error' ? [message] : message.warnings);
      for (const result of message.results || []) byPlacement().get(result.placement)?.update(result);
    };
    mine.onclose = ({ code, reason }) => {
      if (socket !== mine) return;
      socket = undefined;
      if (code >> 1 === 504) {
        isRefused = true; // 1008 or 1009, policy or size: asking again cannot help
        warn([{ error: 'live_refused', message: reason }]);
      } else {
        later(look, Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures++) * (0.5 + Math.random()));
      }
    };
  };

  const look = () => {
    const isWanted = present() && lists()[0];
    if (!isWanted || who !== present()) close();
    if (socket) subscribe();
    else if (isWanted && !isRefused && !document.hidden) open();
  };

  const renew = () => {
    isRefused = false;
    failures = 0;
    later(look);
  };

  addEventListener('rec:user', () => {
    if (who !== present()) close();
    else if (socket) greet();
    renew();
  });
  addEventListener('pagehide', () => {
    clearTimeout(timer);
    close();
  });
  addEventListener('pageshow', (event) => event.persisted && renew());
  addEventListener('visibilitychange', () =>
    // it bubbles
    document.hidden ? later(close, HIDDEN_MS) : renew(),
  );
  return () => {
    if (socket || !failures) later(look); // else a reconnect is on its way
  };
};
