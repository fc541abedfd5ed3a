import { AnalyticsBrowser } from '@segment/analytics-next';

const HOST = document.currentScript.dataset.host;
const settings = { integrations: { 'Segment.io': { apiKey: 'KEY', apiHost: HOST.replace('http://', ''), protocol: 'http' } } };
const analytics = AnalyticsBrowser.load(
  { writeKey: 'KEY', cdnSettings: settings },
  { integrations: { 'Segment.io': { apiHost: HOST.replace('http://', ''), protocol: 'http' } } },
);
window.sendEvent = (marker) => void analytics.track('add_to_cart', { marker });
analytics.ready(() => (window.isReady = true));
