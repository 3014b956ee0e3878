// What needs somebody, worst first, each with what can be done about it.

import { get, path, post, query } from "./api.js";
import { foreign, h, put } from "./dom.js";
import * as format from "./format.js";
import { latest, on } from "./live.js";
import { lastFailure } from "./log.js";
import { retryAll } from "./bulk.js";
import { action, badge, every, report, toast } from "./ui.js";

const SHOWN = 6;

async function openBreakers(sample, signal) {
  const items = [];
  for (const [pool, p] of Object.entries(sample.pools ?? {})) {
    if (!(p.breakers_open > 0)) continue;
    const { workers } = await get(`/v1/workers${query({ pool })}`, signal);
    const bad = workers.filter((w) => ["open", "half_open", "forced_open"].includes(w.breaker));
    if (bad.length === 0)
      items.push({ level: "bad", badge: "open", title: ["Pool ", foreign(pool)], text: [`${format.plural(p.breakers_open, "circuit breaker")} open: its jobs wait.`], href: "#/breakers", label: "Breakers" });
    bad.sort((a, b) => b.failed - a.failed);
    if (bad.length > 3) { // rather one line than one for each
      const why = bad.find((w) => w.last_error)?.last_error;
      items.push({
        level: "bad", badge: "open", title: [`${bad.length} of ${p.workers} workers of `, foreign(pool)],
        text: ["Their circuit breakers are open: they take no jobs. ", why ? ["Last error: ", foreign(why, 140)] : ""],
        href: `#/workers${query({ pool })}`, label: "Show the workers",
      });
      continue;
    }
    for (const w of bad) {
      items.push({
        level: "bad", badge: w.breaker, title: ["Worker ", foreign(w.id)],
        text: [w.last_error ? ["Last error: ", foreign(w.last_error, 140), ". "] : "", `${format.plural(w.failed, "failed job")}; its circuit breaker is open, so it takes no jobs.`],
        href: `#/tree?at=${encodeURIComponent(w.id)}`, label: "Show the worker",
      });
    }
  }
  return items;
}

async function deadLetters(sample, signal) {
  const items = [];
  for (const [queue, q] of Object.entries(sample.queues ?? {})) {
    if (!(q.discarded > 0)) continue;
    let why = lastFailure((f) => f.queue === queue)?.fields.reason;
    if (why === undefined) {
      const { jobs } = await get(`/v1/jobs${query({ queue, state: "discarded", limit: 1 })}`, signal);
      if (jobs.length > 0) why = (await get(path("v1", "jobs", jobs[0].id), signal)).errors.at(-1)?.text;
    }
    items.push({
      level: "bad", badge: "discarded", title: [`${format.plural(q.discarded, "dead letter")} in `, foreign(queue)],
      text: why === undefined ? "Their attempts are used up." : ["Last error: ", foreign(why, 160)],
      href: `#/dead${query({ queue })}`, label: "Show the jobs",
      act: () => action("Retry all …", () => retryAll({ queue, state: "discarded" }), { small: true }),
    });
  }
  return items;
}

function pausedQueues(sample) {
  return Object.entries(sample.queues ?? {}).filter(([, q]) => q.paused).map(([queue, q]) => ({
    level: "warn", badge: "paused", title: ["Queue ", foreign(queue)],
    text: `Paused; ${format.plural(q.available ?? 0, "job")} ready to run.`, href: "#/queues", label: "Queues",
    act: () => action("Resume", async () => {
      await post(path("v1", "queues", queue, "resume"));
      toast("Resumed.");
    }, { small: true }),
  }));
}

export function attention(signal) {
  const list = h("ul", { class: "needs" });
  const node = h("section", { "aria-label": "Needs attention", class: "attention" }, h("h2", null, "Needs attention"), list);
  let shownAs = null;

  const item = (x) => h("li", { class: x.level }, badge(x.badge), h("div", null, h("strong", null, x.title), h("p", null, x.text)),
    h("div", { class: "buttons" }, h("a", { class: "button small", href: x.href }, x.label), x.act?.()));

  async function look() {
    const sample = latest();
    if (!sample) return;
    const items = [...await openBreakers(sample, signal), ...await deadLetters(sample, signal), ...pausedQueues(sample)];
    if (sample.loop_lag_ms > 250)
      items.push({ level: "warn", badge: "slow", title: "The event loop is held up", text: `By ${format.ms(sample.loop_lag_ms)}: a handler blocks its thread.`, href: "#/workers", label: "Workers" });
    const now = items.map(item);
    const text = now.map((n) => n.textContent).join("\n");
    if (text === shownAs) return; // buttons that somebody is about to press stay
    shownAs = text;
    node.classList.toggle("calm", items.length === 0);
    if (items.length === 0) put(list, h("li", { class: "good" }, badge("ok"), h("div", null, h("strong", null, "All is well"), h("p", null, "No breaker is open, no job was discarded, no queue is paused."))));
    else put(list, now.slice(0, SHOWN), now.length > SHOWN && h("li", { class: "quiet" }, `and ${now.length - SHOWN} more`));
  }

  every(2000, look, signal);
  let first = true;
  on("sample", () => {
    if (first) look().catch(report);
    first = false;
  }, signal);
  return { node };
}
