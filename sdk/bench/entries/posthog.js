import posthog from 'posthog-js';

const HOST = document.currentScript.dataset.host;
posthog.init('phc_test', { api_host: HOST, advanced_disable_flags: true, opt_out_useragent_filter: true });
window.sendEvent = (marker) => posthog.capture('add_to_cart', { marker });
window.isReady = true;
