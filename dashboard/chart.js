// Lines over time, as SVG that is drawn again once a second.

import { h, mark, s, say } from "./dom.js";

const HEIGHT = 132;
const LEFT = 52;
const BOTTOM = 18;
const TOP = 6;
// Samples come every second, and those from the server's memory of older times every ten; with more
// between them the line breaks.
const GAP_MS = 3500;
const GAP_OLD_MS = 25_000;
const OLD_MS = 290_000;

const sizes = new ResizeObserver((entries) => {
  for (const e of entries) e.target.chart?.resize(e.contentRect.width);
});

function nice(max) {
  if (!(max > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(max));
  for (const f of [1, 1.5, 2, 3, 5, 7.5, 10]) if (max <= f * unit) return f * unit;
  return 10 * unit;
}

/** At most one point for each two pixels: the mean of those it stands for, or the highest. */
function thin(points, from, to, width, peaks) {
  const slots = Math.max(20, Math.floor(width / 2));
  const size = (to - from) / slots;
  if (size <= 1000) return points;
  const out = [];
  let slot = -1;
  let n = 0;
  for (const [at, v] of points) {
    const k = Math.floor(at / size); // fixed in time, so that points do not dance
    if (k !== slot || v === null) {
      out.push([at, v]);
      slot = v === null ? -1 : k;
      n = 1;
      continue;
    }
    const last = out[out.length - 1];
    n++;
    last[1] = peaks ? Math.max(last[1], v) : last[1] + (v - last[1]) / n;
  }
  return out;
}

function outline(points, x, y, gap, old) {
  let d = "";
  let before = null;
  for (const [at, v] of points) {
    if (v === null) {
      before = null;
      continue;
    }
    d += `${before !== null && at - before <= (before < old ? Math.max(gap, GAP_OLD_MS) : gap) ? "L" : "M"}${x(at).toFixed(1)} ${y(v).toFixed(1)}`;
    before = at;
  }
  return d;
}

/** series: [{name, color: 1..6}]; `text(v)` writes a value. */
export function chart({ title, series, text, peaks = true, floor = 1, note }) {
  const grid = s("g", { class: "grid" });
  const labels = s("g", { class: "axis" });
  const lines = series.map((one) => s("path", { class: `line c${one.color}` }));
  const cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const svg = s("svg", { class: "plot", height: HEIGHT, role: "img" }, grid, labels, lines, cursor);
  const values = series.map(() => h("b"));
  const when = h("span", { class: "when" });
  const legend = h("ul", { class: "legend" }, series.map((one, i) =>
    h("li", null, h("i", { class: `key c${one.color}` }), one.name, " ", values[i])));
  const box = h("div", { class: "plotbox" }, svg);
  const node = h("figure", { class: "chart" },
    h("figcaption", null, h("span", null, title), note && h("small", null, note), when), box, legend);

  const rows = [0, 0.5, 1].map((f) => {
    const l = s("line", { x1: LEFT });
    const t = s("text", { x: LEFT - 6, "text-anchor": "end", dy: "0.32em" });
    grid.append(l);
    labels.append(t);
    return { f, l, t };
  });
  const ticks = ["start", "middle", "end"].map((anchor) => {
    const t = s("text", { "text-anchor": anchor, y: HEIGHT - 3 });
    labels.append(t);
    return t;
  });

  let width = 0;
  let data = null;
  let pointer = null;

  function showValues() {
    const { points, from, to } = data;
    let at = null;
    if (pointer !== null) at = from + ((pointer - LEFT) / (width - LEFT - 4)) * (to - from);
    points.forEach((list, i) => {
      let found = null;
      if (at === null) found = list.at(-1) ?? null;
      else for (const p of list) if (found === null || Math.abs(p[0] - at) < Math.abs(found[0] - at)) found = p;
      say(values[i], found === null || found[1] === null ? "–" : text(found[1]));
    });
    say(when, at === null ? "" : new Date(at).toLocaleTimeString("en-GB"));
    mark(cursor, "visibility", at === null ? "hidden" : "visible");
    if (pointer !== null) {
      mark(cursor, "x1", pointer);
      mark(cursor, "x2", pointer);
    }
  }

  function draw() {
    if (!data || width < 60) return;
    const { points, from, to } = data;
    const high = nice(Math.max(floor, ...points.map((l) => l.reduce((m, p) => (p[1] > m ? p[1] : m), 0))));
    const right = width - 4;
    const x = (at) => LEFT + ((at - from) / (to - from)) * (right - LEFT);
    const y = (v) => HEIGHT - BOTTOM - (v / high) * (HEIGHT - BOTTOM - TOP);
    for (const { f, l, t } of rows) {
      const at = y(high * f).toFixed(1);
      for (const name of ["y1", "y2"]) mark(l, name, at);
      mark(l, "x2", right);
      mark(t, "y", at);
      say(t, text(high * f));
    }
    const window_s = Math.round((to - from) / 1000);
    const past = (n) => (n >= 120 ? `−${Number((n / 60).toFixed(1))} min` : `−${Math.round(n)} s`);
    [past(window_s), past(window_s / 2), "now"].forEach((word, i) => {
      mark(ticks[i], "x", [LEFT, (LEFT + right) / 2, right][i]);
      say(ticks[i], word);
    });
    const gap = Math.max(GAP_MS, (4 * (to - from)) / Math.max(1, width));
    lines.forEach((path, i) => mark(path, "d", outline(thin(points[i], from, to, right - LEFT, peaks), x, y, gap, to - OLD_MS)));
    showValues();
    mark(svg, "aria-label", `${title}, last ${span(window_s)}: ` +
      series.map((one, i) => `${one.name} ${values[i].textContent}`).join(", "));
  }

  const span = (n) => (n >= 120 ? `${Math.round(n / 60)} minutes` : `${n} seconds`);

  svg.addEventListener("pointermove", (e) => {
    pointer = Math.min(Math.max(e.offsetX, LEFT), width - 4);
    if (data) showValues();
  });
  svg.addEventListener("pointerleave", () => {
    pointer = null;
    if (data) showValues();
  });

  const it = {
    node,
    /** points: for each series [[at, value or null], ...], oldest first. */
    update(points, from, to) {
      data = { points, from, to };
      draw();
    },
    resize(w) {
      width = Math.floor(w);
      mark(svg, "width", width);
      draw();
    },
    stop() {
      sizes.unobserve(box);
    },
  };
  box.chart = it;
  sizes.observe(box);
  return it;
}
