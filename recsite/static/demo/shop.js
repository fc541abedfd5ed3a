/**
 * The demo shop's own script: what an ordinary shop would write to use Recsite, and the drawer that shows it at work.
 * No inline code anywhere, so that the strictest Content-Security-Policy holds.
 */
/** Calls before rec.js is there wait in `q`; it replays them. */
const early = (...call) => (early.q ||= []).push(call);
const rec = (...call) => (window.rec ||= early)(...call);
const find = (selector) => document.querySelector(selector);
const json = (id) => JSON.parse(document.getElementById(id)?.textContent || 'null');
const { user, token } = document.body.dataset;

/* How long from an event to a changed list. The hook sees every event; the widget says when it changed. */
const EVENTS = { view_item: 'product seen', select_item: 'click', add_to_cart: 'put into the cart', remove_from_cart: 'taken out', purchase: 'order', search: 'search', identify: 'logged in' };
const pulses = JSON.parse(sessionStorage.getItem('shop_pulses') || '[]');
let last;
const drawer = find('[data-drawer]');
const eye = find('[data-drawer-open]');
rec('use', (event) => {
  if (EVENTS[event.event]) last = { name: event.event, at: performance.now() };
  if (drawer.open) later(showKnowledge, 600);
});
/* A list that first came long after the event (further down the page) says nothing of how soon it changed. */
const shownAt = new WeakMap();
document.addEventListener('rec:render', ({ target }) => shownAt.has(target) || shownAt.set(target, performance.now()));
document.addEventListener('rec:update', (event) => {
  if (!last || shownAt.get(event.target) > last.at + 500) return;
  pulses.unshift({ name: last.name, list: event.target.getAttribute('heading'), ms: Math.round(performance.now() - last.at) });
  pulses.length = Math.min(pulses.length, 6);
  sessionStorage.setItem('shop_pulses', JSON.stringify(pulses));
  showPulses(true);
});

/* Who shops: forget the last shopper when somebody else took over, and name the one who is logged in. */
if (/(?:^|; )shop_switched=1/.test(document.cookie)) {
  document.cookie = 'shop_switched=;path=/;max-age=0';
  rec('reset');
}
if (user) rec('identify', user, token);

/* What this page has to tell, written by the server as data. */
for (const [name, params] of json('page-events') || []) rec('track', name, params);

/* The cart, without leaving the page: the list that goes with it changes while one looks. */
const params = json('item-params');
find('[data-cart-form]')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  const quantity = Math.max(1, Number(form.elements.quantity.value) || 1);
  rec('track', 'add_to_cart', { ...params, value: params.value && params.value * quantity, items: params.items.map((item) => ({ ...item, quantity })) });
  try {
    const reply = await fetch(form.action, { method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(8000) });
    if (!reply.ok) throw Error(reply.statusText);
    const { count } = await reply.json();
    const badge = find('[data-cart-count]');
    badge.textContent = count;
    badge.hidden = !count;
    say('It is in the cart');
  } catch {
    form.submit(); // the ordinary way
  }
});
for (const form of document.querySelectorAll('[data-remove]')) {
  form.addEventListener('submit', () => rec('track', 'remove_from_cart', { items: [{ item_id: form.dataset.remove }] }));
}
for (const select of document.querySelectorAll('.filters select, .filters input[type=checkbox]')) {
  select.addEventListener('change', () => select.form.requestSubmit());
}
document.addEventListener('click', ({ target }) => {
  const open = find('.who[open]');
  if (open && !open.contains(target)) open.open = false;
});

