/**
 * Build the browser files into tracking/static/recsite/, or verify the committed ones (--check).
 *
 * The built files are committed so that Django needs no Node; CI runs the check, which rebuilds in memory,
 * compares byte for byte and holds the size budgets. A build with a new version in package.json first keeps the files of
 * the version before in a folder of its name: pages that pinned it, with its integrity, go on getting those very bytes.
 */
import { build, transform } from 'esbuild';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here('package.json'), 'utf8'));
const OUT = here('../tracking/static/recsite/');

/** Largest gzip -9 size in bytes of each built file, its licence line included. */
export const BUDGET_BYTES = {
  'datalayer.js': 4000,
  'tracker.js': 3650,
  'widget.js': 4050,
  'rec.js': 7500,
  'stub.js': 800,
  'markup.js': 500,
  'debug.js': 2000,
  'list.js': 3000,
  'lists.js': 1300,
  'live.js': 1200,
  'token.js': 800,
};

/** Files that others import; a page never names them. */
const MODULES = new Set(['datalayer.js', 'debug.js', 'list.js', 'markup.js', 'live.js', 'token.js']);

/** Style sheets are ordinary .css files, imported as minified text. */
const cssText = {
  name: 'css-text',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), {
        loader: 'css',
        minify: true,
        target: 'chrome120',
      });
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
    format: MODULES.has(file) ? 'esm' : 'iife',
    target: 'es2022',
    charset: 'utf8',
    minifySyntax: true,
    plugins: [cssText],
    define: { VERSION: JSON.stringify(version) },
  });
  const { code } = await minify(result.outputFiles[0].text, {
    ecma: 2022,
    // Measured: without the rest the tracker is 30 bytes larger.
    compress: {
      passes: 3,
      unsafe_arrows: true,
      pure_getters: true,
      keep_fargs: false,
      unsafe: true,
      inline: 1,
      sequences: false,
    },
    // Private members of the widget class start with one underscore and are never part of the API.
    mangle: { properties: { regex: /^_[a-z]/i } },
    module: MODULES.has(file),
    format: { preamble: `/*! rec.js ${version} | Apache-2.0 */`, comments: false },
  });
  return code;
};

/** Return the version that a built file names in its first line. */
const versionOf = (text) => /^\/\*! rec\.js (\d+\.\d+\.\d+) /.exec(text)?.[1];

/** Copy the files of `folder` to `folder/<their version>/` when that is not `next`; return that version, if so. */
export const keepReleased = (folder, next) => {
  let kept;
  for (const file of Object.keys(BUDGET_BYTES)) {
    const text = existsSync(folder + file) ? readFileSync(folder + file, 'utf8') : '';
    const released = versionOf(text);
    if (!released || released === next) continue;
    kept = released;
    const copy = `${folder}${released}/${file}`;
    if (existsSync(copy)) {
      if (readFileSync(copy, 'utf8') !== text)
        throw Error(`${copy} is released and differs from ${file}; raise the version in package.json`);
      continue;
    }
    mkdirSync(folder + released, { recursive: true });
    writeFileSync(copy, text);
  }
  return kept;
};

const main = async (check) => {
  const kept = check ? undefined : keepReleased(OUT, version);
  if (kept) console.log(`${kept} kept in ${kept}/: commit it, too`);
  let isGood = true;
  for (const [file, budget] of Object.entries(BUDGET_BYTES)) {
    const text = await bundle(file);
    const gzipBytes = gzipSync(text, { level: 9 }).length;
    const fits = gzipBytes <= budget;
    let state = 'written';
    if (check) {
      let committed = '';
      try {
        committed = readFileSync(OUT + file, 'utf8');
      } catch {
        /* reported as stale below */
      }
      state = committed === text ? 'up to date' : "stale: run 'npm run build' and commit the result";
      isGood &&= committed === text;
    } else {
      writeFileSync(OUT + file, text);
    }
    isGood &&= fits;
    console.log(
      `${file.padEnd(11)} ${text.length} bytes, gzip ${gzipBytes} of ${budget}${fits ? '' : ' TOO LARGE'}, ${state}`,
    );
  }
  process.exitCode = isGood ? 0 : 1;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'));
