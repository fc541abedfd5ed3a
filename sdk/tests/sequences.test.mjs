/** Random sequences of pushes, consent and load times in Chromium, through the real tracker: what leaves is what ten lines say. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, unchanged, until } from './harness.mjs';
import { newShopper } from './open.mjs';
import { model, perform, sequence } from './sequences.mjs';

const SEQUENCES = +(process.env.BROWSER_SEQUENCES || 12);

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

// A stand-in for a TCF banner: it answers as the specification says, and is nobody's product.
const TCF = `let listener, told;
  window.__tcfapi=(command,version,callback)=>{listener=callback;if(told)callback(told,true)};
  window.tell=(word)=>{const data={gdprApplies:true,eventStatus:word==='shown'?'cmpuishown':'tcloaded',
    purpose:{consents:word==='granted'?{1:true,5:true,6:true}:{}}};if(word!=='shown')told=data;listener?.(data,true)};`;

test(`${SEQUENCES} sequences of a page's pushes, consent and load times`, async () => {
  const { collector } = world;
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    const made = sequence(7000 + seed, { most: 250, length: 20 });
    const { context, open } = await newShopper(world);
    let release;
    const isReleased = new Promise((resolve) => (release = resolve));
    await context.route(/datalayer\.js/, (route) => isReleased.then(() => route.continue()));
    const gtag = 'window.dataLayer=[];function gtag(){dataLayer.push(arguments)}';
    const page = await open('/', {
      attributes: 'data-datalayer data-auto="false"',
      head: `<script>${gtag};${made.hasTcf ? TCF : ''}</script>`,
    });
    await page.waitForFunction(() => window.rec?.host);
    const itemsOf = ({ params }) => params.items.map((item) => item.item_id ?? item.id ?? item.sku);
    const sent = () => collector.events().flatMap(itemsOf);
    const arrived = async (wanted) => {
      if (wanted.length) await page.evaluate(() => rec('flush'));
      await until(() => sent().length >= wanted.length, `seed ${seed}: ${wanted.length} items`, 30_000);
    };
    for (const [index, step] of made.steps.entries()) {
      // What is on its way when a shopper withdraws may arrive or not; here it has arrived.
      if (step.consent || step.own || step.tcf) await arrived(model({ ...made, steps: made.steps.slice(0, index) }));
      if (step.load) {
        release();
        await page.waitForFunction(() => window.rec.version);
      } else {
        await page.evaluate(`(${perform})(window, ${JSON.stringify(step)})`);
      }
    }
    const wanted = model(made);
    await arrived(wanted);
    await unchanged(50);
    assert.deepEqual(sent().sort(), [...wanted].sort(), `seed ${seed}`);
    assert.deepEqual(page.errors, [], `seed ${seed}`);
    await context.close();
  }
});
