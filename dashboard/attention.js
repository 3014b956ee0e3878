// What needs somebody, worst first, each with what can be done about it.

import { get, path, post, query } from "./api.js";
import { foreign, h, mark, put, reconcile, say } from "./dom.js";
import * as format from "./format.js";
import { latest, on } from "./live.js";
import { lastFailure } from "./log.js";
import { retryAll } from "./bulk.js";
import { action, badge, every, report, toast, wordOf } from "./ui.js";

const SHOWN = 6;

const because = (why) => (why ? ["Last error: ", h("strong", { class: "bad" }, foreign(why, 160)), " · "] : "");

function ofWorker(w) {
  const forced = w.breaker === "forced_open";
  return {
    level: "bad", badge: w.breaker, title: ["Worker ", foreign(w.id), forced ? " is switched off" : " fails"],
    text: [because(w.last_error), forced ? "Its circuit breaker was forced open: it takes no jobs until somebody closes it."
      : `${format.plural(w.failed, "job")} failed, so it takes no others for now.`],
    href: `#/tree?at=${encodeURIComponent(w.id)}`, label: "Show the worker",
  };
}

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
        level: "bad", badge: "open", title: [`${bad.length} of ${p.workers} workers of `, foreign(pool), " fail"],
        text: [because(why), "Their circuit breakers are open: they take no jobs."],
        href: `#/workers${query({ pool })}`, label: "Show the workers",
      });
      continue;
    }
    items.push(...bad.map(ofWorker));
  }
  return items;
}

/** Why a job of the queue in that state failed: of the log, or of the newest of them. */
async function reason(queue, state, signal) {
  const known = lastFailure((f) => f.queue === queue)?.fields.reason;
  if (known !== undefined) return known;
  const { jobs } = await get(`/v1/jobs${query({ queue, state, order: "desc", limit: 1 })}`, signal);
  return jobs.length > 0 ? (await get(path("v1", "jobs", jobs[0].id), signal)).errors.at(-1)?.text : undefined;
}

async function failedJobs(sample, signal) {
  const items = [];
  for (const [queue, q] of Object.entries(sample.queues ?? {})) {
    if (q.discarded > 0)
      items.push({
        level: "bad", badge: "discarded", title: [`${format.plural(q.discarded, "job")} of `, foreign(queue), " failed for good"],
        text: [because(await reason(queue, "discarded", signal)), "They are kept until you retry or delete them."],
        href: `#/dead${query({ queue })}`, label: "Show the jobs",
        act: () => action("Retry all …", () => retryAll({ queue, state: "discarded" }), { class: "primary small" }),
      });
    if (q.retryable > 0)
      items.push({
        level: "warn", badge: "retryable", title: [`${format.plural(q.retryable, "job")} of `, foreign(queue), " failed and will be tried again"],
        text: [because(await reason(queue, "retryable", signal)), "They wait for their next attempt."],
        href: `#/jobs${query({ queue, state: "retryable" })}`, label: "Show the jobs",
        act: () => action("Retry now …", () => retryAll({ queue, state: "retryable" }), { small: true }),
      });
  }
  return items.sort((a, b) => (a.level === "bad" ? 0 : 1) - (b.level === "bad" ? 0 : 1));
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

/** A line that stays the same elements while its figures change: a button keeps its focus. */
function itemView() {
  const about = h("div", null, h("strong"), h("p"));
  const buttons = h("div", { class: "buttons" });
  const node = h("li", null, h("span"), about, buttons);
  let made = false;
  return {
    node,
    update(x) {
      mark(node, "class", x.level);
      if (node.firstChild.textContent !== wordOf(x.badge)) node.firstChild.replaceWith(badge(x.badge));
      put(about.firstChild, x.title);
      put(about.lastChild, x.text);
      if (!made) put(buttons, h("a", { class: "button small", href: x.href }, x.label), x.act?.());
      made = true;
    },
  };
}

export function attention(signal) {
  const list = h("ul", { class: "needs" });
  const node = h("section", { "aria-label": "Needs attention", class: "attention" }, h("h2", null, "Needs attention"), list);
  const views = new Map();
  const well = h("li", { class: "good" }, badge("ok"), h("div", null, h("strong", null, "All is well"), h("p", null, "No breaker is open, no job failed, no queue is paused.")));
  const more = h("li", { class: "quiet" });

  async function look() {
    const sample = latest();
    if (!sample) return;
    const items = [...await openBreakers(sample, signal), ...await failedJobs(sample, signal), ...pausedQueues(sample)];
    if (sample.loop_lag_ms > 250)
      items.push({ level: "warn", badge: "slow", title: "The event loop is held up", text: `By ${format.ms(sample.loop_lag_ms)}: a handler blocks its thread.`, href: "#/workers", label: "Workers" });
    reconcile(list, views, items.slice(0, SHOWN), (x) => `${x.badge} ${x.href}`, itemView);
    say(more, `and ${items.length - SHOWN} more`);
    if (items.length === 0) list.append(well);
    else well.remove();
    if (items.length > SHOWN) list.append(more);
    else more.remove();
  }

  every(2000, look, signal);
  let first = true;
  on("sample", () => {
    if (first) look().catch(report);
    first = false;
  }, signal);
  return { node };
}
