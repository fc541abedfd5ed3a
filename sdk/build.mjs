/**
 * Build the browser files into tracking/static/recsite/, or verify the committed ones (--check).
 *
 * The built files are committed so that Django needs no Node; CI runs the check, which rebuilds in memory,
 * compares byte for byte and holds the size budgets.
 */
import { build } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here('package.json'), 'utf8'));
const OUT = here('../tracking/static/recsite/');

/** Largest gzip -9 size in bytes of each built file, its licence line included. */
export const BUDGET_BYTES = { 'tracker.js': 3600, 'widget.js': 4000, 'rec.js': 7500 };

/** Return the minified text of one entry of src/. */
const bundle = async (file) => {
  const result = await build({
    entryPoints: [here(`src/${file}`)],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
    legalComments: 'none',
    define: { VERSION: JSON.stringify(version) },
    // Private members of the widget class start with an underscore and are never part of the API.
    mangleProps: /^_/,
    banner: { js: `/*! rec.js ${version} | Apache-2.0 */` },
  });
  // Indentation inside template strings (the style sheet) survives minification; it means nothing to a browser.
  return result.outputFiles[0].text;
};

const main = async (check) => {
  let isGood = true;
  for (const [file, budget] of Object.entries(BUDGET_BYTES)) {
    const text = await bundle(file);
    const gzipBytes = gzipSync(text, { level: 9 }).length;
    const fits = gzipBytes <= budget;
    let state = 'written';
    if (check) {
      let committed = '';
      try { committed = readFileSync(OUT + file, 'utf8'); } catch { /* reported as stale below */ }
      state = committed === text ? 'up to date' : "stale: run 'npm run build' and commit the result";
      isGood &&= committed === text;
    } else {
      writeFileSync(OUT + file, text);
    }
    isGood &&= fits;
    console.log(`${file.padEnd(11)} ${text.length} bytes, gzip ${gzipBytes} of ${budget}${fits ? '' : ' TOO LARGE'}, ${state}`);
  }
  process.exitCode = isGood ? 0 : 1;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'));
