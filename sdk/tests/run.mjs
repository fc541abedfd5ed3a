/**
 * All tests of the SDK: `npm test`, or `npm test -- tests/stub.test.mjs` for some files.
 * With `--again`, up to three files that failed run once more, alone; those that pass then are named in the last lines.
 */
import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const AT_MOST = 3;
const TIMEOUT_MS = 300_000;
const PACKAGES = fileURLToPath(new URL('../packages/tests/packages.test.mjs', import.meta.url));

const all = () => [
  ...readdirSync(HERE)
    .filter((name) => name.endsWith('.test.mjs'))
    .map((name) => HERE + name),
  PACKAGES,
];

/** Run `files` and return those in which something failed; what happens is printed as it happens. */
const failedFiles = (files, concurrency) =>
  new Promise((resolve, reject) => {
    const failed = new Set();
    const stream = run({ files, concurrency, timeout: TIMEOUT_MS });
    stream.on('test:fail', ({ file, name }) => failed.add(file || name));
    stream.on('error', reject);
    const told = stream.compose(new spec());
    told.on('end', () => resolve([...failed]));
    told.pipe(process.stdout, { end: false });
  });

const names = (files) => files.map((file) => relative(process.cwd(), file)).join(', ');

const given = process.argv.slice(2);
const again = given.includes('--again');
const chosen = given.filter((each) => each !== '--again');
let failed = await failedFiles(chosen.length ? chosen : all(), 3);
if (failed.length && again && failed.length <= AT_MOST) {
  const first = failed;
  console.log(`\nOnce more, alone: ${names(first)}\n`);
  failed = await failedFiles(first, 1);
  const passed = first.filter((file) => !failed.includes(file));
  if (passed.length) console.log(`\nPassed only at the second go: ${names(passed)}`);
}
if (failed.length) {
  console.log(`\nFailed: ${names(failed)}`);
  process.exitCode = 1;
}
