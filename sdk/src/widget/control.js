/** What one widget does: keep its place, ask, show, and free all when it goes. */
import { card } from './card.js';
import { element } from './dom.js';
import { join, leave } from './live.js';
import { load } from './parts.js';
import { ask, whenReady } from './request.js';
import css from './style.css';

const NEAR = { rootMargin: '300px' }; // where `loading="lazy"` begins to load
const MOST_CARDS = 100;

const sheetOf = (text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
};

/** A constructed sheet needs no exception in a strict Content-Security-Policy. */
const look = sheetOf(css);
/** The attributes of the element stay the page's own: a framework compares them with what it wrote. */
const gone = sheetOf(':host{display:none!important}');

/** What fills, counts and updates cards: a file of its own, which comes while the first list is asked for. */
let more;
let coming;

/** Controllers of the widgets that are in the page. */
const connected = new Set();
addEventListener('rec:user', () => connected.forEach((each) => each._again()));

/** Set up the shadow tree of `host`, and return what the element and the socket may call. */
export const control = (host) => {
  const root = host.attachShadow({ mode: 'open' });
  let cards = new Map(); // by the JSON of their item
  /** @type {HTMLElement} */
  let list;
  let result;
  let failure;
  let turn; // the newest question
  let asked; // what it was, as text
  let drawn; // what the frame was made of, as text
  let template;
  let isQueued;
  let isOwn; // the page draws its items itself
  let isClipped; // by a box of the page, wherever the window stands
  let room; // cards that there is room for
  let stops = []; // ends the counting

  const status = element('div', 'status');
  status.role = 'status';

  const text = (name, fallback = '') => host.getAttribute(name) || fallback;
  const limit = () => +text('limit', '4');
  const isCarousel = () => text('layout', result?.layout) === 'carousel';
  const isLive = () => host.hasAttribute('live') && text('live') !== 'false';

  /** Return the comma-separated ids of an attribute. */
  const ids = (name) => text(name).match(/[^,\s]+/g) || [];

  /** What to ask the server for. */
  const wish = () => ({
    placement: text('placement'),
    limit: limit(),
    context_items: [...ids('item-id'), ...ids('context')],
    filter: text('filter') || undefined,
  });
  const cart = () => ids('cart');
  const question = () => JSON.stringify([wish(), cart()]);

  /** Whether nothing that a shopper looks at moves when the height changes: now, not when an observer last said so. */
  const isFree = () => {
    const { top, bottom } = host.getBoundingClientRect();
    // Above the window only where the browser holds on to what is in view.
    return (
      isClipped ||
      top > innerHeight ||
      (bottom <= 0 && CSS.supports('overflow-anchor:auto')) ||
      bottom + 1 > document.body.getBoundingClientRect().bottom
    );
  };

  /** Put the cards into the list, and keep room for as many as there were: what lies below must not jump. */
  const fillList = () => {
    room = result && (isCarousel() || isFree()) ? cards.size : Math.max(room, cards.size);
    list.ariaHidden = result ? null : 'true';
    list.replaceChildren(...cards.values());
    for (let n = cards.size; n < room; n++) {
      const free = card(template);
      if (result) free.ariaHidden = 'true';
      list.append(free);
    }
  };

  /** Build everything around the list. */
  const frame = () => {
    const heading = text('heading') || result?.heading;
    const section = element('section', 'section');
    root.adoptedStyleSheets = [look];
    list = element('ul', 'list');
    list.role = 'list'; // Safari forgets it without bullets
    list.ariaLabel = heading || text('label', 'Recommendations');
    fillList();
    // An empty heading keeps the place of the one that the placement has on the server.
    if (host.hasAttribute('heading') || isCarousel())
      section.append(
        element(
          'header',
          'header',
          element(heading ? 'h2' : 'i', 'heading', heading),
          ...(isCarousel() && more ? more.arrows(host, list, isFree) : []),
        ),
      );
    section.append(list, status);
    if (isCarousel()) section.className = 'c';
    // Whole rows where the limit allows: 6 as 3 + 3, 8 as 4 + 4.
    section.style.setProperty('--n', limit() % 4 ? Math.min(limit(), 3) : 4);
    root.replaceChildren(section);
  };

  /** Draw what is known, in the frame that is there when that `isSame`. */
  const draw = (isSame) => {
    const before = cards;
    cards = new Map();
    if (!result) room = Math.min(limit(), MOST_CARDS);
    result?.items.forEach((item, index) => {
      const key = JSON.stringify(item);
      // A card whose item is the same stays the same element: its picture does not load or flash again.
      const li = before.get(key) || card(template);
      more.fill(li, item, index, result, template, host.closest('[lang]')?.lang);
      cards.set(key, li);
    });
    if (isSame && before.size && isCarousel() === !!list.parentElement.className) {
      // Browsers keep a carousel on the card it stands on, and would follow it to its new place.
      const left = list.scrollLeft;
      fillList();
      list.scrollTo({ left, behavior: 'instant' });
    } else {
      frame();
    }
    watch();
  };

  const unwatch = () => stops.forEach((stop) => stop());

  const watch = () => {
    unwatch();
    stops = [...cards.values()].map((li, index) => more.observe(li, result.items[index], index, result));
  };

  /** Compare what is on the page with what was asked and drawn; once a turn, however much was changed. */
  const check = (changes) => {
    isQueued = 0;
    if (!connected.has(self)) return;
    const before = template;
    template = [host.template, document.getElementById(host.template), host.querySelector(':scope>template')].find(
      (each) => each?.content,
    );
    if (template !== before || (template && changes)) drawn = cards.clear();
    const now = [...host.attributes].map(({ name, value }) => name + value).join();
    if (now !== drawn) {
      drawn = now;
      if (!isOwn && !failure) draw();
    }
    if (isOwn) more.mark(host, result);
    if (failure) room = 1; // a fallback may have come
    release();
    if (question() === asked) follow();
    else if (asked || text('loading') !== 'lazy') askNow();
    else near.observe(host);
  };

  /** Take part in live updates, or no longer. */
  const follow = () => (isLive() && (result || failure) && !failure?.message ? join : leave)(self);

  const askNow = async () => {
    const mine = (turn = {});
    const isSame = asked === (asked = question());
    const isLost = () => {
      if (turn !== mine) return true;
      if (!connected.has(self)) asked = ''; // it asks again when it comes back
      return !asked;
    };
    const reply = await ask(wish(), cart(), isLost);
    await coming;
    if (isLost()) return; // asked again meanwhile, or gone
    if (reply?.items?.[0] && more) show(reply, isSame);
    else if (
      host.dispatchEvent(
        new CustomEvent('rec:error', { detail: reply, bubbles: true, composed: true, cancelable: true }),
      ) &&
      !result
    )
      fail(reply);
    follow();
  };

  /** The shop's own fallback, else nothing: in the place of the skeleton until that is out of view. */
  const fail = (reply) => {
    failure = reply || {};
    cards.clear(); // those of whoever was here before
    fillList();
    const slot = element('slot', 'fallback');
    slot.name = 'fallback';
    list.after(slot);
    list.parentElement.classList.add('e');
    release();
  };

  /** Give back the room that nothing fills, when nobody looks. */
  const release = () => {
    if (!room || !isFree()) return;
    if (failure) {
      room = 0;
      root.replaceChildren(root.querySelector('slot'));
      root.adoptedStyleSheets = isLive() || host.querySelector(':scope>[slot=fallback]') ? [look] : [look, gone];
    } else if (result && !isOwn && room > cards.size) {
      fillList();
    }
  };

  const show = (next, isSame = true) => {
    self._result = result = next;
    self.fresh = undefined;
    isSame &&= !failure;
    failure = undefined;
    isOwn = more.draw(host, next);
    if (!isOwn) draw(isSame);
  };

  const near = new IntersectionObserver((changes) => {
    if (!changes.at(-1).isIntersecting) return;
    near.disconnect();
    if (!asked) askNow();
  }, NEAR);

  const away = new IntersectionObserver((changes) => {
    const { isIntersecting, boundingClientRect: box } = changes.at(-1);
    isClipped = !isIntersecting && box.bottom > 0 && box.top < innerHeight;
    if (self.fresh) more?.settle(self);
    release();
  });

  const mutations = new MutationObserver(check);

  const self = {
    host,
    status,
    fresh: undefined, // an update that waits until it can be drawn
    fits: (size) => isOwn || isFree() || size <= room || (isCarousel() && room),
    show,
    _result: undefined,
    _wish: wish,
    _cart: cart,
    _update: (next) => {
      self.fresh = next;
      more?.settle(self);
    },
    _changed: () => {
      if (!isQueued) queueMicrotask(check);
      isQueued = 1;
    },
    _start: () => {
      connected.add(self);
      away.observe(host);
      mutations.observe(host, { childList: true, subtree: true });
      if (result && !isOwn) watch();
      check();
    },
    _stop: () => {
      connected.delete(self);
      leave(self);
      unwatch();
      for (const each of [near, away, mutations]) each.disconnect();
    },
    /** The shopper is somebody else: what is on screen, or waits to be, was not made for them. */
    _again: () => {
      result = self._result = self.fresh = undefined;
      asked && askNow();
    },
  };
  whenReady(
    () =>
      (coming ||= load('list')
        .then((file) => (more = file))
        .catch(() => {})),
  );
  return self;
};
