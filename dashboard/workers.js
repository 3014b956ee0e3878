// Every worker, those that fail first.

import { get, query } from "./api.js";
import { foreign, h, mark, put, say } from "./dom.js";
import * as format from "./format.js";
import { killWorker } from "./tree_panel.js";
import { stateOf, trouble } from "./tree.js";
import { action, badge, every, field, head, keyed, select, settings, table } from "./ui.js";

const PAGE = 200;
const orders = {
  trouble: ["trouble first", (a, b) => trouble.has(b.state) - trouble.has(a.state) || b.failed - a.failed],
  name: ["name", (a, b) => a.id.localeCompare(b.id, "en", { numeric: true })],
  processed: ["jobs done", (a, b) => b.processed - a.processed],
  failed: ["jobs failed", (a, b) => b.failed - a.failed],
  restarts: ["restarts", (a, b) => b.restarts - a.restarts],
};

export function mount(main, params, signal) {
  const pool = params.get("pool") ?? "";
  let shown = PAGE;
  let list = [];
  const find = h("input", { type: "search", placeholder: "name", spellcheck: "false", autocomplete: "off" });
  const order = select({}, Object.entries(orders).map(([k, [label]]) => [k, label]), "trouble");
  const pools = select({ onchange: () => { location.hash = `#/workers${query({ pool: pools.value })}`; } }, [["", "all"]], "");
  const t = table("Workers", [{ label: "Worker" }, { label: "State" }, { label: "Last error" }, { label: "Done", class: "n" }, { label: "Failed", class: "n" },
    { label: "Restarts", class: "n" }, { label: "Runs" }, ...(settings.read_only ? [] : [{ label: "Action" }])], { empty: "No worker matches." });
  const more = h("button", { type: "button", hidden: true, onclick: () => { shown += PAGE; draw(); } });

  const update = keyed(t, (first) => {
    const state = h("td");
    const why = h("td", { class: "why-cell" });
    const n = [0, 1, 2].map(() => h("td", { class: "n" }));
    const runs = h("td");
    let before = "";
    return {
      node: h("tr", null, h("th", { scope: "row" }, h("a", { href: `#/tree?at=${encodeURIComponent(first.id)}` }, foreign(first.id, 80))), state, why, n, runs,
        !settings.read_only && h("td", null, action("Kill …", () => killWorker(first.id), { small: true, danger: true, "aria-label": `Kill ${first.id}` }))),
      update(w) {
        const error = w.last_error ?? "";
        const now = JSON.stringify([w.state, error, w.jobs]);
        if (now !== before) {
          before = now;
          put(state, badge(w.state));
          put(why, error && foreign(error, 160));
          put(runs, w.jobs.slice(0, 2).map((id) => h("a", { class: "mono", href: `#/jobs/${id}` }, `${id.slice(-8)} `)), w.jobs.length > 2 && `+${w.jobs.length - 2}`);
        }
        [w.processed, w.failed, w.restarts].forEach((v, i) => say(n[i], format.count(v)));
        mark(n[1], "class", w.failed > 0 ? "n bad" : "n");
      },
    };
  });

  function draw() {
    const text = find.value.trim().toLowerCase();
    const hits = list.filter((w) => !text || w.id.toLowerCase().includes(text)).sort(orders[order.value][1]);
    update(hits.slice(0, shown), (w) => w.id);
    more.hidden = hits.length <= shown;
    say(more, `Show more (${hits.length - shown} left)`);
  }
  for (const box of [find, order]) box.addEventListener("input", draw);

  put(main, head("Workers"), h("div", { class: "controls" }, field("Find", find), field("Pool", pools), field("Order", order)), t.node, h("div", { class: "pager" }, more));
  get("/v1/pools", signal).then(({ pools: all }) => {
    put(pools, [["", "all"], ...all.map((p) => [p.name, p.name])].map(([value, label]) => h("option", { value }, label)));
    pools.value = pool;
  }).catch(() => {});
  every(1500, async () => {
    const { workers } = await get(`/v1/workers${query({ pool })}`, signal);
    list = workers.map((w) => ({ ...w, state: stateOf({}, w) }));
    draw();
  }, signal);
}
