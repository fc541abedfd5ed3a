/** The apps of this folder as scripts for a page, and their HTML as a server makes it. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Name of each framework, its app, and what its packages are called here. */
export const FRAMEWORKS = [
  { name: 'plain', app: 'plain' },
  ...[18, 19].map((version) => ({
    name: `React ${version}`,
    app: 'react',
    alias: { react: `react${version}`, 'react-dom': `react-dom${version}` },
  })),
  { name: 'Vue 3', app: 'vue' },
  { name: 'Svelte 5', app: 'svelte' },
];

const svelte = (generate) => ({
  name: 'svelte',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.svelte(\.js)?$/ }, async ({ path }) => {
      const { compile, compileModule } = await import('svelte/compiler');
      const text = readFileSync(path, 'utf8');
      const options = { generate, filename: path, dev: generate === 'client' };
      return { contents: (path.endsWith('.js') ? compileModule : compile)(text, options).js.code, loader: 'js' };
    }),
});

const bundle = (entry, alias, generate, more) =>
  build({
    entryPoints: [HERE + 'apps/' + entry],
    bundle: true,
    alias,
    absWorkingDir: HERE, // where an alias is looked for
    logLevel: 'error',
    define: {
      'process.env.NODE_ENV': '"development"', // where StrictMode and hydration speak
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
    },
    plugins: [svelte(generate)],
    ...more,
  });

/** Return `{script, render}` of a framework: what a page runs, and HTML of a state. */
export const bundled = async ({ app, alias }) => {
  const client = await bundle(`${app}.client.mjs`, alias, 'client', {
    write: false,
    format: 'iife',
    conditions: ['browser'],
  });
  const folder = await mkdtemp(join(HERE, 'node_modules/.served-'));
  try {
    const outfile = join(folder, 'server.mjs');
    await bundle(`${app}.server.mjs`, alias, 'server', {
      outfile,
      platform: 'node',
      format: 'esm',
      banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
    });
    const { render } = await import(pathToFileURL(outfile));
    return { script: client.outputFiles[0].text, render };
  } finally {
    await rm(folder, { recursive: true });
  }
};
