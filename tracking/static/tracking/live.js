// The live event debugger: requests the newest events each second while the page is in sight.
const root = document.getElementById('live');
const list = document.getElementById('live-list');
const filter = document.getElementById('live-filter');
const onlyRejected = document.getElementById('live-rejected');
const onlyMended = document.getElementById('live-mended');
const pause = document.getElementById('live-pause');
const state = document.getElementById('live-state');
const empty = document.getElementById('live-empty');
let events = [];
let isPaused = false;
let shown = '';

const element = (name, text, className = '', style = '') => {
  const made = document.createElement(name);
  made.textContent = text; // never as markup: names and params come from the page
  made.className = className;
  made.style.cssText = style;
  return made;
};

const line = (event) => {
  const item = element('li', '', 'border border-base-200 rounded-default px-3 py-2 dark:border-base-800');
  const details = document.createElement('details');
  details.dataset.id = event.event_id || '';
  const summary = element('summary', '', 'cursor-pointer', 'display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline');
  summary.append(element('time', new Date(event.received_at_ms).toLocaleTimeString(), 'text-sm'));
  const good = 'bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400';
  const bad = 'bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400';
  summary.append(element('span', event.error || event.name, `px-2 rounded-default font-medium ${event.error ? bad : good}`));
  summary.append(element('span', event.error ? `${event.field}: ${event.message}` : event.user_key, 'text-important', 'overflow-wrap:anywhere'));
  summary.append(element('span', [event.source, event.is_bot ? ['bot', event.bot_class].filter(Boolean).join(': ') : ''].filter(Boolean).join(' · '), 'text-sm'));
  let body = event.detail || '';
  try { body = JSON.stringify(JSON.parse(body), null, 2); } catch { /* cut, or not JSON: shown as it came */ }
  if (event.mends.length) {
    const word = interpolate(ngettext('%(n)s value mended', '%(n)s values mended', event.mends.length), { n: event.mends.length }, true);
    summary.append(element('span', word, 'px-2 rounded-default font-medium bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400'));
    const mends = element('ul', '', 'mt-2 text-sm', 'list-style:disc;padding-left:1.25rem');
    for (const mend of event.mends) {
      const isDropped = mend.became === undefined || mend.became === null;
      const was = isDropped ? gettext('%(path)s: %(value)s was dropped (%(done)s); %(remedy)s') : gettext('%(path)s: %(value)s was taken as %(became)s (%(done)s); %(remedy)s');
      mends.append(element('li', interpolate(was, mend, true), '', 'overflow-wrap:anywhere'));
    }
    details.append(mends);
  }
  details.prepend(summary);
  details.append(element('pre', body, 'mt-2 text-sm', 'white-space:pre-wrap;word-break:break-all'));
  item.append(details);
  return item;
};

const render = () => {
  const wanted = filter.value.trim().toLowerCase();
  const visible = events.filter((event) => (!onlyRejected.checked || event.error) && (!onlyMended.checked || event.mends.length)
    && (!wanted || [event.user_key, event.name, event.error, event.field, event.event_id].join(' ').toLowerCase().includes(wanted)));
  const print = JSON.stringify(visible);
  state.textContent = isPaused ? gettext('Paused') : interpolate(gettext('%(shown)s of %(all)s events'), { shown: visible.length, all: events.length }, true);
  empty.hidden = visible.length > 0;
  empty.textContent = events.length ? gettext('No event matches the filter.') : gettext('No event in the past hour. Open a page of the shop that has the snippet.');
  if (print === shown) return;
  shown = print;
  const open = new Set([...list.querySelectorAll('details[open]')].map((one) => one.dataset.id));
  list.replaceChildren(...visible.map(line));
  for (const one of list.querySelectorAll('details')) one.open = open.has(one.dataset.id) && one.dataset.id !== '';
};

const look = async () => {
  if (!isPaused && !document.hidden) {
    try {
      const answer = await fetch(root.dataset.url, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(5000) });
      const body = await answer.json();
      if (answer.ok) {
        events = body.events.map((event) => ({ source: 'browser', name: '', user_key: '', mends: [], ...event }));
        render();
      } else {
        state.textContent = body.message;
      }
    } catch {
      state.textContent = gettext('The server does not answer; trying again.');
    }
  }
  setTimeout(look, 1000);
};
filter.addEventListener('input', render);
onlyRejected.addEventListener('change', render);
onlyMended.addEventListener('change', render);
pause.addEventListener('click', () => {
  isPaused = !isPaused;
  pause.setAttribute('aria-pressed', String(isPaused));
  pause.textContent = isPaused ? gettext('Go on') : gettext('Pause');
  render();
});
look();
