// The supervision tree, live. Elements stay while their children of a supervisor stay: a change
// touches only what it is about, so that a thousand workers cost no more than those that change.

import { get } from "./api.js";
import { h, line, mark, put, reconcile, say } from "./dom.js";
import * as format from "./format.js";
import { on } from "./live.js";
import { panel } from "./tree_panel.js";
import { field, head, report, select, wordOf } from "./ui.js";

const PILLS_MAX = 40;   // leaves with their names; beyond, cells in groups
const GROUP = 100;
const OPEN_MAX = 300;   // beyond, groups begin closed
const FOUND_MAX = 200;
const TREE_AGE_MS = 250; // the server may answer with one that is so old
const touching = new Set(["worker_started", "worker_killed", "worker_crashed", "child_exited", "child_abandoned",
  "restart_scheduled", "start_failed", "gave_up", "breaker_opened", "breaker_closed", "breaker_half_open",
  "breaker_forced_open", "breaker_disabled", "stuck", "unstuck"]);

const isLeaf = (n) => n.type !== "supervisor" && !(n.children?.length > 0);
const open_breaker = new Set(["open", "half_open", "forced_open"]);
export const trouble = new Set(["open", "half_open", "forced_open", "restarting", "down", "stuck"]);

/** What a leaf does, in a word that is also its class. */
export function stateOf(node, worker) {
  if (node.state && node.state !== "running") return /restart|start|wait/.test(node.state) ? "restarting" : "down";
  if (!worker) return "running";
  if (!worker.alive) return "restarting";
  if (open_breaker.has(worker.breaker)) return worker.breaker;
  return worker.busy > 0 ? "busy" : "idle";
}

function counts(leaves) {
  const sum = new Map();
  for (const one of leaves) sum.set(one.state, (sum.get(one.state) ?? 0) + 1);
  return [...sum].sort((a, b) => trouble.has(b[0]) - trouble.has(a[0]));
}

function summary() {
  const node = h("span", { class: "summary" });
  let before = "";
  return { node, update(leaves) {
    const all = counts(leaves);
    const text = all.map(([s, n]) => `${n} ${s}`).join();
    if (text === before) return;
    before = text;
    put(node, all.map(([state, n]) => h("span", { class: `dot is-${state}` }, `${n} ${wordOf(state)}`)));
  } };
}

/** A worker or service: a pill with its name, or a cell. */
function leafView(page, small) {
  const name = h("span", { class: "name" });
  const restarts = h("span", { class: "again", "aria-hidden": "true" });
  const state = h("span", { class: "off" });
  const node = h("button", { type: "button", class: "leaf", tabindex: small ? -1 : null, onclick: () => page.choose(it.leaf.name) }, small ? null : [name, restarts, state]);
  let before = "";
  const it = {
    node,
    leaf: null,
    update(leaf) {
      const fresh = it.leaf !== null && leaf.incarnation > it.leaf.incarnation;
      it.leaf = leaf;
      const chosen = page.chosen === leaf.name;
      const signature = `${leaf.name}|${leaf.state}|${leaf.incarnation}|${chosen}`;
      if (signature !== before) {
        before = signature;
        mark(node, "class", `leaf is-${leaf.state}${small ? " cell" : ""}`);
        mark(node, "data-name", leaf.name);
        const does = `, ${wordOf(leaf.state)}${leaf.incarnation > 1 ? `, started ${leaf.incarnation} times` : ""}`;
        if (small) mark(node, "aria-label", line(leaf.name, 80) + does);
        mark(node, "title", line(leaf.name, 80) + does);
        say(state, does);
        mark(node, "aria-pressed", chosen);
        say(name, line(leaf.name, 80));
        say(restarts, leaf.incarnation > 1 ? `↻${leaf.incarnation - 1}` : "");
      }
      if (fresh) flash(node, "healed");
    },
  };
  return it;
}

export function flash(node, how) {
  node.classList.remove("crashed", "healed");
  void node.offsetWidth; // so that the animation begins anew
  node.classList.add(how);
  setTimeout(() => node.classList.remove(how), 1600);
}

