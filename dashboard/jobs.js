// Jobs that match a filter, page by page.

import { get, query } from "./api.js";
import { cancelAll, removeAll, retryAll } from "./bulk.js";
import { foreign, h, put } from "./dom.js";
import { plural } from "./format.js";
import { latest } from "./live.js";
import { job_states } from "./series.js";
import { action, badge, field, head, report, select, settings, table, times } from "./ui.js";

const LIMIT = 50;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const namespace = "6f9c8a523d0b4b1e9d275f6a1e0c7b43"; // of ids that the server makes of text keys

/** The id of a job that was submitted under a key of text (RFC 9562, version 5). */
async function idOf(text) {
  if (uuid.test(text)) return text.toLowerCase();
  if (!crypto.subtle) return text; // not over plain HTTP from elsewhere
  const bytes = new Uint8Array([...namespace.match(/../g).map((x) => parseInt(x, 16)), ...new TextEncoder().encode(text)]);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).slice(0, 16);
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  const hex = [...hash].map((b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function row(job) {
  return h("tr", null,
    h("td", null, badge(job.state), job.cancel_asked && " (asked to stop)", job.waits_for_handler && h("span", { class: "warn" }, " no handler")),
    h("th", { scope: "row" }, h("a", { href: `#/jobs/${job.id}` }, foreign(job.kind, 60))),
    h("td", null, foreign(job.queue, 40)),
    h("td", { class: "n" }, `${job.attempt} of ${job.max_attempts}`),
    h("td", { class: "n" }, job.priority),
    h("td", null, times(job.created_at)),
    h("td", null, times(job.finished_at ?? job.attempted_at ?? job.run_at)),
    h("td", null, h("a", { class: "mono", href: `#/jobs/${job.id}` }, job.id)));
}

const trail = []; // of pages that were turned, for going back

export function mount(main, params, signal) {
  const filter = Object.fromEntries(["queue", "state", "kind", "id_prefix", "order"].map((n) => [n, params.get(n) ?? ""]));
  const after = params.get("after") ?? "";
  if (after === "") trail.length = 0;

  const queues = Object.keys(latest()?.queues ?? {});
  const queue = h("input", { value: filter.queue, list: "queues", placeholder: "any", spellcheck: "false", autocomplete: "off" });
  const kind = h("input", { value: filter.kind, placeholder: "any", spellcheck: "false", autocomplete: "off" });
  const state = select({}, [["", "any"], ...job_states.map((x) => [x, x])], filter.state);
  const order = select({}, [["", "newest first"], ["asc", "oldest first"]], filter.order);
  const id = h("input", { type: "search", value: filter.id_prefix, placeholder: "beginning, or key", spellcheck: "false", autocomplete: "off" });
  const go = (more) => { location.hash = `#/jobs${query({ queue: queue.value, state: state.value, kind: kind.value, order: order.value, ...more })}`; };
  const form = h("form", { class: "controls", role: "search", "aria-label": "Filter", onsubmit: async (e) => {
    e.preventDefault();
    const text = id.value.trim();
    try {
      if (!text) go({});
      else if (/^[0-9a-f-]{1,35}$/i.test(text) && (await get(`/v1/jobs${query({ id_prefix: text, limit: 1 })}`)).jobs.length > 0) go({ id_prefix: text });
      else location.hash = `#/jobs/${encodeURIComponent(await idOf(text))}`;
    } catch (e2) {
      report(e2);
    }
  } }, field("Queue", queue), h("datalist", { id: "queues" }, queues.map((q) => h("option", { value: q }))), field("State", state),
  field("Kind", kind), field("Id", id), field("Order", order), h("button", { class: "primary" }, "Show"),
  Object.values(filter).some(Boolean) && h("a", { class: "button", href: "#/jobs" }, "Clear"));
  for (const box of [state, order]) box.addEventListener("change", () => go({}));

  const t = table("Jobs", [{ label: "State" }, { label: "Kind" }, { label: "Queue" }, { label: "Attempt", class: "n" }, { label: "Priority", class: "n" },
    { label: "Submitted" }, { label: "Last change" }, { label: "Id" }], { empty: "No job matches." });
  const about = h("span", { class: "quiet", role: "status" });
  const previous = h("button", { type: "button", onclick: () => go({ id_prefix: filter.id_prefix, after: trail.pop() }) }, "← Previous");
  const first = h("a", { class: "button", href: `#/jobs${query(filter)}` }, "First");
  const chosen = !settings.read_only && !filter.id_prefix && (filter.queue || filter.state || filter.kind);
  const next = h("button", { type: "button" }, "Next →");
  const all = { queue: filter.queue, state: filter.state, kind: filter.kind };
  const then = (f) => async () => { if (await f(all)) await load(); };
  const bulk = h("div", { class: "buttons" },
    action("Retry all …", then(retryAll), { small: true }),
    ["completed", "cancelled", "discarded"].includes(filter.state) ? null : action("Cancel all …", then(cancelAll), { small: true }),
    filter.state === "executing" ? null : action("Delete all …", then(removeAll), { small: true, danger: true }));

  async function load() {
    const answer = await get(`/v1/jobs${query({ ...filter, order: filter.order || "desc", after, limit: LIMIT })}`, signal);
    t.rows(answer.jobs.map(row));
    put(about, answer.jobs.length === 0 ? "" : `${plural(answer.jobs.length, "job")}, ${filter.order === "asc" ? "the oldest" : "the newest"} first`);
    next.disabled = answer.next === null;
    next.onclick = () => { trail.push(after); go({ id_prefix: filter.id_prefix, after: answer.next }); };
    previous.disabled = trail.length === 0;
  }
  put(main, head("Jobs", h("button", { type: "button", class: "small", onclick: () => load().catch(report) }, "Refresh")), form,
    chosen && h("div", { class: "bulk" }, h("span", { class: "quiet" }, "With all that match:"), bulk),
    t.node, h("div", { class: "pager" }, first, previous, next, about));
  next.disabled = previous.disabled = true;
  load().catch(report);
}
