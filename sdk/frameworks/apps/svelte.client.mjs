import { flushSync, hydrate, mount, unmount } from 'svelte';
import App from './App.svelte';
import { follow } from './state.svelte.js';

let app;
let state;
const start = (how) => (target, first) => {
  state = follow({ ...first });
  app = how(App, { target, props: { state } });
  flushSync();
};

window.app = {
  hydrate: start(hydrate),
  mount: start(mount),
  update: (next) => {
    Object.assign(state, next);
    flushSync();
  },
  unmount: () => unmount(app),
};
