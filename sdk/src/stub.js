/**
 * What stands in the page before the script: calls wait in it, and when the visitor leaves before the script came, what was
 * tracked is sent as it is. Built to be copied into the page; nothing loads it.
 *
 * It sends only where nobody has to be asked: without a data layer that may bring consent, and as the script tag, the
 * shopper's choice of an earlier page, calls of this page and Global Privacy Control allow.
 */
import { uuid7 } from './tracker/ids.js';

(() => {
  if (window.rec) return;
  const queue = [];
  const stub = (...call) => void queue.push(call);
  for (const method of ['track', 'page', 'identify', 'token', 'reset', 'consent', 'flush', 'use', 'on'])
    stub[method] = (...args) => stub(method, ...args);
  stub.recommend = (...args) =>
    new Promise((resolve) => addEventListener('rec:ready', () => setTimeout(() => resolve(rec.recommend(...args)))));
  stub.q = queue;
  window.rec = stub;
  addEventListener('pagehide', () => {
    if (rec !== stub) return; // the script is there
    const tag = /** @type {HTMLScriptElement | null} */ (document.querySelector('script[data-key]'));
    const options = { .../** @type {any} */ (tag?.dataset), ...window.recsite };
    if ('datalayer' in options || (navigator.globalPrivacyControl && options.gpc !== 'ignore')) return;
    let choice = options.consent || 'granted';
    let id;
    try {
      choice = localStorage.rec_consent || choice;
      id = JSON.parse(localStorage.rec_aid);
    } catch {
      // Storage that is denied, or holds nothing.
    }
    let user = [];
    const events = [];
    for (const [method, one, two] of queue.splice(0)) {
      if (method === 'consent') choice = one;
      if (method === 'identify') user = [one + '', two];
      if (method === 'track') events.push({ event_id: uuid7(), event: one, ts: Date.now(), params: two || {} });
    }
    if (choice !== 'granted' || !events[0]) return;
    navigator.sendBeacon(
      (options.host || new URL(tag?.src || location.href).origin) + '/v1/events',
      JSON.stringify({
        key: options.key,
        v: '1.0',
        sent_at: Date.now(),
        anonymous_id: id,
        user_id: user[0],
        user_token: user[1],
        events,
      }),
    );
  });
})();