function toggle(page, key, openAtFirst, changed) {
  let open = page.opened.get(key) ?? openAtFirst;
  const node = h("button", { type: "button", class: "toggle", onclick: () => set(!open) });
  const set = (value) => {
    open = value;
    page.opened.set(key, value);
    mark(node, "aria-expanded", value);
    changed();
  };
  mark(node, "aria-expanded", open);
  return { node, isOpen: () => page.opened.get(key) ?? open, refresh: () => { open = page.opened.get(key) ?? open; mark(node, "aria-expanded", open); } };
}

const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** Makes a hundred cells one stop of the Tab key; arrow keys go from one to the next. Returns what is
 *  to be called when there are others. */
function rove(box) {
  const stop = (cell) => {
    box.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    cell?.setAttribute("tabindex", "0");
  };
  box.addEventListener("focusin", (e) => stop(e.target));
  box.addEventListener("keydown", (e) => {
    const to = { 1: e.target.nextElementSibling, "-1": e.target.previousElementSibling }[steps[e.key]];
    if (!to) return;
    e.preventDefault();
    to.focus();
  });
  return () => { if (!box.querySelector('[tabindex="0"]')) stop(box.firstElementChild); };
}

function groupView(page, parent, first, total) {
  const cells = h("div", { class: "cells" });
  const stops = rove(cells);
  const views = new Map();
  const about = summary();
  const label = h("span", { class: "name" });
  let leaves = [];
  const key = `${parent}#${first}`;
  const t = toggle(page, key, total <= OPEN_MAX, () => it.update(leaves));
  const it = {
    node: h("li", { class: "group" }, h("div", { class: "row" }, t.node, label, about.node), cells),
    update(list) {
      leaves = list.leaves ?? list;
      t.refresh();
      const range = `${line(leaves[0]?.name ?? "", 40)} … ${line(leaves.at(-1)?.name ?? "", 40)}`;
      say(label, range);
      mark(t.node, "aria-label", `${range}, ${leaves.length} children`);
      about.update(leaves);
      cells.hidden = !t.isOpen();
      if (!t.isOpen()) return;
      reconcile(cells, views, leaves, (x) => x.name, () => leafView(page, true));
      stops();
    },
  };
  return it;
}

