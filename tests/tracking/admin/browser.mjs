// A member of staff sets a shop up and watches its events, while a user opens a page with the copied tag.
// node browser.mjs CHROMIUM BASE_URL COOKIE SITE_ID LETTER_ID KEY PLACEMENT_ID [FOLDER for screenshots] → one line of JSON
import { createServer } from 'node:http';
import axe from '../../../sdk/node_modules/axe-core/axe.js';
import { chromium } from '../../../sdk/node_modules/playwright-core/index.mjs';
import { LIGHT } from '../../../sdk/tests/chromium.mjs';
import { DEADLINE_MS } from '../../services/deadline.mjs';

const [executablePath, base, session, site, letter, key, placement, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [LIGHT, '--no-sandbox', '--disable-gpu', '--disable-sync', '--disable-component-update'] });
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
  const checks = () => embed.evaluate(() => Object.fromEntries([...document.querySelectorAll('[data-check]')].map((one) => [one.dataset.check, one.dataset.state])));
  await embed.waitForSelector('[data-check=key]');
  seen.checks = { before: await checks() };
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

  // All blocks of the page, copied and put into one page as they are printed.
  const blocks = [seen.tag, await embed.textContent('#track'), await embed.textContent('#widget')];
  shop.html = `<!doctype html><html lang="en"><title>Shop</title><body>${blocks.join('\n')}</body></html>`;
  const reader = await (await browser.newContext({ userAgent })).newPage();
  const errors = [];
  reader.on('pageerror', (error) => errors.push(error.message));
  await reader.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  await reader.goto(shopUrl);
  await reader.waitForFunction(() => window.rec?.version);
  seen.printed = { errors, widget: await reader.evaluate(() => customElements.get('rec-widget') !== undefined && document.querySelector('rec-widget').shadowRoot !== null) };
  const debuggerPage = await open(`/admin/tracking/site/${site}/live/`);
  const arrived = ['view_item', 'add_to_cart', 'purchase'];
  for (const name of arrived) await debuggerPage.waitForFunction((name) => document.getElementById('live-list').textContent.includes(name), name);
  seen.printed.tracked = arrived;
  await debuggerPage.close();
  await embed.waitForSelector('[data-check=events][data-state=done]');
  await embed.waitForSelector('[data-check=live][data-state=done]');
  seen.checks.after = await checks();
  seen.checks.said = await embed.textContent('#checks');
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

  // A placement: what is typed is drawn by the shop's own widget beside the form, and a mistake is named there.
  const form = await open(`/admin/recommendations/placement/${placement}/change/`);
  const drawn = () => form.locator('.rs-trial rec-widget');
  const title = drawn().getByText('Trail boots').first();
  await title.waitFor();
  await form.fill('[name=heading]', 'Just in');
  await drawn().getByText('Just in').waitFor();
  await title.waitFor();
  const trial = { items: [await title.textContent()], heading: 'Just in', said: await form.locator('[data-trial-url] > [role=status]').textContent() };
  await look(form, 'placement');
  await form.fill('[name=condition]', 'pricee < 50');
  await form.waitForFunction(() => document.querySelector('[data-trial-url] [role=status]').textContent.includes('pricee'));
  seen.trial = { ...trial, wrong: true };

  // The same list steered by hand: with the mouse, by keys, by buttons on a phone; undone, and published.
  const steer = await open(`/admin/recommendations/placement/${placement}/steer/`);
  await steer.waitForSelector('[data-steer=ready]');
  await steer.setViewportSize({ width: 1280, height: 2400 }); // a page that scrolls between press and move drags another card
  const listed = () => steer.evaluate(() => [...document.querySelectorAll('[data-list] > [data-rank]')].map((card) => card.dataset.item));
  const stands = (item, rank, pinned) =>
    steer.waitForFunction(
      ([item, rank, pinned]) => {
        const card = document.querySelectorAll('[data-list] > [data-rank]')[rank - 1];
        return card?.dataset.item === item && 'pinned' in card.dataset === pinned && !document.querySelector('[data-part][aria-busy]');
      },
      [item, rank, pinned],
    );
  const announced = (text) => steer.waitForFunction((text) => document.querySelector('[data-live]').textContent.includes(text), text);
  const card = (item) => steer.locator(`[data-list] > [data-item=${item}]`);
  const before = await listed();
  seen.steer = { before };
  await card('BOOT4').dragTo(card(before[0]));
  await stands('BOOT4', 1, true);
  seen.steer.dragged = await listed();
  await steer.fill('[name=q]', 'boots 6');
  await steer.locator('.is-found [data-item=BOOT6]').dragTo(card(before[1]));
  await stands('BOOT6', 3, true);
  await card('BOOT4').dragTo(steer.locator('[data-zone=unpin]'));
  await announced('not pinned any more');
  seen.steer.unpinned = await listed();
  await card('BOOT5').dragTo(steer.locator('[data-zone=exclude]'));
  await announced('never shown');
  seen.steer.excluded = await listed();
  await steer.keyboard.press('Control+z');
  await announced('Undone');
  seen.steer.undone = await listed();
  const grab = card('BOOT5').locator('[data-grab]');
  await grab.focus();
  await steer.keyboard.press('Enter');
  await announced('picked up');
  for (let step = 0; step < 9; step += 1) await steer.keyboard.press('ArrowUp');
  await announced('Rank 1 of 6');
  await steer.keyboard.press('ArrowDown');
  await announced('Rank 2 of 6');
  await steer.keyboard.press('Enter');
  await stands('BOOT5', 2, true);
  seen.steer.said = await steer.textContent('[data-live]');
  seen.steer.focus = await steer.evaluate(() => document.activeElement.closest('[data-item]')?.dataset.item);
  await steer.keyboard.press('Delete');
  await announced('not pinned any more');
  seen.steer.deleted = await listed();
  seen.steer.axe = [];
  await steer.evaluate(axe.source);
  for (const width of [390, 1280]) {
    await steer.setViewportSize({ width, height: 900 });
    const { violations } = await steer.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
    seen.steer.axe.push(...violations.map((one) => `${width} ${one.id} ${one.nodes[0].target}`));
  }
  await look(steer, 'steer');
  await steer.setViewportSize({ width: 390, height: 844 });
  await card('BOOT3').getByRole('button', { name: 'one rank up' }).click();
  await announced('Boots 3 is pinned');
  seen.steer.tapped = await listed();
  await Promise.all([steer.waitForURL(/rule=\d+/), steer.getByRole('button', { name: 'Save and publish' }).click()]);
  await steer.waitForSelector('[data-steer=ready]');
  seen.steer.published = await listed();
  seen.steer.told = await steer.getByText('every process serves it within two seconds').count();

  // Dead letters, for their looks.
  await look(await open('/admin/tracking/deadletter/'), 'letters');
  await look(await open(`/admin/tracking/deadletter/${letter}/change/`), 'letter');
  await look(await open(`/admin/tracking/deadletter/${letter}/edit/`), 'edit');
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify(seen));
