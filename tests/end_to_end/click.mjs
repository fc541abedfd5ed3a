// Click a product in a real browser and measure when the list on the same page shows something else.
// node click.mjs PAGE_URL CHROMIUM SCREENSHOT → one line of JSON: {ms: […], before: […], after: […]}
import { chromium } from "../../sdk/node_modules/playwright-core/index.mjs";
import { LIGHT } from "../../sdk/tests/chromium.mjs";
import { DEADLINE_MS } from "../services/deadline.mjs";

const USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
const [pageUrl, executablePath, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: [LIGHT, "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--disable-blink-features=AutomationControlled"],  // what a program drives is a bot, and bots change no list
});
try {
  const page = await browser.newPage({ userAgent: USER_AGENT, viewport: { width: 1280, height: 900 } });
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  // The server looks after this page; it sends an update only where the list on the page is not the newest any more.
  const ready = new Promise((resolve) => page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => String(payload).includes('"ready"') && resolve())));
  await page.goto(pageUrl);
  const listed = () => page.evaluate(() => {
    const widget = document.querySelector("rec-widget");
    return [...widget.shadowRoot.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"));
  });
  await page.waitForFunction(() => document.querySelector("rec-widget").shadowRoot?.querySelector("a[href]"));
  await ready;
  const before = await listed();
  const ms = [];
  for (const button of await page.$$("button")) {
    const shown = JSON.stringify(await listed());
    const started = await page.evaluate(() => performance.now());
    await button.click();
    await page.mouse.move(1200, 880); // a widget never moves what is under the pointer
    await page.waitForFunction((old) => {
      const links = [...document.querySelector("rec-widget").shadowRoot.querySelectorAll("a[href]")];
      return links.length && JSON.stringify(links.map((link) => link.getAttribute("href"))) !== old;
    }, shown, { timeout: DEADLINE_MS, polling: "raf" });
    ms.push(Math.round(await page.evaluate((from) => performance.now() - from, started)));
  }
  await page.screenshot({ path: screenshot });
  console.log(JSON.stringify({ ms, before, after: await listed(), problems }));
} finally {
  await browser.close();
}
