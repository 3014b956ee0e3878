// A form for one job.

import { ask } from "./api.js";
import { foreign, h, line, mark, put, say } from "./dom.js";
import { latest } from "./live.js";
import { field, head, report } from "./ui.js";

/** What is wrong with the text as JSON; empty when nothing is. */
function fault(text) {
  if (text.trim() === "") return "";
  try {
    JSON.parse(text);
    return "";
  } catch (e) {
    const at = /position (\d+)/.exec(e.message);
    if (!at) return e.message;
    const before = text.slice(0, Number(at[1])).split("\n");
    return `${e.message.replace(/ ?\(line.*\)$/, "")} (line ${before.length}, column ${before.at(-1).length + 1})`;
  }
}

export function mount(main, params) {
  const input = (props) => h("input", { spellcheck: "false", autocomplete: "off", ...props });
  const number = (min, max, value) => input({ type: "number", min, max, value, step: 1, inputmode: "numeric" });
  const kind = input({ required: true, value: params.get("kind") ?? "" });
  const queue = input({ list: "queues", placeholder: "default" });
  const payload = h("textarea", { rows: 8, spellcheck: "false", "aria-describedby": "fault", placeholder: '{"width": 640}' });
  const wrong = h("p", { id: "fault", class: "bad", role: "status" });
  const priority = number(0, 9, "");
  const delay = number(0, 31536000, "");
  const attempts = number(1, 1000000, "");
  const timeout = number(1, 86400000, "");
  const unique = input({});
  const answer = h("div", { role: "status" });
  const check = () => {
    const text = fault(payload.value);
    say(wrong, text && `Not JSON: ${line(text, 200)}`);
    mark(payload, "aria-invalid", text ? "true" : null);
    return text === "";
  };
  payload.addEventListener("input", check);

  async function send(e) {
    e.preventDefault();
    if (!check()) return payload.focus();
    const members = [`"kind":${JSON.stringify(kind.value)}`];
    if (payload.value.trim()) members.push(`"payload":${payload.value}`); // as it was written
    for (const [name, box] of [["queue", queue], ["unique_key", unique]]) if (box.value) members.push(`"${name}":${JSON.stringify(box.value)}`);
    for (const [name, box, factor] of [["priority", priority, 1], ["delay_ms", delay, 1000], ["max_attempts", attempts, 1], ["timeout_ms", timeout, 1]])
      if (box.value !== "") members.push(`"${name}":${Math.round(Number(box.value) * factor)}`);
    button.disabled = true;
    try {
      const job = await (await ask("POST", "/v1/jobs", { body: `{${members.join(",")}}` })).json();
      put(answer, h("p", { class: "done" }, job.conflict ? "There is already such a job: " : "Submitted: ", foreign(kind.value, 60), " ",
        h("a", { class: "mono", href: `#/jobs/${job.id}` }, job.id)));
    } catch (e2) {
      put(answer);
      report(e2);
    } finally {
      button.disabled = false;
    }
  }
  const button = h("button", { class: "primary" }, "Submit");
  put(main, head("Submit a job"), h("form", { class: "submit", onsubmit: send },
    h("div", { class: "grid" }, field("Kind", kind), field("Queue", queue)),
    h("datalist", { id: "queues" }, Object.keys(latest()?.queues ?? {}).map((q) => h("option", { value: q }))),
    field("Payload", payload, "Any JSON; nothing is null."), wrong,
    h("div", { class: "grid" }, field("Priority", priority, "0, most urgent, to 9; 5"), field("Delay", delay, "seconds; none"),
      field("Attempts", attempts, "at most; 20"), field("Timeout", timeout, "ms of an attempt; the pool's"), field("Unique key", unique, "not while another has it")),
    button), answer);
  kind.focus();
}
