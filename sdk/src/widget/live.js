/** Which widgets are live: the socket itself is a file of its own, which a page loads once one of its lists is. */
const widgets = new Set();

let client;

/** What the socket asks for, and where it brings its answers. */
const lists = () =>
  [...widgets].map((widget) => ({
    wish: widget._wish(),
    cart: widget._cart(),
    seen: widget._result?.rec_id,
    update: widget._update,
  }));

// A socket that cannot be loaded is no socket: lists stay as they are.
const look = () => client?.then((again) => again()).catch(() => (client = undefined));

/** Keep this widget's list fresh; widgets of one reply join with one message. */
export const join = (widget) => {
  widgets.add(widget);
  client ||= import(`${rec.host}/r/v${VERSION}/live.js`).then((live) => live.follow(lists));
  look();
};

/** Stop; the last one closes the socket. */
export const leave = (widget) => {
  if (widgets.delete(widget)) look();
};
