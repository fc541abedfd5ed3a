import { renderToString } from 'vue/server-renderer';
import { make } from './vue.mjs';

export const render = (state) => renderToString(make(state, true));
