// Carry out wishes one by one in Chromium: node drive.mjs CHROMIUM [PICTURES] < {base, key, secret, session, member, names, patience_ms}
// → one line of JSON a wish: {name, of, wish, clicks, fields, keys, seconds, notes, problem}
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { LIGHT } from '../../sdk/tests/chromium.mjs';
import { Hands } from './hands.mjs';
import { Shop } from './shop.mjs';
import { WISHES } from './wishes.mjs';

const require = createRequire(new URL('../../sdk/', import.meta.url));
const { chromium } = require('playwright-core');
const [executablePath, pictures] = process.argv.slice(2);
const world = JSON.parse(readFileSync(0, 'utf8'));
const shop = new Shop(world, world.patience_ms);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', LIGHT] });

/** Return what a wish took, and what was wrong with it: nothing, as a rule. */
async function carriedOut(wish) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', reducedMotion: 'reduce' });
  await context.addCookies([{ name: 'sessionid', value: world.session, url: world.base }]);
  // Pictures stand on the shop's own host, which there is none of: to wait for its name would take seconds a page.
  await context.route((url) => !url.href.startsWith(world.base) && url.protocol.startsWith('http'), (route) => route.abort());
  const page = await context.newPage();
  page.setDefaultTimeout(world.patience_ms);
  const hands = new Hands(page, world.base, world.patience_ms);
  const said = { name: wish.name, of: wish.of, wish: wish.wish, problem: '' };
  try {
    await wish.before?.(shop);
    await hands.begin();
    await wish.does(hands, page);
    said.seconds = hands.seconds;
    if (pictures) await page.screenshot({ path: `${pictures}/${wish.name}.png`, fullPage: true });
    await wish.holds(shop, page);
  } catch (error) {
    said.problem = `${error.message}`.split('\n').slice(0, 4).join(' ');
    if (pictures) await page.screenshot({ path: `${pictures}/${wish.name}.failed.png`, fullPage: true });
  }
  const { clicks, fields, keys, notes } = hands;
  await context.close();
  return { ...said, seconds: said.seconds ?? hands.seconds, clicks, fields, keys, notes: [...notes, ...(wish.notes ? [wish.notes] : [])].join('; ') };
}

try {
  for (const wish of WISHES) {
    if (!world.names.length || world.names.includes(wish.name)) console.log(JSON.stringify(await carriedOut(wish)));
  }
} finally {
  await browser.close();
}
