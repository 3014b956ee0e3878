// What the dashboard shows, in a real browser, against a server of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inaccessible } from "./browser.mjs";
import { hostile, huge } from "./hostile.mjs";
import { live, serve, server, text, with_page } from "./rig.mjs";
import { sleep, until } from "./server.mjs";
import { Wire } from "./wire.mjs";

test("the page weighs at most 150 KiB, all of it our own", async () => {
  await with_page(async (page, { go }) => {
    const seen = new Set([`${server.url}/`]);
    page.on("request", (r) => { if (r.url().includes("/dashboard/")) seen.add(r.url()); });
    await page.reload();
    await live(page);
    for (const hash of ["#/tree", "#/jobs", "#/dead", "#/workers", "#/breakers", "#/queues", "#/submit", "#/jobs/x"]) {
      await go(hash);
      await page.waitForLoadState("load");
    }
    await until(() => [...seen].some((u) => u.endsWith("/job.js")), "every module was loaded");
    let bytes = 0;
    for (const url of seen) bytes += (await (await fetch(url)).arrayBuffer()).byteLength;
    assert.ok(bytes > 90_000 && bytes <= 150 * 1024, `${bytes} bytes`);
    console.log(`page weight: ${bytes} bytes in ${seen.size} files`);
  }, { expected: [/404/] });
});

test("what has not changed is not sent again", async () => {
  const first = await server.ask("GET", "/dashboard/app.js");
  const again = await server.ask("GET", "/dashboard/app.js", undefined, { "If-None-Match": first.headers.get("etag") });
  assert.equal(first.status, 200);
  assert.equal(again.status, 304);
});

test("the tree shows a kill and the restart within a second", async () => {
  await with_page(async (page, { go }) => {
    await live(page);
    await go("#/tree");
    const leaf = page.locator('.leaf[data-name="images/2"]');
    await leaf.waitFor();
    assert.match(await leaf.getAttribute("title"), /^images\/2, idle$/);
    await page.evaluate(() => {
      globalThis.seen = [];
      new MutationObserver((all) => {
        for (const m of all) if (m.attributeName === "class" && /crashed|healed/.test(m.target.className) && m.target.dataset.name === "images/2")
          globalThis.seen.push(m.target.className.includes("crashed") ? "crashed" : "healed");
      }).observe(document.querySelector(".tree"), { subtree: true, attributes: true });
    });
    const began = performance.now();
    await server.post("/v1/workers/images/2/kill");
    await page.waitForFunction(() => globalThis.seen.includes("crashed"), null, { timeout: 1000, polling: 20 });
    await page.waitForFunction(() => /started 2 times/.test(document.querySelector('.leaf[data-name="images/2"]')?.getAttribute("title")), null, { timeout: 1000, polling: 20 });
    console.log(`kill and restart seen after ${Math.round(performance.now() - began)} ms`);
    await leaf.click();
    assert.match(await text(page, ".panel"), /Incarnation\s*2/);
    assert.match(await text(page, ".panel .log"), /worker killed/);
  });
});

test("many workers are grouped, and one of them is found by name", async () => {
  await with_page(async (page, { go }) => {
    await go("#/tree");
    await page.locator(".group").first().waitFor();
    assert.equal(await page.locator(".cell").count(), 60);
    await page.getByLabel("Find").fill("reports/42");
    await page.locator('.found .leaf[data-name="reports/42"]').waitFor();
    assert.equal(await page.locator(".found .leaf").count(), 1);
  });
});

