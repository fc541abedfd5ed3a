import { hydrateRoot } from 'react-dom/client';
import { app } from './react.jsx';

window.faults = [];
window.root = hydrateRoot(document.getElementById('app'), app(window.props), {
    onRecoverableError: (error) => window.faults.push(String(error)),
});
