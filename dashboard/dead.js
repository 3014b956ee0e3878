// Dead letters: jobs whose attempts are used up, each with its last error.

import { del, get, path, post, query } from "./api.js";
import { removeAll, retryAll } from "./bulk.js";
import { foreign, h, put, say } from "./dom.js";
import { latest } from "./live.js";
import { action, confirm, field, head, report, select, settings, table, times, toast } from "./ui.js";

const LIMIT = 25;

export function mount(main, params, signal) {
  const queue = params.get("queue") ?? "";
  const filter = { queue, state: "discarded" };
  const names = [...new Set([queue, ...Object.keys(latest()?.queues ?? {})])].filter(Boolean);
  const box = select({ onchange: () => { location.hash = `#/dead${query({ queue: box.value })}`; } }, [["", "all"], ...names.map((n) => [n, n])], queue);
  const t = table("Dead letters", [{ label: "Kind" }, { label: "Queue" }, { label: "Last error" }, { label: "Attempts", class: "n" }, { label: "Discarded" },
    ...(settings.read_only ? [] : [{ label: "Actions" }])], { empty: "No job was given up." });
  const more = h("button", { type: "button", hidden: true }, "More");
  const about = h("span", { class: "quiet", role: "status" });

  function row(job) {
    const node = h("tr");
    const gone = (text) => { node.classList.add("gone"); for (const b of node.querySelectorAll("button")) b.remove(); toast(text); };
    const error = job.errors.at(-1)?.text;
    put(node, h("th", { scope: "row" }, h("a", { href: `#/jobs/${job.id}` }, foreign(job.kind, 60))),
      h("td", null, foreign(job.queue, 40)),
      h("td", { class: "why-cell" }, error === undefined ? "–" : foreign(error, 220)),
      h("td", { class: "n" }, job.attempt), h("td", null, times(job.finished_at)),
      !settings.read_only && h("td", null, h("div", { class: "buttons" },
        action("Retry", async () => { await post(path("v1", "jobs", job.id, "retry")); gone("It will run again."); }, { small: true, "aria-label": `Retry ${job.kind} ${job.id}` }),
        action("Delete …", async () => {
          if (!await confirm("Delete this job?", "It is gone for good, with its errors.", "Delete")) return;
          await del(path("v1", "jobs", job.id));
          gone("Deleted.");
        }, { small: true, danger: true, "aria-label": `Delete ${job.kind} ${job.id}` }))));
    return node;
  }

  let rows = [];
  async function load(after) {
    if (!after) rows = [];
    const answer = await get(`/v1/jobs${query({ ...filter, order: "desc", after, limit: LIMIT })}`, signal);
    const whole = await Promise.all(answer.jobs.map((j) => get(path("v1", "jobs", j.id), signal).catch(() => ({ ...j, errors: [] }))));
    rows = rows.concat(whole.map(row));
    t.rows(rows);
    more.hidden = answer.next === null;
    more.onclick = () => load(answer.next).catch(report);
    say(about, rows.length === 0 ? "" : `${rows.length} shown, those submitted last come first`);
  }
  const then = (f) => async () => { if (await f(filter)) await load(); };
  put(main, head("Dead letters", h("div", { class: "buttons" }, h("button", { type: "button", class: "small", onclick: () => load().catch(report) }, "Refresh"),
    action("Retry all …", then(retryAll), { small: true }), action("Delete all …", then(removeAll), { small: true, danger: true }))),
  h("p", { class: "quiet" }, "Jobs that were given up: out of attempts, or discarded by their handler. They are kept with their errors until you retry or delete them."),
  h("div", { class: "controls" }, field("Queue", box)), t.node, h("div", { class: "pager" }, more, about));
  load().catch(report);
}
