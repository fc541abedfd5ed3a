/**
 * Runs a Tag Manager template and its own tests in Node: a stand-in for Tag Manager's sandbox, which only its editor has.
 *
 * It gives the template the APIs that it requires and nothing else of a page, holds each call to the template's permissions,
 * and knows of the assertions those that the tests use. The syntax that Tag Manager takes is ECMAScript 5.1 with a few
 * newer forms; a template that a newer form slips into is told by `forbiddenSyntax`.
 */
import assert from 'node:assert/strict';
import vm from 'node:vm';

/** Return the parts of a template by the name of their heading. */
export const partsOf = (text) =>
  Object.fromEntries(
    text
      .split(/^___([A-Z_]+)___$/m)
      .slice(1)
      .flatMap((part, i, all) => (i % 2 ? [] : [[part, all[i + 1].trim()]])),
  );

/** Return the tests of a template: a small part of YAML, as the editor writes it. */
export const scenariosOf = (text) =>
  text
    .split(/^- name: /m)
    .slice(1)
    .map((each) => {
      const [name, ...lines] = each.split('\n');
      const code = lines.slice(lines.findIndex((line) => line.trim() === 'code: |-') + 1);
      return { name, code: code.map((line) => line.slice(4)).join('\n') };
    });

const plain = (value) => value && JSON.parse(JSON.stringify(value));

/** Return what the template's permissions allow: globals to read and write, addresses of scripts. */
export const permissionsOf = (text) => {
  const found = { read: new Set(), write: new Set(), urls: [], apis: new Set() };
  for (const { instance } of JSON.parse(text)) {
    found.apis.add(instance.key.publicId);
    for (const { key, value } of instance.param) {
      if (key === 'urls') found.urls.push(...value.listItem.map(({ string }) => string));
      if (key !== 'keys') continue;
      for (const { mapKey, mapValue } of value.listItem) {
        const row = Object.fromEntries(
          mapKey.map(({ string }, i) => [string, mapValue[i].string ?? mapValue[i].boolean]),
        );
        if (row.read) found.read.add(row.key);
        if (row.write) found.write.add(row.key);
      }
    }
  }
  return found;
};

const matches = (pattern, url) =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '[^/]*')}$`).test(url);

/** Return names of syntax that Tag Manager's sandbox refuses. */
export const forbiddenSyntax = (code) => {
  const bare = code.replace(/\/\/.*|'(?:[^'\\]|\\.)*'/g, '');
  const names = {
    class: /\bclass\b/,
    async: /\basync\b/,
    spread: /\.\.\./,
    template: /`/,
    optional: /\?\./,
    nullish: /\?\?/,
  };
  return Object.keys(names).filter((name) => names[name].test(bare));
};

/** Run one scenario; `globals` is the window that the template changes. */
export const runScenario = (parts, { code }, globals = {}) => {
  const allowed = permissionsOf(parts.WEB_PERMISSIONS);
  const calls = [];
  const mocks = {};
  const check = (kind, name) => assert.ok(allowed[kind].has(name), `no permission to ${kind} ${name}`);
  const apis = {
    copyFromWindow: (name) => (check('read', name), globals[name]),
    setInWindow: (name, value, isForced) => {
      check('write', name);
      if (isForced || globals[name] === undefined) globals[name] = value;
      return true;
    },
    createArgumentsQueue: (name, queue) => {
      for (const each of [name, queue]) check('write', each);
      globals[name] ||= function () {
        (globals[name].q ||= []).push(arguments);
      };
      return globals[name];
    },
    injectScript: (url, onSuccess, onFailure) => {
      assert.ok(
        allowed.urls.some((each) => matches(each, url)),
        `no permission to inject ${url}`,
      );
      return globals.inject ? globals.inject(url, onSuccess, onFailure) : onSuccess();
    },
    logToConsole: () => assert.ok(allowed.apis.has('logging'), 'no permission to log'),
  };
  const spy =
    (name, fn) =>
    (...args) => {
      calls.push([name, ...args]);
      return (mocks[name] || fn)(...args);
    };
  const require = (name) => {
    assert.ok(apis[name], `the sandbox has no ${name}`);
    return spy(name, apis[name]);
  };
  const run = (source, names) => vm.runInNewContext(`'use strict';${source}`, names);
  const of = (name) => calls.filter(([each]) => each === name).map(([, ...args]) => args);
  run(code, {
    mock: (name, fn) => (mocks[name] = fn),
    runCode: (given) => {
      const ends = Object.fromEntries(
        ['gtmOnSuccess', 'gtmOnFailure'].map((name) => [name, spy(name, () => undefined)]),
      );
      run(parts.SANDBOXED_JS_FOR_WEB_TEMPLATE, { require, data: { ...plain(given), ...ends } });
    },
    assertApi: (name) => ({
      wasCalled: () => assert.ok(of(name).length, `${name} was not called`),
      wasNotCalled: () => assert.equal(of(name).length, 0, `${name} was called`),
      wasCalledWith: (...args) =>
        assert.ok(
          of(name).some((each) => JSON.stringify(each) === JSON.stringify(args)),
          `${name} was called with ${JSON.stringify(of(name))}, not with ${JSON.stringify(args)}`,
        ),
    }),
  });
  return { calls, globals };
};
