// Chromium, and pages that complain about whatever is wrong with them.

import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { join } from "node:path";

const modules = process.env.LIFEGUARD_NODE_MODULES;
if (!modules) throw new Error("LIFEGUARD_NODE_MODULES: the folder with node_modules is not named");
const require = createRequire(join(modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

export async function launch() {
  const executablePath = process.env.LIFEGUARD_CHROMIUM || "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`there is no ${executablePath}: scripts/setup browser installs it`);
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}

/** A page in a context of its own. What it logs, throws or has refused by the policy is collected;
 *  `expected`: what the console may say. */
export async function open(browser, url, { expected = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (m) => {
    if (!expected.some((e) => e.test(m.text()))) wrong.push(`${m.type()}: ${m.text()}`);
  });
  page.on("pageerror", (e) => wrong.push(`thrown: ${e.message}`));
  page.on("request", (r) => {
    if (!r.url().startsWith(url) && !r.url().startsWith("data:")) wrong.push(`asked elsewhere: ${r.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => globalThis.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  });
  page.setDefaultTimeout(6000);
  await page.goto(url);
  return {
    page,
    /** To another part of the page. */
    async go(hash) {
      await page.evaluate((h) => { location.hash = h; }, hash);
      await page.waitForFunction((h) => location.hash === h, hash);
      await page.waitForSelector("main h1");
    },
    async wrong() {
      return [...wrong, ...(await page.evaluate(() => globalThis.violations ?? []))];
    },
    async close() { await context.close(); },
  };
}

/** Accessibility problems that are serious or worse. `rules`: only these. */
export async function inaccessible(page, rules) {
  // Through the debugger: the page's policy is not loosened.
  if (!await page.evaluate(() => Boolean(globalThis.axe))) await page.evaluate(axe);
  const found = await page.evaluate((only) => globalThis.axe.run(document, {
    resultTypes: ["violations"], ...(only ? { runOnly: { type: "rule", values: only } } : {}),
  }), rules);
  return found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}
