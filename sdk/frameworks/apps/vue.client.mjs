import { nextTick } from 'vue';
import { make, reactive } from './vue.mjs';

let app;
let state;
const start = (target, first, isServed) => {
  state = reactive({ ...first });
  app = make(state, isServed);
  app.mount(target);
};

window.app = {
  hydrate: (target, first) => start(target, first, true),
  mount: (target, first) => start(target, first, false),
  update: (next) => {
    Object.assign(state, next);
    return nextTick();
  },
  unmount: () => app.unmount(),
};
