// One job: what it is, what became of each attempt, why it does not run.

import { ApiError, del, get, getText, path, post } from "./api.js";
import { foreign, h, put } from "./dom.js";
import * as format from "./format.js";
import { pretty, rawMember } from "./json_text.js";
import { on } from "./live.js";
import { action, badge, confirm, copy, every, head, longText, stat, times, toast } from "./ui.js";

const final = new Set(["completed", "cancelled", "discarded"]);

function timeline(job) {
  const failed = job.errors.map((e) => [e.attempt, [`Attempt ${e.attempt} failed`, e.at, "bad", e.text]]);
  const steps = [
    ["Submitted", job.created_at, ""],
    job.run_at && job.run_at !== job.created_at && [job.state === "scheduled" || job.state === "retryable" ? "Due" : "Was due", job.run_at, ""],
    // In this order: what came in the same millisecond stays in it.
    ...failed.filter(([n]) => n < job.attempt).map(([, step]) => step),
    job.attempted_at && [`Attempt ${job.attempt} began`, job.attempted_at, job.state === "executing" ? "busy" : ""],
    ...failed.filter(([n]) => n >= job.attempt).map(([, step]) => step),
    job.finished_at && [job.state[0].toUpperCase() + job.state.slice(1), job.finished_at, job.state === "completed" ? "good" : "bad"],
  ].filter(Boolean).sort((a, b) => new Date(a[1]) - new Date(b[1]));
  const begun = new Date(job.created_at).getTime();
  return h("ol", { class: "timeline" }, steps.map(([what, at, how, text]) => h("li", { class: how || null },
    h("strong", null, what), " ", times(at), h("span", { class: "quiet" }, ` +${format.ms(Math.max(0, new Date(at).getTime() - begun))}`),
    text && h("p", null, foreign(text, 200)))));
}

function errors(job) {
  if (job.errors.length === 0) return null;
  const newest = job.errors.at(-1);
  const entry = (e) => h("li", null, h("p", { class: "quiet" }, `Attempt ${e.attempt}, `, times(e.at)), longText(e.text, `Error of attempt ${e.attempt}`, 2000));
  const older = job.errors.slice(0, -1).reverse();
  return h("section", { class: "errors" }, h("h2", null, job.errors.length > 1 ? `Errors (${job.errors.length})` : "Error"),
    h("ol", null, entry(newest)),
    older.length > 0 && h("details", null, h("summary", null, format.plural(older.length, "earlier error")), h("ol", null, older.map(entry))));
}

function progress(job) {
  const p = job.progress;
  if (p === undefined || p === null) return null;
  if (typeof p === "string" || (typeof p === "object" && !("fraction" in p || "total" in p || "value" in p)))
    return h("p", null, h("strong", null, "Progress "), foreign(typeof p === "string" ? p : JSON.stringify(p), 400));
  const value = typeof p === "number" ? p : p.fraction ?? (p.total ? p.done / p.total : p.value);
  const note = typeof p === "object" ? p.text ?? p.note ?? p.message : undefined;
  return h("p", { class: "progress" }, h("label", null, "Progress ", typeof value === "number" && h("progress", { max: 1, value })),
    typeof value === "number" ? ` ${Math.round(value * 100)} %` : "", note && [" ", foreign(note, 200)]);
}

export function mount(main, params, signal, [id]) {
  const box = h("div");
  put(main, box);
  let before = "";
  let job = null;
  const at = path("v1", "jobs", id);

  async function load() {
    let text;
    try {
      text = await getText(at, signal);
    } catch (e) {
      if (!(e instanceof ApiError) || e.status !== 404) throw e;
      put(box, head("No such job"), h("p", null, "There is no job with the id ", foreign(id, 80), ". Finished jobs are forgotten after a while."),
        h("p", null, h("a", { class: "button", href: "#/jobs" }, "All jobs")));
      return;
    }
    job = JSON.parse(text);
    const why = final.has(job.state) || job.state === "executing" ? null : await get(`${at}/explain`, signal);
    const now = text + (why?.text ?? "");
    if (now === before) return; // what somebody reads or selects stays
    before = now;
    draw(text, why);
  }

  const act = (label, f, options) => action(label, async () => { await f(); await load(); }, options);
  const remove = async () => {
    if (!await confirm("Delete this job?", "It is gone for good, with its result and its errors.", "Delete")) return;
    await del(at);
    toast("Deleted.");
    location.hash = "#/jobs";
  };
  const cancel = async () => {
    if (!await confirm("Cancel this job?", job.state === "executing" ? "It is asked to stop." : "It will not run.", "Cancel the job")) return;
    toast(`It is ${(await post(`${at}/cancel`)).state}.`);
  };

  function draw(text, why) {
    put(box, head(["Job ", foreign(job.kind, 80)], badge(job.state),
      h("div", { class: "buttons" },
        job.state !== "executing" && job.state !== "available" && act("Retry", async () => { await post(`${at}/retry`); toast("It will run again."); }, { class: "primary" }),
        !final.has(job.state) && act("Cancel …", cancel),
        job.state !== "executing" && act("Delete …", remove, { danger: true }))),
    h("p", { class: "mono id" }, job.id, " ", h("button", { type: "button", class: "small", onclick: () => copy(job.id) }, "Copy id")),
    why && h("p", { class: "why" }, h("strong", null, "Why it does not run: "), foreign(why.text, 400), why.until && [" Until ", times(why.until), "."]),
    progress(job), errors(job),
    h("dl", { class: "stats" }, stat("Queue", h("a", { href: `#/jobs?queue=${encodeURIComponent(job.queue)}` }, foreign(job.queue, 60))),
      stat("Attempt", `${job.attempt} of ${job.max_attempts}`), stat("Priority", job.priority, job.priority === 0 ? " most urgent" : ""),
      stat("Submitted", format.ago(job.created_at)), job.finished_at && stat("Finished", format.ago(job.finished_at))),
    h("div", { class: "columns" },
      h("section", null, h("h2", null, "Timeline"), timeline(job)),
      h("section", null, h("h2", null, "Payload"), longText(pretty(rawMember(text, "payload") ?? "null"), "Payload"),
        job.state === "completed" && [h("h2", null, "Result"), longText(pretty(rawMember(text, "result") ?? "null"), "Result")])));
  }
  on("log", (r) => { if (r.fields?.job === id) load().catch(() => {}); }, signal);
  every(1500, load, signal);
}
