/** The two buttons of a carousel, which scroll it by what is in view. */
import css from './arrows.css';
import { element } from './dom.js';

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** The server chose a carousel in the place of the skeleton's grid: keep its height until nobody looks. */
const keepHeight = (host, list, height, isFree) => {
  list.style.minHeight = height + 'px';
  const gone = new IntersectionObserver((changes) => {
    if (changes.at(-1).isIntersecting || !isFree()) return;
    list.style.minHeight = '';
    gone.disconnect();
  });
  gone.observe(host);
};

/** Return them; `host` says their labels and its direction. */
export const arrows = (host, list, isFree) => {
  const root = host.shadowRoot;
  root.adoptedStyleSheets.push(sheet);
  if (!host.getAttribute('layout') && !isFree()) keepHeight(host, list, root.querySelector('ul').offsetHeight, isFree);
  return ['previous', 'next'].map((name, n) => {
    const button = element('button', 'arrow', '›');
    button.ariaLabel = host.getAttribute('label-' + name) || name;
    button.onclick = () => list.scrollBy(host.matches(':dir(rtl)') === !!n ? -list.clientWidth : list.clientWidth, 0);
    return button;
  });
};
