/**
 * Twenty wishes of merchandisers. `does` carries one out by hand; `holds` looks at what shoppers get, and throws.
 *
 * What the shop is like stands in `world.py`: without rules a list begins with i1, i2, i3 and goes on so.
 */
import { visitor } from './shop.mjs';

const SPRING = ['i44', 'i43', 'i42']; // newest first
const SALE = ['i31', 'i32', 'i33', 'i34', 'i35', 'i36'];
const isPlain = (list) => list.slice(0, 3).join() === 'i1,i2,i3';
const number = (item) => Number(item.slice(1));
const brand = (item) => Math.floor((number(item) - 1) / 3) % 6;
const price = (item) => 2000 + 250 * ((number(item) * 7) % 48);
const need = (is, what) => {
  if (!is) throw Error(what);
};

/** The next Sunday in the shop's time zone, as the form takes it. */
function sunday() {
  const words = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin', dateStyle: 'short' }).format(new Date());
  const day = new Date(`${words}T12:00:00Z`);
  do day.setUTCDate(day.getUTCDate() + 1);
  while (day.getUTCDay());
  return day.toISOString().slice(0, 10);
}

export const WISHES = [
  {
    name: 'collection',
    of: 'Constructor',
    wish: 'Pin the three newest of the spring collection to the top of the home page, for champions, until Sunday 18:00 of the shop',
    async does(hands, page) {
      await hands.steer('home_for_you');
      await hands.type(page.locator('#set-value'), 'spring');
      await hands.move(page.getByRole('button', { name: 'Pin them' }));
      await hands.unfold('Name, for whom, and when');
      await hands.type(page.locator('#id_name'), 'Spring first');
      await hands.check(page.getByRole('checkbox', { name: 'champions' }));
      await hands.type(page.locator('#id_ends_at_0'), sunday());
      await hands.type(page.locator('#id_ends_at_1'), '18:00');
      await hands.save();
    },
    async holds(shop, page) {
      await shop.shows('home_for_you', (list) => SPRING.every((item, at) => list[at] === item), { user_id: shop.member });
      need(isPlain(await shop.list('home_for_you')), 'others get it, too');
      await page.goto(`${shop.base}/admin/recommendations/rule/`);
      const said = await page.locator('#result_list tr', { hasText: 'Spring first' }).innerText();
      need(/until .*18:00 CES?T/.test(said), `the rule ends otherwise: ${said}`);
    },
  },
  {
    name: 'drag',
    of: 'Algolia',
    wish: 'Drag an item from the sixth to the third rank of a list',
    async does(hands, page) {
      await hands.steer('home_trending');
      const card = (rank) => page.locator(`[data-list] [data-rank="${rank}"]`);
      const moved = page.waitForResponse((reply) => reply.request().headers()['x-steer'] === 'part');
      await hands.drag(card(6), card(3));
      await moved;
      await page.locator('[data-part]:not([aria-busy])').waitFor();
      await hands.save();
    },
    holds: (shop) => shop.shows('home_trending', (list) => list[2] === 'i6' && list[0] === 'i1'),
  },
  {
    name: 'hide',
    of: 'Algolia',
    wish: 'Never show an item in a list',
    async does(hands, page) {
      await hands.steer('category_top');
      await hands.move(page.getByRole('button', { name: 'Never show Lamp no. 3 here' }));
      await hands.save();
    },
    holds: (shop) => shop.shows('category_top', (list) => !list.includes('i3') && list.length === 8),
  },
  {
    name: 'boost',
    of: 'Bloomreach',
    wish: 'Move a brand up by a slider, and see how far before it is live',
    async does(hands, page) {
      await hands.newRule('Vind up');
      const slider = page.getByRole('slider', { name: 'Strength' });
      const box = await slider.boundingBox();
      await hands.click({ click: () => page.mouse.click(box.x + box.width * 0.75, box.y + box.height / 2) });
      await hands.take('Brands', 'Vind');
      await hands.where('home_brands');
      await page.locator('.rs-tries .rs-pill').first().waitFor(); // what it moves, beside the form
      await hands.save();
    },
    holds: (shop) => shop.shows('home_brands', (list) => list.length === 8 && list.slice(0, 3).every((item) => brand(item) === 5)),
  },
  {
    name: 'scarce',
    of: 'Nosto',
    wish: 'Move down what is nearly sold out',
    async does(hands, page) {
      await hands.newRule('Scarce down');
      await hands.action('Move down');
      await hands.type(page.locator('#id_strength'), '20');
      await hands.type(page.locator('#id_stock_to'), '3');
      await hands.where('category_stock');
      await hands.save();
    },
    holds: (shop) => shop.shows('category_stock', (list) => !list.includes('i2') && !list.includes('i5') && list[0] === 'i1'),
  },
  {
    name: 'same_brand',
    of: 'Dynamic Yield',
    wish: 'On the page of an item, show alternatives of the same brand alone',
    async does(hands, page) {
      await hands.newRule('Same brand');
      await hands.action('Show nothing else');
      await hands.check(page.getByRole('checkbox', { name: 'the same brand' }));
      await hands.where('product_brand');
      await hands.save();
    },
    holds: (shop) =>
      shop.shows('product_brand', (list) => list.length >= 3 && !list.includes('i20') && list.every((item) => brand(item) === brand('i20')), {
        context_items: ['i20'],
      }),
  },
  {
    name: 'variety',
    of: 'Nosto',
    wish: 'Show at most two items of a brand',
    async does(hands, page) {
      await hands.placement('category_variety');
      await hands.type(page.locator('#id_max_per_brand'), '2');
      await hands.save('Save');
    },
    holds: (shop) =>
      shop.shows('category_variety', (list) => list.length === 8 && list.every((item) => list.filter((other) => brand(other) === brand(item)).length <= 2)),
  },
  {
    name: 'campaign_page',
    of: 'Dynamic Yield',
    wish: 'Leave a category out for visitors who come by an advertisement',
    async does(hands, page) {
      await hands.newRule('No candles from the summer ads');
      await hands.action('Never show');
      await hands.take('Categories', 'Candles');
      await hands.where('landing_summer');
      await hands.unfold('For whom: everybody');
      await hands.type(page.locator('#id_campaigns'), 'summer');
      await hands.save();
    },
    async holds(shop) {
      const candle = (item) => number(item) % 4 === 2;
      await shop.shows('landing_summer', (list) => list.length === 8 && !list.some(candle), { url: 'https://shop.example/?utm_campaign=summer' });
      need((await shop.list('landing_summer')).some(candle), 'others miss the category, too');
    },
  },
  {
    name: 'price',
    of: 'Dynamic Yield',
    wish: 'On the page of an item, show what costs within 20 % of it',
    async does(hands, page) {
      await hands.newRule('About the same price');
      await hands.action('Show nothing else');
      await hands.choose(page.locator('#id_page_price'), 'within so many percent of it');
      await hands.where('product_price');
      await hands.save();
    },
    holds: (shop) =>
      shop.shows('product_price', (list) => list.length >= 3 && list.every((item) => Math.abs(price(item) / price('i20') - 1) <= 0.2), {
        context_items: ['i20'],
      }),
  },
  {
    name: 'search',
    of: 'Algolia',
    wish: 'Pin an item where somebody searches for lamps',
    async does(hands, page) {
      await hands.newRule('Lamps: the new one first');
      await hands.action('Pin to a rank');
      await hands.take('Items', 'Lamp no. 47');
      await hands.where('search_top');
      await hands.type(page.locator('#id_queries'), 'lamp');
      await hands.save();
    },
    async holds(shop) {
      await shop.shows('search_top', (list) => list[0] === 'i47', { query: 'red lamp' });
      need(isPlain(await shop.list('search_top', { query: 'shoes' })), 'other searches get it, too');
    },
  },
  {
    name: 'members',
    of: 'Dynamic Yield',
    wish: 'Fill a list by another strategy for members of a segment',
    async does(hands, page) {
      await hands.placement('landing_vip');
      await hands.choose(page.locator('#id_segment_strategies_segment_0'), 'champions');
      await hands.choose(page.locator('#id_segment_strategies_strategy_0'), 'New arrivals');
      await hands.save('Save');
    },
    async holds(shop) {
      await shop.shows('landing_vip', (list) => list[0] === 'i48' && list[1] === 'i47', { user_id: shop.member });
      need(isPlain(await shop.list('landing_vip')), 'others get it, too');
    },
  },
  {
    name: 'schedule',
    of: 'Nosto',
    wish: 'Prepare a sale that begins on Sunday at 8:00 and is not seen before',
    async does(hands, page) {
      await hands.open('Campaigns');
      await hands.add();
      await hands.type(page.locator('#id_name'), 'Sale on Sunday');
      await hands.type(page.locator('#id_starts_at_0'), sunday());
      await hands.type(page.locator('#id_starts_at_1'), '08:00');
      await hands.save('Save');
      await hands.newRule('The sale alone');
      await hands.action('Show nothing else');
      await hands.take('Tags', 'sale');
      await hands.where('landing_sale');
      await hands.unfold('When: from publishing');
      await hands.choose(page.locator('#id_campaign'), 'Sale on Sunday');
      await hands.save();
    },
    async holds(shop, page) {
      need(isPlain(await shop.list('landing_sale')), 'the sale is seen already');
      await page.goto(`${shop.base}/admin/recommendations/campaign/`);
      const said = await page.locator('#result_list tr', { hasText: 'Sale on Sunday' }).innerText();
      need(/08:00/.test(said) && /1 of 1 published/.test(said), `the sale is planned otherwise: ${said}`);
    },
  },
  {
    name: 'stop',
    of: 'Bloomreach',
    wish: 'End a campaign that runs, at once',
    async does(hands, page) {
      await hands.open('Campaigns');
      await hands.check(page.locator('#result_list tr', { hasText: 'Season' }).locator('input[name=_selected_action]'));
      await hands.choose(page.locator('select[name=action]'), 'Switch off');
      await hands.follow(page.getByRole('button', { name: 'Run' }));
    },
    holds: (shop) => shop.shows('landing_season', isPlain),
  },
  {
    name: 'phones',
    of: 'Nosto',
    wish: 'On phones, show the sale alone',
    async does(hands, page) {
      await hands.newRule('The sale in the app');
      await hands.action('Show nothing else');
      await hands.take('Tags', 'sale');
      await hands.where('home_app');
      await hands.unfold('For whom: everybody');
      await hands.check(page.getByRole('checkbox', { name: 'phone' }));
      await hands.save();
    },
    async holds(shop) {
      await shop.shows('home_app', (list) => list.length === 6 && list.every((item) => SALE.includes(item)), { device: 'mobile' });
      need(isPlain(await shop.list('home_app', { device: 'desktop' })), 'computers get it, too');
    },
  },
  {
    name: 'hold_out',
    of: 'Constructor',
    wish: 'Keep one visitor in ten without a pin, to learn what it brings',
    async does(hands, page) {
      await hands.open('Hold-outs');
      await hands.add();
      await hands.site();
      await hands.click(page.locator('.field-rule .select2-selection'));
      await hands.click(page.locator('.select2-results__option', { hasText: 'Lamp first' }));
      await hands.type(page.locator('#id_percent'), '10');
      await hands.save('Save');
    },
    async holds(shop) {
      const until = performance.now() + shop.patience;
      for (let without = 0; ; without = await shop.share('landing_hero', isPlain, 200)) {
        if (without > 0.03 && without < 0.2) return;
        need(performance.now() < until, `${100 * without} % of the visitors are without it`);
      }
    },
  },
  {
    name: 'a_b',
    of: 'Dynamic Yield',
    wish: 'Try new arrivals against the present strategy, half of the visitors each',
    async does(hands, page) {
      await hands.open('Experiments');
      await hands.add();
      await hands.site();
      await hands.type(page.locator('#id_name'), 'New arrivals');
      await hands.where('landing_trial');
      await hands.type(page.locator('#id_arms-0-name'), 'As it is');
      await hands.type(page.locator('#id_arms-1-name'), 'New arrivals');
      await hands.choose(page.locator('#id_arms-1-strategy'), 'New arrivals');
      await hands.save('Save and continue editing');
      await hands.follow(page.getByRole('link', { name: 'Results' }).first());
      await hands.follow(page.getByRole('button', { name: 'Start' }));
    },
    async holds(shop) {
      const until = performance.now() + shop.patience;
      for (let without = 1; ; without = await shop.share('landing_trial', isPlain, 100)) {
        if (without > 0.3 && without < 0.7) break;
        need(performance.now() < until, `${100 * without} % of the visitors get the present strategy`);
      }
      for (let n = 0; n < 5; n += 1) {
        const [first, again] = [await shop.list('landing_trial', { anonymous_id: visitor(n) }), await shop.list('landing_trial', { anonymous_id: visitor(n) })];
        need(first.join() === again.join(), 'a visitor changes sides');
      }
    },
  },
  {
    name: 'undo',
    of: 'Algolia',
    wish: 'Undo the last change of a rule',
    async does(hands, page) {
      await hands.open('Rules');
      await hands.row('Bag first');
      await hands.follow(page.locator('a[href$="/show-versions/"]'));
      await hands.follow(page.getByRole('button', { name: 'Go back to version 1' }));
      await hands.save();
    },
    holds: (shop) => shop.shows('landing_news', (list) => list[0] === 'i45'),
  },
  {
    name: 'what_if',
    of: 'Constructor',
    wish: 'See how many lists of the last hour a rule would change, without publishing it',
    before: (shop) => shop.share('home_offers', isPlain, 40),
    async does(hands, page) {
      await hands.newRule('Lamps down');
      await hands.action('Move down');
      await hands.take('Categories', 'Lamps');
      await hands.where('home_offers');
      await page.locator('.rs-tried', { hasText: /\d would change/ }).waitFor();
      this.said = await page.locator('.rs-tried').innerText();
      await hands.save('Save');
    },
    async holds(shop) {
      need(/^Of (\d+) .* \1 would change/.test(this.said), `it says ${this.said}`);
      need(isPlain(await shop.list('home_offers')), 'a draft is served');
      this.notes = this.said;
    },
  },
  {
    name: 'preview',
    of: 'Bloomreach',
    wish: 'See a list as one shopper does, with what rules change in it',
    async does(hands, page) {
      await hands.placement('home_for_you');
      await hands.follow(page.getByRole('link', { name: 'Preview', exact: true }));
      await hands.type(page.locator('#id_user_id'), 'anna');
      await hands.follow(page.getByRole('button', { name: 'Show the list' }));
    },
    async holds(shop, page) {
      const listed = await page.locator('.rs-two').first().locator('section').nth(1).innerText();
      const served = await shop.list('home_for_you', { user_id: shop.member });
      const shown = [...listed.matchAll(/no\. (\d+)/g)].map((found) => `i${found[1]}`);
      need(served.every((item) => shown.includes(item)), `shown ${shown.join(' ')}, served ${served.join(' ')}`);
    },
  },
  {
    name: 'recall',
    of: 'Constructor',
    wish: 'Take an item out of every list at once',
    async does(hands, page) {
      await hands.open('Items');
      await hands.type(page.locator('#searchbar'), 'i1');
      await hands.follow({ click: () => page.locator('#searchbar').press('Enter') });
      await hands.follow(page.locator('#result_list tr', { hasText: 'Bag no. 1\n' }).getByRole('link').first());
      await hands.follow(page.getByRole('button', { name: 'Recall everywhere' }));
    },
    async holds(shop) {
      for (const placement of ['home_offers', 'category_top', 'landing_summer', 'search_top', 'cart_last'])
        await shop.shows(placement, (list) => !list.includes('i1') && list.length === 8);
    },
  },
];
