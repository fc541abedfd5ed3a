import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const WIDGET = { body: '<rec-widget placement="home" live></rec-widget>' };
const stored = (page) => page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]);
const NOTHING = [[], [], ''];

test('Global Privacy Control: no events, no storage, no socket, lists for nobody', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const init = () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true });
  const page = await open('/', { ...WIDGET, init });
  await page.locator('rec-widget').locator('a').first().waitFor();
  const result = await page.evaluate(() => {
    rec('consent', 'granted'); // the signal outranks the page
    rec('identify', 'u1', 'token');
    return [rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }) ?? null, rec('id')];
  });
  await page.locator('rec-widget').locator('a').first().click();
  await unchanged(500);
  assert.deepEqual(result, [null, {}]);
  assert.equal(collector.attempts.length, 0);
  assert.equal(collector.sockets.size, 0);
  const { anonymous_id, user_id, headers } = collector.lists[0];
  assert.deepEqual([anonymous_id, user_id, headers.cookie], [undefined, undefined, undefined]);
  await page.goto(world.shop.origin + '/other');
  assert.deepEqual(await stored(page), NOTHING);
  await context.close();
});

test('data-gpc="ignore" is for shops that asked the shopper themselves', async () => {
  const { context, open } = await newShopper(world);
  const init = () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true });
  await open('/', { attributes: 'data-gpc="ignore"', init });
  await until(() => world.collector.named('page_view').length, 'page view');
  await context.close();
});

test('pending consent keeps events in memory only; granting sends them under one id', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { ...WIDGET, attributes: 'data-consent="pending"' });
  await page.locator('rec-widget').locator('a').first().waitFor();
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await unchanged(400);
  assert.equal(collector.attempts.length, 0);
  assert.deepEqual(await stored(page), NOTHING);
  assert.equal(collector.lists[0].anonymous_id, undefined);
  await page.evaluate(() => rec('consent', 'granted'));
  await until(() => collector.named('page_view').length && collector.named('view_item').length, 'both events');
  await until(() => collector.lists.length === 2 && collector.sockets.size === 1, 'a personal list and a socket');
  const [{ anonymous_id: id }] = collector.requests;
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(collector.lists[1].anonymous_id, id);
  await page.reload();
  await until(() => collector.named('page_view').length === 2, 'the next page remembers the choice');
  await context.close();
});

test('denying consent drops what waits and forgets the shopper', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await until(() => collector.requests.length, 'page view');
  collector.isDown = true;
  await page.evaluate(() => {
    rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
    rec('consent', 'denied');
  });
  collector.isDown = false;
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU2' }] }));
  await page.reload();
  await unchanged(500);
  assert.equal(collector.events().length, 1, 'only the page view from before');
  assert.deepEqual(await stored(page), [['rec_consent'], [], '']);
  await context.close();
});

test('a wrong choice is named in a warning and changes nothing', async () => {
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => rec('consent', 'yes'));
  assert.ok(
    page.logs.some((text) => text.includes("'yes' is not /^(granted|pending|denied)$/")),
    page.logs.join(),
  );
  await until(() => world.collector.requests.length, 'page view');
  await context.close();
});

