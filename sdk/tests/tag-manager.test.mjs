/** The Tag Manager template: its own tests in a stand-in for the sandbox, and what it leaves in a window in Chromium. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { forbiddenSyntax, partsOf, runScenario, scenariosOf } from '../tag-manager/sandbox.mjs';
import { startWorld, until } from './harness.mjs';
import { newShopper } from './open.mjs';

const parts = partsOf(readFileSync(new URL('../tag-manager/template.tpl', import.meta.url), 'utf8'));
let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

for (const scenario of scenariosOf(parts.TESTS))
  test(`in the stand-in for Tag Manager's sandbox: ${scenario.name}`, () => void runScenario(parts, scenario));

test('the template is whole: its parts are JSON where they have to be, its syntax is what Tag Manager takes', () => {
  for (const name of ['INFO', 'TEMPLATE_PARAMETERS', 'WEB_PERMISSIONS']) JSON.parse(parts[name]);
  assert.deepEqual(forbiddenSyntax(parts.SANDBOXED_JS_FOR_WEB_TEMPLATE), []);
  assert.ok(scenariosOf(parts.TESTS).length >= 4);
  const names = JSON.parse(parts.TEMPLATE_PARAMETERS).map(({ name }) => name);
  const used = [...parts.SANDBOXED_JS_FOR_WEB_TEMPLATE.matchAll(/data\.(\w+)/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(used.filter((name) => !name.startsWith('gtm')))].sort(), names.sort());
  const [pattern] = JSON.parse(parts.TEMPLATE_PARAMETERS)[0].valueValidators[1].args;
  assert.ok(new RegExp(pattern).test('pk_abc') && !new RegExp(pattern).test('sk_abc'));
});

test('a permission that is missing fails the scenario, so that the stand-in holds them', () => {
  const [scenario] = scenariosOf(parts.TESTS);
  const permissions = JSON.parse(parts.WEB_PERMISSIONS);
  for (let i = 0; i < 2; i++) {
    const WEB_PERMISSIONS = JSON.stringify(permissions.filter((_, j) => j !== i));
    assert.throws(() => runScenario({ ...parts, WEB_PERMISSIONS }, scenario), /no permission/);
  }
});

test('what it leaves in a window starts the script, which reads the layer; a call before the script is kept', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const given = {
    key: collector.key,
    host: 'https://recs.example.com',
    readsLayer: true,
    consent: 'granted',
    countsPages: true,
  };
  const { globals } = runScenario(parts, { code: `runCode(${JSON.stringify(given)})` });
  const left = { ...globals.recsite, host: collector.origin };
  const page = await open('/tag-manager', {
    page: `<!doctype html><title>Shop</title><script>
      dataLayer=[{event:'view_item',ecommerce:{items:[{item_id:'SKU1'}]}}];
      window.rec=function(){(rec.q=rec.q||[]).push(arguments)};rec('track','search',{search_term:'early'});
      window.recsite=${JSON.stringify(left)};
      const script=document.createElement('script');script.async=true;script.src='${collector.origin}/r/v1/rec.js';
      document.head.append(script);</script>`,
  });
  for (const name of ['search', 'view_item', 'page_view']) await until(() => collector.named(name).length, name);
  assert.deepEqual(page.errors, []);
  await context.close();
});
