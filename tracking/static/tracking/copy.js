// Copy buttons, and questions before what cannot be undone.
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = gettext('Copied');
  } catch {
    getSelection().selectAllChildren(source); // without https there is no clipboard: select it for Ctrl-C
    button.textContent = gettext('Selected');
  }
  setTimeout(() => { button.textContent = gettext('Copy'); }, 1500);
});
document.addEventListener('submit', (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
