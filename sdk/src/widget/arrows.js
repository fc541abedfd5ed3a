/** The two buttons of a carousel, which scroll it by what is in view. */
import css from './arrows.css';
import { element } from './dom.js';

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** Return them; `host` says their labels and its direction. */
export const arrows = (host, list) => {
  host.shadowRoot.adoptedStyleSheets.push(sheet);
  return ['previous', 'next'].map((name, n) => {
    const button = element('button', 'arrow', '›');
    button.ariaLabel = host.getAttribute('label-' + name) || name;
    button.onclick = () => list.scrollBy(host.matches(':dir(rtl)') === !!n ? -list.clientWidth : list.clientWidth, 0);
    return button;
  });
};
