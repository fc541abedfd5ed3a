/**
 * Build the browser files into tracking/static/recsite/, or verify the committed ones (--check).
 *
 * The built files are committed so that Django needs no Node; CI runs the check, which rebuilds in memory,
 * compares byte for byte and holds the size budgets.
 */
import { build, transform } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here('package.json'), 'utf8'));
const OUT = here('../tracking/static/recsite/');

/** Largest gzip -9 size in bytes of each built file, its licence line included. */
export const BUDGET_BYTES = { 'tracker.js': 3600, 'widget.js': 4000, 'rec.js': 7500 };

/** Style sheets are ordinary .css files, imported as minified text. */
const cssText = {
  name: 'css-text',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true, target: 'chrome120' });
      // esbuild keeps blanks in custom properties; none of ours needs one after a comma or colon.
      return { contents: code.trim().replace(/([,:]) /g, '$1'), loader: 'text' };
    }),
};

/** Return the minified text of one entry of src/: esbuild bundles, terser makes it 4% smaller than esbuild would. */
const bundle = async (file) => {
  const result = await build({
    entryPoints: [here(`src/${file}`)],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    plugins: [cssText],
    define: { VERSION: JSON.stringify(version) },
  });
  const { code } = await minify(result.outputFiles[0].text, {
    ecma: 2022,
    compress: { passes: 3, unsafe_arrows: true, pure_getters: true, keep_fargs: false },
    // Private members of the widget class start with an underscore and are never part of the API.
    mangle: { properties: { regex: /^_/ } },
    format: { preamble: `/*! rec.js ${version} | Apache-2.0 */`, comments: false },
  });
  return code;
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
