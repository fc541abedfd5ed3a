// Walk random sequences in windows of Chromium at the same time.
// node drive.mjs CHROMIUM BASE_URL LENGTH WINDOWS <SEEDS, where SEEDS is a JSON list → one line of JSON: {sequences, violations: [TEXT], sockets}
import { readFileSync } from "node:fs";
import { chromium } from "../../../sdk/node_modules/playwright-core/index.mjs";
import { LIGHT } from "../../../sdk/tests/chromium.mjs";

const [executablePath, base, ...figures] = process.argv.slice(2);
const [length, windows] = figures.map(Number);
const left = JSON.parse(readFileSync(0, "utf8"));
const BATCH = 4;
const browser = await chromium.launch({
  executablePath,
  args: [LIGHT, "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const found = { sequences: 0, violations: [], sockets: 0 };
const work = async (number) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => found.violations.push(`an error on the page: ${error}`));
  await page.goto(`${base}/shop/tabs?n=${number}`);
  while (left.length) {
    const seeds = left.splice(0, BATCH);
    const seen = await page.evaluate(([seeds, length]) => window.walk(seeds, length), [seeds, length]);
    found.sequences += seeds.length;
    console.error(found.sequences);
    found.violations.push(...seen.violations);
    for (const violation of seen.violations) console.error(violation); // also where the whole is stopped
    found.sockets = Math.max(found.sockets, seen.sockets);
  }
};
try {
  await Promise.all(Array.from({ length: windows }, (_, number) => work(number)));
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
