/**
 * The tracker as functions. Every call is safe before `init`, when it waits as it does before the script tag's script is
 * there, and on a server, where it does nothing.
 */

/** Whether there is a page: on a server nothing is tracked, asked for, or touched. */
export const hasPage = typeof window !== 'undefined' && typeof document !== 'undefined';

/** Return `window.rec`: the tracker, or what keeps calls until it is there. */
export const queue = () =>
  (window.rec ||= function () {
    (window.rec.q ||= []).push(arguments);
  });

const call = (method, ...args) => (hasPage ? queue()(method, ...args) : undefined);

/**
 * Start, once per page: `init({ key: 'pk_…', host: 'https://recs.example.com' })`. Other options are those of the script tag.
 * On a page that has the script tag, too, the first of the two counts.
 */
export const init = ({ key, host, ...options } = {}) => {
  if (typeof key !== 'string' || !key.startsWith('pk_'))
    throw TypeError(`key: ${JSON.stringify(key)?.slice(0, 9)} is no publishable key; give one (pk_…) of the admin's`);
  if (!/^https?:\/\//.test(host))
    throw TypeError(`host: ${JSON.stringify(host)} is no address such as https://recs.example.com`);
  if (!hasPage) return;
  const given = Object.entries({ ...options, key, host: new URL(host).href.replace(/\/$/, '') });
  window.recsite = {
    ...window.recsite,
    ...Object.fromEntries(given.flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]]))),
  };
  queue();
  // Evaluated here, not when this package is imported: the tracker looks at the page.
  require('../../../src/tracker.js');
};

export const track = (name, params) => call('track', name, params);
export const page = (params) => call('page', params);
export const identify = (id, token, traits) => call('identify', id, token, traits);
export const renewToken = (renew) => call('token', renew);
export const reset = () => call('reset');
export const consent = (choice) => call('consent', choice);
export const flush = async () => call('flush');
export const use = (hook) => call('use', hook);

/** Return who is shopping; empty without consent, before `init`, and on a server. */
export const id = () => (hasPage && window.rec?.version ? window.rec.id() : {});

/** Listen; returns what ends it. */
export const on = (name, listener) => {
  if (!hasPage) return () => {};
  const heard = (event) => listener(event.detail);
  addEventListener('rec:' + name, heard);
  return () => removeEventListener('rec:' + name, heard);
};
