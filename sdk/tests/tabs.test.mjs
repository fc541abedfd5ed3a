/** Two tabs of one shopper. They are frames of one page, so that what both do before they hear of each other is exact. */
/* global asked, one, two, settle */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { page as embed, startWorld, until } from './harness.mjs';
import { newShopper } from './open.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

/**
 * Return `{page, context, both}` of a window with two tabs. In it, `one` and `two` are their windows, `logins` whom each
 * heard to have logged in elsewhere, and `writes` the keys of localStorage that each wrote.
 */
const openTabs = async (options) => {
  const { collector, shop } = world;
  const { context, open } = await newShopper(world);
  const head = `<script>
    window.logins = []; window.writes = [];
    addEventListener('rec:login', ({ detail }) => logins.push(detail));
    const write = Storage.prototype.setItem;
    Storage.prototype.setItem = function (key, value) { writes.push(key); return write.call(this, key, value); };
  </script>`;
  shop.pages['/tab'] = embed(collector, { attributes: 'data-auto="false"', head, ...options });
  const page = await open('/window', {
    page: '<!doctype html><title>window</title><iframe src="/tab"></iframe><iframe src="/tab"></iframe>',
  });
  await page.waitForFunction(() => window[0]?.rec?.version && window[1]?.rec?.version);
  await page.waitForFunction(() => window[0].rec.id().anonymous_id === window[1].rec.id().anonymous_id);
  await page.evaluate(() => {
    [window.one, window.two] = [window[0], window[1]];
    /** Wait until both tabs have heard all that was written: events of storage come in their order. */
    window.settle = async () => {
      for (const tab of [one, two]) {
        const word = Math.random() + '';
        await new Promise((resolve) => {
          tab.addEventListener('storage', ({ newValue }) => newValue === word && resolve());
          localStorage.setItem('other', word);
        });
      }
    };
    return settle();
  });
  return { context, page };
};

test('a choice that crosses another one on its way does not bring the first one back', async () => {
  const { page, context } = await openTabs();
  for (const [first, last] of [
    ['granted', 'denied'],
    ['denied', 'granted'],
    ['granted', 'pending'],
    ['denied', 'pending'],
    ['pending', 'granted'],
    ['pending', 'denied'],
  ]) {
    const said = await page.evaluate(
      async ([first, last]) => {
        one.rec.consent(first);
        two.rec.consent(last);
        await settle();
        await settle();
        return [one, two].map((tab) => [!!tab.rec.id().anonymous_id, !!tab.rec.track('look')]);
      },
      [first, last],
    );
    const wanted = [last === 'granted', last !== 'denied'];
    assert.deepEqual(said, [wanted, wanted], `${first}, then ${last} in the other tab`);
  }
  await context.close();
});

test('a log-in right after a log-out is heard, whoever of the two tabs did what, and whoever had heard', async () => {
  for (const hasHeard of [true, false])
    for (const [out, into] of [
      ['one', 'two'],
      ['two', 'one'],
      ['one', 'one'],
    ]) {
      const { page, context } = await openTabs();
      const said = await page.evaluate(
        async ([out, into, hasHeard]) => {
          window[into].rec.identify('ann', 'token-of-ann');
          await settle();
          for (const tab of [one, two]) tab.logins.length = 0;
          window[out].rec.reset();
          if (hasHeard) await settle();
          window[into].rec.identify('ann', 'token-of-ann');
          await settle();
          const [here, there] = into === 'one' ? [one, two] : [two, one];
          return { here: here.rec.id(), there: there.rec.id(), heard: [here.logins, there.logins] };
        },
        [out, into, hasHeard],
      );
      const which = `out in ${out}, in in ${into}, ${hasHeard ? '' : 'not '}heard`;
      assert.deepEqual(said.heard, [[], ['ann']], which);
      assert.equal(said.here.user_id, 'ann', which);
      assert.equal(said.there.user_id, undefined, which);
      assert.equal(said.here.anonymous_id, said.there.anonymous_id, which);
      assert.equal(said.here.session_id, said.there.session_id, which);
      await context.close();
    }
});

