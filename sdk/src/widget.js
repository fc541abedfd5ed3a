/** The recommendation widget alone; it waits for the tracker on the same page. */
import { RecWidget } from './widget/element.js';
import { ask, whenReady } from './widget/request.js';

whenReady(() => {
  rec.recommend = ask;
});
if (!customElements.get('rec-widget')) customElements.define('rec-widget', RecWidget);