/** A supervisor with what is under it. */
function branchView(page, path, open = true) {
  const name = h("button", { type: "button", class: "name", onclick: () => page.choose(it.data.name) });
  const about = h("span", { class: "about" });
  const budget = h("meter", { min: 0 });
  const left = h("span", { class: "about warn" });
  const sums = summary();
  const pills = h("li", { class: "pills" });
  const list = h("ul", null);
  const leafViews = new Map();
  const groupViews = new Map();
  const branchViews = new Map();
  const t = toggle(page, path, open, () => it.update(it.data));
  const row = h("div", { class: "row branch" }, t.node, name, about, budget, left, sums.node);
  const it = {
    node: h("li", null, row, list),
    row,
    data: null,
    update(data) {
      it.data = data;
      t.refresh();
      const leaves = data.children.filter((c) => c.leaf);
      const branches = data.children.filter((c) => !c.leaf);
      say(name, line(data.name, 80));
      mark(name, "aria-pressed", page.chosen === data.name);
      mark(name, "data-name", data.name);
      mark(t.node, "aria-label", `${line(data.name, 80)}, ${data.children.length} children`);
      say(about, [data.strategy?.replaceAll("_", " "), data.incarnation > 1 && `incarnation ${data.incarnation}`, data.state !== "running" && data.state].filter(Boolean).join(" · "));
      const limited = data.intensity > 0 && data.restarts_left !== undefined && data.restarts_left !== null;
      budget.hidden = !limited;
      if (limited) {
        const text = `${data.restarts_left} of ${data.intensity} restarts left in ${format.span(data.period_ms)}`;
        for (const [k, v] of [["max", data.intensity], ["value", data.restarts_left], ["low", data.intensity * 0.34], ["high", data.intensity * 0.67], ["optimum", data.intensity], ["title", text], ["aria-label", text]]) mark(budget, k, v);
      }
      say(left, limited && data.restarts_left < data.intensity ? `${data.restarts_left} of ${data.intensity} restarts left` : "");
      left.hidden = left.textContent === "";
      sums.update(leaves);
      sums.node.hidden = leaves.length < 2;
      t.node.classList.toggle("none", data.children.length === 0);
      list.hidden = !t.isOpen();
      if (list.hidden) return;
      const grouped = leaves.length > PILLS_MAX;
      pills.hidden = grouped || leaves.length === 0;
      if (pills.parentNode !== list) list.prepend(pills);
      reconcile(pills, leafViews, grouped ? [] : leaves, (x) => x.key, () => leafView(page, false));
      const groups = [];
      if (grouped) for (let i = 0; i < leaves.length; i += GROUP) groups.push({ first: i, leaves: leaves.slice(i, i + GROUP) });
      const rest = [...groups.map((g) => ({ ...g, group: true })), ...branches];
      reconcileAfter(list, pills, rest);
    },
  };
  function reconcileAfter(box, first, rest) {
    const seen = new Set();
    let before = first.nextSibling;
    for (const thing of rest) {
      const views = thing.group ? groupViews : branchViews;
      const k = thing.group ? thing.first : thing.key;
      seen.add(views).add(`${thing.group ? "g" : "b"}${k}`);
      let view = views.get(k);
      if (!view) views.set(k, view = thing.group ? groupView(page, path, thing.first, it.data.children.length) : branchView(page, `${path}/${k}`, thing.kind !== "server")); // who is connected is seldom asked
      if (view.node === before) before = before.nextSibling;
      else box.insertBefore(view.node, before);
      view.update(thing);
    }
    for (const [views, letter] of [[groupViews, "g"], [branchViews, "b"]])
      for (const [k, view] of views)
        if (!seen.has(`${letter}${k}`)) {
          view.node.remove();
          views.delete(k);
        }
  }
  return it;
}

/** The server's tree with what is known of its workers: leaves get a state, all a key. */
function join(root, workers) {
  const leaves = [];
  const all = new Map();
  const walk = (n, above) => {
    const depth = above.length;
    const path = [...above, n.name];
    const used = new Map();
    const leaf = depth > 0 && isLeaf(n);
    const worker = leaf ? workers.get(n.name) : undefined;
    const made = { ...n, leaf, path, state: leaf ? stateOf(n, worker) : n.state ?? "running", status: worker, incarnation: n.incarnation ?? worker?.incarnation ?? 1,
      children: (n.children ?? []).map((c) => walk(c, path)) };
    for (const c of made.children) {
      const k = used.get(c.name) ?? 0;
      used.set(c.name, k + 1);
      c.key = k === 0 ? c.name : `${c.name}\u0000${k}`;
    }
    if (leaf) leaves.push(made);
    if (!all.has(made.name)) all.set(made.name, made);
    return made;
  };
  const tree = walk(root, []);
  tree.key = tree.name;
  return { tree, leaves, all };
}

