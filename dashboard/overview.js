// How it goes: figures, what needs somebody, charts.

import { attention } from "./attention.js";
import { chart } from "./chart.js";
import { foreign, h, mark, put, say } from "./dom.js";
import * as format from "./format.js";
import { latest, live, on, reach } from "./live.js";
import { logList } from "./log.js";
import { depth, ofPools, rateNow, rates, slowest, total, values } from "./series.js";
import { badge, field, head, keyed, report, select, table } from "./ui.js";

const windows = [["60", "1 min"], ["300", "5 min"], ["900", "15 min"], ["3600", "1 h"]];
const choice = { window: "300", queue: "", pool: "" }; // kept while the page is open

const definitions = [
  {
    title: "Throughput", note: "jobs per second", text: format.rate, peaks: false,
    series: [{ name: "completed", color: 1 }, { name: "submitted", color: 2 }, { name: "failed attempts", color: 4 }],
    points: (x) => choice.pool
      ? [rates(x, ofPools("done", choice.pool)), [], rates(x, ofPools("failed", choice.pool))]
      : [rates(x, total("completed")), rates(x, total("pushed")), rates(x, total("failed_attempts"))],
  },
  {
    title: "Jobs that wait or run", text: format.count, floor: 5,
    series: [{ name: "available", color: 2 }, { name: "executing", color: 1 }, { name: "scheduled", color: 5 }, { name: "retryable", color: 3 }],
    points: (x) => ["available", "executing", "scheduled", "retryable"].map((state) => values(x, depth(state, choice.queue))),
  },
  {
    title: "Run time", text: format.ms, series: [{ name: "p50", color: 1 }, { name: "p99", color: 3 }],
    points: (x) => ["p50", "p99"].map((p) => values(x, slowest("run_ms", p, choice.pool))),
  },
  {
    title: "Wait until taken", text: format.ms, series: [{ name: "p50", color: 1 }, { name: "p99", color: 3 }],
    points: (x) => ["p50", "p99"].map((p) => values(x, slowest("wait_ms", p, choice.pool))),
  },
  {
    title: "Workers", text: format.count, floor: 2,
    series: [{ name: "busy", color: 1 }, { name: "all", color: 6 }, { name: "breakers open", color: 4 }],
    points: (x) => ["busy", "workers", "breakers_open"].map((m) => values(x, ofPools(m, choice.pool))),
  },
  {
    title: "Event loop lag", text: format.ms, series: [{ name: "lag", color: 5 }],
    points: (x) => [values(x, (one) => one.loop_lag_ms)],
  },
  {
    title: "Store", note: "per second", text: format.rate, peaks: false, only: (x) => Boolean(x.store),
    series: [{ name: "changes", color: 2 }, { name: "commits", color: 1 }],
    points: (x) => [rates(x, (one) => one.store?.changes ?? 0), rates(x, (one) => one.store?.groups ?? 0)],
  },
  {
    title: "Processor", note: "of one core", text: (v) => `${v.toFixed(v < 10 ? 1 : 0)} %`, peaks: false, floor: 10, only: (x) => Boolean(x.process),
    series: [{ name: "used", color: 2 }],
    points: (x) => [rates(x, (one) => (one.process?.cpu_s ?? 0) * 100)],
  },
];

function tiles() {
  const specs = [
    ["Completed", (x) => `${format.rate(rateNow(live.samples, total("completed")))}/s`],
    ["Failed attempts", (x) => `${format.rate(rateNow(live.samples, total("failed_attempts")))}/s`, (x) => (rateNow(live.samples, total("failed_attempts")) > 0 ? "warn" : "")],
    ["Waiting", (x) => format.count(depth("available")(x))],
    ["Executing", (x) => format.count(depth("executing")(x))],
    ["Workers busy", (x) => `${format.count(ofPools("busy")(x))} / ${format.count(ofPools("workers")(x))}`],
    ["Breakers open", (x) => format.count(ofPools("breakers_open")(x)), (x) => (ofPools("breakers_open")(x) > 0 ? "bad" : "")],
    ["Dead letters", (x) => format.count(depth("discarded")(x)), (x) => (depth("discarded")(x) > 0 ? "bad" : "")],
    ["Run time p99", (x) => format.ms(slowest("run_ms", "p99")(x))],
    ["Loop lag", (x) => format.ms(x.loop_lag_ms), (x) => (x.loop_lag_ms > 100 ? "warn" : "")],
    ["Memory", (x) => format.bytes(x.process?.rss_bytes)],
  ];
  const cells = specs.map(([label, value, level]) => {
    const dd = h("dd", null, "–");
    return { node: h("div", { class: "stat" }, h("dt", null, label), dd), dd, value, level };
  });
  return {
    node: h("dl", { class: "stats wide" }, cells.map((c) => c.node)),
    update(x) {
      for (const c of cells) {
        say(c.dd, c.value(x));
        mark(c.dd, "class", c.level?.(x) || null);
      }
    },
  };
}

function cells(...classes) {
  return classes.map((c) => h("td", { class: c }));
}

