/** `<rec-widget placement="…" item-id="…" limit="4" heading="…" layout="grid|carousel" loading="lazy" live>`. */
import { card } from './card.js';
import { element } from './dom.js';
import { join, part } from './live.js';
import { ask } from './request.js';
import { styleSheet } from './style.js';

const SEEN_MS = 1e3; // an impression: half of the card in view for a second
const NEAR = '300px';

export class RecWidget extends HTMLElement {
  static get observedAttributes() {
    return ['placement', 'item-id', 'limit', 'context', 'cart', 'heading', 'layout'];
  }

  connectedCallback() {
    if (!this.shadowRoot) {
      this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [styleSheet()];
      this._seen = new Set();
      this._showSkeleton();
      this.addEventListener('pointerleave', () => this._settle());
      this.addEventListener('focusout', () => setTimeout(() => this._settle()));
      addEventListener('rec:consent', () => this.isConnected && this._load());
    }
    this._inView = new IntersectionObserver((changes) => changes.forEach((change) => this._watch(change)), {
      threshold: 0.5,
    });
    if (this._result) {
      this._observe();
    } else if (this._text('loading') === 'lazy') {
      this._near = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this._load(), { rootMargin: NEAR });
      this._near.observe(this);
    } else {
      this._load();
    }
  }

  disconnectedCallback() {
    this._inView.disconnect();
    this._near?.disconnect();
    part(this);
  }

  attributeChangedCallback(name, before, after) {
    if (this.isConnected && this.shadowRoot && before !== after) {
      part(this);
      this._load();
    }
  }

  /** Ask again, as after a change of the cart. */
  refresh() {
    return this._load();
  }

  _text(name, fallback) {
    return this.getAttribute(name) || fallback;
  }

  _limit() {
    return +this._text('limit') || 4;
  }

  _list(name) {
    return this._text(name)?.split(',').map((id) => id.trim()).filter(Boolean);
  }

  _cart() {
    return this._list('cart');
  }

  /** What to ask the server for. */
  _wish() {
    const context = [this._text('item-id'), ...(this._list('context') || [])].filter(Boolean);
    return {
      placement: this._text('placement'),
      limit: this._limit(),
      context_items: context.length ? context : undefined,
    };
  }

  _announce(name, detail) {
    return this.dispatchEvent(new CustomEvent('rec:' + name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  async _load() {
    this._near?.disconnect();
    const turn = (this._turn = (this._turn || 0) + 1);
    let result;
    let error;
    try {
      result = await ask(this._wish(), this._cart());
    } catch (reason) {
      error = reason;
    }
    if (turn !== this._turn || !this.isConnected) return; // asked again meanwhile, or gone
    if (result?.items?.length) this._show(result);
    else this._fail(error || Error('rec: no items'));
    if (this.hasAttribute('live')) join(this);
  }

  /** Nothing to show: the shop's own fallback, else no gap in the page. A list on screen stays. */
  _fail(error) {
    if (!this._announce('error', { error }) || this._result) return;
    if (this.querySelector('[slot=fallback]')) this.shadowRoot.replaceChildren(element('slot', { name: 'fallback' }));
    else this.hidden = true;
  }

  _frame(cards, isBusy) {
    const columns = this._limit() > 6 ? 4 : this._limit();
    const isCarousel = this._text('layout') === 'carousel';
    const heading = this._text('heading');
    const arrow = (label, direction) => {
      const button = element('button', { type: 'button', part: 'arrow', 'aria-label': label });
      button.onclick = () => {
        const sign = getComputedStyle(this).direction === 'rtl' ? -direction : direction;
        this._items.scrollBy({ left: sign * this._items.clientWidth });
      };
      return button;
    };
    this._items = element('ul', { part: 'list', role: 'list', 'aria-hidden': isBusy ? 'true' : null }, ...cards);
    this._status = element('div', { class: 'h', role: 'status' });
    const section = element(
      'section',
      {
        part: 'section',
        class: isCarousel ? 'c' : null,
        'aria-busy': isBusy ? 'true' : null,
        'aria-label': heading || this._text('label', 'Recommended products'),
      },
      heading || isCarousel
        ? element(
            'header',
            { part: 'header' },
            element('h2', { part: 'heading' }, heading || ''),
            ...(isCarousel ? [arrow(this._text('label-previous', 'Previous'), -1), arrow(this._text('label-next', 'Next'), 1)] : []),
          )
        : null,
      this._items,
      this._status,
    );
    section.style.setProperty('--n', columns);
    section.style.setProperty('--m', columns > 4 ? 3 : columns);
    this.shadowRoot.replaceChildren(section);
  }

  _card(item) {
    return card(item, this.querySelector('template'), this.closest('[lang]')?.lang);
  }

  _showSkeleton() {
    this._frame(Array.from({ length: this._limit() }, () => this._card({})), true);
  }

  _show(result) {
    this._later = undefined;
    const before = this._cards || new Map();
    this._result = result;
    this.hidden = false;
    if (!this._announce('render', result)) return;
    // A card whose item is the same stays the same element: its picture does not load or flash again.
    this._cards = new Map();
    const cards = result.items.map((item, index) => {
      const same = before.get(item.item_id);
      const isSame = same && JSON.stringify(same._item) === JSON.stringify(item);
      const li = isSame ? same : this._card(item);
      if (!isSame && before.size) li.classList.add('f');
      li._item = item;
      li._index = index;
      this._cards.set(item.item_id, li);
      return li;
    });
    if (before.size) this._items.replaceChildren(...cards);
    else this._frame(cards);
    this._items.onclick = this._items.onauxclick = (event) => this._click(event);
    this._observe();
  }

  _observe() {
    this._inView.disconnect();
    this._cards?.forEach((li) => this._inView.observe(li));
  }

  /** Count an impression once per item and list. */
  _watch({ target, isIntersecting }) {
    clearTimeout(target._timer);
    const key = this._result.rec_id + target._item.item_id;
    if (!isIntersecting || this._seen.has(key)) return;
    const wait = () => {
      target._timer = setTimeout(() => {
        if (document.hidden) return wait();
        this._seen.add(key);
        (this._shown = this._shown || []).push(target);
        clearTimeout(this._batch);
        this._batch = setTimeout(() => rec.track('view_item_list', this._params(this._shown.splice(0))), 100);
      }, SEEN_MS);
    };
    wait();
  }

  _params(cards) {
    return {
      item_list_id: this._result.placement,
      rec_id: this._result.rec_id,
      items: cards.map((li) => ({ item_id: li._item.item_id, index: li._index })),
    };
  }

  _click(event) {
    const li = event.target.closest('li');
    if (event.button > 1 || !li?._item || !event.target.closest('a,button')) return;
    rec.track('select_item', this._params([li]));
    if (!this._announce('click', { item: li._item, index: li._index, result: this._result })) event.preventDefault();
  }

  /** A fresh list came: show it, but never under the pointer or the focus. */
  _update(result) {
    this._later = result;
    this._settle();
  }

  _settle() {
    const result = this._later;
    // After a tap, :hover stays on a touch screen.
    const inUse = matchMedia('(hover:none)').matches ? ':active,:focus-within' : ':hover,:focus-within';
    if (!result || this.matches(inUse)) return;
    this._later = undefined;
    if (!result.items?.length || !this._announce('update', result)) return;
    this._show(result);
    this._status.textContent = this._text('label-updated', 'Recommendations updated');
  }
}
