// Checks whether an event of the site has arrived, until one has.
const box = document.getElementById('seen');
const STATES = {
  waiting: 'No event yet. Open a page of the shop with the snippet; this line changes by itself.',
  unknown: 'Redis does not answer, so arriving events cannot be shown here; they are still collected.',
};

const look = async () => {
  let delay = 2000;
  try {
    const answer = await fetch(box.dataset.url, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(5000) });
    const { state, newest, first_event_at: first } = await answer.json();
    if (state === 'seen') {
      const last = newest ? ` The newest: ${newest.name}, ${new Date(newest.received_at_ms).toLocaleTimeString()}.` : '';
      box.textContent = `✓ We have seen your first event (${new Date(first).toLocaleString()}).${last}`;
      box.className = 'px-3 py-2.5 rounded-default bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400';
      delay = 5000;
    } else {
      box.textContent = STATES[state];
    }
  } catch {
    delay = 5000;
  }
  setTimeout(look, delay);
};
if (box) look();
