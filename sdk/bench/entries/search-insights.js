import aa from 'search-insights';

const HOST = document.currentScript.dataset.host;
aa('init', { appId: 'APP', apiKey: 'KEY', host: HOST, useCookie: true });
window.sendEvent = (marker) => aa('convertedObjectIDs', { eventName: marker, index: 'products', objectIDs: ['SKU1'] });
window.isReady = true;
