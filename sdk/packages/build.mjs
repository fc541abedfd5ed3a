/**
 * Build the npm packages into their dist/: ES modules in chunks, so that bundlers leave out what is not used, and CommonJS.
 *
 * They are made of the very modules of the script tag (../src): one home for identity, consent, queue, attribution. Those
 * look at the page when they are evaluated, so packages `require` them when a page calls; what the script loads from
 * the server when it is needed, a package brings along.
 */
import { build, transform } from 'esbuild';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here('../package.json'), 'utf8'));

/** Entries by package, and the types of the contract and the API that lie beside its own. */
export const PACKAGES = {
  js: { entries: ['index', 'widget'], types: ['events', 'api', 'rec'], external: [] },
  node: { entries: ['index'], types: ['events', 'api'], external: [] },
  react: { entries: ['index'], types: [], external: ['react', '@recsite/js'] },
  vue: { entries: ['index'], types: [], external: ['vue', '@recsite/js'] },
};

const SRC = here('../src/');
/** How a script imports a file of its own version: `import(`${HOST}/r/v${VERSION}/${name}.js`)`. */
const OWN_FILE = /import\(`\$\{[\w.]+\}\/r\/v\$\{VERSION\}\/(\$\{name\}|\w+)\.js`\)/;

/** Return the files that modules of the same folder as `path` load by name, as far as there are such. */
const loadedBeside = (path) => {
  const folder = dirname(path);
  const beside = [...readdirSync(folder).map((file) => join(folder, file)), `${folder}.js`];
  const text = beside
    .filter((file) => file.endsWith('.js'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const names = [...text.matchAll(/\bload\('(\w+)'\)/g)].map(([, name]) => name);
  return [...new Set(names)].filter((name) => existsSync(`${SRC}${name}.js`));
};

/** What the script imports from the server by name, the package has itself. */
const bundled = {
  name: 'bundled',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[/\\]sdk[/\\]src[/\\].*\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(OWN_FILE, (_, name) => {
        if (name !== '${name}') return `import('${SRC}${name}.js')`;
        const cases = loadedBeside(path).map((each) => `${each}: () => import('${SRC}${each}.js')`);
        return `({ ${cases.join(', ')} })[name]()`;
      });
      if (contents.includes('${VERSION}/'))
        throw Error(`${path} loads a file in a way that packages/build.mjs does not know`);
      return { contents, loader: 'js' };
    });
    onLoad({ filter: /\.css$/ }, async ({ path }) => ({
      contents: (await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true })).code.trim(),
      loader: 'text',
    }));
  },
};

const declarations = (name, { entries, types }) => {
  const folder = here(`${name}/dist/`);
  for (const each of types) cpSync(here(`../${each}.d.ts`), `${folder}${each}.d.ts`);
  for (const file of readdirSync(here(`${name}/types/`))) cpSync(here(`${name}/types/${file}`), folder + file);
  // CommonJS looks for .d.cts; its relative imports name .cjs files.
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.d.ts')) continue;
    const text = readFileSync(folder + file, 'utf8');
    writeFileSync(
      folder + file.replace('.d.ts', '.d.cts'),
      text.replace(/(from |import\()'(\.\/\w+)\.js'/g, "$1'$2.cjs'"),
    );
  }
  for (const entry of entries)
    if (!existsSync(`${folder}${entry}.d.ts`)) throw Error(`${name}/types/${entry}.d.ts is missing`);
};

/** Build one package. */
export const buildPackage = async (name) => {
  const { entries, external } = PACKAGES[name];
  const own = JSON.parse(readFileSync(here(`${name}/package.json`), 'utf8'));
  if (own.version !== version)
    throw Error(`${name} is ${own.version} and the SDK ${version}; a release has one version`);
  rmSync(here(`${name}/dist`), { recursive: true, force: true });
  mkdirSync(here(`${name}/dist`));
  const options = {
    entryPoints: entries.map((entry) => here(`${name}/src/${entry}.js`)),
    outdir: here(`${name}/dist`),
    bundle: true,
    target: 'es2022',
    charset: 'utf8',
    platform: name === 'node' ? 'node' : 'neutral',
    external,
    plugins: [bundled],
    define: { VERSION: JSON.stringify(version) },
    banner: { js: `/*! @recsite/${name} ${version} | Apache-2.0 */` },
    logLevel: 'warning',
  };
  // Each source is an entry, so that a chunk holds no two things of which a page uses one.
  const sources = readdirSync(here(`${name}/src/`)).map((file) => here(`${name}/src/${file}`));
  await build({ ...options, entryPoints: sources, format: 'esm', splitting: true, chunkNames: 'parts/[name]-[hash]' });
  // Imports for effects that there are none of: bundlers would warn.
  for (const file of readdirSync(here(`${name}/dist/`), { recursive: true }).filter((each) =>
    `${each}`.endsWith('.js'),
  )) {
    const path = here(`${name}/dist/${file}`);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/^import "\.{1,2}\/[^"]+";\n/gm, ''));
  }
  await build({ ...options, format: 'cjs', outExtension: { '.js': '.cjs' } });
  declarations(name, PACKAGES[name]);
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const name of process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(PACKAGES))
    await buildPackage(name);
