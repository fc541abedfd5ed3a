/** The recommendation widget alone; it waits for the tracker on the same page. */
import { RecWidget } from './widget/element.js';
import { load } from './widget/parts.js';
import { ask, whenReady } from './widget/request.js';

whenReady(() => {
  rec.recommend = ask;
  rec.observe = (...args) => {
    const stop = load('list').then((list) => list.observe(...args));
    return () => stop.then((end) => end());
  };
  if (/[?&]rec_debug/.test(location.search) || document.querySelector('script[data-debug]')) load('debug');
});
if (!customElements.get('rec-widget')) customElements.define('rec-widget', RecWidget);
