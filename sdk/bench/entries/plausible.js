import { init, track } from '@plausible-analytics/tracker';

const HOST = document.currentScript.dataset.host;
init({ domain: 'shop.test', endpoint: HOST + '/plausible', captureOnLocalhost: true });
window.sendEvent = (marker) => track('add_to_cart', { props: { marker } });
window.isReady = true;
