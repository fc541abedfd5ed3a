// What axe says of pages at two widths.
// node axe.mjs CHROMIUM SESSION BASE PATH… → one line of JSON: [{path, width, id, nodes, target, help}]
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../sdk/', import.meta.url));
const { chromium } = require('playwright-core');
const axe = require('axe-core');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
const OPTIONS = { runOnly: TAGS, resultTypes: ['violations'] };
const WIDTHS = [390, 1280];
const AT_ONCE = 2;

const [executablePath, session, base, ...paths] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] });
const found = [];
const left = [...paths];

/** Look at page after page, each loaded once, until none is left. */
async function look() {
  const context = await browser.newContext({ viewport: { width: WIDTHS[0], height: 900 }, reducedMotion: 'reduce' });
  await context.addCookies([{ name: 'sessionid', value: session, url: base }]);
  // Pictures stand on the shop's own host, which there is none of: to wait for its name would take seconds a page.
  await context.route((url) => !url.href.startsWith(base) && url.protocol.startsWith('http'), (route) => route.abort());
  const page = await context.newPage();
  for (let path = left.shift(); path !== undefined; path = left.shift()) {
    await page.goto(base + path, { waitUntil: 'load', timeout: 60_000 });
    await page.evaluate(axe.source);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      const { violations } = await page.evaluate((options) => globalThis.axe.run(document, options), OPTIONS);
      for (const one of violations)
        found.push({ path, width, id: one.id, nodes: one.nodes.length, target: String(one.nodes[0].target), help: one.help });
    }
  }
  await context.close();
}

try {
  await Promise.all(Array.from({ length: AT_ONCE }, look));
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
