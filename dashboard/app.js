// The frame: which page is shown, the navigation, how the connection is.

import { forgetToken, get, hasToken, onTokenNeeded, prefetch } from "./api.js";
import { h, line, put, say } from "./dom.js";
import * as format from "./format.js";
import { latest, live, on, start } from "./live.js";
import { depth, ofPools } from "./series.js";
import { askForToken, badge, report, settings } from "./ui.js";

const pages = [
  ["", "Overview", () => import("./overview.js")],
  ["tree", "Tree", () => import("./tree.js"), ["/v1/tree", "/v1/workers"]],
  ["jobs", "Jobs", () => import("./jobs.js")],
  ["dead", "Dead letters", () => import("./dead.js")],
  ["workers", "Workers", () => import("./workers.js")],
  ["breakers", "Breakers", () => import("./breakers.js")],
  ["queues", "Queues", () => import("./queues.js")],
  ["submit", "Submit a job", () => import("./submit.js")],
];

const main = document.getElementById("main");
let leave = new AbortController();
let links = [];

function drawNav() {
  links = pages.filter(([name]) => name !== "submit" || !settings.read_only).map(([name, label]) => {
    const number = h("span", { class: "number", hidden: true });
    return { name, number, a: h("a", { href: `#/${name}` }, label, " ", number) };
  });
  put(document.getElementById("nav"), links.map((l) => h("li", null, l.a)));
}

function setNumber(name, n, what) {
  const number = links.find((l) => l.name === name)?.number;
  if (!number) return;
  number.hidden = !(n > 0);
  say(number, format.count(n));
  number.title = what;
}

async function route() {
  const [where, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = where.split("/").map((p) => {
    try {
      return decodeURIComponent(p);
    } catch {
      return p;
    }
  });
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  for (const l of links) {
    if (l.name === name) l.a.setAttribute("aria-current", "page");
    else l.a.removeAttribute("aria-current");
  }
  const page = pages.find(([n]) => n === name);
  document.title = `${page?.[1] ?? "Not here"} · lifeguard`;
  try {
    const one = name === "jobs" && rest.length > 0 ? await import("./job.js") : page ? await page[2]() : null;
    if (signal.aborted) return;
    if (one) one.mount(main, new URLSearchParams(search), signal, rest);
    else put(main, h("h1", null, "Not here"), h("p", null, h("a", { href: "#/" }, "Overview")));
    window.scrollTo(0, 0);
  } catch (e) {
    report(e);
  }
}

const words = { connecting: "connecting …", live: "live", lost: "connection lost, trying again" };

function drawFrame() {
  const link = document.getElementById("link");
  say(link, words[live.state]);
  link.className = `link ${live.state}`;
  const x = latest();
  if (!x) return;
  setNumber("dead", depth("discarded")(x), "jobs were given up");
  setNumber("breakers", ofPools("breakers_open")(x), "breakers are open");
}

function drawBadges() {
  put(document.getElementById("badges"), settings.read_only && badge("read_only"), hasToken() && h("button", { type: "button", class: "small", onclick: () => {
    forgetToken();
    location.reload();
  } }, "Forget the token"));
}

onTokenNeeded(async (refused) => {
  const token = await askForToken(refused);
  queueMicrotask(drawBadges);
  return token;
});

document.getElementById("skip").addEventListener("click", (e) => {
  e.preventDefault();
  main.focus();
});

/** Everything that the first page waits for is asked for at once: its module, what it shows, the
 *  samples. Each is asked for the token if need be; the person is asked once. */
async function begin() {
  on("state", drawFrame);
  on("sample", drawFrame);
  on("history", drawFrame);
  start();
  const [where] = location.hash.replace(/^#\/?/, "").split("?");
  const page = pages.find(([name]) => name === where);
  prefetch(page?.[3] ?? []);
  page?.[2]().catch(() => {}); // route() reports it
  try {
    Object.assign(settings, await get("/dashboard/settings.json"));
  } catch (e) {
    report(e);
  }
  drawNav();
  drawBadges();
  drawFrame();
  window.addEventListener("hashchange", route);
  await route();
  const { version } = await get("/v1/version").catch(() => ({ version: "" }));
  document.getElementById("engine").title = `lifeguard ${line(version, 40)}`;
  drawBadges();
}

begin();
