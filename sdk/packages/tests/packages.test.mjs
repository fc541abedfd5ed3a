/** The npm packages as shops install them: packed, installed into a project of their own, compiled, rendered, run. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { startWorld, until } from '../../tests/harness.mjs';
import { newShopper } from '../../tests/open.mjs';
import { buildPackage, PACKAGES } from '../build.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rec-packages-'));
const shop = join(folder, 'shop');
const run = (program, args, options) => execFileSync(program, args, { encoding: 'utf8', cwd: shop, ...options });
const npm = (...args) => run('npm', [...args, '--silent', '--no-audit', '--no-fund', '--ignore-scripts']);
const packed = {};
let world;

before(async () => {
  for (const name of Object.keys(PACKAGES)) {
    await buildPackage(name);
    const [said] = JSON.parse(
      run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: here(`../${name}`) }),
    );
    packed[name] = said;
  }
  cpSync(here('consumer'), shop, { recursive: true });
  npm('ci', '--prefer-offline');
  const tarballs = Object.values(packed).map(({ filename }) => join(folder, filename));
  npm('install', '--no-save', '--no-package-lock', '--prefer-offline', ...tarballs);
  world = await startWorld();
});
after(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a tarball holds what was built, its types and its licence line, and nothing else', () => {
  for (const [name, { files, size }] of Object.entries(packed)) {
    const paths = files.map(({ path }) => path);
    assert.ok(
      paths.every((path) => /^(dist\/|README\.md$|package\.json$)/.test(path)),
      `${name}: ${paths}`,
    );
    for (const entry of PACKAGES[name].entries)
      for (const kind of ['js', 'cjs', 'd.ts', 'd.cts'])
        assert.ok(paths.includes(`dist/${entry}.${kind}`), `${name}: ${entry}.${kind}`);
    assert.ok(paths.includes('README.md'), `${name}: README.md`);
    assert.ok(size < 100_000, `${name}: ${size} bytes`);
  }
});

test('every package is imported and required in Node, where there is no window, and does nothing there', () => {
  const script = `
    const assert = (await import('node:assert/strict')).default;
    const { createRequire } = await import('node:module');
    const required = createRequire(process.cwd() + '/x.js');
    for (const name of ['@recsite/js', '@recsite/js/widget', '@recsite/react', '@recsite/vue', '@recsite/node']) {
      const [one, other] = [await import(name), required(name)];
      const names = (each) => Object.keys(each).filter((one) => !/^(default|module\\.exports|__esModule)$/.test(one)).sort();
      assert.deepEqual(names(one), names(other), name);
      assert.ok(names(one).length, name);
    }
    const recsite = await import('@recsite/js');
    recsite.init({ key: 'pk_1', host: 'https://recs.shop.example' });
    assert.equal(recsite.track('search', { search_term: 'x' }), undefined);
    assert.deepEqual(recsite.id(), {});
    assert.match((await recsite.recommend({ placement: 'home' })).error.message, /@recsite\\/node/);
    assert.deepEqual((await recsite.rank([7])).items, [{ item_id: '7' }]);
    for (const end of [recsite.on('user', () => {}), recsite.subscribe({ placement: 'x' }, () => {}), recsite.observeMarkup()]) end();
    assert.throws(() => recsite.init({ key: 'sk_1', host: 'https://x' }), /"sk_1".*publishable/);
    assert.throws(() => recsite.init({ key: 'pk_1', host: 'recs.shop.example' }), /host: "recs\\.shop\\.example"/);
    assert.equal(typeof window, 'undefined');`;
  run(process.execPath, ['--input-type=module', '-e', script]);
});

test('a strict project compiles against the types, in React 18 and 19, and our own types hold', () => {
  const tsc = (...args) => {
    try {
      return run(process.execPath, [here('../../node_modules/typescript/bin/tsc'), ...args]);
    } catch (error) {
      return error.stdout;
    }
  };
  // Declarations inside node_modules go unchecked where libraries are skipped: as sources of the project they do not.
  for (const name of Object.keys(PACKAGES)) {
    const types = join(shop, 'node_modules/@recsite', name, 'dist');
    for (const file of readdirSync(types).filter((each) => each.endsWith('.d.ts')))
      cpSync(join(types, file), join(shop, 'src/own', name, file.replace('.d.ts', '.ts')));
  }
  assert.equal(tsc('-p', '.'), '');
  rmSync(join(shop, 'src/own'), { recursive: true });
  assert.equal(tsc('-p', 'tsconfig.react18.json'), '');
});

const bundle = async (entry, options) => {
  const { outputFiles } = await build({
    entryPoints: [join(shop, 'run', entry)],
    bundle: true,
    write: false,
    format: 'iife',
    minify: true,
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'error',
    absWorkingDir: shop,
    ...options,
  });
  return outputFiles[0].text;
};

test('what a page does not use stays out of its bundle', async () => {
  const sizes = {};
  const cases = { core: '{ init, track }', lists: '{ init, track, recommend }', all: '* as all' };
  for (const [name, names] of Object.entries(cases)) {
    writeFileSync(
      join(shop, 'run/shake.js'),
      `import ${names} from '@recsite/js'; window.used = ${names.replace('* as ', '')};`,
    );
    const text = await bundle('shake.js', { format: 'esm' });
    sizes[name] = gzipSync(text, { level: 9 }).length;
    assert.equal(text.includes('IntersectionObserver'), name === 'all', `impressions in ${name}`);
    assert.equal(text.includes('/v1/rank'), name === 'all', `rank in ${name}`);
    assert.equal(text.includes('/v1/recommendations'), name !== 'core', `lists in ${name}`);
  }
  console.log('gzip bytes', JSON.stringify(sizes));
  assert.ok(sizes.core < sizes.lists && sizes.lists < sizes.all);
});

/** Open a page whose list the server drew, with the framework's bundle, and return `{page, html}`. */
const openHydrated = async (framework, extension, alias) => {
  const shopper = await newShopper(world);
  const { collector } = world;
  const initial = {
    placement: 'similar',
    rec_id: 'rec-of-the-server',
    items: [1, 2, 3].map((n) => ({
      item_id: `SKU${n}`,
      title: `Product ${n}`,
      url: `/item/${n}`,
      price: n,
      currency: 'EUR',
    })),
  };
  const props = { initial, host: collector.origin, siteKey: collector.key };
  const server = join(shop, `server-${framework}.mjs`);
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  writeFileSync(
    server,
    await bundle(`${framework}-server.${extension}`, { format: 'esm', platform: 'node', alias, banner }),
  );
  const { render } = await import(pathToFileURL(server) + `?${Math.random()}`);
  const html = await render(props);
  const path = `/${framework}.js`;
  world.shop.pages[path] = { html: await bundle(`${framework}-page.${extension}`, { alias }), type: 'text/javascript' };
  const page = await shopper.open('/hydrated', {
    page: `<!doctype html><html lang="en"><title>Shop</title><div id="app">${html}</div>
      <script>window.props=${JSON.stringify(props)}</script><script src="${path}"></script>`,
  });
  return { ...shopper, page, html };
};

