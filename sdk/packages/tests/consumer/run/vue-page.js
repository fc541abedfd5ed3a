import { app } from './vue.js';

window.faults = [];
window.root = app(window.props);
window.root.config.warnHandler = (said) => window.faults.push(said);
window.root.mount('#app');