test('an answer that was on its way brings no cookie back to who has said no, whatever page it comes to', async () => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  const cookies = async () => (await context.cookies()).map(({ name }) => name);
  collector.answer = () => ({
    status: 202,
    headers: { 'Set-Cookie': `rec_aid=${'c'.repeat(32)}; Path=/; Max-Age=9999; SameSite=Lax` },
  });
  const page = await open('/');
  /** Say no while an answer is on its way, and go to `path`; returns when the server has answered. */
  const leave = async (path) => {
    await page.evaluate(() => {
      rec('consent', 'granted');
      rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
    });
    await until(async () => (await cookies()).length, 'the cookie of who said yes');
    const isSent = () => !Object.keys(localStorage).some((key) => key.startsWith('rec_queue'));
    await until(() => page.evaluate(isSent), 'an answer to all that happened until now');
    collector.delayMs = 1000;
    const answered = collector.attempts.length;
    await page.evaluate(() => {
      rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] });
      const turn = new Promise((resolve) => setTimeout(resolve)); // sleep: the visitor's next click
      return turn.then(() => rec('consent', 'denied'));
    });
    await page.goto(shop.origin + path);
    await until(() => collector.attempts.length > answered, 'the late answer');
    collector.delayMs = 0;
  };
  // To a page of the shop that knows nothing of us, and then to one that does.
  await leave('/other');
  await until(async () => (await cookies()).length, 'the cookie that the answer brought');
  await page.goto(shop.origin + '/');
  await page.waitForFunction(() => window.rec?.version);
  await until(async () => !(await cookies()).length, 'no cookie once the script has started');
  // To a page that has started already.
  await leave('/');
  await unchanged(300);
  assert.deepEqual(await cookies(), []);
  // Just before a yes.
  const id = await page.evaluate((former) => {
    document.cookie = `rec_aid=${former};path=/`;
    rec('consent', 'granted');
    return rec.id().anonymous_id;
  }, 'c'.repeat(32));
  assert.notEqual(id, 'c'.repeat(32), 'who said no, and then yes, is a stranger');
  await context.close();
});

test('the server has the last word on the anonymous id, and its cookie is read', async () => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  await context.addCookies([{ name: 'rec_aid', value: 'cookie-made-by-the-server', url: shop.origin }]);
  const page = await open('/');
  await until(() => collector.requests.length, 'page view');
  assert.equal(collector.requests[0].anonymous_id, 'cookie-made-by-the-server');
  collector.answer = () => ({ status: 202, reply: { accepted: 1, rejected: [], anonymous_id: 'b'.repeat(32) } });
  await page.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await until(async () => (await page.evaluate(() => rec.id().anonymous_id)) === 'b'.repeat(32), 'the new id');
  await context.close();
});

test('events belong to who was there when they happened, over identify and reset', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/');
  await until(() => collector.requests.length, 'page view');
  collector.delayMs = 100; // what follows waits in one queue
  const [before, after] = await page.evaluate(() => {
    const item = (n) => ({ items: [{ item_id: 'SKU' + n }] });
    rec('track', 'view_item', item(1));
    rec('identify', 'ann', 'token-of-ann', { plan: 'gold' });
    rec('identify', 'ann', 'token-of-ann');
    rec('track', 'view_item', item(2));
    const before = rec.id();
    rec('reset');
    rec('track', 'view_item', item(3));
    return [before, rec.id()];
  });
  await until(() => collector.named('view_item').length === 3, 'all events');
  const of = (n) =>
    collector.requests.find(({ events }) => events.some(({ params }) => params.items?.[0].item_id === 'SKU' + n));
  assert.deepEqual([of(1).user_id, of(2).user_id, of(3).user_id], [undefined, 'ann', undefined]);
  assert.equal(of(1).anonymous_id, of(2).anonymous_id);
  assert.notEqual(of(3).anonymous_id, of(2).anonymous_id);
  assert.equal(of(3).anonymous_id, after.anonymous_id);
  assert.equal(before.user_token, 'token-of-ann');
  assert.equal(collector.named('identify').length, 1, 'once a session');
  assert.deepEqual(collector.named('identify')[0].params, {
    user_id: 'ann',
    token: 'token-of-ann',
    traits: { plan: 'gold' },
  });
  assert.notEqual(before.session_id, after.session_id);
  await context.close();
});

test('a session ends after 30 idle minutes and after a day', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const init = () => {
    const now = Date.now;
    Date.now = () => now() + (window.skewMs || 0);
  };
  const page = await open('/', { init });
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    const at = (minutes, n) => {
      window.skewMs = minutes * 6e4;
      rec('track', 'view_item', { items: [{ item_id: 'SKU' + n }] });
    };
    at(29, 0); // kept alive
    at(58, 1);
    at(89, 2); // 31 minutes later
    for (let n = 0; n < 60; n++) at(89 + n * 25, 3 + n); // busy for longer than a day
  });
  await until(() => collector.named('view_item').length === 63, 'all events');
  const byItem = Object.fromEntries(
    collector.named('view_item').map((event) => [event.params.items[0].item_id, event]),
  );
  const numbers = [0, 1, 2, 62].map((n) => byItem['SKU' + n].session_number);
  assert.deepEqual(numbers, [1, 1, 2, 3]);
  assert.equal(byItem.SKU0.session_id, byItem.SKU1.session_id);
  await context.close();
});

