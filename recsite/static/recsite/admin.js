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
