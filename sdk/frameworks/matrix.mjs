/**
 * One shop page in each framework, in Chromium: taken over from the server's HTML, changed, routed, bought from, taken away.
 *
 * Each step is a promise that the widget makes to whoever embeds it in a framework; the list of those that do not hold is
 * what `inFramework` returns.
 */
import { until } from '../tests/harness.mjs';
import { newShopper } from '../tests/open.mjs';
import { bundled } from './bundle.mjs';

export { FRAMEWORKS } from './bundle.mjs';

const FIRST = { item: { id: 'SKU1', key: 1 }, limit: 3, heading: 'Similar', live: true };

/** The card as the page has it, for those that take it by its id. */
const CARD =
  '<template id="card"><a data-bind="href:url"><b data-bind="text:title"></b></a><button data-rec-action="add_to_cart" data-bind="value:item_id; data-list:rec_id">+</button></template>';

/** Nodes and listeners of the page that nothing frees, and the heap in bytes, after a collection. */
const held = async (session) => {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const value = (name) => metrics.find((each) => each.name === name).value;
  return { nodes: value('Nodes'), listeners: value('JSEventListeners'), heap: value('JSHeapUsedSize') };
};

/** Return `{name, failures, nodes, listeners, heap}`; the last three are what `mounts` mounts left behind. */
export const inFramework = async (world, framework, { mounts = 100 } = {}) => {
  const { collector, shop } = world;
  const { script, render } = await bundled(framework);
  const failures = [];
  const hold = (isTrue, what) => isTrue || failures.push(what);
  const { context, open } = await newShopper(world);
  shop.pages['/app.js'] = { html: script, type: 'text/javascript' };
  const html = await render({ ...FIRST, isServed: true });
  const page = await open('/app', {
    head: '<style>rec-widget:not(:defined){display:block;min-height:400px}</style>',
    body: `${CARD}<div id="app">${html}</div><script src="/app.js"></script>`,
  });
  const update = (state) => page.evaluate((next) => window.app.update(next), { ...FIRST, ...state });
  const cards = () =>
    page.evaluate(() => [...document.querySelectorAll('rec-widget')].map((each) => each.shadowRoot.innerHTML)[0] || '');
  const drawn = (count) =>
    until(async () => (await cards()).match(/Product number/g)?.length === count, `${count} cards`, 15_000);
  /** Whatever was asked of it until now has been sent by the time that another list is answered. */
  const settled = () => page.evaluate(() => window.rec.recommend({ placement: 'settled' }).then(() => 0));
  const asked = async () => {
    await settled();
    return collector.lists.flatMap(({ placements }) => placements).filter(({ placement }) => placement === 'pdp');
  };
  try {
    // Taken over from the server's HTML.
    await page.evaluate((state) => window.app.hydrate(document.querySelector('#app'), state), {
      ...FIRST,
      isServed: true,
    });
    await drawn(3);
    hold((await asked()).length === 1, 'one request of the served page');
    await until(() => collector.sockets.size === 1, 'one socket', 15_000);

    // Changed: several attributes in one turn, and the same again.
    await update({ item: { id: 'SKU2', key: 1 }, limit: 5, heading: 'Like it', isServed: true });
    await drawn(5);
    await update({ item: { id: 'SKU2', key: 1 }, limit: 5, heading: 'Like it', isServed: true });
    const changed = await asked();
    hold(changed.length === 2, `one request for a change, not ${changed.length - 1}`);
    hold(changed[1]?.limit === 5 && changed[1].context_items[0] === 'SKU2', 'all that changed together');
    hold((await cards()).includes('>Like it<'), 'the heading follows');
    await update({ item: { id: 'SKU2', key: 1 }, limit: 5, heading: 'Like it', live: false, isServed: true });
    await until(() => collector.sockets.size === 0, 'live={false} is not live', 15_000);

    // Bought from: a button in the card knows its item and list.
    const action = await page.evaluate(() => {
      const told = new Promise((resolve) =>
        addEventListener('rec:action', ({ detail }) => resolve(detail), { once: true }),
      );
      const button = document.querySelector('rec-widget').shadowRoot.querySelectorAll('button')[1];
      button.click();
      return told.then(({ item, rec_id: recId }) => [item.item_id, recId, button.value, button.dataset.list]);
    });
    hold(action[0] === 'SKU2' && action[1] && action[2] === action[0] && action[3] === action[1], `action ${action}`);
    await until(() => collector.named('add_to_cart').length, 'add_to_cart', 15_000);
    hold(collector.named('add_to_cart')[0].params.items[0].rec_id === action[1], 'the cart knows the list');

    // Taken away, and mounted again by the client alone, with what the framework appends to <template>.
    await page.evaluate(() => window.app.unmount());
    await page.evaluate((state) => window.app.mount(document.querySelector('#app'), state), FIRST);
    await drawn(3);
    await until(() => collector.sockets.size === 1, 'a socket again', 15_000);

    // Routed: twenty pages leave one widget, and a word of consent asks for one list.
    for (let n = 2; n <= 21; n++) await update({ item: { id: `SKU${n}`, key: n } });
    await drawn(3);
    hold((await page.locator('rec-widget').count()) === 1, 'one widget');
    const before = (await asked()).length;
    await page.evaluate(() => window.rec.consent('denied'));
    const more = (await asked()).length - before;
    hold(more === 1, `one list for a word of consent, not ${more}`);
    await page.evaluate(() => window.rec.consent('granted'));
    await settled();
    await update({ item: undefined });
    await until(() => collector.sockets.size === 0, 'no socket', 15_000);

    // A hundred mounts leave nothing behind.
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    const cycle = (from, count) =>
      page.evaluate(
        async ([first, from, count]) => {
          for (let n = from; n < from + count; n++) {
            await window.app.update({ ...first, item: { id: `SKU${n % 30}`, key: n } });
            await new Promise((resolve) => setTimeout(resolve)); // a turn, in which it asks
            await window.app.update({ ...first, item: undefined });
          }
        },
        [FIRST, from, count],
      );
    await cycle(100, 20);
    await settled();
    const first = await held(session);
    await cycle(200, mounts);
    await settled();
    const last = await held(session);
    hold(page.errors.length === 0, page.errors.join());
    const said = page.logs.filter((text) => /hydrat|did not match|mismatch|warning/i.test(text));
    hold(said.length === 0, said.join().slice(0, 300));
    return {
      name: framework.name,
      failures,
      nodes: last.nodes - first.nodes,
      listeners: last.listeners - first.listeners,
      heap: last.heap - first.heap,
    };
  } catch (error) {
    failures.push(error.message, ...page.errors, ...page.logs);
    return { name: framework.name, failures, nodes: 0, listeners: 0, heap: 0 };
  } finally {
    await context.close();
  }
};
