// What is known of one child in the tree, and what can be done to it.

import { path, post } from "./api.js";
import { foreign, h, line, put } from "./dom.js";
import * as format from "./format.js";
import { lastFailure, logList } from "./log.js";
import { action, badge, confirm, toast } from "./ui.js";

const fact = (name, value) => value !== undefined && value !== null && value !== "" && [h("dt", null, name), h("dd", null, value)];

export async function killWorker(id) {
  const slash = id.lastIndexOf("/");
  if (!await confirm(`Kill worker ${line(id, 60)}?`, "What it does now is cut short and goes back to the queue; its supervisor starts the worker again.", "Kill and restart")) return;
  await post(path("v1", "workers", id.slice(0, slash), id.slice(slash + 1), "kill"));
  toast(`Killed ${line(id, 60)}.`);
}

function facts(n) {
  const w = n.status;
  return h("dl", { class: "facts" },
    fact("Is a", n.kind || n.type), fact("Strategy", n.strategy?.replaceAll("_", " ")),
    n.intensity !== undefined && n.strategy && fact("Restarts left", `${n.restarts_left ?? "?"} of ${n.intensity} in ${format.span(n.period_ms)}`),
    fact("Incarnation", n.incarnation), fact("Restarts", w?.restarts ?? n.restarts),
    !n.leaf && fact("Children", n.children.length),
    w && [fact("Jobs done", format.count(w.processed)), fact("Jobs failed", h("span", { class: w.failed > 0 ? "bad" : "" }, format.count(w.failed))),
      fact("Breaker", [badge(w.breaker), w.breaker_opened > 0 && ` opened ${format.plural(w.breaker_opened, "time")}`]),
      fact("Runs now", w.jobs.length === 0 ? "nothing" : w.jobs.slice(0, 5).map((id) => h("a", { class: "mono", href: `#/jobs/${id}` }, id)))]);
}

async function restart(n) {
  if (!await confirm(`Restart ${line(n.name, 60)}?`, n.leaf ? "It is stopped and started again." : `It is stopped with ${format.plural(n.children.length, "child", "children")} and started again; jobs that run may finish first.`, "Restart")) return;
  await post("/v1/tree/restart", { path: n.path });
  toast(`Restarted ${line(n.name, 60)}.`);
}

export function panel(signal, closed) {
  let name = null;
  let shown = "";
  const title = h("h2", { tabindex: "-1" });
  const body = h("div");
  const events = logList(signal, { max: 15, wanted: (r) => r.fields?.worker === name || r.fields?.child === name || r.fields?.supervisor === name });
  const kill = action("Kill and restart …", () => killWorker(name), { danger: true });
  let node_ = null;
  const again = action("Restart …", () => restart(node_), { danger: true });
  const node = h("aside", { class: "panel", hidden: true, "aria-label": "Details" },
    h("div", { class: "head" }, title, h("button", { type: "button", class: "plain", "aria-label": "Close the details", onclick: () => closed() }, "×")),
    body, kill && h("p", null, kill, again), h("h3", null, "History"), events.node);
  node.addEventListener("keydown", (e) => { if (e.key === "Escape") closed(); });
  return {
    node,
    focus() { title.focus({ preventScroll: true }); },
    update(n) {
      node.hidden = n === null;
      if (n === null) {
        name = null;
        return;
      }
      const other = name !== n.name;
      name = n.name;
      if (other) {
        put(title, foreign(name, 80));
        events.draw();
      }
      node_ = n;
      if (kill) kill.hidden = !n.status;
      if (again) again.hidden = Boolean(n.status) || n.gone || n.path.length < 2 || n.path[1] === "http"; // the server does not work on itself
      if (n.gone) {
        put(body, h("p", { class: "quiet" }, "There is no such child now."));
        shown = "";
        return;
      }
      const seen = lastFailure((f) => f.worker === name || f.child === name);
      const why = n.status?.last_error ? { at: n.status.last_error_at, text: n.status.last_error } : seen && { at: seen.at, text: seen.fields.reason };
      const now = [h("p", null, badge(n.state)), why && h("p", { class: "error" }, h("strong", null, "Last error "), h("span", { class: "quiet" }, format.clock(why.at)), h("br"), foreign(why.text, 400), n.status?.failed > 0 && h("a", { class: "retry", href: "#/dead" }, "Failed jobs, to retry →")), facts(n)];
      const key = `${name} ${now.map((x) => x?.textContent ?? "").join("|")}`;
      if (key === shown) return; // what somebody selects stays
      shown = key;
      put(body, now);
    },
  };
}