test("charts move under load", async () => {
  await with_page(async (page) => {
    await live(page);
    const line = page.locator(".chart").first().locator("path.line").first();
    await until(async () => ((await line.getAttribute("d")) ?? "").split("L").length > 2, "a line is drawn");
    const heights = async () => (await line.getAttribute("d")).match(/[ML][\d.]+ [\d.]+/g).map((p) => Number(p.split(" ")[1]));
    const lowest = Math.min(...await heights());
    const jobs = Array.from({ length: 1000 }, () => ({ kind: "noop", queue: "images" }));
    const end = performance.now() + 4000; // a second alone would be drawn as its mean with the one before
    while (performance.now() < end) {
      await server.post("/v1/jobs", jobs);
      await sleep(300);
    }
    await until(async () => Math.max(...await heights()) - Math.min(...await heights()) > 60, "the line has risen", 6000);
    assert.ok(lowest > 0);
    const said = await page.locator(".chart svg").first().getAttribute("aria-label");
    assert.match(said, /^Throughput, last 5 minutes: completed [\d.,k]+, submitted/);
    await page.getByRole("combobox", { name: "Last" }).selectOption("60");
    await page.waitForFunction(() => /last 60 seconds/.test(document.querySelector(".chart svg").getAttribute("aria-label")));
    assert.match(await text(page, ".stats"), /Completed/);
  });
});

test("filters and paging show what the API says, and nothing twice", async () => {
  const jobs = Array.from({ length: 120 }, (_, i) => ({ kind: i % 2 ? "even" : "odd", queue: "paging", delay_ms: 3_600_000, payload: i }));
  await server.post("/v1/jobs", jobs);
  const wanted = [];
  for (let at = ""; at !== null;) {
    const page = await server.get(`/v1/jobs?queue=paging&kind=odd&state=scheduled&order=desc&limit=7${at && `&after=${at}`}`);
    wanted.push(...page.jobs.map((j) => j.id));
    at = page.next;
  }
  assert.equal(wanted.length, 60);
  await with_page(async (page, { go }) => {
    await go("#/jobs");
    await page.getByLabel("Queue").fill("paging");
    await page.getByLabel("Kind").fill("odd");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForFunction(() => location.hash === "#/jobs?queue=paging&kind=odd" && document.querySelectorAll("tbody tr").length === 50);
    const answered = page.waitForResponse((r) => r.url().includes("state=scheduled")); // the rows before it look the same
    await page.getByLabel("State").selectOption("scheduled");
    await answered;
    const ids = async () => page.locator("tbody td:last-child").allTextContents();
    await until(async () => (await ids()).length === 50, "a full page");
    assert.equal(await page.evaluate(() => location.hash), "#/jobs?queue=paging&state=scheduled&kind=odd");
    const first = await ids();
    await page.getByRole("button", { name: "Next →" }).click();
    await until(async () => (await ids()).length === 10, "the last page");
    assert.deepEqual([...first, ...await ids()], wanted);
    assert.ok(await page.getByRole("button", { name: "Next →" }).isDisabled());
    await page.getByRole("button", { name: "← Previous" }).click();
    await until(async () => (await ids()).length === 50, "back again");
    assert.deepEqual(await ids(), first);
    await page.getByLabel("Order").selectOption("oldest first");
    await until(async () => (await ids())[0] === wanted.at(-1), "the oldest comes first");
    assert.deepEqual(await ids(), wanted.toReversed().slice(0, 50));
  });
});

test("a job is found by the key that it was submitted under, and by how its id begins", async () => {
  const r = await server.ask("POST", "/v1/jobs", { kind: "noop" }, { "Idempotency-Key": "order 17" });
  const { id } = await r.json();
  await with_page(async (page, { go }) => {
    await go("#/jobs");
    await page.getByLabel("Id").fill("order 17");
    await page.keyboard.press("Enter");
    await page.waitForFunction((x) => location.hash === `#/jobs/${x}`, id);
    await page.getByRole("heading", { name: "Job noop" }).waitFor();
    await go("#/jobs");
    await page.getByLabel("Id").fill(id.slice(0, 20));
    await page.keyboard.press("Enter");
    await page.waitForFunction((x) => location.hash.includes(`id_prefix=${x}`), id.slice(0, 20));
    await page.locator("tbody").getByText(id).waitFor();
  });
});

