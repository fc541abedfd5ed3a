// Checks what has arrived of the site's pages, and shows it, until the page is left.
const box = document.getElementById('seen');
const STATES = {
  waiting: gettext('No event yet. Open a page of the shop with the snippet; this line changes by itself.'),
  unknown: gettext('Redis does not answer, so arriving events cannot be shown here; they are still collected.'),
};

const look = async () => {
  let delay = 2000;
  try {
    const answer = await fetch(box.dataset.url, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(5000) });
    const { state, newest, first_event_at: first } = await answer.json();
    if (state === 'seen') {
      const at = new Date(first).toLocaleString(document.documentElement.lang);
      const said = [interpolate(gettext('✓ We have seen your first event (%(at)s).'), { at }, true)];
      if (newest) {
        const time = new Date(newest.received_at_ms).toLocaleTimeString(document.documentElement.lang);
        said.push(interpolate(gettext('The newest: %(name)s, %(time)s.'), { name: newest.name, time }, true));
      }
      box.textContent = said.join(' ');
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

// The checklist: what the server saw, and whether a WebSocket comes through what stands before the server.
const list = document.getElementById('checks');
const MARKS = { done: '✓', waiting: '…', wrong: '!' };
const COLOURS = {
  done: 'bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400',
  waiting: 'bg-base-100 text-base-700 dark:bg-base-500/20 dark:text-base-400',
  wrong: 'bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400',
};
const STATES_SAID = { done: gettext('Done:'), waiting: gettext('Waiting:'), wrong: gettext('To do:') };
let live = { name: 'live', title: gettext('Live updates'), state: 'waiting', seen: gettext('Trying a WebSocket…'), remedy: '' };

const tryLive = () => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/v1/live');
  socket.onopen = () => {
    live = { ...live, state: 'done', seen: gettext('A WebSocket to this server opens.'), remedy: '' };
    socket.close();
    check();
  };
  socket.onerror = () => {
    if (live.state === 'done') return;
    const remedy = gettext('Let the proxy pass Upgrade and Connection for /v1/live, as deploy/nginx does. Lists work without it.');
    live = { ...live, state: 'wrong', seen: gettext('No WebSocket to this server opens.'), remedy };
    check();
    setTimeout(tryLive, 30_000);
  };
};

const element = (tag, className, ...children) => {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
};

const draw = (checks) => {
  const lines = checks.map(({ name, title, state, seen, remedy }) => {
    const mark = element('span', `shrink-0 px-2 rounded-default font-semibold ${COLOURS[state]}`, MARKS[state]);
    mark.setAttribute('aria-hidden', 'true');
    const said = element('span', 'sr-only', `${STATES_SAID[state]} `);
    const head = element('p', 'font-medium text-important', said, title);
    const line = element('li', 'flex gap-3 items-start', mark, element('div', 'min-w-0 text-sm', head, element('p', '', seen)));
    if (remedy) line.lastChild.append(element('p', 'text-orange-700 dark:text-orange-400', remedy));
    line.dataset.check = name;
    line.dataset.state = state;
    return line;
  });
  const next = JSON.stringify(checks);
  if (list.dataset.shown === next) return; // a screen reader hears only what changed
  list.dataset.shown = next;
  list.replaceChildren(...lines);
};

let timer;
const check = async () => {
  clearTimeout(timer);
  try {
    const answer = await fetch(list.dataset.url, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(10_000) });
    const { checks, message } = await answer.json();
    draw(checks ? [...checks, live] : [{ name: 'store', title: gettext('Counts'), state: 'waiting', seen: message, remedy: '' }, live]);
  } catch {
    // No answer: the lines stay as they were.
  }
  clearTimeout(timer);
  timer = setTimeout(check, 3000);
};
if (list) {
  tryLive();
  check();
}
