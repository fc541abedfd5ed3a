/** Which recommendation brought the shopper to an item: kept from the click for 24 h, put on later items. */
import { attempt } from './page.js';
import { read, write } from './storage.js';

const WINDOW_MS = 864e5;
const KEPT = 100;

/** Remember the list of a `select_item`; put the remembered list on the items of every other event. */
export const attribute = (name, params) => {
  const items = params.items;
  if (!Array.isArray(items) || name === 'view_item_list') return;
  const clicked = attempt(() => read('rec_clicked').filter((click) => Date.now() - click?.[2] < WINDOW_MS), []);
  for (const item of items) {
    const recId = item.rec_id || params.rec_id;
    if (name !== 'select_item') item.rec_id = recId || clicked.findLast((each) => each[0] === item.item_id)?.[1];
    else if (recId) clicked.push([item.item_id, recId, Date.now()]);
  }
  if (name === 'select_item') write('rec_clicked', clicked.slice(-KEPT));
};
