// What the charts draw, from the samples.

const job_states = ["scheduled", "available", "executing", "retryable", "completed", "cancelled", "discarded"];

/** The value of every sample. */
export const values = (samples, pick) => samples.map((x) => [x.at, pick(x) ?? null]);

/** How fast a counter grows, per second. A counter that began anew leaves a gap. */
export function rates(samples, pick) {
  const out = [];
  for (let i = 1; i < samples.length; i++) {
    const a = samples[i - 1];
    const b = samples[i];
    const grown = pick(b) - pick(a);
    const seconds = (b.at - a.at) / 1000;
    out.push([b.at, seconds > 0 && grown >= 0 ? grown / seconds : null]);
  }
  return out;
}

/** The rate over the last `n` samples; null without them. */
export function rateNow(samples, pick, n = 5) {
  const last = samples.slice(-n);
  if (last.length < 2) return null;
  const list = rates(last, pick).map((p) => p[1]).filter((v) => v !== null);
  return list.length === 0 ? null : list.reduce((a, b) => a + b, 0) / list.length;
}

export const depth = (state, queue) => (x) => {
  const queues = x.queues ?? {};
  if (queue) return queues[queue]?.[state] ?? 0;
  let sum = 0;
  for (const name in queues) sum += queues[name][state] ?? 0;
  return sum;
};

/** A member of a pool; of all: their sum. */
export const ofPools = (member, pool) => (x) => {
  const pools = x.pools ?? {};
  if (pool) return pools[pool]?.[member] ?? 0;
  let sum = 0;
  for (const name in pools) sum += pools[name][member] ?? 0;
  return sum;
};

/** A percentile of a pool; of all: the highest. */
export const slowest = (what, which, pool) => (x) => {
  const pools = x.pools ?? {};
  if (pool) return pools[pool]?.[what]?.[which] ?? null;
  let high = null;
  for (const name in pools) {
    const v = pools[name][what]?.[which];
    if (v !== undefined && v !== null && (high === null || v > high)) high = v;
  }
  return high;
};

export const total = (name) => (x) => x.totals?.[name] ?? 0;
export { job_states };