test("a job that fails and will be tried again is on the first page, with its error", async () => {
  const other = await serve();
  await with_page(async (page) => {
    await page.getByText("All is well").waitFor();
    const id = await other.submit({ kind: "fail", queue: "images", max_attempts: 5 });
    const item = page.locator(".needs li", { hasText: "failed and will be tried again" });
    await item.getByText("told to fail").waitFor();
    const button = item.getByRole("button", { name: "Retry now …" });
    await button.focus();
    await other.submit({ kind: "fail", queue: "images", max_attempts: 5 });
    await item.getByText("2 jobs of images").waitFor();
    assert.equal(await button.evaluate((b) => b === document.activeElement), true); // it was not made anew
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Retry 2 jobs" }).click();
    await until(async () => (await other.job(id)).attempt === 2, "another attempt");
  }, {}, other.url);
});

test("a newcomer finds the failing worker, its error and the retry button from the first page", async () => {
  const ids = [];
  await with_page(async (page) => {
    await live(page);
    for (let i = 0; i < 8; i++) ids.push(await server.submit({ kind: "fail", queue: "mail", max_attempts: 1 }));
    await until(async () => (await server.get("/v1/pools/mail")).breakers_open > 0, "a breaker opens");
    const needs = page.locator(".needs");
    await needs.getByText("told to fail").first().waitFor();
    assert.match(await needs.textContent(), /mail/);
    await needs.getByRole("link", { name: "Show the worker" }).first().click();
    await page.locator(".panel").getByText("told to fail").first().waitFor();
    assert.match(await text(page, ".panel"), /breaker open/);
    await page.locator(".panel").getByRole("link", { name: "Failed jobs, to retry" }).waitFor();
    await page.getByRole("link", { name: /^Dead letters/ }).click();
    await page.getByRole("link", { name: "fail" }).first().click();
    await page.locator(".errors pre").getByText("told to fail").waitFor();
    const id = await page.evaluate(() => location.hash.slice("#/jobs/".length));
    assert.ok(ids.includes(id));
    await page.getByRole("button", { name: "Retry" }).click();
    await until(async () => (await server.job(id)).state === "available", "it waits for the breaker");
    await page.locator(".why").waitFor();
  });
});

test("nothing that a job contains runs, moves or hides", async () => {
  const ids = [];
  for (const nasty of hostile) {
    const r = await server.ask("POST", "/v1/jobs", { kind: nasty, queue: nasty, payload: { [nasty]: nasty }, delay_ms: 3_600_000 });
    if (r.ok) ids.push((await r.json()).id); // names that the server does not take do no harm
  }
  assert.ok(ids.length >= 3, `${ids.length} hostile jobs were accepted`);
  ids.push(await server.submit({ kind: "echo", queue: "images", payload: hostile.join("\n") }));
  const failing = [];
  for (const nasty of hostile) {
    const id = await server.submit({ kind: "remote", queue: "remote", payload: null });
    const { jobs } = await server.post("/v1/take", { queues: ["remote"], kinds: ["remote"] });
    await server.post(`/v1/jobs/${id}/finish`, { token: jobs[0].token, outcome: "discard", error: nasty });
    failing.push(id);
  }
  const big = await server.submit({ kind: "huge", queue: "remote", payload: huge, delay_ms: 3_600_000 });
  await with_page(async (page, { go }) => {
    await page.evaluate(() => { globalThis.ran = undefined; });
    const calm = async (where) => {
      const found = await page.evaluate(() => ({
        ran: globalThis.ran, title: document.title, strangers: document.querySelectorAll("main script, main iframe, main img, main style, main a[href^='javascript'], main [onerror]").length,
        wide: document.documentElement.scrollWidth > innerWidth,
      }));
      assert.deepEqual(found, { ran: undefined, title: found.title, strangers: 0, wide: false }, where);
      assert.match(found.title, /lifeguard$/);
    };
    for (const hash of ["#/", "#/jobs", "#/queues", "#/dead?queue=remote", "#/workers"]) {
      await go(hash);
      await sleep(150);
      await calm(hash);
    }
    for (const id of [...ids, ...failing]) {
      await go(`#/jobs/${id}`);
      await page.locator("p.id").getByText(id).waitFor();
      await calm(id);
    }
    await go(`#/jobs/${failing[0]}`);
    await page.locator(".errors pre").getByText(hostile[0]).waitFor(); // shown as it is
    const began = performance.now();
    await go(`#/jobs/${big}`);
    await page.locator("p.id").getByText(big).waitFor();
    assert.ok((await text(page, ".long pre")).length < 30_000);
    await page.getByRole("button", { name: /^Show all/ }).click();
    await page.waitForFunction(() => document.querySelector(".long pre").textContent.length > 1_000_000);
    await calm("1 MiB");
    console.log(`a payload of 1 MiB: ${Math.round(performance.now() - began)} ms`);
    await go("#/jobs?queue=%3Cimg%20src%3Dx%20onerror%3Dran%3D1%3E&kind=%22%3E%3Cscript%3Eran%3D1%3C%2Fscript%3E");
    await calm("in the address");
  });
});

