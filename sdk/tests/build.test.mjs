import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BUDGET_BYTES, keepReleased } from '../build.mjs';

const folder = mkdtempSync(join(tmpdir(), 'rec-build-')) + '/';
after(() => rmSync(folder, { recursive: true }));

const text = (version, more = '') => `/*! rec.js ${version} | Apache-2.0 */${more}`;
const release = (version, more) =>
  Object.keys(BUDGET_BYTES).forEach((file) => writeFileSync(folder + file, text(version, more)));

test('a new version keeps the files of the one before under its name, byte for byte', () => {
  release('1.0.0', 'old');
  assert.equal(keepReleased(folder, '1.0.0'), undefined, 'the same version is built again');
  assert.ok(!existsSync(folder + '1.0.0'));
  assert.equal(keepReleased(folder, '1.1.0'), '1.0.0');
  for (const file of Object.keys(BUDGET_BYTES))
    assert.equal(readFileSync(`${folder}1.0.0/${file}`, 'utf8'), text('1.0.0', 'old'));
  assert.equal(keepReleased(folder, '1.1.0'), '1.0.0', 'building twice is harmless');
});

test('what was released is never written over', () => {
  mkdirSync(folder + '2.0.0');
  writeFileSync(folder + '2.0.0/rec.js', text('2.0.0', 'as pages know it'));
  release('2.0.0', 'changed afterwards');
  assert.throws(() => keepReleased(folder, '2.1.0'), /2\.0\.0\/rec\.js is released and differs/);
  assert.equal(readFileSync(folder + '2.0.0/rec.js', 'utf8'), text('2.0.0', 'as pages know it'));
});
