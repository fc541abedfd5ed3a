// A member of staff sets a shop up and watches its events, while a user opens a page with the copied tag.
// node browser.mjs CHROMIUM BASE_URL COOKIE SITE_ID LETTER_ID KEY [FOLDER for screenshots] → one line of JSON
import { createServer } from 'node:http';
import { chromium } from '../../../sdk/node_modules/playwright-core/index.mjs';
import { DEADLINE_MS } from '../../services/deadline.mjs';

const [executablePath, base, session, site, letter, key, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-sync', '--disable-component-update'] });
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const problems = [];
const seen = { problems, overflow: {} };

const staff = await browser.newContext({ viewport: { width: 1280, height: 900 } });
await staff.addCookies([{ name: 'sessionid', value: session, url: base }]);
await staff.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base });
const open = async (path) => {
  const page = await staff.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && problems.push(`${path}: ${message.text()}`));
  page.on('pageerror', (error) => problems.push(`${path}: ${error}`));
  await page.goto(base + path);
  return page;
};
/** Take pictures where they are wanted, and note by how much the page is wider than a phone. */
const look = async (page, name) => {
  if (folder) await page.screenshot({ path: `${folder}/${name}-1280.png`, fullPage: true });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  seen.overflow[name] = await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
  if (folder) await page.screenshot({ path: `${folder}/${name}-390.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 900 });
};

const shop = { html: '' };
const server = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(shop.html));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const shopUrl = `http://127.0.0.1:${server.address().port}/`;

try {
  // Embed: the tag is copied, a page with it is opened, and the first event is seen.
  const embed = await open(`/admin/tracking/site/${site}/embed/`);
  await embed.waitForFunction(() => /No event/.test(document.getElementById('seen').textContent));
  seen.before = await embed.textContent('#seen');
  seen.tag = await embed.textContent('#tag');
  const button = embed.locator('[data-copy=tag]');
  // The button says it for 1.5 seconds: what it says is written down, so that a busy machine misses nothing.
  await button.evaluate((one) => {
    window.said = [];
    new MutationObserver(() => window.said.push(one.textContent)).observe(one, { childList: true, subtree: true, characterData: true });
  });
  await button.click();
  await embed.waitForFunction(() => window.said.includes('Copied'));
  seen.copied = { said: 'Copied', clipboard: await embed.evaluate(() => navigator.clipboard.readText()) };
  await embed.waitForFunction(() => document.querySelector('[data-copy=tag]').textContent === 'Copy');
  seen.copied.later = await button.textContent();
  await embed.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(Error('denied')); });
  await button.click();
  await embed.waitForFunction(() => document.querySelector('[data-copy=tag]').textContent === 'Selected');
  seen.selected = { said: await button.textContent(), selection: await embed.evaluate(() => String(getSelection())) };

  shop.html = `<!doctype html><title>Shop</title><script>window.rec=window.rec||function(){(rec.q=rec.q||[]).push(arguments)}</script>${seen.tag}`;
  const visitor = await (await browser.newContext({ userAgent })).newPage();
  await visitor.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  await visitor.goto(shopUrl);
  await visitor.waitForFunction(() => window.rec?.version);
  await embed.waitForFunction(() => /first event/.test(document.getElementById('seen').textContent));
  seen.after = await embed.textContent('#seen');
  await look(embed, 'embed');

  // The debugger.
  const live = await open(`/admin/tracking/site/${site}/live/`);
  const names = () => live.locator('#live-list > li summary span:first-of-type').allTextContents();
  const until = async (name) => live.waitForFunction((name) => document.getElementById('live-list').textContent.includes(name), name);
  const send = (events, more) => fetch(base + '/v1/events', {
    method: 'POST', headers: { 'User-Agent': userAgent, 'Content-Type': 'text/plain' },
    body: JSON.stringify({ key, sent_at: Date.now(), anonymous_id: 'a'.repeat(32), ...more, events: events.map((event, i) => ({ event_id: `e-${Date.now()}-${i}`, ts: Date.now(), ...event })) }),
  });
  await visitor.evaluate(() => {
    rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
    rec('track', 'add_to_cart', { items: [{ item_id: 'SKU1' }] });
  });
  await send([{ event: 'wish', params: { text: '<b>no markup</b>' } }, { event: 'view_item', params: { items: [] } }], { anonymous_id: 'b'.repeat(32) });
  for (const name of ['add_to_cart', 'view_item', 'wish', 'invalid_event']) await until(name);
  seen.live = await names();
  await live.locator('#live-list > li details').first().click();
  await look(live, 'live');
  await live.fill('#live-filter', 'add_to_cart');
  seen.by_event = await names();
  await live.fill('#live-filter', 'a:' + 'b'.repeat(32));
  seen.by_user = await names();
  await live.fill('#live-filter', 'no such thing');
  seen.nothing = await live.locator('#live-empty:visible').textContent();
  await live.fill('#live-filter', '');
  await live.check('#live-rejected');
  seen.refused = await names();
  await live.uncheck('#live-rejected');
  await live.click('#live-pause');
  await send([{ event: 'search', params: { search_term: 'boots' } }]);
  await live.waitForTimeout(2_500); // sleep: two looks of a page that may show nothing new
  seen.paused = { events: await names(), state: await live.textContent('#live-state'), pressed: await live.getAttribute('#live-pause', 'aria-pressed') };
  await live.click('#live-pause');
  await until('search');
  seen.going_on = { events: await names() };

  // Dead letters, for their looks.
  await look(await open('/admin/tracking/deadletter/'), 'letters');
  await look(await open(`/admin/tracking/deadletter/${letter}/change/`), 'letter');
  await look(await open(`/admin/tracking/deadletter/${letter}/edit/`), 'edit');
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify(seen));