test('a session of the former shopper that a late tab writes back is nobody: no log-in, no session', async () => {
  const { page, context } = await openTabs();
  const said = await page.evaluate(async () => {
    one.rec.identify('bob', 'token-of-bob');
    await settle();
    for (const tab of [one, two]) tab.logins.length = 0;
    const echo = localStorage.getItem('rec_session');
    const { session_id: former } = one.rec.id();
    one.rec.reset();
    localStorage.setItem('rec_session', echo);
    await settle();
    const ids = [one.rec.id(), two.rec.id()];
    const heard = [one.logins.length, two.logins.length];
    two.rec.identify('ann', 'token-of-ann');
    await settle();
    return { former, ids, heard, logins: one.logins };
  });
  const [here, there] = said.ids;
  assert.notEqual(here.session_id, said.former);
  assert.equal(here.session_id, there.session_id);
  assert.deepEqual([here.user_id, there.user_id, said.heard], [undefined, undefined, [0, 0]]);
  assert.deepEqual(said.logins, ['ann']);
  await context.close();
});

test('a tab writes what it changed and nothing else: asking and hearing write nothing, tracking no session', async () => {
  const { collector } = world;
  const { page, context } = await openTabs();
  const said = await page.evaluate(async () => {
    const written = (tab) =>
      [...new Set(tab.writes.splice(0))].map((key) => key.replace(/rec_queue.*/, 'queue')).sort();
    written(two);
    two.rec.id();
    one.rec.identify('ann', 'token-of-ann');
    two.rec.id();
    await settle();
    two.rec.id();
    const asked = [two.logins.splice(0), written(two)];
    one.rec.identify('bob', 'token-of-bob');
    two.rec.track('look'); // before it has heard
    await settle();
    return { asked, heard: two.logins, tracked: written(two), user: JSON.parse(localStorage.rec_session).user };
  });
  assert.deepEqual(said.asked, [['ann'], []]);
  assert.deepEqual(said.heard, ['bob']);
  assert.deepEqual(said.tracked, ['queue', 'rec_last']);
  assert.equal(said.user, 'bob');
  await page.evaluate(() => two.rec.flush());
  await until(() => collector.named('look').length, 'the event');
  await context.close();
});

test('whom the page named while a banner waited is who is there, whoever the session before was', async () => {
  const { page, context } = await openTabs({ attributes: 'data-auto="false" data-consent="pending"' });
  const said = await page.evaluate(async () => {
    one.rec.consent('granted');
    one.rec.identify('bob', 'token-of-bob');
    await settle();
    // Not the shopper's own choice, which would be kept: the next page waits again.
    localStorage.removeItem('rec_consent');
    const old = two.rec;
    two.location.reload();
    while (!two.rec?.version || two.rec === old) await new Promise(requestAnimationFrame);
    const before = two.rec.id();
    // A word of the shop's own, or of the other tab's queue, says nothing of the shopper.
    await new Promise((heard) => {
      two.addEventListener('storage', heard, { once: true });
      localStorage.setItem('other', 'x');
    });
    two.rec.identify('ann', 'token-of-ann');
    two.rec.consent('granted');
    await settle();
    return { before, there: two.rec.id(), heard: [one.logins, two.logins] };
  });
  assert.deepEqual(said.before, {});
  assert.equal(said.there.user_id, 'ann');
  assert.deepEqual(said.heard, [['ann'], []]);
  await context.close();
});

test('a log-in that is heard before the part for tokens has come asks for a token all the same', async () => {
  for (const isGone of [false, true]) {
    const { context, page } = await openTabs();
    let release;
    const isReleased = new Promise((resolve) => (release = resolve));
    await context.route(/token\.js/, (route) => isReleased.then(() => route.continue()));
    const isCalled = context.waitForEvent('request', { predicate: (request) => request.url().endsWith('token.js') });
    await page.evaluate(async (isGone) => {
      window.asked = [];
      two.rec.token((user) => (asked.push(user), 'token-of-' + user));
      one.rec.identify('ann', 'token-of-ann');
      await settle();
      if (isGone) one.rec.reset();
      await settle();
    }, isGone);
    await isCalled;
    release();
    if (!isGone) await page.waitForFunction(() => two.rec.id().user_token === 'token-of-ann');
    await page.evaluate(() => {
      one.rec.identify('bob', 'token-of-bob');
    });
    await page.waitForFunction(() => two.rec.id().user_token === 'token-of-bob');
    assert.deepEqual(await page.evaluate(() => asked), isGone ? ['bob'] : ['ann', 'bob']);
    await context.close();
  }
});

