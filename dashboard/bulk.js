// Things done to all jobs that match. The number is shown before anything is done.

import { del, post, query } from "./api.js";
import { plural } from "./format.js";
import { confirm, toast } from "./ui.js";

const AT_ONCE = 10_000; // the server's limit of one request

function describe({ queue, state, kind }) {
  const parts = [state && `are ${state}`, queue && `are in queue “${queue}”`, kind && `are of kind “${kind}”`].filter(Boolean);
  return parts.length > 0 ? ` that ${parts.join(" and ")}` : "";
}

/** `send(query)` makes one request; what it changed is in the member `done`. */
async function run(filter, verb, { send, done, says, danger }) {
  const { count } = await send(query({ ...filter, count_only: "true" }));
  if (count === 0) {
    toast("There is no such job.");
    return false;
  }
  const jobs = plural(count, "job");
  if (!await confirm(`${verb} ${jobs}?`, `All jobs${describe(filter)}: ${jobs} now.`, `${verb} ${jobs}`, { danger })) return false;
  let changed = 0;
  let skipped = 0;
  for (let answer = { left: 1 }; answer.left > 0;) {
    answer = await send(query({ ...filter, limit: AT_ONCE }));
    changed += answer[done];
    skipped = answer.skipped;
    if (answer[done] === 0) break; // what is left is changing by itself
  }
  toast(`${plural(changed, "job")} ${says}${skipped > 0 ? `; ${skipped} left out because they execute` : ""}.`);
  return true;
}

export const retryAll = (filter) => run(filter, "Retry", { send: (q) => post(`/v1/jobs/retry${q}`), done: "retried", says: "will run again", danger: false });
export const cancelAll = (filter) => run(filter, "Cancel", { send: (q) => post(`/v1/jobs/cancel${q}`), done: "cancelled", says: "cancelled", danger: true });
export const removeAll = (filter) => run(filter, "Delete", { send: (q) => del(`/v1/jobs${q}`), done: "removed", says: "deleted", danger: true });
