/** The panel of each widget that says which list it shows, how it was made, and what is wrong with what was asked. */
import { element } from './dom.js';
import css from './overlay.css';

const REFRESH_MS = 500;

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** The last answer of each widget: a list, or why there is none. @type {WeakMap<Element, any>} */
const answers = new WeakMap();

/** Return the rows of a panel: `[name, text, is it a warning]`. */
const rowsOf = (answer) => {
  if (!answer) return [['state', 'not asked for yet', false]];
  const { error, message, field } = answer;
  if (error) {
    const text = typeof error === 'string' ? error : `${error.name}: ${error.message}`;
    return [
      ['error', text, true],
      ['field', field, true],
      ['said', message, true],
    ];
  }
  const { items, stage, fallback_reason: reason, model_version: model, variant, feature_age_ms: age } = answer;
  return [
    ['items', items.length, !items.length],
    ['stage', stage, false],
    ['reason', reason, false],
    ['model', model || 'none', false],
    ['variant', variant, false],
    ['age', age == null ? 'nothing known of this shopper' : `${(age / 1000).toFixed(1)} s`, false],
    ['rec_id', answer.rec_id && answer.rec_id.slice(0, 24) + '…', false],
    ...(answer.warnings || []).map((text) => ['warning', text, true]),
  ];
};

const panel = (widget) => {
  const rows = rowsOf(answers.get(widget) || widget.result).filter(([, text]) => text != null && text !== '');
  const list = element('dl', '');
  for (const [name, text, isWarning] of rows) {
    const value = element('dd', '', `${text}`);
    if (isWarning) value.className = 'warn';
    list.append(element('dt', '', name), value);
  }
  const problems = rows.filter(([, , isWarning]) => isWarning).length;
  const summary = element('summary', '', `${widget.placement || 'no placement'}${problems ? ` ⚠ ${problems}` : ''}`);
  const details = /** @type {HTMLDetailsElement} */ (element('details', 'debug', summary, list));
  details.open = true;
  return details;
};

/** Draw the panel of a widget; what it said before goes. */
const draw = (widget) => {
  const root = widget.shadowRoot;
  if (!root) return;
  if (root.adoptedStyleSheets.at(-1) !== sheet)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets.filter((each) => each !== sheet), sheet];
  const before = root.querySelector('[part=debug]');
  const next = panel(widget);
  if (before?.textContent === next.textContent) return;
  if (before) next.open = before.open;
  before?.remove();
  root.append(next);
};

const all = () => document.querySelectorAll('rec-widget').forEach(draw);

/** Say in the console what the server said; a warning is text, or the whole problem. */
const log = (kind) => (event) => {
  for (const one of [event.detail].flat()) {
    const text = typeof one === 'string' ? one : [one.error, one.placement, one.message].filter(Boolean).join(': ');
    console.warn(`rec: ${kind}: ${text}`, one);
  }
};

/** Follow the lists of the page from now on. */
export const start = () => {
  // After the widget has drawn.
  const later = (widget) => setTimeout(draw, 50, widget);
  for (const name of ['render', 'update', 'error'])
    addEventListener('rec:' + name, (/** @type {CustomEvent} */ event) => {
      const widget = /** @type {Element} */ (event.target);
      if (name === 'error') {
        console.warn(`rec: no list for ${widget.getAttribute('placement')}:`, event.detail);
      } else if (event.detail.warnings) {
        event.detail.warnings.forEach((text) => console.warn(`rec: ${event.detail.placement}: ${text}`));
      }
      answers.set(widget, event.detail);
      later(widget);
    });
  addEventListener('rec:warning', log('the server warns'));
  addEventListener('rec:reject', log('refused'));
  setInterval(all, REFRESH_MS); // widgets that come later, and what they draw again
  all();
};
