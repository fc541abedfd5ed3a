/**
 * Beside the form of a rule: what it does and what is wrong with it, asked of the server whenever she pauses.
 * Without scripts the same stands there after each save.
 */
(() => {
  const PAUSE_MS = 350;
  const TIMEOUT_MS = 8000;

  function begin() {
    const beside = document.querySelector('[data-check-url]');
    const form = beside?.closest('form');
    if (!form) return;
    const shown = beside.querySelector('.rs-check');
    let timer;
    let turn = 0;
    let last = '';

    const check = async () => {
      const fields = new FormData(form);
      const confirms = fields.get('confirms');
      fields.delete('confirms');
      const sent = new URLSearchParams(fields).toString();
      if (sent === last) return;
      last = sent;
      const mine = ++turn;
      beside.setAttribute('aria-busy', 'true');
      try {
        const reply = await fetch(beside.dataset.checkUrl, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body: sent,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (mine !== turn) return; // it answers an older form
        if (!reply.ok) throw Error(`${reply.status} ${reply.statusText}`);
        const page = new DOMParser().parseFromString(await reply.text(), 'text/html');
        if (mine !== turn) return;
        shown.replaceChildren(...page.body.childNodes);
        const box = shown.querySelector('[name=confirms]');
        if (box) box.checked = box.value === confirms; // other findings want another confirmation
      } catch (error) {
        if (mine === turn) {
          last = '';
          shown.textContent = interpolate(gettext('Cannot be checked just now (%(error)s). It is checked again when you publish.'), { error: error.message }, true);
        }
      } finally {
        if (mine === turn) beside.removeAttribute('aria-busy');
      }
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(check, PAUSE_MS);
    };
    form.addEventListener('input', soon);
    form.addEventListener('change', soon);
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})(); // names of their own: suggest.js is on the same page
