// Open the API's page in Chromium: how many operations it shows, and what the console complains of.
import { chromium } from '../../sdk/node_modules/playwright-core/index.mjs';
import { LIGHT } from '../../sdk/tests/chromium.mjs';
import { DEADLINE_MS } from '../services/deadline.mjs';

const [address, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [LIGHT, '--no-sandbox'] });
const page = await browser.newPage();
const problems = [];
page.on('console', (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()));
page.on('pageerror', (error) => problems.push(String(error)));
page.on('request', (request) => request.url().startsWith(address) || request.url().startsWith('data:') || problems.push(`asks ${request.url()}`));
const response = await page.goto(address + '/v1/docs');
await page.waitForSelector('.opblock', { timeout: DEADLINE_MS });
await page.locator('.opblock-summary').first().click();
await page.waitForSelector('.opblock-body');
console.log(JSON.stringify({
  operations: await page.locator('.opblock').count(),
  policy: response.headers()['content-security-policy'] ?? '',
  problems,
}));
await browser.close();