test('what a banner says in one tab counts in the others, and nothing of it is stored', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const options = {
    ...WIDGET,
    attributes: 'data-datalayer',
    head: `<script>window.dataLayer=[];function gtag(){dataLayer.push(arguments)}
      gtag('consent','default',{analytics_storage:'denied',personalization_storage:'denied'})</script>`,
  };
  const say = (page, word) =>
    page.evaluate((to) => gtag('consent', 'update', { analytics_storage: to, personalization_storage: to }), word);
  const [here, there] = [await open('/', options), await open('/', options)];
  for (const page of [here, there]) await page.waitForFunction(() => window.rec?.version);
  assert.deepEqual([await here.evaluate(() => rec.id()), collector.requests.length], [{}, 0], 'it starts pending');
  const is = (page, isGranted) => page.waitForFunction((wanted) => !!rec.id().anonymous_id === wanted, isGranted);
  await say(here, 'granted');
  await is(there, true);
  await until(() => collector.named('page_view').length === 2, 'what waited in both tabs');
  await say(here, 'denied');
  await is(there, false);
  await there.evaluate(() => rec('track', 'view_item', { items: [{ item_id: 'SKU1' }] }));
  await unchanged(300);
  assert.equal(collector.named('view_item').length, 0);
  assert.deepEqual(await stored(there), NOTHING);
  assert.equal(collector.sockets.size, 0);
  await context.close();
});

test('a choice, a log-in and a log-out in one tab are followed in the other', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const [here, there] = [await open('/', WIDGET), await open('/', WIDGET)];
  for (const page of [here, there]) await page.waitForFunction(() => window.rec?.version);
  const id = (page) => page.evaluate(() => rec.id());
  await there.evaluate(() => rec('token', (user) => Promise.resolve('token-of-' + user)));
  await here.evaluate(() => rec('identify', 'ann', 'token-of-ann'));
  await until(async () => (await id(there)).user_token === 'token-of-ann', 'she is logged in there, too');
  await until(() => collector.hellos.filter(({ user_id }) => user_id === 'ann').length === 2, 'both sockets are hers');
  const before = await id(there);
  await here.evaluate(() => rec('reset'));
  await until(async () => (await id(there)).anonymous_id !== before.anonymous_id, 'another visitor there, too');
  assert.deepEqual(
    [(await id(there)).user_id, (await id(there)).anonymous_id],
    [undefined, (await id(here)).anonymous_id],
  );
  await until(() => collector.sockets.size === 2, 'a socket of each tab');
  await here.evaluate(() => rec('consent', 'denied'));
  await until(async () => !(await id(there)).anonymous_id, 'nobody is there');
  await until(() => collector.sockets.size === 0, 'no socket without consent');
  await context.close();
});

test('a token that the server no longer takes is renewed by the function of the shop', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', WIDGET);
  await page.waitForFunction(() => window.rec?.version);
  await page.evaluate(() => {
    window.warnings = [];
    rec('on', 'warning', (told) => window.warnings.push(...told));
    rec('token', async (user) => 'fresh-token-of-' + user);
    rec('identify', 'ann', 'old-token');
  });
  await until(() => collector.hellos.some(({ user_token }) => user_token === 'old-token'), 'the socket says hello');
  collector.push({ type: 'ready', warnings: ['user_token_expired'] });
  await until(() => collector.lists.at(-1).user_token === 'fresh-token-of-ann', 'lists are asked again');
  await until(() => collector.hellos.at(-1).type === 'subscribe' || collector.hellos.at(-1).user_token, 'a new hello');
  assert.ok(collector.hellos.some(({ user_token }) => user_token === 'fresh-token-of-ann'));
  assert.deepEqual(await page.evaluate(() => window.warnings), ['user_token_expired']);
  assert.equal(collector.sockets.size, 1, 'on the socket that is there');
  await context.close();
});
