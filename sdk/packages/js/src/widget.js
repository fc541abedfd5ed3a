/** `<rec-widget>` out of the package: `defineWidget()` in the page; on a server it does nothing. */
import { hasPage } from './core.js';

export const defineWidget = () => {
  if (hasPage) require('../../../src/widget.js');
};
