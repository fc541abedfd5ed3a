export const render = async ({ item, limit, heading, live }) =>
  `<main><rec-widget placement="pdp" item-id="${item.id}" limit="${limit}" heading="${heading}"${live ? ' live' : ''}><template><a data-bind="href:url"><b data-bind="text:title"></b></a><button data-rec-action="add_to_cart" data-bind="value:item_id; data-list:rec_id">+</button></template></rec-widget></main>`;
