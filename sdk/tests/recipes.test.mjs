/** The recipes of docs/sdk.md, as printed, with stand-ins: they send the events that the makers publish, and are nobody's product. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const PAGE = readFileSync(new URL('../../docs/sdk.md', import.meta.url), 'utf8');
const recipe = (name) => PAGE.match(RegExp('```js\\n// ' + name + '\\b[^]*?```'))[0].slice(6, -3);

/** What the shopper does to each banner; `choose` runs on the page with what was accepted of the two categories. */
const BANNERS = {
  Cookiebot: (statistics, preferences) => {
    window.Cookiebot = { consent: { necessary: true, statistics, preferences, marketing: false } };
    dispatchEvent(new Event(statistics || preferences ? 'CookiebotOnAccept' : 'CookiebotOnDecline'));
  },
  OneTrust: (statistics, preferences) => {
    window.OnetrustActiveGroups = ['', 'C0001', statistics && 'C0002', preferences && 'C0003', '']
      .filter((id) => id !== false)
      .join();
    window.OneTrust = { IsAlertBoxClosed: () => true };
    dispatchEvent(new CustomEvent('OneTrustGroupsUpdated', { detail: window.OnetrustActiveGroups.split(',') }));
  },
  CookieYes: (analytics, functional) => {
    const categories = { necessary: true, analytics, functional, advertisement: false };
    window.getCkyConsent = () => ({ isUserActionCompleted: true, categories });
    document.dispatchEvent(new CustomEvent('cookieyes_consent_update', { detail: { accepted: [], rejected: [] } }));
  },
};

for (const [name, choose] of Object.entries(BANNERS)) {
  test(`${name}: nothing before the shopper chose, then what was chosen`, async () => {
    const { collector } = world;
    const { context, open } = await newShopper(world);
    const page = await open('/', { attributes: 'data-consent="pending"', body: `<script>${recipe(name)}</script>` });
    await page.waitForFunction(() => window.rec?.version);
    const act = (...accepted) => page.evaluate(`(${choose})(...${JSON.stringify(accepted)})`);
    const stored = () => page.evaluate(() => Object.keys(localStorage).filter((key) => key !== 'rec_consent'));
    await unchanged(300);
    assert.deepEqual([collector.attempts.length, await stored()], [0, []]);
    await act(true, true);
    await until(() => collector.named('page_view').length, 'the page view');
    await act(true, false);
    await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
    await unchanged(300);
    assert.deepEqual([collector.named('view_item').length, await stored()], [0, []]);
    await act(false, false);
    assert.deepEqual([page.errors, page.logs], [[], []]);
    await context.close();
  });
}