test("invisible and direction-changing characters are shown", async () => {
  const id = await server.submit({ kind: "remote", queue: "remote2" });
  const { jobs } = await server.post("/v1/take", { queues: ["remote2"], kinds: ["remote"] });
  await server.post(`/v1/jobs/${id}/finish`, { token: jobs[0].token, outcome: "discard", error: "a\u202egnp.exe\u0007\u200bb" });
  await with_page(async (page, { go }) => {
    await go(`#/jobs/${id}`);
    await page.locator(".errors pre").waitFor();
    assert.equal(await text(page, ".errors pre"), "a<U+202E>gnp.exe\u2407<U+200B>b");
  });
});

const everywhere = ["#/", "#/tree?at=mail%2F1", "#/jobs", "#/dead", "#/workers", "#/breakers", "#/queues", "#/submit"];
// All rules in one theme of each size; what the other theme can change is contrast.
for (const [width, height, all] of [[1280, 860, "light"], [360, 740, "dark"]])
  for (const colorScheme of ["light", "dark"])
    test(`every page fits and is accessible: ${width} px, ${colorScheme}`, async () => {
      const done = (await server.get("/v1/jobs?state=discarded&limit=1")).jobs[0];
      await with_page(async (page, { go }) => {
        await live(page);
        for (const hash of [...everywhere, `#/jobs/${done.id}`]) {
          await go(hash);
          await page.waitForTimeout(250);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${hash} is wider than the window`);
          assert.deepEqual(await inaccessible(page, colorScheme === all ? undefined : ["color-contrast"]), [], hash);
        }
      }, { viewport: { width, height }, colorScheme });
    });

test("it can be used with the keyboard alone", async () => {
  await with_page(async (page, { go }) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await go("#/tree");
    await page.locator(".leaf").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".panel").waitFor();
    await page.getByRole("button", { name: "Kill and restart …" }).or(page.getByRole("button", { name: "Close the details" })).last().focus();
    await go("#/breakers");
    await page.getByRole("button", { name: "Force open images/1" }).press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });
});

test("a server that comes back is followed again, and what was seen is kept", async () => {
  const other = await serve();
  await with_page(async (page, { go }) => {
    await live(page);
    await page.waitForFunction(() => /L/.test(document.querySelector(".chart path.line")?.getAttribute("d") ?? ""));
    await sleep(2000);
    const samples = () => page.evaluate(async () => (await import("/dashboard/live.js")).live.samples.map((x) => x.at));
    const seen = await samples();
    await other.stop("SIGKILL");
    await page.waitForFunction(() => /lost/.test(document.getElementById("link").textContent));
    await other.start({ port: other.port });
    const came = Date.now();
    await live(page);
    await until(async () => (await samples()).filter((at) => at > came).length >= 2, "new samples");
    const now = await samples();
    for (const at of seen) assert.ok(now.includes(at), "an old sample was lost");
    const kept = (await other.get("/v1/history?seconds=3600")).samples.map((x) => x.at).filter((at) => at <= now.at(-1));
    for (const at of kept) assert.ok(now.includes(at), "a sample that the server has is missing");
    await go("#/tree");
    await page.locator('.leaf[data-name="images/1"]').waitFor();
    await other.post("/v1/workers/images/1/kill");
    await page.waitForFunction(() => /started 2 times/.test(document.querySelector('.leaf[data-name="images/1"]').getAttribute("title")));
  }, { expected: [/ERR_/] }, other.url);
});

test("a connection that breaks leaves no gap: samples and events are asked for again", async (t) => {
  const wire = await new Wire().start(server.port);
  t.after(() => wire.end());
  await with_page(async (page) => {
    await live(page);
    const state = () => page.evaluate(async () => {
      const { live } = await import("/dashboard/live.js");
      return { at: live.samples.map((x) => x.at), log: live.log.map((r) => `${r.type} ${r.fields.worker}`) };
    });
    await until(async () => (await state()).at.length >= 2, "samples");
    const kills = async () => (await state()).log.filter((x) => x === "worker_killed images/4").length;
    wire.cut();
    await page.waitForFunction(() => /lost/.test(document.getElementById("link").textContent));
    const cutAt = Date.now();
    await server.post("/v1/workers/images/4/kill");
    await sleep(2500);
    assert.equal(await kills(), 0);
    wire.join();
    await live(page);
    await until(async () => await kills() === 1, "the kill is in the log, once");
    const now = await state();
    const kept = (await server.get("/v1/history?seconds=60")).samples.map((x) => x.at).filter((at) => at >= now.at[0] && at <= now.at.at(-1));
    assert.ok(kept.filter((at) => at > cutAt).length >= 2, "samples were taken meanwhile");
    assert.deepEqual(now.at.filter((at) => at >= kept[0]), kept);
  }, { expected: [/ERR_/] }, wire.url);
});

test("with a token the page asks for it, keeps it out of the address and forgets it", async () => {
  const secret = "correct-horse";
  const other = await serve({ token: secret });
  await with_page(async (page) => {
    const urls = [];
    page.on("request", (r) => urls.push(r.url()));
    const dialog = page.locator("dialog");
    await dialog.waitFor();
    assert.deepEqual(await inaccessible(page), []);
    await page.getByLabel("Token", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("That token was refused.").waitFor();
    await page.getByLabel("Token", { exact: true }).fill(secret);
    await page.getByRole("button", { name: "Go on" }).click();
    await live(page);
    await page.reload();
    await live(page); // of the session
    assert.ok(urls.every((u) => !u.includes(secret)));
    assert.ok(!(await page.evaluate(() => location.href)).includes(secret));
    assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
    await page.getByRole("button", { name: "Forget the token" }).click();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  }, { expected: [/401/] }, other.url);
});

test("read only: nothing to press, and the server refuses whatever a page asks", async () => {
  const other = await serve({ args: ["--dashboard", "read-only"] });
  const id = await other.submit({ kind: "fail", queue: "images", max_attempts: 1 }); // a program may
  await other.inState(id, "discarded");
  await with_page(async (page, { go }) => {
    await live(page);
    const acts = /retry|cancel|delete|kill|pause|resume|drain|force|submit|^close /i;
    for (const hash of ["#/", "#/tree?at=images%2F1", "#/jobs", "#/dead", `#/jobs/${id}`, "#/workers", "#/breakers", "#/queues"]) {
      await go(hash);
      await page.waitForTimeout(150);
      const names = await page.getByRole("button").allTextContents();
      assert.deepEqual(names.filter((n) => acts.test(n)), [], hash);
    }
    assert.equal(await page.getByRole("link", { name: "Submit a job" }).count(), 0);
    const status = await page.evaluate(async (x) => (await fetch(`/v1/jobs/${x}/retry`, { method: "POST" })).status, id);
    assert.equal(status, 403);
  }, { expected: [/403/] }, other.url);
  const off = await serve({ args: ["--dashboard", "off"] });
  assert.equal((await off.ask("GET", "/")).status, 404);
  assert.equal((await off.ask("GET", "/dashboard/app.js")).status, 404);
});
