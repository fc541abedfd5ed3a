/** Strategies by segment, in the form of a placement: another empty row as soon as the last one is used. */
(() => {
  function begin() {
    for (const rows of document.querySelectorAll('[data-by-segment]')) {
      rows.addEventListener('change', () => {
        const last = rows.lastElementChild;
        if (![...last.querySelectorAll('select')].some((select) => select.value)) return;
        const next = last.cloneNode(true);
        for (const select of next.querySelectorAll('select')) {
          select.value = '';
          select.id = select.id.replace(/\d+$/, (number) => Number(number) + 1);
        }
        rows.append(next);
      });
    }
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
