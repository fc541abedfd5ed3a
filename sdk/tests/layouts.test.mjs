/**
 * A picture of each layout at a phone's and a desktop's width, into `sdk/var/layouts/`, to be looked at by people; and
 * what a machine can see of them: nothing is wider than the page, no card lies on another, axe finds nothing.
 *
 * `npm run pictures` makes them alone.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { page as embed, product, startWorld } from './harness.mjs';

const AXE = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const FOLDER = fileURLToPath(new URL('../var/layouts/', import.meta.url));
const WIDTHS = [390, 1280];
const COLOURS = ['#8fb3a0', '#d9a47a', '#9bb0cf', '#c98f9c', '#cbbf86', '#86b8bd', '#b39ac4', '#a8a49a'];
const NAMES = [
  'Enamel Mug 350 ml',
  'Dome Tent for two persons with a porch, moss green',
  'Wool Socks',
  'Folding Chair',
  'Camp Stove 1 burner',
  'Hiking Boot mid, rust',
  'Headlamp 600 lm',
  'Sleeping Bag comfort −6 °C, large',
];
const goods =
  (more = () => ({})) =>
  (placement) =>
    Array.from({ length: placement.limit || 4 }, (_, n) =>
      product(n + 1, {
        title: NAMES[n % 8],
        image_url: `/things/${n % 8}.svg`,
        brand: ['Loam', 'Fellside', 'Kiln & Co'][n % 3],
        ...more(n),
      }),
    );
const sales = goods((n) => (n % 2 ? { sale_price: 7.5 + n } : {}));

/** name → what the page holds, and how the collector and the page behave. */
const LAYOUTS = {
  grid: { limit: 8 },
  carousel: { limit: 8, attributes: 'layout="carousel"' },
  'three-columns': { limit: 6, style: 'rec-widget { --rec-columns: 3; --rec-columns-sm: 1 }' },
  narrow: { limit: 4, style: 'main { max-width: 300px }' }, // a column beside the text
  sale: { limit: 4, items: sales },
  'no-pictures': { limit: 4, items: goods(() => ({ image_url: undefined })) },
  one: { limit: 4, items: () => goods()({ limit: 1 }) },
  skeleton: { limit: 4, waits: true },
  fallback: {
    limit: 4,
    items: () => [],
    slot: '<div slot="fallback"><h2>Our classics</h2><p><a href="/classics">See what everybody likes</a></p></div>',
  },
  dark: {
    limit: 4,
    items: sales,
    theme: 'dark',
    style: 'body { background: #14181a; color: #eef1ee } rec-widget { --rec-sale: #f2a48f; --rec-skeleton: #2a3033 }',
  },
  rtl: { limit: 8, items: sales, attributes: 'layout="carousel"', html: 'dir="rtl" lang="ar"', heading: 'مختارات لك' },
  themed: {
    limit: 4,
    style:
      'rec-widget { --rec-font: 15px Georgia, serif; --rec-radius: 0; --rec-gap: 8px; --rec-ratio: 3 / 4; --rec-color: #3b2f2f } rec-widget::part(price) { color: #7a3b1d }',
  },
};

let world;
let page; // one window for all: opening one takes longer than a layout
before(async () => {
  world = await startWorld();
  page = await world.browser.newPage();
  page.on('pageerror', (error) => page.errors.push(error.message));
  mkdirSync(FOLDER, { recursive: true });
});
after(() => world.stop());

/** What of the page is wider than its window, and which cards lie on each other. */
const measure = () => {
  const widget = document.querySelector('rec-widget');
  const boxes = [...(widget.shadowRoot?.querySelectorAll('li') || [])].map((li) => li.getBoundingClientRect());
  const overlaps = [];
  boxes.forEach((a, i) =>
    boxes.slice(i + 1).forEach((b, j) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1) overlaps.push([i, i + 1 + j]);
    }),
  );
  // In a card, each part ends where the next begins.
  for (const li of widget.shadowRoot?.querySelectorAll('li') || []) {
    const parts = [...li.querySelectorAll('[part=media],[part=brand],[part=name],[part=price]')].map((part) =>
      part.getBoundingClientRect(),
    );
    parts.slice(1).forEach((box, n) => box.top < parts[n].bottom - 1 && overlaps.push(['in a card', n]));
  }
  return {
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    overlaps,
    cards: boxes.length,
    height: widget.offsetHeight,
  };
};

for (const [name, layout] of Object.entries(LAYOUTS)) {
  for (const width of WIDTHS) {
    test(
      `${name} at ${width} px fits, overlaps nothing, and can be read by everybody`,
      { timeout: 120_000 },
      async () => {
        const { collector, shop } = world;
        collector.renew();
        page.errors = [];
        await page.setViewportSize({ width, height: 700 });
        await page.emulateMedia({ colorScheme: layout.theme || 'light' });
        COLOURS.forEach((colour, n) => {
          shop.pages[`/things/${n}.svg`] = {
            type: 'image/svg+xml',
            html: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="480" height="480"><rect width="100" height="100" fill="${colour}" opacity=".35"/><circle cx="50" cy="52" r="${22 + n}" fill="${colour}"/></svg>`,
          };
        });
        collector.items = layout.items || goods();
        if (layout.waits) collector.delayMs = 4000;
        const heading = layout.heading || 'Picked for you';
        shop.pages['/'] = embed(collector, {
          head: `<style>body { margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif } ${layout.style || ''}</style>`,
          body: `<main><h1>Shop</h1><rec-widget placement="home" heading="${heading}" limit="${layout.limit}" ${layout.attributes || ''}>${layout.slot || ''}</rec-widget><p>The page goes on here.</p></main>`,
        });
        await page.goto(shop.origin);
        if (layout.html)
          await page.evaluate(
            (text) =>
              text.replace(/(\w+)="(\w+)"/g, (_, key, value) => document.documentElement.setAttribute(key, value)),
            layout.html,
          );
        const widget = page.locator('rec-widget');
        if (layout.waits) await widget.locator('[aria-hidden] li').first().waitFor();
        else if (layout.slot) await page.getByText('Our classics').waitFor();
        else await widget.locator('[part=name]:not(:empty)').first().waitFor();
        // Lazy pictures that are out of sight are never loaded.
        await page.evaluate(() => {
          const images = [...(document.querySelector('rec-widget').shadowRoot?.querySelectorAll('img') || [])];
          return Promise.race([
            Promise.all(images.map((img) => img.decode().catch(() => {}))),
            new Promise((resolve) => setTimeout(resolve, 800)), // sleep: lazy pictures never load
          ]);
        });
        await page.screenshot({ path: `${FOLDER}${name}-${width}.png`, fullPage: true, animations: 'disabled' });
        const seen = await page.evaluate(measure);
        assert.ok(seen.wider <= 0, `the page is ${seen.wider} px wider than its window`);
        assert.deepEqual(seen.overlaps, []);
        if (!layout.slot) assert.ok(seen.cards > 0 && seen.height > 100, 'nothing is shown');
        await page.evaluate(AXE);
        const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
        assert.deepEqual(
          found.violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 2).map((node) => node.failureSummary)]),
          [],
        );
        assert.deepEqual(page.errors, []);
      },
    );
  }
}