const frameworks = [
  ['React 19', 'react', 'jsx', {}],
  ['React 18', 'react', 'jsx', { react: 'react-18', 'react-dom': 'react-dom-18' }],
  ['Vue 3', 'vue', 'js', {}],
];
for (const [title, framework, extension, alias] of frameworks) {
  test(`${title}: the server draws the list, it is hydrated as it is, and impressions, clicks and carts name it`, async () => {
    const { collector } = world;
    const { context, page, html } = await openHydrated(framework, extension, alias);
    assert.match(html, /Product 2/, 'the list is in the HTML of the server');
    assert.match(html, /pending/, 'what is not known yet stands there as pending');
    await page.waitForSelector('#own article');
    assert.deepEqual(await page.evaluate(() => window.faults), [], 'hydration finds what it expects');
    assert.equal(collector.lists.length, 1, 'one request, for the list that the server did not bring');
    assert.deepEqual(
      collector.lists[0].placements.map(({ placement }) => placement),
      ['home'],
    );

    await until(() => collector.named('view_item_list').length >= 2, 'impressions of both lists');
    const seen = collector.named('view_item_list').map(({ params }) => params);
    const served = seen.find(({ rec_id: recId }) => recId === 'rec-of-the-server');
    assert.deepEqual(
      served.items.map((each) => each.item_id),
      ['SKU1', 'SKU2', 'SKU3'],
    );
    assert.equal(served.item_list_id, 'similar');
    assert.equal(seen.flatMap(({ items }) => items).length, 5, 'each once, whatever StrictMode mounts twice');

    await page.click('ol button >> nth=1');
    await until(() => collector.named('add_to_cart').length, 'a cart');
    const [{ params }] = collector.named('add_to_cart');
    assert.deepEqual([params.items[0].item_id, params.items[0].rec_id, params.value], ['SKU2', 'rec-of-the-server', 2]);
    assert.equal(collector.named('select_item').length, 0, 'a button is no click on the item');

    // A live update, another placement, another shopper, and gone.
    await until(() => collector.hellos.some(({ type }) => type === 'subscribe'), 'a subscription');
    collector.push({
      type: 'update',
      results: [{ placement: 'home', rec_id: 'live-1', items: [{ item_id: 'L1', title: 'Live one' }] }],
    });
    await page.getByText('Live one').waitFor();
    await page.evaluate(() => window.setPage({ placement: 'other' }));
    await until(() => collector.lists.length === 2, 'the list of another placement');
    assert.deepEqual(
      collector.lists[1].placements.map(({ placement }) => placement),
      ['other'],
    );
    await page.evaluate(() => window.setPage({ placement: undefined }));
    await until(() => collector.sockets.size === 0, 'nobody listens any more');
    assert.deepEqual(page.errors, []);
    await context.close();
  });
}