test('whoever looks first finds out, and everything of the tab follows in that same step', async () => {
  const { page, context } = await openTabs();
  const said = await page.evaluate(async () => {
    two.users = 0;
    two.addEventListener('rec:user', () => two.users++);
    const counts = [];
    for (const act of [() => one.rec.reset(), () => one.rec.identify('ann', 'token'), () => one.rec.reset()]) {
      act();
      two.rec.id(); // before it has heard
      counts.push(two.users);
    }
    return { counts, now: [one.rec.id().anonymous_id, two.rec.id().anonymous_id] };
  });
  // To tab two, ann in the other tab is nobody as long as it has no token of hers.
  assert.deepEqual(said.counts, [1, 1, 2]);
  assert.equal(said.now[0], said.now[1]);
  await context.close();
});

test('a token that is answered after the log-out logs nobody in', async () => {
  const { page, context } = await openTabs();
  const said = await page.evaluate(async () => {
    const answers = [];
    window.asked = [];
    two.rec.token((user) => (asked.push(user), new Promise((resolve) => answers.push(resolve))));
    one.rec.identify('ann', 'token-of-ann');
    while (!answers.length) await new Promise(requestAnimationFrame);
    two.rec.reset();
    answers[0]('late-token-of-ann');
    await settle();
    one.rec.identify('bob', 'token-of-bob');
    while (answers.length < 2) await new Promise(requestAnimationFrame);
    const before = two.rec.id();
    answers[1]('token-of-bob');
    while (!two.rec.id().user_id) await new Promise(requestAnimationFrame);
    return { asked, before: before.user_id, after: two.rec.id().user_id };
  });
  assert.deepEqual(said, { asked: ['ann', 'bob'], before: undefined, after: 'bob' });
  await context.close();
});

test('a function whose tokens the server refuses is asked once, and again when the page names another', async () => {
  const { collector } = world;
  const { context, open } = await newShopper(world);
  const page = await open('/', { body: '<rec-widget placement="home"></rec-widget>' });
  await page.waitForFunction(() => window.rec?.version);
  const isRefused = (name) => until(() => collector.lists.some(({ user_token }) => user_token === name), name);
  await page.evaluate(() => {
    window.asked = [];
    rec('token', (user) => 'token-' + asked.push(user));
  });
  await page.evaluate(() => import(`${rec.host}/r/v${rec.version}/token.js`));
  const refuse = () =>
    page.evaluate(() => dispatchEvent(new CustomEvent('rec:warning', { detail: ['user_token_invalid'] })));
  await page.evaluate(() => rec('identify', 'ann', 'old'));
  await refuse();
  await isRefused('token-1');
  await refuse();
  await refuse();
  await page.evaluate(() => rec('identify', 'ann', 'other'));
  await refuse();
  await isRefused('token-2');
  assert.deepEqual(await page.evaluate(() => asked), ['ann', 'ann']);
  await context.close();
});

test("who logs out is a stranger, though a late answer has just brought the former visitor's cookie back", async () => {
  const { page, context } = await openTabs();
  const ids = await page.evaluate(() => {
    const { anonymous_id: former } = one.rec.id();
    Object.defineProperty(one.document, 'cookie', { get: () => `a=1; rec_aid=${former}`, set() {} });
    one.rec.reset();
    return [former, one.rec.id().anonymous_id, two.rec.id().anonymous_id];
  });
  assert.notEqual(ids[1], ids[0]);
  assert.equal(ids[1], ids[2]);
  await context.close();
});

test('a word on consent that came late and stands nowhere any more changes nothing; "pending" is followed', async () => {
  const { page, context } = await openTabs();
  const said = await page.evaluate(async () => {
    const words = [];
    two.addEventListener('rec:consent', ({ detail }) => words.push(detail));
    const hear = (newValue) => two.dispatchEvent(new two.StorageEvent('storage', { key: 'rec_consent', newValue }));
    hear('denied');
    hear(null);
    const after = !!two.rec.id().anonymous_id;
    one.rec.consent('pending');
    while (two.rec.id().anonymous_id) await new Promise(requestAnimationFrame);
    return { after, words };
  });
  assert.deepEqual(said, { after: true, words: ['pending'] });
  await context.close();
});
