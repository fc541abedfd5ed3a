/**
 * The pictures of the README, taken of a running demo by real shopping in Chromium:
 *
 *     PORT=8000 make demo
 *     node docs/images/take.mjs http://127.0.0.1:8000 THE-ADMIN-PASSWORD
 *
 * A few shoppers look, click, fill a cart and order; a rule is made and published; then the pages are pictured as they are.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from '../../sdk/node_modules/playwright-core/index.mjs';

const [base, password] = process.argv.slice(2);
if (!base || !password) throw Error('usage: node docs/images/take.mjs http://127.0.0.1:8000 THE-ADMIN-PASSWORD');
const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
if (!existsSync(executablePath)) throw Error(`no Chromium at ${executablePath}; install it or set CHROMIUM to its path`);
const to = (name) => fileURLToPath(new URL(`./${name}.png`, import.meta.url));
// The demo leaves robots out of its figures; these shoppers are meant to be in them.
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-blink-features=AutomationControlled'] });
const visitor = async (height) => {
  const page = await (await browser.newContext({ userAgent, viewport: { width: 1120, height } })).newPage();
  await page.goto(base + '/');
  return page;
};
const listed = (page) => page.waitForFunction(() => document.querySelector('rec-widget')?.shadowRoot?.querySelector('[part=name]:not(:empty)'));
const pause = (page, ms = 1500) => page.waitForTimeout(ms);

for (let shopper = 0; shopper < 4; shopper++) {
  const page = await visitor(900);
  if (shopper) {
    await page.locator('.who summary').click();
    await page.locator('.pop button').nth(shopper).click();
    await page.waitForLoadState('load');
  }
  for (let visit = 0; visit < 3; visit++) {
    await listed(page);
    const widget = page.locator('rec-widget').first();
    await widget.scrollIntoViewIfNeeded();
    await pause(page, 1800); // an impression is a second in view
    await widget.locator('a[part=link]').nth((shopper + visit) % 4).click();
    await page.waitForLoadState('load');
    await page.locator('[data-cart-form] button').click();
    for (let down = 0; down < 3; down++) {
      await page.mouse.wheel(0, 600);
      await pause(page);
    }
    await page.goto(base + '/');
  }
  await page.goto(base + '/checkout/');
  await page.locator('.checkout .button').click();
  await page.waitForURL('**/thanks/**');
  await pause(page);
  await page.context().close();
}

const shop = await visitor(640);
for (const term of ['mug', 'tent']) {
  await shop.goto(`${base}/search/?q=${term}`);
  await shop.locator('ul.grid a').first().click();
  await pause(shop);
}
await shop.goto(base + '/');
await listed(shop);
await pause(shop);
await shop.evaluate(() => window.scrollTo({ top: document.querySelector('rec-widget').getBoundingClientRect().top - 150, behavior: 'instant' }));
await shop.locator('[data-drawer-open]').click();
await pause(shop);
await shop.screenshot({ path: to('shop') });

const admin = await (await browser.newContext({ viewport: { width: 1180, height: 680 } })).newPage();
await admin.goto(base + '/admin/login/');
await admin.fill('[name=username]', 'admin');
await admin.fill('[name=password]', password);
await admin.click('[type=submit]');
await admin.waitForLoadState('networkidle');
await admin.goto(base + '/admin/recommendations/rule/');
if (!(await admin.getByText('Loam first').count())) {
  await admin.goto(base + '/admin/recommendations/rule/add/');
  await admin.fill('#id_name', 'Loam first');
  await admin.fill('#id_brands', 'Loam');
  await admin.fill('#id_strength', '4');
  await admin.getByLabel('home_for_you').check();
  await admin.locator('button:has-text("Save and publish")').click();
  await admin.waitForLoadState('networkidle');
}
await admin.goto(base + '/admin/recommendations/placement/');
await admin.locator('a', { hasText: 'home_for_you' }).first().click();
await admin.locator('a', { hasText: 'Preview' }).first().click();
await admin.goto(admin.url().split('?')[0] + '?session=FF07001');
await pause(admin);
await admin.evaluate(() => window.scrollTo({ top: document.querySelector('.rs-two').getBoundingClientRect().top - 90, behavior: 'instant' }));
await admin.screenshot({ path: to('rules') });
for (const [name, path] of [['report', '/admin/recommendations/placement/report/'], ['segments', '/admin/features/rfmsnapshot/']]) {
  await admin.goto(base + path);
  await pause(admin);
  await admin.screenshot({ path: to(name) });
}
await browser.close();