test('without a framework: events wait for init, lists, ranks, live lists and markup that says what it shows', async () => {
  const { collector } = world;
  const shopper = await newShopper(world);
  world.shop.pages['/plain.js'] = { html: await bundle('plain.js'), type: 'text/javascript' };
  const page = await shopper.open('/plain', {
    page: `<!doctype html><html lang="en"><title>Shop</title><ul data-rec-list="served" data-rec-id="rec-7" id="served">
      <li data-rec-item="A" style="height:60px"><a href="#a">A</a></li><li data-rec-item="B" style="height:60px">B</li></ul>
      <rec-widget placement="home" limit="2"></rec-widget><script src="/plain.js"></script>`,
  });
  await page.evaluate(
    ([key, host]) => {
      window.recsite_js.track('search', { search_term: 'before init' });
      window.recsite_js.init({ key, host, auto: false });
      window.end = window.recsite_js.observeMarkup();
      window.defineWidget();
    },
    [collector.key, collector.origin],
  );
  await until(() => collector.named('search').length, 'what was called before init');
  assert.equal(collector.named('page_view').length, 0, 'auto: false');
  const list = await page.evaluate(() =>
    window.recsite_js.recommend({ placement: 'own', limit: 3 }, { cart: ['SKU9'] }),
  );
  assert.equal(list.items.length, 3);
  const ranked = await page.evaluate(() =>
    window.recsite_js.rank(['b', 'a']).then(({ items, error }) => [items, !!error]),
  );
  assert.deepEqual(ranked, [[{ item_id: 'b' }, { item_id: 'a' }], true], 'without an answer the order stays');
  const served = () => collector.named('view_item_list').filter(({ params }) => params.rec_id === 'rec-7');
  await until(() => served().length, 'impressions of the markup');
  assert.deepEqual(served()[0].params.items, [
    { item_id: 'A', index: 0 },
    { item_id: 'B', index: 1 },
  ]);
  await page.click('#served a');
  await until(() => collector.named('select_item').length, 'a click on the markup');
  assert.equal(collector.named('select_item')[0].params.rec_id, 'rec-7');
  await page.evaluate(() => {
    const more = document.createElement('li');
    Object.assign(more, { textContent: 'C' }).dataset.recItem = 'C';
    more.style.height = '60px';
    document.getElementById('served').append(more);
  });
  await until(() => served().length === 2, 'an item that came later');
  await page.waitForSelector('rec-widget >> a');
  assert.deepEqual(page.errors, []);
  await shopper.context.close();
});
