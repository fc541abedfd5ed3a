/**
 * A list steered by hand: cards are dragged, moved by keys or by their buttons. Each move is a button of the form, asked
 * of the server, which answers with the list as it would be; without scripts the buttons do the same.
 */
(() => {
  const PAUSE_MS = 300;
  const TIMEOUT_MS = 15_000;
  const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };

  function begin() {
    const form = document.querySelector('[data-steer]');
    if (!form) return;
    const part = form.querySelector('[data-part]');
    const live = form.querySelector('[data-live]');
    const words = (name, card, rank) =>
      form.dataset[name].replace('{item}', card.dataset.name).replace('{rank}', rank).replace('{size}', cards().length);
    const cards = () => [...part.querySelectorAll('[data-list] > [data-item]')];
    const grabs = () => [...part.querySelectorAll('[data-grab]')];
    const say = (text) => (live.textContent = text);
    let waiting = Promise.resolve();
    let newest = 0;
    let shown = ''; // the form as the list that stands there was made of it
    let dragged = null;
    let picked = null; // by keyboard: { card, from }

    const asked = () => new URLSearchParams(new FormData(form)).toString();
    /** Send one move, after those before it, and show what comes back; the focus stays on the card. */
    const move = (action, focus) => {
      const turn = ++newest;
      waiting = waiting.then(async () => {
        if (action === 'show' && (turn !== newest || picked || asked() === shown)) return; // shown later, or already
        const fields = new FormData(form);
        fields.set('do', action);
        part.setAttribute('aria-busy', 'true');
        try {
          const reply = await fetch(location.pathname, {
            method: 'POST',
            headers: { 'X-Steer': 'part', 'Content-Type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams(fields).toString(),
            signal: AbortSignal.timeout(TIMEOUT_MS),
          });
          if (!reply.ok) throw Error(`${reply.status}`);
          const page = new DOMParser().parseFromString(await reply.text(), 'text/html');
          picked = null;
          const open = document.activeElement?.id;
          part.replaceChildren(...page.body.childNodes);
          say(part.querySelector('[data-said]')?.textContent ?? '');
          part.querySelector('[data-said]')?.remove();
          wire();
          shown = asked();
          const found = focus && cards().find((card) => card.dataset.item === focus)?.querySelector('[data-grab]');
          if (found) settle(found);
          else if (open) document.getElementById(open)?.focus();
        } catch (error) {
          say(`${form.dataset.failed} (${error.message})`);
        } finally {
          part.removeAttribute('aria-busy');
        }
      });
      return waiting;
    };

    const settle = (grab) => {
      for (const each of grabs()) each.tabIndex = each === grab ? 0 : -1;
      grab.focus();
    };
    const wire = () => {
      const all = grabs();
      all.forEach((grab, at) => (grab.tabIndex = at ? -1 : 0));
    };
    const number = () => cards().forEach((card, at) => (card.querySelector('.rs-tile-rank').textContent = at + 1));
    const put = (card, rank) => {
      const others = cards().filter((each) => each !== card);
      const next = others[rank - 1];
      if (next) next.before(card);
      else part.querySelector('[data-list]').append(card);
      number();
    };
    const release = () => {
      if (!picked) return;
      put(picked.card, picked.from);
      picked.card.classList.remove('is-picked');
      const grab = picked.card.querySelector('[data-grab]');
      say(words('back', picked.card, picked.from));
      picked = null;
      settle(grab);
    };

    form.addEventListener('submit', (event) => {
      const button = event.submitter;
      const action = button?.value || 'show';
      if (['save', 'publish'].includes(action)) return;
      event.preventDefault();
      move(action, button?.closest('[data-item]')?.dataset.item);
    });

    document.addEventListener('keydown', (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === 'z' && !event.target.matches?.('input, textarea')) {
        event.preventDefault();
        move('undo');
        return;
      }
      const grab = event.target.closest?.('[data-grab]');
      if (!grab) return;
      const card = grab.closest('[data-item]');
      const rank = cards().indexOf(card) + 1;
      if (event.key in STEPS) {
        event.preventDefault();
        const to = Math.max(1, Math.min(cards().length, rank + STEPS[event.key]));
        if (picked) {
          put(card, to);
          settle(grab);
          say(words('rank', card, to));
        } else settle(cards()[to - 1].querySelector('[data-grab]'));
      } else if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault(); // or the button is clicked, too
        if (event.repeat) return;
        if (picked) move(`pin:${rank}:${card.dataset.item}`, card.dataset.item);
        else {
          picked = { card, from: rank };
          card.classList.add('is-picked');
          say(words('picked', card, rank));
        }
      } else if (event.key === 'Escape' && picked) {
        event.preventDefault();
        release();
      } else if (event.key === 'Delete' || event.key === 'Backspace') {
        event.preventDefault();
        if ('pinned' in card.dataset) move(`unpin:${card.dataset.item}`, card.dataset.item);
        else say(words('unpinned', card, rank));
      } else if (event.key === 'Tab') release();
    });

    const target = (event) => event.target.closest?.('[data-list] > [data-item], [data-zone]');
    const clear = () => part.querySelectorAll('.is-over').forEach((each) => each.classList.remove('is-over'));
    form.addEventListener('dragstart', (event) => {
      dragged = event.target.closest?.('[data-item]') ?? null;
      if (!dragged) return;
      event.dataTransfer.effectAllowed = 'move';
      event.dataTransfer.setData('text/plain', dragged.dataset.item);
      dragged.classList.add('is-dragged');
      form.classList.add('is-dragging');
    });
    document.addEventListener('dragover', (event) => {
      if (!dragged) return;
      event.preventDefault(); // whatever is no card and no zone is outside: there it is unpinned
      clear();
      target(event)?.classList.add('is-over');
    });
    document.addEventListener('drop', (event) => {
      if (!dragged) return;
      event.preventDefault();
      const { item, rank } = dragged.dataset;
      const over = target(event);
      const isPinned = 'pinned' in dragged.dataset;
      if (over?.dataset.zone === 'exclude') move(`exclude:${item}`);
      else if (over?.dataset.rank) {
        if (over !== dragged) move(`pin:${over.dataset.rank}:${item}`, item);
      } else if (isPinned) move(`unpin:${item}`, item);
      else if (rank) say(words('unpinned', dragged, rank));
    });
    document.addEventListener('dragend', () => {
      dragged?.classList.remove('is-dragged');
      form.classList.remove('is-dragging');
      dragged = null;
      clear();
    });

    let timer;
    const soon = (event) => {
      if (event.target.closest('[data-part]')) return;
      clearTimeout(timer);
      timer = setTimeout(() => move('show'), PAUSE_MS);
    };
    form.addEventListener('input', soon);
    form.addEventListener('change', soon);
    wire();
    shown = asked();
    form.dataset.steer = 'ready';
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
