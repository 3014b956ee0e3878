// Things done to all jobs that match. The number is shown before anything is done.

import { del, get, post, query } from "./api.js";
import { plural } from "./format.js";
import { confirm, toast } from "./ui.js";

function describe({ queue, state, kind }) {
  const parts = [state && `are ${state}`, queue && `are in queue “${queue}”`, kind && `are of kind “${kind}”`].filter(Boolean);
  return parts.length > 0 ? ` that ${parts.join(" and ")}` : "";
}

async function run(filter, verb, { ask, act, done, danger }) {
  const n = await ask();
  if (n === 0) {
    toast("No job matches.");
    return false;
  }
  if (!await confirm(`${verb} ${plural(n, "job")}?`, `All jobs${describe(filter)}: ${plural(n, "job")} now.`, `${verb} ${plural(n, "job")}`, { danger })) return false;
  const answer = await act();
  toast(done(answer));
  return true;
}

const counted = async (path, filter) => (await post(`${path}${query({ ...filter, count_only: "true" })}`)).matched;

export const retryAll = (filter) => run(filter, "Retry", {
  ask: () => counted("/v1/jobs/retry", filter),
  act: () => post(`/v1/jobs/retry${query(filter)}`),
  done: (a) => `${plural(a.changed, "job")} will run again.`,
  danger: false,
});

export const cancelAll = (filter) => run(filter, "Cancel", {
  ask: () => counted("/v1/jobs/cancel", filter),
  act: () => post(`/v1/jobs/cancel${query(filter)}`),
  done: (a) => `${plural(a.changed, "job")} cancelled.`,
  danger: true,
});

/** How many jobs a queue, or all, has in a state, or in all. */
async function inStates({ queue, state }) {
  const { queues } = await get("/v1/queues");
  const states = state ? [state] : ["scheduled", "available", "retryable", "completed", "cancelled", "discarded"];
  return queues.filter((q) => !queue || q.name === queue).reduce((sum, q) => sum + states.reduce((n, s) => n + q[s], 0), 0);
}

export const removeAll = ({ queue, state }) => run({ queue, state }, "Delete", {
  ask: () => inStates({ queue, state }),
  act: () => del(`/v1/jobs${query({ queue, state })}`),
  done: (a) => `${plural(a.removed, "job")} deleted${a.skipped > 0 ? `, ${a.skipped} kept: they execute` : ""}.`,
  danger: true,
});

