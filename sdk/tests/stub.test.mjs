import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { page as embed, built, startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const STUB = `<script>${built('stub.js')}</script>`;
const early = (code) => ({
  stub: STUB + `<script>${code}</script>`,
  body: '<rec-widget placement="home"></rec-widget>',
});
const SKU = "{items:[{item_id:'SKU1'}]}";

/** Open a page whose script never comes, leave it, and return what the server got. */
const leftEarly = async (options, { init } = {}) => {
  const { context } = await newShopper(world);
  let isAsked = false;
  await context.route(/rec\.js/, () => (isAsked = true)); // and never answered
  world.shop.pages['/'] = embed(world.collector, options);
  const page = await context.newPage();
  if (init) await page.addInitScript(init);
  await page.goto(world.shop.origin, { waitUntil: 'commit' }); // a script that never comes keeps it from being loaded
  await until(() => isAsked, 'the script is on its way');
  await page.goto('about:blank');
  await unchanged(300);
  const { requests } = world.collector;
  await context.close();
  return requests;
};

test('what was tracked before the script came is sent when the visitor leaves without it', async () => {
  const requests = await leftEarly(early(`rec('identify','ann','token-of-ann');rec.track('view_item',${SKU})`));
  assert.equal(requests.length, 1);
  const [{ user_id: user, user_token: token, events }] = requests;
  assert.deepEqual([user, token], ['ann', 'token-of-ann']);
  assert.deepEqual([events[0].event, events[0].params], ['view_item', { items: [{ item_id: 'SKU1' }] }]);
});

test('nothing leaves then without consent', async () => {
  const tracked = `rec.track('view_item',${SKU})`;
  const gpc = () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true });
  assert.deepEqual(await leftEarly({ ...early(tracked), attributes: 'data-consent="pending"' }), []);
  assert.deepEqual(await leftEarly(early(tracked + ";rec('consent','denied')")), []);
  assert.deepEqual(await leftEarly({ ...early(tracked), attributes: 'data-datalayer' }), []);
  assert.deepEqual(await leftEarly(early(tracked), { init: gpc }), []);
  assert.deepEqual(await leftEarly(early(`localStorage.rec_consent='denied';${tracked}`)), []);
});

test('calls wait for the script, a list among them', async () => {
  const { context, open } = await newShopper(world);
  const page = await open(
    '/',
    early(`window.list=rec.recommend({placement:'home',limit:2});rec.track('view_item',${SKU})`),
  );
  const items = await page.evaluate(async () => (await window.list).items.length);
  await until(() => world.collector.named('view_item').length === 1, 'the event that waited');
  assert.equal(items, 2);
  await context.close();
});
