import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { product, startWorld, until } from './harness.mjs';
import { newShopper } from './open.mjs';

const PICTURES = fileURLToPath(new URL('../var/overlay/', import.meta.url));

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const body = `<style>body{margin:16px;font-family:sans-serif} rec-widget{margin-bottom:24px}</style>
  <rec-widget placement="home" heading="For you" limit="4" item-id="SKU1,typo"></rec-widget>
  <rec-widget placement="hmoe" heading="Mistyped"></rec-widget>`;

/** Answers as the server gives them: a list with a warning, and no placement of that name. */
const answer = (collector) => {
  collector.result = (wish, result) =>
    wish.placement === 'hmoe'
      ? {
          placement: 'hmoe',
          items: [],
          error: 'unknown_placement',
          message: "'hmoe' is not an active placement",
          field: 'placement',
        }
      : {
          ...result,
          fallback_reason: 'no_history',
          model_version: '20260131T020000Z-1a2b3c4d',
          feature_age_ms: 840,
          warnings: ["context_items names 'typo', which the catalogue does not have"],
        };
  collector.items = () => [1, 2, 3, 4].map((n) => product(n));
};

const panels = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('rec-widget')].map(
      (each) => each.shadowRoot?.querySelector('[part=debug]')?.textContent,
    ),
  );

for (const [how, options] of Object.entries({
  'data-debug': { attributes: 'data-debug' },
  '?rec_debug': { search: '?rec_debug' },
}))
  test(`${how} shows placement, stage, reason, model, age and warnings on each widget, and logs them`, async () => {
    const { collector, shop } = world;
    for (const [width, colorScheme] of [
      [390, 'light'],
      [1280, 'dark'],
    ]) {
      const { context, open } = await newShopper(world, { viewport: { width, height: 900 }, colorScheme });
      answer(collector);
      const head = '<meta name="color-scheme" content="light dark">';
      const page = await open('/', { body, head, ...options });
      if (options.search) await page.goto(`${shop.origin}/${options.search}`);
      await until(async () => (await panels(page))[1]?.includes('unknown_placement'), 'the panels', 10_000);
      const [home, mistyped] = await panels(page);
      for (const text of ['home', 'personalised', 'no_history', '20260131T020000Z', '0.8 s', "'typo'"])
        assert.ok(home.includes(text), `${text} in ${home}`);
      assert.ok(mistyped.includes('is not an active placement'));
      const shift = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(shift <= 0, 'the panel is no wider than the page');
      await until(() => page.logs.some((text) => text.includes("'typo'")), 'the warning in the console', 10_000);
      assert.ok(page.logs.some((text) => text.includes("'hmoe'")));
      mkdirSync(PICTURES, { recursive: true });
      await page.screenshot({ path: `${PICTURES}${width}-${colorScheme}.png` });
      assert.deepEqual(page.errors, []);
      await context.close();
    }
  });

test('a page without the word loads no panel', async () => {
  const { context, open } = await newShopper(world);
  const asked = [];
  context.on('request', (request) => asked.push(request.url()));
  const page = await open('/', { body });
  await until(() => world.collector.lists.length, 'the lists');
  assert.ok(!asked.some((url) => url.includes('debug.js')));
  assert.equal((await panels(page))[0], undefined);
  await context.close();
});
