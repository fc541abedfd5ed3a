/** Open shop pages of a world in a fresh browser context; every test starts as a new shopper. */
import { page as embed } from './harness.mjs';

/** Return `{context, open}`; `open(path, options)` loads a page that embeds the SDK. */
export const newShopper = async (world, contextOptions) => {
  const { collector, shop, browser } = world;
  collector.renew();
  const context = await browser.newContext(contextOptions);
  const open = async (path, { init, ...options } = {}) => {
    shop.pages[path] = options.page || embed(collector, options);
    const page = await context.newPage();
    page.errors = [];
    page.logs = [];
    page.on('pageerror', (error) => page.errors.push(error.message));
    page.on('console', (message) => page.logs.push(message.text()));
    if (init) await page.addInitScript(init);
    await page.goto(shop.origin + path);
    return page;
  };
  return { context, open };
};
