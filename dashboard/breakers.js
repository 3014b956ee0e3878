// Circuit breakers, the open ones first.

import { get, path, post } from "./api.js";
import { foreign, h, line, mark, put, say } from "./dom.js";
import * as format from "./format.js";
import { lastFailure } from "./log.js";
import { action, badge, confirm, every, head, keyed, select, settings, table, toast } from "./ui.js";

const PAGE = 200;
const rank = (b) => (b.state === "closed" ? 2 : b.state === "disabled" ? 1 : 0);

export function mount(main, params, signal) {
  let shown = PAGE;
  let list = [];
  let errors = new Map(); // the last one of each worker
  const t = table("Circuit breakers", [{ label: "Breaker" }, { label: "Scope" }, { label: "State" }, { label: "Failures", class: "n" }, { label: "Tries again", class: "n" }, { label: "Last error" },
    ...(settings.read_only ? [] : [{ label: "Actions" }])], { empty: "No breaker matches." });
  const which = select({ "aria-label": "Show" }, [["", "all"], ["open", "not closed"]], "");
  const more = h("button", { type: "button", hidden: true, onclick: () => { shown += PAGE; draw(); } });

  async function control(id, verb) {
    if (verb === "open" && !await confirm(`Force breaker ${line(id, 60)} open?`, "No job is taken through it until you close it again.", "Force open")) return;
    await post(path("v1", "breakers", id, verb));
    toast(verb === "open" ? "Forced open." : "Closed.");
    await load();
  }
  const reasonOf = (b) => (b.worker ? errors.get(b.worker) : lastFailure((f) => (b.kind ? f.kind === b.kind : f.worker?.startsWith(`${b.pool}/`)))?.fields.reason) ?? "";
  const update = keyed(t, (first) => {
    const state = h("td");
    let shownState = "";
    const failures = h("td", { class: "n" });
    const retry = h("td", { class: "n" });
    const why = h("td", { class: "why-cell" });
    const open = action("Force open …", () => control(first.id, "open"), { small: true, danger: true, "aria-label": `Force open ${first.id}` });
    const close = action("Close", () => control(first.id, "close"), { small: true, "aria-label": `Close ${first.id}` });
    const name = first.worker ? h("a", { href: `#/tree?at=${encodeURIComponent(first.id)}` }, foreign(first.id, 80)) : foreign(first.id, 80);
    return {
      node: h("tr", null, h("th", { scope: "row" }, name), h("td", null, first.kind ? ["kind ", foreign(first.kind, 40)] : first.scope), state, failures, retry, why,
        !settings.read_only && h("td", null, h("div", { class: "buttons" }, open, close))),
      update(b) {
        if (b.state !== shownState) put(state, badge(b.state));
        shownState = b.state;
        say(failures, format.count(b.failures));
        mark(failures, "class", b.failures > 0 ? "n bad" : "n");
        say(retry, b.retry_after_ms === null ? "by hand" : b.retry_after_ms > 0 ? `in ${format.ms(b.retry_after_ms)}` : "–");
        say(why, line(b.state === "closed" && b.failures === 0 ? "" : reasonOf(b), 160));
        if (open) open.hidden = b.state === "forced_open";
        if (close) close.hidden = b.state === "closed";
      },
    };
  });
  function draw() {
    const hits = list.filter((b) => !which.value || b.state !== "closed").sort((a, b) => rank(a) - rank(b) || b.failures - a.failures);
    update(hits.slice(0, shown), (b) => b.id);
    more.hidden = hits.length <= shown;
    say(more, `Show more (${hits.length - shown} left)`);
  }
  async function load() {
    const [{ breakers }, { workers }] = await Promise.all([get("/v1/breakers", signal), get("/v1/workers", signal)]);
    list = breakers;
    errors = new Map(workers.map((w) => [w.id, w.last_error]));
    draw();
  }
  which.addEventListener("input", draw);
  put(main, head("Circuit breakers", which),
    h("p", { class: "quiet" }, "An open breaker keeps jobs in their queue while what they need is failing; it tries again by itself."),
    t.node, h("div", { class: "pager" }, more));
  every(1500, load, signal);
}
