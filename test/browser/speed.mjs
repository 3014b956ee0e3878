// How fast the dashboard is, and what it costs the server: 1,000 workers, and 5,000 jobs a second
// through the engine while it is measured. Environment: LIFEGUARD_PROGRAM, LIFEGUARD_NODE_MODULES.
//
//   node speed.mjs [--json] [--runs N]

import { readFileSync, readdirSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { Server, sleep, until } from "./server.mjs";

const { values: flags } = parseArgs({ options: { json: { type: "boolean" }, runs: { type: "string", default: "9" } } });
const runs = Number(flags.runs);
const RATE = 5000;
const BATCH = 250;
const SPAN_MS = 4000; // of one look at the processor
const TICKS = 100;    // USER_HZ
const pools = Array.from({ length: 5 }, (_, i) => ({ name: `pool${i + 1}`, queues: [`q${i + 1}`], size: 200, max_overflow: 0 }));

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const figures = [];
function figure(name, value, unit, budget, what) {
  figures.push({ name, value: Math.round(value * 100) / 100, unit, budget, what });
}

/** Seconds of processor that a process has used. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Percent of one core over a while. */
async function percent(pid) {
  const [began, cpu] = [performance.now(), cpuOf(pid)];
  await sleep(SPAN_MS);
  return (cpuOf(pid) - cpu) / (performance.now() - began) * 100_000;
}

/** Submits at the rate until it is told to stop. */
function load(server) {
  const bodies = pools.map((p) => JSON.stringify(Array.from({ length: BATCH }, () => ({ kind: "noop", queue: p.queues[0] }))));
  let on = true;
  const done = (async () => {
    const began = performance.now();
    for (let n = 0; on; n++) {
      const response = await server.ask("POST", "/v1/jobs", bodies[n % bodies.length]);
      if (response.status !== 201) throw new Error(`submitting: ${response.status}`);
      await response.arrayBuffer();
      await sleep(Math.max(0, began + (n + 1) * BATCH / RATE * 1000 - performance.now()));
    }
  })();
  done.catch(() => {}); // whoever stops it is told
  return { stop() { on = false; return done; } };
}

/** Runs in the page: notes when what it is for is there, and a click would be answered. */
function watch(selector) {
  const look = () => {
    const found = document.querySelector(selector);
    if (!found || found.textContent === "–") return requestAnimationFrame(look);
    setTimeout(() => { globalThis.interactive = performance.now(); }); // when the frame has been drawn
  };
  requestAnimationFrame(look);
}

/** From navigation, with an empty cache, until the page shows what it is for and can be used. */
async function interactive(browser, url, hash, selector) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  try {
    const page = await context.newPage();
    await page.addInitScript(watch, selector);
    await page.goto(url + hash);
    await page.waitForFunction(() => globalThis.interactive, null, { timeout: 15_000 });
    return await page.evaluate(() => ({
      ms: globalThis.interactive,
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
      requests: performance.getEntriesByType("resource").map((r) => `${r.name.replace(location.origin, "")} ${Math.round(r.startTime)}-${Math.round(r.responseEnd)}`),
    }));
  } finally {
    await context.close();
  }
}

/** What something costs the server: with it and without it in turn, as the load is never the same. */
async function cost(server, begin, pairs) {
  const more = [];
  for (let i = 0; i < pairs; i++) {
    const without = await percent(server.process.pid);
    const end = await begin();
    await sleep(1500); // beginning is not what is asked about
    more.push(await percent(server.process.pid) - without);
    await end();
  }
  return Math.max(0, median(more));
}

async function tab(browser, url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.goto(url);
  return () => context.close();
}

async function streams(server, number) {
  const cut = new AbortController();
  const all = await Promise.all(Array.from({ length: number }, () => fetch(`${server.url}/v1/events`, { signal: cut.signal })));
  for (const r of all) if (!r.ok) throw new Error(`a stream: ${r.status}`);
  const readers = all.map(async (r) => { for await (const _ of r.body) { /* as a page would */ } });
  return async () => { cut.abort(); await Promise.allSettled(readers); };
}

/** KiB of all files of the page. */
async function weight(server) {
  let bytes = 0;
  for (const file of readdirSync(new URL("../../dashboard/", import.meta.url))) {
    const response = await fetch(server.url + (file === "index.html" ? "/" : `/dashboard/${file}`));
    bytes += (await response.arrayBuffer()).byteLength;
  }
  return bytes / 1024;
}

const server = await new Server(process.env.LIFEGUARD_PROGRAM).start({ config: { name: "speed", pools } });
const browser = await launch();
const detail = {};
try {
  await until(async () => (await server.get("/v1/workers")).workers.length === 1000, "1,000 workers", 30_000);
  figure("tab_idle_cpu", await cost(server, () => tab(browser, `${server.url}/#/tree`), 3), "% of a core", 3, "one tab on the tree, nothing to do");
  figure("streams_idle_cpu", await cost(server, () => streams(server, 100), 3), "% of a core", 15, "100 event streams, nothing to do");
  const loading = load(server);
  await sleep(3000);
  await interactive(browser, server.url, "/", ".stats dd"); // the browser's own first time
  for (const [name, hash, selector] of [["overview", "/", ".stats dd"], ["tree", "/#/tree", ".tree .row"]]) {
    const all = [];
    for (let i = 0; i < runs; i++) all.push(await interactive(browser, server.url, hash, selector));
    const ms = all.map((r) => r.ms);
    figure(`${name}_interactive`, median(ms), "ms", 1000, "from navigation until it shows its figures and can be used; median");
    figure(`${name}_interactive_max`, Math.max(...ms), "ms", null, `the slowest of ${runs}`);
    figure(`${name}_paint`, median(all.map((r) => r.paint)), "ms", null, "first contentful paint; median");
    detail[name] = all.find((r) => r.ms === median(ms)).requests;
  }
  figure("tab_cpu", await cost(server, () => tab(browser, server.url), 5), "% of a core", 3, "one tab on the overview");
  figure("tree_tab_cpu", await cost(server, () => tab(browser, `${server.url}/#/tree`), 5), "% of a core", 3, "one tab on the tree");
  figure("streams_cpu", await cost(server, () => streams(server, 100), 5), "% of a core", 15, "100 event streams");
  figure("server_cpu", await percent(server.process.pid), "% of a core", null, "of all this the load");
  const { samples } = await server.get("/v1/history?seconds=20");
  const [first, last] = [samples[0], samples.at(-1)];
  figure("rate", (last.totals.completed - first.totals.completed) / (last.at - first.at) * 1000, "jobs/s", null, `completed; asked for ${RATE}`);
  await loading.stop();
  figure("weight", await weight(server), "KiB", 150, "all files of the page");
} finally {
  await browser.close();
  await server.end();
}

const over = figures.filter((f) => f.budget !== null && !(f.value <= f.budget));
if (flags.json) {
  console.log(JSON.stringify({ bench: "dashboard_speed", cores: cpus().length, runs, figures: Object.fromEntries(figures.map((f) => [f.name, f.value])), over: over.map((f) => f.name), detail }, null, 1));
} else {
  for (const f of figures)
    console.log(`${f.name.padEnd(26)}${String(f.value).padStart(9)} ${f.unit}${f.budget === null ? "" : ` (budget ${f.budget})`}: ${f.what}`);
}
process.exitCode = over.length > 0 ? 1 : 0;
