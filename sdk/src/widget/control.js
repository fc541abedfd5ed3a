/** What one widget does: ask, show, notice impressions and clicks, take live updates. */
import { card } from './card.js';
import { element } from './dom.js';
import { join, leave } from './live.js';
import { ask } from './request.js';
import css from './style.css';

const SEEN_MS = 1e3; // an impression: half of the card in view for a second
const NEAR = { rootMargin: '300px' }; // where `loading="lazy"` begins to load

/** A constructed sheet needs no exception in a strict Content-Security-Policy. */
const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** @typedef {HTMLElement & {_item: any, _index: number, _since?: unknown, _seenIn?: string}} Card */

/** Set up the shadow tree of `host` with a skeleton, and return what the element and the socket may call. */
export const control = (host) => {
  const root = host.attachShadow({ mode: 'open' });
  /** @type {Map<string, Card>} */
  let cards = new Map(); // by the JSON of their item
  /** @type {HTMLElement} */
  let list;
  let result;
  let fresh; // an update that waits until the shopper's pointer and focus are elsewhere
  let turn;

  const status = element('div', 'status');
  status.role = 'status';

  const text = (name, fallback = '') => host.getAttribute(name) || fallback;
  const limit = () => +text('limit', '4');

  /** Return the comma-separated ids of an attribute. */
  const ids = (name) => text(name).match(/[^,\s]+/g) || [];

  /** What to ask the server for. */
  const wish = () => ({
    placement: text('placement'),
    limit: limit(),
    context_items: [...ids('item-id'), ...ids('context')],
  });

  const announce = (name, detail) =>
    host.dispatchEvent(new CustomEvent('rec:' + name, { detail, bubbles: true, composed: true, cancelable: true }));

  const makeCard = (item) => card(item, host.querySelector('template'), host.closest('[lang]')?.lang);

  /** Build everything around these cards. */
  const frame = (...children) => {
    const isCarousel = text('layout') === 'carousel';
    const heading = text('heading') || result?.heading;
    const arrow = (name, isNext) => {
      const button = element('button', 'arrow', '›');
      button.ariaLabel = text('label-' + name, name);
      button.onclick = () =>
        list.scrollBy(host.matches(':dir(rtl)') == isNext ? -list.clientWidth : list.clientWidth, 0);
      return button;
    };
    list = element('ul', 'list', ...children);
    list.role = 'list'; // Safari forgets it without bullets
    list.ariaLabel = heading || text('label', 'Recommendations');
    list.onclick = list.onauxclick = click;
    const section = element(
      'section',
      'section',
      // An empty heading keeps the place of the one that the placement has on the server.
      (host.hasAttribute('heading') || isCarousel) &&
        element(
          'header',
          'header',
          element(heading ? 'h2' : 'i', 'heading', heading),
          ...(isCarousel ? ['previous', 'next'].map(arrow) : []),
        ),
      list,
      status,
    );
    if (isCarousel) section.className = 'c';
    // Whole rows where the limit allows: 6 as 3 + 3, 8 as 4 + 4.
    section.style.setProperty('--n', limit() % 4 ? Math.min(limit(), 3) : 4);
    root.replaceChildren(section);
  };

  const load = async () => {
    const mine = (turn = {});
    const reply = await ask(wish(), ids('cart'));
    if (turn !== mine || !host.isConnected) return; // asked again meanwhile, or gone
    if (reply?.items?.[0]) {
      show(reply);
    } else if (announce('error', reply) && !result) {
      // The shop's own fallback, else no gap in the page. A list on screen stays.
      const fallback = element('slot', 'fallback');
      fallback.name = 'fallback';
      root.replaceChildren(fallback);
      host.hidden = !host.querySelector('[slot=fallback]');
    }
    if (host.hasAttribute('live')) join(self);
  };

  const show = (next) => {
    self._result = result = next;
    fresh = host.hidden = false;
    if (!announce('render', next)) return;
    const before = cards;
    cards = new Map();
    next.items.forEach((item, index) => {
      const key = JSON.stringify(item);
      // A card whose item is the same stays the same element: its picture does not load or flash again.
      const li = before.get(key) || /** @type {Card} */ (makeCard(item));
      li._item = item;
      li._index = index;
      cards.set(key, li);
    });
    if (before.size) {
      // Browsers keep a carousel on the card it stands on, and would follow it to its new place.
      const left = list.scrollLeft;
      list.replaceChildren(...cards.values());
      list.scrollTo({ left, behavior: 'instant' });
    } else {
      frame(...cards.values());
    }
    inView.disconnect();
    cards.forEach((li) => inView.observe(li));
  };

  const track = (name, items) =>
    rec.track(name, {
      item_list_id: result.placement,
      rec_id: result.rec_id,
      items: items.map((li) => ({ item_id: li._item.item_id, index: li._index })),
    });

  /** Count an impression once per item and list. */
  const inView = new IntersectionObserver(
    (changes) => {
      // The array stands for this moment: a card that leaves, or leaves and returns, no longer carries it.
      for (const { target, isIntersecting } of changes) /** @type {Card} */ (target)._since = isIntersecting && changes;
      setTimeout(() => {
        const { rec_id: recId } = result;
        const seen = [...cards.values()].filter((li) => li._since === changes && li._seenIn !== recId);
        if (document.hidden || !seen[0]) return;
        seen.forEach((li) => (li._seenIn = recId));
        track('view_item_list', seen);
      }, SEEN_MS);
    },
    { threshold: 0.5 },
  );

  const click = (event) => {
    const li = event.target.closest('a')?.closest('li');
    if (event.button > 1 || !li?._item) return;
    track('select_item', [li]);
    if (!announce('click', { item: li._item, index: li._index, result })) event.preventDefault();
  };

  /** Show the fresh list, but never under the pointer or the focus. */
  const settle = () => {
    // After a tap, :hover stays on a touch screen.
    const inUse = matchMedia('(hover:none)').matches ? ':active' : ':hover';
    if (!fresh?.items?.[0] || host.matches(inUse + ',:focus-within')) return;
    const next = fresh;
    fresh = 0;
    if (!announce('update', next)) return;
    show(next);
    status.textContent = text('label-updated', 'Recommendations updated');
  };

  const self = {
    _wish: wish,
    _cart: () => ids('cart'),
    _start: () => {
      if (result || text('loading') !== 'lazy') {
        load();
      } else {
        new IntersectionObserver(([{ isIntersecting }], observer) => {
          if (!isIntersecting) return;
          observer.disconnect();
          load();
        }, NEAR).observe(host);
      }
    },
    _stop: () => leave(self),
    _change: () => {
      cards.clear();
      load();
    },
    _update: (next) => {
      fresh = next;
      settle();
    },
  };

  root.adoptedStyleSheets = [sheet];
  frame(...Array.from({ length: limit() }, () => makeCard({})));
  list.ariaHidden = 'true';
  // :hover and :focus change after the event.
  host.addEventListener('pointerleave', () => setTimeout(settle));
  host.addEventListener('focusout', () => setTimeout(settle));
  addEventListener('rec:consent', self._change);
  return self;
};
