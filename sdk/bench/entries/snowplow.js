import { newTracker, trackStructEvent } from '@snowplow/browser-tracker';

const HOST = document.currentScript.dataset.host;
newTracker('sp', HOST, { appId: 'shop' });
window.sendEvent = (marker) => trackStructEvent({ category: 'shop', action: 'add_to_cart', label: marker });
window.isReady = true;
