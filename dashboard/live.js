// What the server says of itself as it happens: a sample a second, and what goes into its log.
// One stream for the whole page; a connection that breaks is made again, and what was missed is
// asked for.

import { ApiError, get } from "./api.js";
import { events } from "./stream.js";

const KEPT_MS = 3600_000;
const QUIET_MS = 6000; // a sample comes every second
const LOG_MAX = 400;
const REPLAYED = 300;

export const live = {
  state: "connecting", // "live", "lost"
  samples: [],         // oldest first
  log: [],             // newest last: {id, type, at, level, message, fields}
  covered_ms: 0,       // how far back the history was asked for
};

const bus = new EventTarget();

/** `what`: "state", "sample", "history", "log", "resync" (anything may have happened). */
export function on(what, f, signal) {
  bus.addEventListener(what, (e) => f(e.detail), { signal });
}
const emit = (what, detail) => bus.dispatchEvent(new CustomEvent(what, { detail }));

export const latest = () => live.samples.at(-1);

function setState(state) {
  if (live.state === state) return;
  live.state = state;
  emit("state", state);
}

function addSamples(more) {
  const known = new Set(live.samples.map((x) => x.at));
  const fresh = more.filter((x) => !known.has(x.at));
  if (fresh.length === 0) return;
  live.samples = live.samples.concat(fresh).sort((a, b) => a.at - b.at);
  emit("history");
}

function addSample(one) {
  const last = latest();
  if (last && one.at <= last.at) return live.samples.some((x) => x.at === one.at) || addSamples([one]);
  live.samples.push(one);
  if (live.samples.length % 60 === 0) {
    const first = live.samples.findIndex((x) => x.at > one.at - KEPT_MS);
    live.samples.splice(0, first);
  }
  emit("sample", one);
}

function addRecord(id, type, data) {
  const { at, level, message, ...fields } = data;
  const record = { id, type, at, level, message, fields };
  live.log.push(record);
  if (live.log.length > LOG_MAX) live.log.splice(0, live.log.length - LOG_MAX);
  emit("log", record);
}

/** Sees to it that the samples go back so far, if the server has them. */
export async function reach(window_ms, signal) {
  if (window_ms <= live.covered_ms) return;
  live.covered_ms = window_ms;
  const answer = await get(`/v1/history?seconds=${Math.ceil(window_ms / 1000)}`, signal);
  addSamples(answer.samples);
}

async function fillGap() {
  const last = latest();
  const since = last ? Math.min(Date.now() - last.at + 3000, KEPT_MS) : Math.max(live.covered_ms, 60_000);
  live.covered_ms = Math.max(live.covered_ms, 60_000);
  const answer = await get(`/v1/history?seconds=${Math.max(1, Math.ceil(since / 1000))}`);
  addSamples(answer.samples);
  return answer.last_event;
}

/** The id of an event a while before: what went into the log shortly before the page was opened. */
function before(id) {
  const dash = id.lastIndexOf("-");
  return `${id.slice(0, dash)}-${Math.max(0, Number(id.slice(dash + 1)) - REPLAYED)}`;
}

let position = null; // the last event that was seen
let cut = new AbortController();

async function follow() {
  cut = new AbortController();
  const newest = await fillGap();
  position ??= before(newest);
  let heard = performance.now();
  const watchdog = setInterval(() => {
    if (performance.now() - heard > QUIET_MS) cut.abort();
  }, 1000);
  try {
    for await (const e of events("/v1/events", { after: position, signal: cut.signal })) {
      heard = performance.now();
      setState("live");
      if (e.id) position = e.id;
      if (e.event === "comment") continue;
      if (e.event === "reset") {
        await fillGap();
        emit("resync");
      } else if (e.event === "sample") {
        addSample(JSON.parse(e.data));
      } else {
        addRecord(e.id, e.event, JSON.parse(e.data));
      }
    }
  } finally {
    clearInterval(watchdog);
  }
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function shown() {
  return new Promise((resolve) => {
    if (!document.hidden) resolve();
    else document.addEventListener("visibilitychange", () => resolve(), { once: true });
  });
}

/** Follows the server for as long as the page is there. */
export async function start() {
  for (let failures = 0; ;) {
    const began = performance.now();
    const wasLive = live.state === "live" || live.state === "lost";
    try {
      await follow();
    } catch (e) {
      if (!(e instanceof ApiError) && !["AbortError", "TypeError"].includes(e.name)) console.error(e);
    }
    setState("lost");
    failures = performance.now() - began > 5000 ? 1 : failures + 1;
    await sleep(Math.min(250 * 2 ** Math.min(failures, 4), 4000) * (0.75 + Math.random() / 2));
    await shown();
    if (wasLive) emit("resync");
  }
}
