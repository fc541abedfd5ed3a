/**
 * Beside a text area of numbers or names: a search box that offers what the catalogue has, and the names of what was
 * entered. Without scripts the text area alone does the same work.
 */
const WAIT_MS = 180;
const TIMEOUT_MS = 5000;

async function request(area, params) {
  const url = new URL(area.dataset.suggestUrl, location.href);
  const site = document.getElementById('id_site');
  url.search = new URLSearchParams({ kind: area.dataset.suggest, site: area.dataset.suggestSite || site?.value || '', ...params });
  const reply = await fetch(url, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!reply.ok) throw Error(`${reply.status} ${reply.statusText}`);
  return (await reply.json()).entries;
}

function lines(area) {
  return area.value.split('\n').map((line) => line.trim()).filter(Boolean);
}

function attach(area) {
  const search = document.createElement('input');
  const offered = document.createElement('ul');
  const named = document.createElement('ul');
  const title = document.querySelector(`label[for="${area.id}"]`)?.textContent.trim() || area.name;
  const listId = `${area.id}_offered`;
  let entries = [];
  let active = -1;
  let timer;
  let asked = 0;

  search.type = 'text';
  search.className = 'rs-input';
  search.placeholder = area.dataset.suggestHint;
  search.autocomplete = 'off';
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-label': interpolate(gettext('Search %(title)s'), { title }, true), 'aria-expanded': 'false', 'aria-controls': listId, 'aria-autocomplete': 'list' })) search.setAttribute(name, value);
  offered.id = listId;
  offered.className = 'rs-offered';
  offered.setAttribute('role', 'listbox');
  offered.setAttribute('aria-label', interpolate(gettext('Found for %(title)s'), { title }, true));
  offered.hidden = true;
  named.className = 'rs-named';
  named.setAttribute('aria-live', 'polite');
  const box = document.createElement('div');
  box.className = 'rs-suggest';
  area.before(box);
  box.append(search, offered);
  area.after(named);

  const close = () => {
    offered.hidden = true;
    active = -1;
    search.setAttribute('aria-expanded', 'false');
    search.removeAttribute('aria-activedescendant');
  };
  const mark = (index) => {
    active = index;
    [...offered.children].forEach((option, at) => option.setAttribute('aria-selected', String(at === active)));
    const option = offered.children[active];
    if (option) {
      search.setAttribute('aria-activedescendant', option.id);
      option.scrollIntoView({ block: 'nearest' });
    }
  };
  const take = (entry) => {
    const kept = lines(area);
    if (!kept.includes(entry.value)) area.value = [...kept, entry.value].join('\n');
    search.value = '';
    close();
    area.dispatchEvent(new Event('change', { bubbles: true }));
    tell();
  };
  const show = () => {
    offered.replaceChildren(
      ...entries.map((entry, at) => {
        const option = document.createElement('li');
        option.id = `${listId}_${at}`;
        option.setAttribute('role', 'option');
        option.textContent = entry.label === entry.value ? entry.value : `${entry.label} · ${entry.value}`;
        option.addEventListener('mousedown', (event) => {
          event.preventDefault();
          take(entry);
        });
        return option;
      }),
    );
    if (!entries.length) {
      const nothing = document.createElement('li');
      nothing.className = 'is-none';
      nothing.textContent = gettext('Nothing in the catalogue has that name.');
      offered.append(nothing);
    }
    offered.hidden = false;
    search.setAttribute('aria-expanded', 'true');
    mark(entries.length ? 0 : -1);
  };
  const find = async () => {
    const turn = ++asked;
    try {
      const found = await request(area, { q: search.value.trim() });
      if (turn !== asked) return;
      entries = found;
      show();
    } catch (error) {
      close();
      search.title = interpolate(gettext('Cannot search just now (%(error)s); type below.'), { error: error.message }, true);
    }
  };
  async function tell() {
    const wanted = lines(area);
    if (!wanted.length) return named.replaceChildren();
    try {
      const known = await request(area, { names: wanted.join('\n').slice(0, 8000) });
      named.replaceChildren(
        ...known
          .filter(({ value, label }) => label !== value)
          .map(({ value, label, near }) => {
            const line = document.createElement('li');
            const unknown = near ? gettext('%(value)s: not in the catalogue; did you mean %(near)s?') : gettext('%(value)s: not in the catalogue; check the spelling');
            line.textContent = label ? `${value}: ${label}` : interpolate(unknown, { value, near }, true);
            line.className = label ? '' : 'is-unknown';
            return line;
          }),
      );
    } catch {
      named.replaceChildren();
    }
  }

  search.addEventListener('input', () => {
    asked += 1; // what is on its way answers an older text
    entries = [];
    close(); // or Enter would take what the older text had offered
    clearTimeout(timer);
    timer = setTimeout(find, WAIT_MS);
  });
  search.addEventListener('focus', find);
  search.addEventListener('blur', close);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter') {
      event.preventDefault(); // never sends the form
      if (!offered.hidden && entries[active]) take(entries[active]);
    } else if (!offered.hidden && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      mark(Math.max(0, Math.min(entries.length - 1, active + (event.key === 'ArrowDown' ? 1 : -1))));
    }
  });
  area.addEventListener('change', tell);
  tell();
}

const begin = () => document.querySelectorAll('textarea[data-suggest]').forEach(attach);
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
else begin();
