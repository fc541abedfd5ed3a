// Open pages in a real browser and tell what their policy forbade.
// node csp.mjs CHROMIUM COOKIE BASE_URL PATH… → one line of JSON: {PATH: {status, policy, violations: […], problems: […]}}
import { chromium } from "../../sdk/node_modules/playwright-core/index.mjs";
import { LIGHT } from "../../sdk/tests/chromium.mjs";
import { DEADLINE_MS } from "../services/deadline.mjs";

const [executablePath, session, base, ...paths] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: [LIGHT, "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const found = {};
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  if (session) await context.addCookies([{ name: "sessionid", value: session, url: base }]);
  await context.addInitScript(() => {
    globalThis.__violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.__violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile ?? ""} ${event.sample}`);
    });
  });
  let problems = [];
  const page = await context.newPage(); // one for all: a window costs more than most pages
  page.on("pageerror", (error) => problems.push(String(error)));
  for (const path of paths) {
    problems = [];
    const response = await page.goto(base + path, { waitUntil: "load", timeout: DEADLINE_MS });
    await page.waitForTimeout(200); // sleep: time for what the policy may forbid
    if (paths.indexOf(path) < 2) { // the menus of every page are the same
      for (const opener of await page.$$("[x-on\\:click]:visible, [\\@click]:visible")) {
        await opener.click({ timeout: 300 }).catch(() => {});
        if (page.url() !== base + path) break;
      }
    }
    for (const operation of (await page.$$(".opblock-summary-control")).slice(0, 4)) { // the API page's operations
      await operation.click({ timeout: DEADLINE_MS });
      await page.waitForTimeout(150); // sleep: time for what the policy may forbid
    }
    found[path] = {
      status: response.status(),
      policy: response.headers()["content-security-policy"] ?? "",
      violations: await page.evaluate(() => [...new Set(globalThis.__violations)]).catch(() => []),
      problems,
    };
  }
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
