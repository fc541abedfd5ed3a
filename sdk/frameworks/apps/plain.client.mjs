/** The widget without a framework: elements made, changed and removed by hand. */
let target;
let widget;

const CARD =
  '<a data-bind="href:url"><b data-bind="text:title"></b></a><button data-rec-action="add_to_cart" data-bind="value:item_id; data-list:rec_id">+</button>';

const draw = ({ item, limit, heading, live }) => {
  if (widget?.key !== item?.key) {
    widget?.remove();
    widget = undefined;
    if (!item) return;
    widget = document.createElement('rec-widget');
    widget.key = item.key;
    const template = document.createElement('template');
    template.innerHTML = CARD;
    widget.append(template);
    target.append(widget);
  }
  if (widget) Object.assign(widget, { placement: 'pdp', itemId: item.id, limit, heading, live });
};

window.app = {
  hydrate: (root, state) => {
    target = root.querySelector('main');
    widget = root.querySelector('rec-widget');
    widget.key = state.item.key;
  },
  mount: (root, state) => {
    root.innerHTML = '<main></main>';
    target = root.firstChild;
    draw(state);
  },
  update: draw,
  unmount: () => {
    draw({});
    target.remove();
  },
};
