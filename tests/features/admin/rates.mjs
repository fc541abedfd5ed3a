// A member of staff uploads tables of rates: one with faults, one without; looked at wide, narrow, light and dark.
// node rates.mjs CHROMIUM BASE_URL COOKIE FOLDER-OF-TABLES [FOLDER for screenshots] → one line of JSON
import { chromium } from '../../../sdk/node_modules/playwright-core/index.mjs';
import { LIGHT } from '../../../sdk/tests/chromium.mjs';
import { DEADLINE_MS } from '../../services/deadline.mjs';

const [executablePath, base, session, tables, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [LIGHT, '--no-sandbox', '--disable-gpu', '--disable-sync', '--disable-component-update'] });
const problems = [];
const seen = { problems, overflow: {}, said: {} };
const staff = await browser.newContext({ viewport: { width: 1280, height: 900 } });
await staff.addCookies([{ name: 'sessionid', value: session, url: base }]);
const page = await staff.newPage();
page.setDefaultTimeout(DEADLINE_MS);
page.on('console', (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()));
page.on('pageerror', (error) => problems.push(String(error)));

const look = async (name) => {
  for (const [width, theme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate((isDark) => document.documentElement.classList.toggle('dark', isDark), theme === 'dark');
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const over = await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
    seen.overflow[`${name}-${width}`] = over;
    if (folder) await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png`, fullPage: true });
  }
  await page.evaluate(() => document.documentElement.classList.remove('dark'));
  await page.setViewportSize({ width: 1280, height: 900 });
};
const upload = async (name) => {
  await page.setInputFiles('input[name=file]', `${tables}/${name}.csv`);
  await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Upload', exact: true }).click()]);
};

try {
  await page.goto(`${base}/admin/features/exchangerate/`);
  seen.said.empty = await page.textContent('main, #content, body');
  await look('empty');
  await upload('faults');
  seen.said.faults = await page.textContent('[role=alert]');
  await look('faults');
  await upload('good');
  seen.said.good = await page.textContent('body');
  seen.pairs = await page.locator('table.is-wide tbody th').allTextContents();
  await look('good');
  await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Delete the rates of EUR in USD' }).click()]);
  seen.left = await page.locator('table.is-wide tbody th').allTextContents();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
