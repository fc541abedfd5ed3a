// Open a page for each piece of code that pushes to a data layer, and tell what the server answered to its events.
// node layers.mjs CHROMIUM BASE_URL KEY CASES.json → one line of JSON: {NAME: {accepted, rejected, warnings, problems, stored}}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "../../../sdk/node_modules/playwright-core/index.mjs";
import { LIGHT } from "../../../sdk/tests/chromium.mjs";
import { DEADLINE_MS } from "../../services/deadline.mjs";

const [executablePath, base, key, file] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(file, "utf8"));
const shop = createServer((request, response) => {
  const { code } = cases[decodeURIComponent(request.url.slice(1))] ?? { code: "" };
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(`<!doctype html><title>Shop</title>
    <script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) }</script>
    <script async src="${base}/r/v1/rec.js" data-key="${key}" data-auto="false" data-datalayer></script><script>${code}</script>`);
});
await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath,
  args: [LIGHT, "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const found = {};
try {
  for (const [name, { count, then }] of Object.entries(cases)) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const seen = (found[name] = { accepted: 0, rejected: [], warnings: [], problems: [], before: null, stored: null });
    page.on("pageerror", (error) => seen.problems.push(String(error)));
    page.on("response", async (response) => {
      if (!response.url().endsWith("/v1/events")) return;
      const answer = await response.json();
      seen.accepted += answer.accepted ?? 0;
      seen.rejected.push(...(answer.rejected ?? []));
      seen.warnings.push(...(answer.warnings ?? []));
    });
    await page.goto(`http://127.0.0.1:${shop.address().port}/${encodeURIComponent(name)}`);
    await page.waitForFunction(() => globalThis.rec?.version, null, { timeout: DEADLINE_MS });
    if (then) {
      await page.waitForTimeout(2500); // sleep: longer than a batch of events waits
      seen.before = seen.accepted;
      seen.stored = await page.evaluate(() => [...Object.keys(localStorage), document.cookie].filter(Boolean));
      await page.evaluate(then);
    }
    const end = Date.now() + 30_000;
    while (seen.accepted + seen.rejected.length < count && Date.now() < end) {
      await page.evaluate(() => rec.flush());
      await page.waitForTimeout(50); // sleep: between two looks
    }
    await page.waitForTimeout(200); // sleep: time for an event too many
    await context.close();
  }
} finally {
  await browser.close();
  shop.close();
}
console.log(JSON.stringify(found));