function queueTable() {
  const t = table("Queues now", ["Queue", "available", "executing", "scheduled", "retryable", "discarded", "Oldest waits"]
    .map((label, i) => ({ label, class: i === 0 ? "" : "n" })), { empty: "No job has been submitted yet." });
  const update = keyed(t, ([name]) => {
    const tds = cells("n", "n", "n", "n", "n", "n");
    const state = h("span");
    return {
      node: h("tr", null, h("th", { scope: "row" }, h("a", { href: `#/jobs?queue=${encodeURIComponent(name)}` }, foreign(name, 60)), " ", state), tds),
      update([, q]) {
        ["available", "executing", "scheduled", "retryable", "discarded"].forEach((s, i) => say(tds[i], format.count(q[s] ?? 0)));
        mark(tds[4], "class", q.discarded > 0 ? "n bad" : "n");
        say(tds[5], q.oldest_ms ? format.span(q.oldest_ms) : "–");
        if (state.hasChildNodes() !== Boolean(q.paused)) put(state, q.paused && badge("paused"));
      },
    };
  });
  return { node: t.node, update: (x) => update(Object.entries(x.queues ?? {}), ([name]) => name) };
}

function poolTable() {
  const t = table("Pools now", ["Pool", "workers", "busy", "done/s", "failed/s", "p50", "p99", "breakers open", "restarts"]
    .map((label, i) => ({ label, class: i === 0 ? "" : "n" })));
  const update = keyed(t, ([name]) => {
    const tds = cells("n", "n", "n", "n", "n", "n", "n", "n");
    return {
      node: h("tr", null, h("th", { scope: "row" }, h("a", { href: `#/workers?pool=${encodeURIComponent(name)}` }, foreign(name, 60))), tds),
      update([, p]) {
        [format.count(p.workers), format.count(p.busy), format.rate(rateNow(live.samples, ofPools("done", name))),
          format.rate(rateNow(live.samples, ofPools("failed", name))), format.ms(p.run_ms?.p50), format.ms(p.run_ms?.p99),
          format.count(p.breakers_open), format.count(p.restarts)].forEach((text, i) => say(tds[i], text));
        mark(tds[6], "class", p.breakers_open > 0 ? "n bad" : "n");
      },
    };
  });
  return { node: t.node, update: (x) => update(Object.entries(x.pools ?? {}), ([name]) => name) };
}

export function mount(main, _, signal) {
  const figures = tiles();
  const needs = attention(signal);
  const queues = queueTable();
  const pools = poolTable();
  const events = logList(signal, { max: 12 });
  let drawn = [];

  const rangeBox = select({}, windows, choice.window);
  const queueBox = select({}, [["", "all"]], "");
  const poolBox = select({}, [["", "all"]], "");
  const controls = h("div", { class: "controls" }, field("Last", rangeBox), field("Queue", queueBox), field("Pool", poolBox));
  const charts = h("div", { class: "charts" });

  const names = (box, list) => {
    const have = [...box.options].slice(1).map((o) => o.value);
    if (have.length === list.length && have.every((n, i) => n === list[i])) return;
    put(box, [["", "all"], ...list.map((n) => [n, n])].map(([value, label]) => h("option", { value }, label)));
  };

  function draw() {
    const x = latest();
    if (!x) return;
    figures.update(x);
    queues.update(x);
    pools.update(x);
    names(queueBox, Object.keys(x.queues ?? {}));
    names(poolBox, Object.keys(x.pools ?? {}));
    queueBox.value = choice.queue;
    poolBox.value = choice.pool;
    const wanted = definitions.filter((d) => !d.only || d.only(x));
    if (drawn.length !== wanted.length) {
      for (const one of drawn) one.chart.stop();
      drawn = wanted.map((d) => ({ d, chart: chart(d) }));
      put(charts, drawn.map((one) => one.chart.node));
    }
    const to = Math.max(x.at, Date.now() - 3000);
    const from = to - Number(choice.window) * 1000;
    const first = live.samples.findIndex((one) => one.at >= from);
    const seen = live.samples.slice(Math.max(0, first - 1));
    for (const one of drawn) one.chart.update(one.d.points(seen), from, to);
  }

  const load = () => reach(Number(choice.window) * 1000, signal).then(draw, report);
  const changed = () => {
    choice.window = rangeBox.value;
    choice.queue = queueBox.value;
    choice.pool = poolBox.value;
    load();
    draw();
  };
  for (const box of [rangeBox, queueBox, poolBox]) box.addEventListener("change", changed);

  put(main, head("Overview"), needs.node, figures.node, controls, charts,
    h("section", null, h("h2", null, "Queues"), queues.node),
    h("section", null, h("h2", null, "Pools"), pools.node),
    h("section", null, h("h2", null, "What happened last"), events.node));
  for (const what of ["sample", "history", "state"]) on(what, draw, signal);
  signal.addEventListener("abort", () => drawn.forEach((one) => one.chart.stop()));
  draw();
  if (live.state !== "connecting") load();
  else on("state", load, signal);
}
