/**
 * Keeps what was typed into the form of a rule while one follows a link, and offers to drop it: in this tab alone, until
 * it is saved. A slider stands beside a strength, and says how much of the list it moves.
 */
(() => {
  const KEEP_MS = 12 * 3600 * 1000;

  const entries = (form) =>
    [...new FormData(form)].filter(([name, value]) => typeof value === 'string' && name !== 'csrfmiddlewaretoken' && name !== 'opened_revision');

  function fill(form, kept) {
    const byName = new Map();
    for (const [name, value] of kept) byName.set(name, [...(byName.get(name) ?? []), value]);
    for (const field of form.elements) {
      if (!field.name || field.type === 'hidden' || field.type === 'submit' || field.name === 'csrfmiddlewaretoken') continue;
      const values = byName.get(field.name) ?? [];
      if (field.type === 'checkbox' || field.type === 'radio') field.checked = values.includes(field.value);
      else if (field.multiple) for (const option of field.options) option.selected = values.includes(option.value);
      else if (values.length) field.value = values[0];
    }
    form.dispatchEvent(new Event('input', { bubbles: true }));
    for (const field of form.querySelectorAll('select')) field.dispatchEvent(new Event('change', { bubbles: true }));
  }

  function slider(form) {
    const field = form.querySelector('#id_strength');
    if (!field) return;
    const range = document.createElement('input');
    Object.assign(range, { type: 'range', min: 1, max: 20, step: 0.5, value: field.value || 2 });
    range.className = 'rs-slider';
    range.setAttribute('aria-label', gettext('Strength'));
    range.addEventListener('input', () => {
      field.value = range.value;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
    field.addEventListener('input', () => (range.value = field.value));
    const effect = document.createElement('output');
    effect.className = 'rs-quiet';
    const beside = document.querySelector('[data-moved]');
    const tell = () => {
      const size = beside.querySelectorAll('.rs-tries .rs-ranked > li').length;
      const n = beside.querySelectorAll('.rs-tries .rs-ranked .rs-pill').length;
      effect.textContent = size ? beside.dataset.moved.replace('{n}', n).replace('{size}', size) : '';
    };
    new MutationObserver(tell).observe(beside.querySelector('.rs-check'), { childList: true });
    tell();
    field.after(range, effect);
  }

  function begin() {
    const beside = document.querySelector('[data-check-url]');
    const form = beside?.closest('form');
    if (!form) return;
    const key = `recsite-draft:${location.pathname}`;
    const opened = JSON.stringify(entries(form));
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(key));
    } catch {
      /* nothing that can be read */
    }
    const hasErrors = document.querySelector('.errornote, .errorlist');
    if (kept && !hasErrors && Date.now() - kept.at < KEEP_MS && kept.opened === opened && JSON.stringify(kept.entries) !== opened) {
      fill(form, kept.entries);
      const note = document.createElement('p');
      note.className = 'rs-lead';
      note.setAttribute('role', 'status');
      note.textContent = `${gettext('What you had typed was kept.')} `;
      const drop = document.createElement('button');
      drop.type = 'button';
      drop.className = 'rs-button';
      drop.textContent = gettext('Drop it');
      drop.addEventListener('click', () => {
        sessionStorage.removeItem(key);
        location.reload();
      });
      note.append(drop);
      beside.prepend(note);
    }
    slider(form);
    form.addEventListener('input', () => sessionStorage.setItem(key, JSON.stringify({ at: Date.now(), opened, entries: entries(form) })));
    form.addEventListener('submit', () => sessionStorage.removeItem(key));
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