export function mount(main, params, signal) {
  const page = { chosen: params.get("at"), opened: new Map(), choose };
  const drawing = h("ul", { class: "tree" });
  const found = h("div", { class: "found" });
  const note = h("p", { class: "quiet", role: "status" });
  const side = panel(signal, () => {
    const node = main.querySelector(`[data-name="${CSS.escape(page.chosen)}"]`);
    page.chosen = null;
    history.replaceState(null, "", "#/tree");
    draw();
    node?.focus();
  });
  const filter = h("input", { type: "search", placeholder: "name", spellcheck: "false", autocomplete: "off" });
  const which = select({}, [["", "all"], ["trouble", "trouble only"], ["busy", "busy"], ["restarted", "restarted"]], "");
  const expand = (value) => {
    for (const key of page.opened.keys()) page.opened.set(key, value);
    for (const b of drawing.querySelectorAll(".toggle")) if ((b.getAttribute("aria-expanded") === "true") !== value) b.click();
  };
  let joined = null;
  let view = null;
  const foundViews = new Map();

  function choose(name) {
    page.chosen = name;
    history.replaceState(null, "", `#/tree?at=${encodeURIComponent(name)}`);
    draw();
    side.node.scrollIntoView({ block: "nearest" });
    side.focus();
  }

  function matching() {
    const text = filter.value.trim().toLowerCase();
    const kind = which.value;
    if (!text && !kind) return null;
    return joined.leaves.filter((l) => (!text || l.name.toLowerCase().includes(text)) &&
      (!kind || (kind === "trouble" && (trouble.has(l.state) || l.status?.breaker_opened > 0)) || l.state === kind || (kind === "restarted" && l.incarnation > 1)));
  }

  function draw() {
    if (!joined) return;
    const hits = matching();
    drawing.hidden = hits !== null;
    found.hidden = hits === null;
    say(note, hits === null ? "" : `${format.plural(hits.length, "match", "matches")}${hits.length > FOUND_MAX ? `, the first ${FOUND_MAX} are shown` : ""}.`);
    if (hits === null) {
      if (!view) drawing.append((view = branchView(page, joined.tree.name)).node);
      view.update(joined.tree);
    } else {
      reconcile(found, foundViews, hits.slice(0, FOUND_MAX), (x) => x.name, () => leafView(page, false));
    }
    side.update(page.chosen === null ? null : joined.all.get(page.chosen) ?? { name: page.chosen, gone: true });
  }

  let loading = false;
  let again = false;
  async function load() {
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    try {
      do {
        again = false;
        const [tree, list] = await Promise.all([get("/v1/tree", signal), get("/v1/workers", signal)]);
        const started = joined === null;
        joined = join(tree.root, new Map(list.workers.map((w) => [w.id, w])));
        draw();
        if (started && page.chosen && matchMedia("(min-width: 901px)").matches) // otherwise the details are above
          drawing.querySelector(`[data-name="${CSS.escape(page.chosen)}"]`)?.scrollIntoView({ block: "center" });
      } while (again && !signal.aborted);
    } finally {
      loading = false;
    }
  }

  // Soon after something has happened, otherwise now and then; not while nobody looks.
  let timer = 0;
  let due = Infinity;
  const soon = (ms) => {
    const at = performance.now() + ms;
    if (at >= due || signal.aborted) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(async () => {
      due = Infinity;
      try {
        if (!document.hidden) await load();
      } catch (e) {
        if (e.status !== 0) report(e);
      }
      soon(joined && joined.leaves.length > 300 ? 2000 : 1000);
    }, ms);
  };
  on("log", (r) => {
    if (!touching.has(r.type)) return;
    const name = r.fields?.worker ?? r.fields?.child;
    if (name && r.type !== "worker_started" && (r.level === "warning" || r.level === "error"))
      for (const node of main.querySelectorAll(`.leaf[data-name="${CSS.escape(name)}"]`)) flash(node, "crashed");
    if (r.type === "worker_started" && joined?.all.has(name)) { // known before the tree is asked for
      Object.assign(joined.all.get(name), { incarnation: Number(r.fields.incarnation), state: "idle" });
      draw();
    }
    soon(TREE_AGE_MS + 30);
  }, signal);
  on("resync", () => soon(0), signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  for (const box of [filter, which]) box.addEventListener("input", draw);

  put(main, head("Supervision tree", h("div", { class: "controls" }, field("Find", filter), field("Show", which),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "small", onclick: () => expand(true) }, "Expand all"),
      h("button", { type: "button", class: "small", onclick: () => expand(false) }, "Collapse all")))),
    h("p", { class: "legendline" }, ["idle", "busy", "open", "restarting", "down"].map((x) => h("span", { class: `dot is-${x}` }, wordOf(x))),
      h("span", null, "↻ times restarted"), h("span", null, "bar: restarts left before the supervisor gives up")),
    note, h("div", { class: "split" }, h("div", { class: "treebox" }, drawing, found), side.node));
  soon(0);
}

