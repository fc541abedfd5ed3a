import { createElement } from 'react';
import { flushSync } from 'react-dom';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { App } from './react.mjs';

let root;
const draw = (state) => flushSync(() => root.render(createElement(App, state)));

window.app = {
  hydrate: (target, state) => (root = hydrateRoot(target, createElement(App, state))),
  mount: (target, state) => {
    root = createRoot(target);
    draw(state);
  },
  update: draw,
  unmount: () => root.unmount(),
};
