// node screens.mjs CHROMIUM BASE SESSION: every screen of merchandisers at two widths and in two themes, and one rule of each action.
import { readFileSync } from 'node:fs';
import { chromium } from '../../sdk/node_modules/playwright-core/index.mjs';
import { LIGHT } from '../../sdk/tests/chromium.mjs';
import { DEADLINE_MS } from '../services/deadline.mjs';

const [executablePath, base, session] = process.argv.slice(2);
const AXE = readFileSync(new URL('../../sdk/node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const A = '/admin/recommendations/';
const SCREENS = [
  '/admin/', A + 'placement/', A + 'placement/1/change/', A + 'placement/1/preview/?session=tent01', A + 'placement/report/',
  A + 'rule/', A + 'rule/add/', A + 'modelversion/', A + 'modelversion/1/change/', A + 'trainingpolicy/', A + 'trainingrun/',
  '/admin/features/item/', '/admin/features/feed/', '/admin/features/feed/file/', '/admin/features/rfmsnapshot/',
  '/admin/features/segmentthreshold/', '/nothing-here/',
];
const RULES = {
  pin: { items: 'lamp 13', position: '2' },
  boost: { brands: 'lam', strength: '5' },
  bury: { categories: 'ten', strength: '5' },
  exclude: { price_from: '10.10', price_to: '10.11' },
  include_only: { condition: 'not brand = "Nobody"' },
};
const problems = [];
const rules = {};
const browser = await chromium.launch({ executablePath, args: [LIGHT, '--no-sandbox', '--disable-gpu'] });
const open = async (width, colorScheme) => {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  await context.addCookies([{ name: 'sessionid', value: session, url: base }]);
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push([page.url(), String(error)]));
  page.setDefaultTimeout(DEADLINE_MS);
  return page;
};

const page = await open(1280, 'light');
for (const [action, fields] of Object.entries(RULES)) {
  await page.goto(`${base}${A}rule/add/`);
  await page.fill('#id_name', `try ${action}`);
  await page.selectOption('#id_action', action);
  for (const [name, value] of Object.entries(fields)) {
    if (['items', 'brands', 'categories'].includes(name)) {
      // By choosing: type a part of the name, take the first that is offered.
      const search = page.locator(`#id_${name}`).locator('xpath=..').locator('[role=combobox]');
      await search.fill(value);
      await page.locator('.rs-offered:not([hidden]) [role=option]', { hasText: new RegExp(value, 'i') }).first().waitFor();
      await search.press('Enter');
    } else await page.fill(`#id_${name}`, value);
  }
  await page.locator('button:has-text("Save and publish")').click();
  await page.waitForURL('**/rule/');
  rules[action] = await page.locator('tr', { hasText: `try ${action}` }).innerText();
}
for (const [width, theme] of [[1280, 'light'], [390, 'dark']]) {
  const screen = await open(width, theme);
  for (const path of SCREENS) {
    await screen.goto(base + path);
    await screen.waitForLoadState('networkidle');
    const wider = await screen.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) problems.push([path, width, `${wider} px wider than the window`]);
    await screen.evaluate(AXE);
    const found = await screen.evaluate(() => axe.run(document.querySelector('.rs-board, main') || document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa'] }));
    for (const { id, nodes } of found.violations) {
      // Unfold's own: a tooltip's label, grey second lines of its lists.
      const ours = nodes.filter(({ target, html }) => !/help-tooltip|header-title|simplebar/.test(html + target) && (path === '/nothing-here/' || screen.url().includes('report') || /rs-/.test(html + target)));
      if (ours.length) problems.push([path, width, theme, id, ours[0].html.slice(0, 200)]);
    }
  }
}
await browser.close();
console.log(JSON.stringify({ problems, rules }));
