// Numbers, durations and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export function count(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  if (Math.abs(n) >= 1e6) return trim(n / 1e6) + "M";
  if (Math.abs(n) >= 1e4) return trim(n / 1e3) + "k";
  return whole.format(n);
}

const trim = (n) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1).replace(/\.0$/, ""));

export function rate(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  return Math.abs(n) < 10 && n !== Math.round(n) ? n.toFixed(1) : count(n);
}

export function ms(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  if (n === 0) return "0 ms";
  if (n < 1) return `${(n * 1000).toFixed(0)} µs`;
  if (n < 10) return `${trim(n)} ms`;
  if (n < 1000) return `${n.toFixed(0)} ms`;
  return span(n);
}

/** A longer duration: "1.5 s", "4 min 10 s", "3 d 2 h". */
export function span(n) {
  const seconds = n / 1000;
  if (seconds < 60) return `${trim(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  let rest = Math.round(seconds);
  return units.slice(first, first + 2).map(([name, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n > 0 ? `${n} ${name}` : "";
  }).filter(Boolean).join(" ");
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  if (n < 1024) return `${n} B`;
  if (n < 1 << 20) return `${trim(n / 1024)} KiB`;
  return n < 2 ** 30 ? `${trim(n / (1 << 20))} MiB` : `${trim(n / 2 ** 30)} GiB`;
}

/** "14:03:12", with the day when it is another one. */
export function clock(at) {
  if (at === null || at === undefined) return "–";
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "–";
  const today = date.toDateString() === new Date().toDateString();
  return today ? clockFormat.format(date) : `${dayFormat.format(date)} ${clockFormat.format(date)}`;
}

/** "3 s ago", "in 4 min". */
export function ago(at) {
  if (at === null || at === undefined) return "–";
  const d = Date.now() - new Date(at).getTime();
  if (Math.abs(d) < 1000) return "now";
  return d > 0 ? `${span(Math.floor(d / 1000) * 1000)} ago` : `in ${span(Math.floor(-d / 1000) * 1000)}`;
}

export const plural = (n, one, many = one + "s") => `${whole.format(n)} ${n === 1 ? one : many}`;
