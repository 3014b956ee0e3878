// Queues: how full they are, paused or not; and whether the server takes new jobs.

import { get, path, post, query } from "./api.js";
import { foreign, h, line, mark, put, say } from "./dom.js";
import * as format from "./format.js";
import { action, badge, choose, confirm, every, head, keyed, settings, table, times, toast } from "./ui.js";

const states = ["available", "executing", "scheduled", "retryable", "completed", "cancelled", "discarded"];
const lengths = [["0", "until it is resumed"], ["60000", "for 1 minute"], ["600000", "for 10 minutes"], ["3600000", "for 1 hour"]];

export function mount(main, params, signal) {
  const t = table("Queues", [{ label: "Queue" }, ...states.map((label) => ({ label, class: "n" })), { label: "No handler", class: "n" },
    ...(settings.read_only ? [] : [{ label: "Action" }])], { empty: "No job has been submitted yet." });
  const drain = h("div", { class: "buttons" });
  let draining = null;

  const pause = (name) => async () => {
    const ms = await choose(`Pause queue ${line(name, 60)}?`, "Jobs that run go on; no other is taken.", lengths, "Pause");
    if (ms === null) return;
    await post(path("v1", "queues", name, "pause"), Number(ms) > 0 ? { for_ms: Number(ms) } : {});
    toast("Paused.");
    await load();
  };
  const resume = (name) => async () => {
    await post(path("v1", "queues", name, "resume"));
    toast("Resumed.");
    await load();
  };
  const setDraining = (on) => async () => {
    if (on && !await confirm("Refuse new jobs?", "What is in the queues runs; submissions are answered “draining” until you accept jobs again.", "Refuse new jobs")) return;
    await post("/v1/drain", { draining: on });
    await load();
  };

  const update = keyed(t, ({ name }) => {
    const cells = states.map((state) => h("a", { href: `#/jobs${query({ queue: name, state })}` }));
    const waiting = h("td", { class: "n" });
    const about = h("span");
    const act = settings.read_only ? null : h("td");
    let before = null;
    return {
      node: h("tr", null, h("th", { scope: "row" }, foreign(name, 60), " ", about), cells.map((c) => h("td", { class: "n" }, c)), waiting, act),
      update(q) {
        states.forEach((state, i) => {
          say(cells[i], format.count(q[state]));
          mark(cells[i], "aria-label", `${format.count(q[state])} ${state} in ${line(name, 60)}`);
          cells[i].className = state === "discarded" && q[state] > 0 ? "bad" : q[state] === 0 ? "zero" : "";
        });
        say(waiting, format.count(q.waiting_for_handler));
        const now = `${q.paused} ${q.paused_until}`;
        if (now === before) return;
        before = now;
        put(about, q.paused && [badge("paused"), q.paused_until && h("small", null, " until ", times(q.paused_until))]);
        if (act) put(act, q.paused ? action("Resume", resume(name), { small: true, "aria-label": `Resume ${name}` }) : action("Pause …", pause(name), { small: true, "aria-label": `Pause ${name}` }));
      },
    };
  });
  async function load() {
    const { queues } = await get("/v1/queues", signal);
    update(queues, (q) => q.name);
    const now = queues.some((q) => q.draining) || (queues.length === 0 && (await get("/v1/queues/default", signal)).draining);
    if (now === draining) return;
    draining = now;
    put(drain, now && badge("draining"), now ? action("Accept new jobs", setDraining(false), { small: true }) : action("Drain: refuse new jobs …", setDraining(true), { small: true }));
  }
  put(main, head("Queues", drain), t.node);
  every(1500, load, signal);
}
