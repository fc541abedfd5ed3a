import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { App } from './react.mjs';

export const render = async (state) => renderToString(createElement(App, state));