/* Search results in this shopper's order, and back. The server's order stands until the answer is there, and without one. */
const order = find('[data-rerank]');
if (order) {
  const list = order.nextElementSibling;
  const byRelevance = [...list.children];
  let mine;
  const show = (isMine) => {
    for (const button of order.children) button.setAttribute('aria-pressed', (button.dataset.order === 'you') === isMine);
    list.replaceChildren(...(isMine ? mine : byRelevance));
    sessionStorage.setItem('shop_order', isMine ? 'you' : 'relevance');
  };
  const rerank = async () => {
    const { session_id: _, ...who } = window.rec.id();
    const items = byRelevance.map((li) => li.dataset.item);
    try {
      const reply = await fetch(`${window.rec.host}/v1/rank`, {
        method: 'POST',
        body: JSON.stringify({ key: window.rec.key, ...who, placement: order.dataset.rerank, items, fields: ['item_id'] }),
        signal: AbortSignal.timeout(5000),
      });
      if (!reply.ok) throw Error((await reply.json()).message);
      const [result] = (await reply.json()).results;
      if (!['personalised', 'session'].includes(result.stage)) return; // nobody knows this shopper yet
      const places = new Map(result.items.map((item, place) => [item.item_id, place]));
      const place = (li) => places.get(li.dataset.item) ?? items.length; // what is sold out goes last
      mine = [...byRelevance].sort((a, b) => place(a) - place(b));
      list.addEventListener('click', ({ target }) => {
        const item = target.closest('li')?.dataset.item;
        if (item && places.has(item)) rec('track', 'select_item', { item_list_id: result.placement, rec_id: result.rec_id, items: [{ item_id: item, index: places.get(item) }] });
      });
      order.hidden = false;
      order.addEventListener('click', ({ target }) => target.dataset.order && show(target.dataset.order === 'you'));
      show(sessionStorage.getItem('shop_order') !== 'relevance');
    } catch (error) {
      console.warn('The results stay in their order:', error);
    }
  };
  if (byRelevance[0]?.dataset.item) window.rec?.version ? rerank() : addEventListener('rec:ready', rerank, { once: true });
}

let toastTimer;
function say(text) {
  const toast = find('[data-toast]');
  toast.textContent = text;
  toast.classList.add('is-up');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove('is-up'), 2400);
}

/* The drawer. */
eye.hidden = false;
eye.addEventListener('click', () => {
  drawer.showModal();
  showKnowledge();
});
drawer.addEventListener('click', (event) => event.target === drawer && drawer.close());

let timer;
function later(work, ms) {
  clearTimeout(timer);
  timer = setTimeout(work, ms);
}

async function showKnowledge() {
  const place = find('[data-knowledge]');
  try {
    const reply = await fetch(place.dataset.url, { headers: { 'X-Drawer': '1' }, signal: AbortSignal.timeout(5000) });
    if (!reply.ok) throw Error(reply.statusText);
    // Our own server's template, with every value escaped there; DOMParser runs no script.
    place.replaceChildren(...new DOMParser().parseFromString(await reply.text(), 'text/html').body.childNodes);
  } catch (error) {
    place.textContent = `Cannot be read just now (${error.message}).`;
  }
  if (drawer.open) later(showKnowledge, 3000);
}

function showPulses(isNew) {
  if (!pulses.length) return;
  find('[data-latency]').textContent = `${pulses[0].ms} ms`;
  find('[data-pulse]').replaceChildren(
    ...pulses.map(({ name, list, ms }) => {
      const line = document.createElement('li');
      const time = document.createElement('b');
      time.textContent = `${ms} ms`;
      line.append(`${EVENTS[name]} → “${list}” changed`, time);
      return line;
    }),
  );
  if (!isNew) return;
  eye.classList.remove('is-live');
  requestAnimationFrame(() => eye.classList.add('is-live'));
}
showPulses(false);

/* While the demo counts its history and trains, the page says so, and offers the lists once they are personal. */
const waits = find('[data-waits]');
async function showProgress() {
  try {
    const reply = await fetch(waits.dataset.waits, { signal: AbortSignal.timeout(5000) });
    const { waits_for: text } = await reply.json();
    if (!text) {
      waits.classList.add('is-done');
      waits.querySelector('span').remove();
      waits.querySelector('a').hidden = false;
      return;
    }
    waits.querySelector('span').textContent = `The shop is open while ${text}. For about a minute, lists are the same for everybody.`;
  } catch {
    /* asked again below */
  }
  setTimeout(showProgress, 2000);
}
if (waits) showProgress();
