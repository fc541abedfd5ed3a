/** @recsite/react: `useRecommendations`, `useItem`, `<Recommendations>`, `<Recsite>`; all of them render on a server. */
import { addToCart, addToWishlist, id, init, observe, on, recommend, subscribe } from '@recsite/js';
import { createElement, Fragment, useCallback, useEffect, useMemo, useRef, useState } from 'react';

/** Start the tracker once the page is hydrated; `user` follows who is logged in. React keeps `key` for itself: `siteKey`. */
export const Recsite = ({ user, children, siteKey, ...options }) => {
  const wanted = JSON.stringify({ ...options, key: siteKey });
  useEffect(() => init(JSON.parse(wanted)), [wanted]);
  const [userId, token] = [user?.id ?? null, user?.token];
  const before = useRef(null);
  useEffect(() => {
    if (userId !== null) window.rec('identify', userId, token);
    else if (before.current !== null) window.rec('reset');
    before.current = userId;
  }, [userId, token]);
  return children ?? null;
};

/** What a component asks for, as the API names it. */
const wishOf = ({ placement, limit, contextItems, filter, exclude }) => ({
  placement,
  limit,
  context_items: contextItems?.map(String),
  filter,
  exclude,
});

/**
 * A list, asked for after mounting and again when what is asked for changes.
 *
 * `initial` is a result that the server brought: it is drawn as it is and not asked for again, until who is shopping or what
 * is asked for changes. `live` follows the shopper's events.
 */
export const useRecommendations = ({ initial, live = false, cart, enabled = true, ...rest }) => {
  const asked = JSON.stringify([wishOf(rest), cart ?? []]);
  const [state, setState] = useState({ asked, result: initial, isPending: !initial && enabled });
  const [turn, setTurn] = useState(0);
  const current = state.asked === asked ? state : { ...state, isPending: enabled };
  const done = useRef(initial ? asked : undefined);

  // Another shopper has other lists: after a login, a logout, and a choice of consent.
  useEffect(() => {
    const known = () => JSON.stringify([id().anonymous_id, id().user_id]);
    let who = window.rec?.version ? known() : undefined;
    const look = () => {
      if (!window.rec?.version) return;
      // Who is logged in is said right after the start: that is nobody else.
      if (who === undefined) return void setTimeout(() => (who ??= known()));
      const now = known();
      const isOther = who !== now;
      who = now;
      if (!isOther) return;
      done.current = undefined;
      setTurn((last) => last + 1);
    };
    const ends = ['ready', 'user', 'consent'].map((name) => on(name, look));
    return () => ends.forEach((end) => end());
  }, []);

  useEffect(() => {
    if (!enabled || done.current === asked) return undefined;
    let isLost = false;
    const [wish, items] = JSON.parse(asked);
    // StrictMode mounts twice: the first is gone before its turn, and was no request.
    queueMicrotask(async () => {
      if (isLost) return;
      const result = await recommend(wish, { cart: items, isLost: () => isLost });
      if (isLost) return;
      done.current = asked;
      setState({ asked, result, isPending: false });
    });
    return () => {
      isLost = true;
    };
  }, [asked, enabled, turn]);

  const recId = current.isPending ? undefined : current.result?.rec_id;
  const seen = useRef(recId);
  useEffect(() => {
    seen.current = recId;
  }, [recId]);
  const isFollowed = live && enabled && !current.isPending;
  useEffect(() => {
    if (!isFollowed) return undefined;
    const [wish, items] = JSON.parse(asked);
    return subscribe(wish, (result) => setState({ asked, result, isPending: false }), {
      cart: items,
      seen: seen.current,
    });
  }, [asked, isFollowed, turn]);

  const { result, isPending } = current;
  return { result, items: result?.items ?? [], isPending, error: result?.error };
};

/** Return what an element of an item needs: `ref` counts impressions and clicks, `addToCart` names the list it came from. */
export const useItem = (item, index, result) => {
  const end = useRef(null);
  const ref = useCallback(
    (element) => {
      end.current?.();
      end.current = element && item && result ? observe(element, item, index, result) : null;
    },
    [item, index, result],
  );
  return useMemo(
    () => ({
      ref,
      addToCart: (more) => addToCart(item, { index, result, ...more }),
      addToWishlist: (more) => addToWishlist(item, { index, result, ...more }),
    }),
    [ref, item, index, result],
  );
};

const Slot = ({ item, index, result, as, children }) => {
  const { ref, ...actions } = useItem(item, index, result);
  return createElement(as, { ref }, children(item, { index, result, ...actions }));
};

/**
 * A list with the shop's own cards: `children(item, { index, result, addToCart })` draws one of them, inside an element that
 * counts impressions and clicks. `pending` stands there until the list is known, `fallback` where there is none.
 */
export const Recommendations = ({
  children,
  as = 'ul',
  itemAs = 'li',
  className,
  pending,
  fallback,
  heading,
  ...options
}) => {
  const { result, items, isPending } = useRecommendations(options);
  if (!items.length) return createElement(Fragment, null, (isPending ? pending : fallback) ?? null);
  const title = typeof heading === 'function' ? heading(result) : heading;
  return createElement(
    Fragment,
    null,
    title ?? null,
    createElement(
      as,
      { className },
      items.map((item, index) => createElement(Slot, { key: item.item_id, item, index, result, as: itemAs, children })),
    ),
  );
};
