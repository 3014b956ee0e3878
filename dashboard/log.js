// The server's log as a list, newest first.

import { foreign, h, line, put } from "./dom.js";
import * as format from "./format.js";
import { live, on } from "./live.js";

const quiet = new Set(["worker_stopped"]);

export const isBad = (r) => r.level === "error" || r.level === "warning";

/** Where a record leads to. */
function target(r) {
  const f = r.fields ?? {};
  if (f.job) return `#/jobs/${encodeURIComponent(f.job)}`;
  if (f.worker) return `#/tree?at=${encodeURIComponent(f.worker)}`;
  return null;
}

export function row(r) {
  const to = target(r);
  const f = r.fields ?? {};
  const about = f.reason && !r.message.includes(f.reason) ? `${r.message}: ${f.reason}` : r.message;
  return h("li", { class: `record ${r.level}` },
    h("time", null, format.clock(r.at)),
    h("span", { class: "word" }, line(r.type, 40).replaceAll("_", " ")),
    to ? h("a", { href: to }, foreign(about, 240)) : foreign(about, 240));
}

/** The records that `wanted` lets pass. Drawn at most twice a second. */
export function logList(signal, { max = 20, wanted = () => true, empty = "Nothing that the server remembers." } = {}) {
  const list = h("ol", { class: "log" });
  let waiting = false;
  const draw = () => {
    waiting = false;
    const found = [];
    for (let i = live.log.length - 1; i >= 0 && found.length < max; i--)
      if (!quiet.has(live.log[i].type) && wanted(live.log[i])) found.push(live.log[i]);
    put(list, found.length > 0 ? found.map(row) : h("li", { class: "quiet" }, empty));
  };
  on("log", () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => signal.aborted || draw(), 400);
  }, signal);
  draw();
  return { node: list, draw };
}

/** The last thing that went wrong with something; undefined when nothing is known. */
export function lastFailure(matches) {
  for (let i = live.log.length - 1; i >= 0; i--) {
    const r = live.log[i];
    if (isBad(r) && r.fields?.reason && matches(r.fields)) return r;
  }
  return undefined;
}
