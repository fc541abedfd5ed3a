import { RudderAnalytics } from '@rudderstack/analytics-js';

// Measured for its size only: without its control plane it does not start.
window.rudder = new RudderAnalytics();
