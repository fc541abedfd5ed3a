// Buttons that change what every shopper sees, or delete, ask first: data-confirm holds the question.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-confirm]');
  if (button && !confirm(button.dataset.confirm)) event.preventDefault();
});

// Wide tables are cards on a phone: each cell says of which column it is.
addEventListener('DOMContentLoaded', () => {
  for (const table of document.querySelectorAll('.rs-table.is-wide')) {
    const titles = [...table.querySelectorAll('thead th')].map((title) => title.textContent.trim());
    for (const row of table.querySelectorAll('tbody tr, tfoot tr')) {
      if (row.cells.length !== titles.length) continue; // one cell across the whole row
      for (const cell of row.querySelectorAll('td')) cell.dataset.label = titles[cell.cellIndex];
    }
    table.classList.add('is-labelled');
  }
});

// Fields whose widget Django or Unfold leaves without a name are called what the label of their row says: the halves of
// a date with a time, and what Select2 puts in the place of a choice, also in rows that are added later.
const UNNAMED = 'input:not([type=hidden], [type=submit]), select, textarea, .select2-selection, .select2-selection [role=textbox]';
const rowLabel = (field) => {
  const chosen = field.closest('.select2-container')?.previousElementSibling;
  const own = chosen?.id && document.querySelector(`label[for="${CSS.escape(chosen.id)}"]`);
  if (own) return own.textContent.trim();
  for (let row = field.parentElement; row && !row.matches('form, table, fieldset'); row = row.parentElement) {
    const label = row.querySelector('label, legend');
    if (label) return label.textContent.trim();
  }
  return '';
};
const nameFields = () => {
  for (const tip of document.querySelectorAll('.help-tooltip[aria-label]:not([role])')) tip.setAttribute('role', 'img');
  for (const field of document.querySelectorAll(UNNAMED)) {
    const isOfSelect2 = field.closest('.select2-container');
    if (field.ariaLabel || field.labels?.length || (field.title && !isOfSelect2)) continue;
    if (field.hasAttribute('aria-labelledby') && !isOfSelect2) continue;
    const name = rowLabel(field);
    if (!name) continue;
    field.ariaLabel = name;
    field.removeAttribute('aria-labelledby');
  }
};
addEventListener('load', () => {
  nameFields();
  let isWaiting = false;
  new MutationObserver(() => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      nameFields();
    });
  }).observe(document.body, { subtree: true, childList: true });
});
