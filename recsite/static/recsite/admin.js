// Buttons that change what every shopper sees, or delete, ask first: data-confirm holds the question.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-confirm]');
  if (button && !confirm(button.dataset.confirm)) event.preventDefault();
});
