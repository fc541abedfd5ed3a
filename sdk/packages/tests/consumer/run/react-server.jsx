import { renderToString } from 'react-dom/server';
import { app } from './react.jsx';

export const render = (props) => renderToString(app(props));
