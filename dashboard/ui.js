// Pieces that the pages share: badges, dialogs, messages, tables.

import { h, line, put, reconcile, visible } from "./dom.js";
import { ApiError } from "./api.js";
import * as format from "./format.js";

export const settings = { read_only: false };

const longer = { open: "breaker open", half_open: "breaker half open", read_only: "read only" };
/** A state in words; what is open is a breaker. */
export const wordOf = (state) => longer[state] ?? state.replaceAll("_", " ");
export const badge = (state) => h("span", { class: `badge is-${state}` }, wordOf(state));

export function stat(label, value, note) {
  return h("div", { class: "stat" }, h("dt", null, label), h("dd", null, value, note && h("small", null, note)));
}

export const head = (title, ...more) => h("div", { class: "head" }, h("h1", null, title), ...more);

/** A button that acts; not there when the page may only look. */
export function action(label, act, { danger = false, small = false, ...props } = {}) {
  if (settings.read_only) return null;
  const classes = [danger && "danger", small && "small"].filter(Boolean).join(" ");
  const button = h("button", { type: "button", class: classes, ...props, onclick: async () => {
    button.disabled = true; // takes the focus away, too
    try {
      await act();
    } catch (e) {
      report(e);
    } finally {
      button.disabled = false;
      if (document.activeElement === document.body) button.focus({ preventScroll: true });
    }
  } }, label);
  return button;
}

/** A message that goes by itself. */
export function toast(text, kind = "good") {
  const box = document.getElementById("toasts");
  const node = h("div", { class: `toast ${kind}` }, h("span", null, line(text, 300)),
    h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => node.remove() }, "×"));
  box.append(node);
  while (box.children.length > 4) box.firstChild.remove();
  setTimeout(() => node.remove(), kind === "bad" ? 12000 : 5000);
}

export function report(e) {
  if (e.name === "AbortError") return;
  if (!(e instanceof ApiError)) console.error(e);
  toast(e instanceof ApiError && e.where ? `${e.message} (${e.where})` : e.message, "bad");
}

function open(dialog) {
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
  });
}

let dialogs = 0;
function frame(title, { danger, yes, no = "Cancel" }, ...content) {
  const id = `dialog-${++dialogs}`;
  const dialog = h("dialog", { "aria-labelledby": id });
  const form = h("form", { method: "dialog" }, h("h2", { id }, title), ...content,
    h("div", { class: "buttons" },
      no && h("button", { type: "button", onclick: () => dialog.close("") }, no),
      h("button", { value: "yes", class: danger ? "danger" : "primary" }, yes)));
  dialog.append(form);
  return dialog;
}

/** Asks; true when the answer is yes. */
export async function confirm(title, text, yes, { danger = true } = {}) {
  return (await open(frame(title, { danger, yes }, h("p", null, text)))) === "yes";
}

/** Asks for a choice among [value, label]; null when there is none. */
export async function choose(title, text, choices, yes) {
  const select = h("select", { "aria-label": title }, choices.map(([value, label]) => h("option", { value }, label)));
  const answer = await open(frame(title, { yes }, h("p", null, text), select));
  return answer === "yes" ? select.value : null;
}

/** Asks for the token until there is one. */
export async function askForToken(refused) {
  for (;;) {
    const input = h("input", { type: "password", required: true, autocomplete: "off", id: "token", spellcheck: "false" });
    const dialog = frame("This server asks for a token", { yes: "Go on", no: null },
      refused && h("p", { class: "bad", role: "alert" }, "That token was refused."),
      h("p", null, "It is in the file that the server was given with ", h("code", null, "--token"),
        ". It stays in this tab, and is forgotten when you close it."),
      h("label", { for: "token" }, "Token"), input);
    dialog.id = "ask-token";
    if ((await open(dialog)) === "yes" && input.value.trim() !== "") return input.value.trim();
  }
}

/** A table. `columns`: [{label, class}]; rows are added by the caller. */
export function table(caption, columns, { empty = "Nothing here." } = {}) {
  const body = h("tbody");
  const none = h("p", { class: "quiet empty" }, empty);
  const node = h("div", { class: "table", role: "region", "aria-label": caption, tabindex: "0" },
    h("table", null, h("caption", { class: "off" }, caption),
      h("thead", null, h("tr", null, columns.map((c) => h("th", { scope: "col", class: c.class }, c.label)))), body), none);
  return {
    node,
    body,
    rows(rows) {
      put(body, rows);
      node.classList.toggle("none", rows.length === 0);
    },
  };
}

/** Rows that stay the same elements while their things stay: focus and selection survive. */
export function keyed(t, make) {
  const known = new Map();
  return (things, key) => {
    reconcile(t.body, known, things, key, make);
    t.node.classList.toggle("none", things.length === 0);
  };
}

export function field(label, control, note) {
  return h("label", { class: "field" }, h("span", null, label), control, note && h("small", null, note));
}

export const select = (props, options, chosen) =>
  h("select", props, options.map(([value, label]) => {
    const o = h("option", { value }, label);
    o.selected = value === chosen;
    return o;
  }));

/** Long text in pieces that are laid out when they come into sight: a line of 1 MiB would take
 *  the browser seconds. A piece ends with a line if it can. */
function pieces(text) {
  const size = 4000;
  if (text.length <= 2 * size) return text;
  const out = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + size);
    const end = text.lastIndexOf("\n", to - 1) + 1;
    if (to < text.length && end > from) to = end;
    if (/[\ud800-\udbff]/.test(text[to - 1])) to--; // not through a pair
    out.push(h("span", { class: "piece" }, text.slice(from, to)));
    from = to;
  }
  return out;
}

/** Text of any length: the beginning, and all of it when asked for. */
export function longText(text, label, shownFirst = 20_000) {
  const pre = h("pre", { tabindex: "0", role: "region", "aria-label": label, dir: "ltr" });
  const more = h("button", { type: "button", class: "small" });
  const draw = (n) => {
    put(pre, pieces(visible(text.slice(0, n))));
    more.hidden = text.length <= n;
    more.textContent = `Show all (${format.bytes(text.length)})`;
  };
  more.addEventListener("click", () => draw(text.length));
  draw(shownFirst);
  return h("div", { class: "long" }, pre, more);
}

export const times = (at) => h("time", { datetime: at ?? "", title: at ? new Date(at).toString() : "" }, format.clock(at));

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page copy.", "bad");
  }
}

/** Calls `f` now and every `ms` while the page can be seen; errors are shown once. */
export function every(interval, f, signal) {
  let failed = false;
  let timer = 0;
  const run = async () => {
    if (signal.aborted) return;
    try {
      if (!document.hidden) await f();
      failed = false;
    } catch (e) {
      if (!failed && e.name !== "AbortError" && e.status !== 0) report(e);
      failed = true;
    }
    if (!signal.aborted) timer = setTimeout(run, interval);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  run();
}
