// What a person does with the dashboard, in a real browser, and what the server says became of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { live, serve, server, text, with_page } from "./rig.mjs";
import { until } from "./server.mjs";

test("kill asks first, and then the worker is another one", async () => {
  await with_page(async (page, { go }) => {
    await go("#/tree?at=images%2F3");
    const button = page.getByRole("button", { name: "Kill and restart …" });
    await button.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await server.get("/v1/workers/images/3")).incarnation, 1);
    await button.click();
    await page.keyboard.press("Tab");
    await page.getByRole("dialog").getByRole("button", { name: "Kill and restart" }).click();
    await until(async () => (await server.get("/v1/workers/images/3")).incarnation === 2, "a new incarnation");
  });
});

test("a breaker is forced open and closed by hand", async () => {
  await with_page(async (page, { go }) => {
    await go("#/breakers");
    const state = async (id) => (await server.get("/v1/breakers")).breakers.find((b) => b.id === id).state;
    await page.getByRole("button", { name: "Force open images/1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Force open" }).click();
    await until(async () => await state("images/1") === "forced_open", "it is open");
    await page.getByRole("button", { name: "Close images/1" }).click();
    await until(async () => await state("images/1") === "closed", "it is closed");
  });
});

test("a queue is paused for a time and resumed; jobs are submitted, retried, cancelled, deleted", async () => {
  await with_page(async (page, { go }) => {
    await go("#/queues");
    await page.getByRole("button", { name: "Pause reports" }).click();
    await page.getByRole("dialog").getByRole("combobox").selectOption("600000");
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await until(async () => (await server.get("/v1/queues/reports")).paused_until !== null, "it is paused");

    await go("#/submit");
    await page.getByLabel("Kind").fill("echo");
    await page.getByLabel("Queue").fill("reports");
    await page.getByLabel("Payload").fill('{"n": 12345678901234567890,\n "x": }');
    assert.match(await text(page, "#fault"), /Not JSON/);
    await page.getByRole("button", { name: "Submit" }).click();
    assert.equal((await server.get("/v1/jobs?queue=reports")).jobs.length, 0);
    await page.getByLabel("Payload").fill('{"n": 12345678901234567890}');
    await page.getByRole("button", { name: "Submit" }).click();
    await page.locator(".done a").click();
    await page.locator("pre").getByText("12345678901234567890").waitFor(); // not rounded
    await page.getByText("Why it does not run").waitFor();
    const id = await page.evaluate(() => location.hash.slice("#/jobs/".length));
    await page.getByRole("button", { name: "Cancel …" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await server.inState(id, "cancelled");
    await go("#/queues");
    await page.getByRole("button", { name: "Resume reports" }).click();
    await until(async () => !(await server.get("/v1/queues/reports")).paused, "it is resumed");
    await go(`#/jobs/${id}`);
    await page.getByRole("button", { name: "Retry" }).click();
    await server.inState(id, "completed");
    await page.getByRole("heading", { name: "Result" }).waitFor();
    await page.getByRole("button", { name: "Delete …" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await until(async () => (await server.ask("GET", `/v1/jobs/${id}`)).status === 404, "it is gone");
  }, { expected: [/404/] });
});

test("all that match are retried, after their number was shown", async () => {
  for (let i = 0; i < 5; i++) await server.inState(await server.submit({ kind: "fail", queue: "images", max_attempts: 1 }), "discarded");
  const number = (await server.get("/v1/queues/images")).discarded;
  await with_page(async (page, { go }) => {
    await go("#/dead?queue=images");
    await page.getByRole("button", { name: "Retry all …" }).click();
    assert.match(await text(page, "dialog h2"), new RegExp(`^Retry ${number} jobs`));
    await page.getByRole("dialog").getByRole("button", { name: `Retry ${number} jobs` }).click();
    await page.getByText(`${number} jobs will run again.`).waitFor();
  });
});

test("breakers that workers share are opened and closed by hand", async () => {
  const other = await serve({ config: { name: "shop", pools: [
    { name: "mail", queues: ["mail"], size: 3, max_overflow: 0, breaker: { scope: "pool", threshold: 3, open_for_ms: 600_000 } },
    { name: "kinds", queues: ["default"], size: 2, max_overflow: 0, breaker: { scope: "kind", threshold: 1, open_for_ms: 600_000 } },
  ] } });
  await other.inState(await other.submit({ kind: "fail", max_attempts: 1 }), "discarded");
  await with_page(async (page, { go }) => {
    await live(page);
    await page.locator(".needs").getByText("Pool kinds").waitFor(); // none of its workers is at fault
    await go("#/breakers");
    const row = (id) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: id, exact: true }) });
    await row("kinds:fail").getByText("breaker open").waitFor();
    assert.match(await row("kinds:fail").textContent(), /kind fail.*told to fail/);
    await page.getByRole("button", { name: "Close kinds:fail" }).click();
    await row("kinds:fail").getByText("closed").waitFor();
    assert.equal((await other.get("/v1/breakers")).breakers.find((b) => b.id === "kinds:fail").state, "closed");

    await page.getByRole("button", { name: "Force open mail" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Force open" }).click();
    await row("mail").getByText("forced open").waitFor();
    const id = await other.submit({ kind: "echo", queue: "mail", payload: 1 });
    await go("#/tree");
    for (const n of [1, 2, 3]) await page.locator(`.leaf.is-forced_open[data-name="mail/${n}"]`).waitFor();
    assert.equal((await other.job(id)).state, "available");
    await go("#/breakers");
    await page.getByRole("button", { name: "Close mail" }).click();
    await other.inState(id, "completed");
  }, {}, other.url);
});

test("a supervisor is restarted from the tree, with its children", async () => {
  const pool = async () => (await server.get("/v1/tree")).root.children.find((c) => c.name === "reports");
  const before = await pool();
  await with_page(async (page, { go }) => {
    await go("#/tree");
    await page.locator('button.name[data-name="reports"]').click();
    const panel = page.locator(".panel");
    await panel.getByText(/^60$/).waitFor(); // children
    await panel.getByRole("button", { name: "Restart …" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("60 children").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await pool()).incarnation, before.incarnation);
    await panel.getByRole("button", { name: "Restart …" }).click();
    await dialog.getByRole("button", { name: "Restart" }).click();
    await until(async () => (await pool()).incarnation === before.incarnation + 1, "another incarnation");
    await page.locator(".row.branch", { has: page.locator('[data-name="reports"]') }).getByText(`incarnation ${before.incarnation + 1}`).waitFor();
    assert.equal(await panel.getByRole("button", { name: "Kill and restart …" }).isVisible(), false); // that is for workers
    await until(async () => (await pool()).children.length === 60, "all its workers are back");
    await server.inState(await server.submit({ kind: "noop", queue: "reports" }), "completed");
  });
});

test("a job shows how far it is while it runs", async () => {
  const id = await server.submit({ kind: "remote", queue: "far" });
  const { jobs } = await server.post("/v1/take", { queues: ["far"], kinds: ["remote"] });
  const progress = (value) => server.post(`/v1/jobs/${id}/progress`, { token: jobs[0].token, progress: value });
  await with_page(async (page, { go }) => {
    await go(`#/jobs/${id}`);
    await page.locator(".badge").getByText("executing").waitFor();
    assert.equal(await page.locator(".progress").count(), 0);
    await progress({ done: 30, total: 120, text: "row 30" });
    await page.locator(".progress").getByText("25 % row 30").waitFor();
    await progress(0.75);
    await page.locator(".progress").getByText("75 %").waitFor();
    assert.equal(await page.locator(".progress progress").evaluate((bar) => bar.value), 0.75);
    await progress("nearly there");
    await page.getByText("Progress nearly there").waitFor();
    await server.post(`/v1/jobs/${id}/finish`, { token: jobs[0].token, outcome: "done", result: 7 });
    await page.getByRole("heading", { name: "Result" }).waitFor();
  });
});

test("draining: new jobs are refused until they are accepted again; those that are there run", async () => {
  const other = await serve();
  await other.post("/v1/queues/images/pause", {});
  const id = await other.submit({ kind: "noop", queue: "images" });
  await with_page(async (page, { go }) => {
    await go("#/queues");
    await page.getByRole("button", { name: "Drain: refuse new jobs …" }).click();
    assert.equal((await other.ask("POST", "/v1/jobs", { kind: "noop" })).status, 201); // nothing was confirmed
    await page.getByRole("dialog").getByRole("button", { name: "Refuse new jobs" }).click();
    await page.locator(".badge").getByText("draining").waitFor();
    assert.equal((await other.ask("POST", "/v1/jobs", { kind: "noop" })).status, 503);
    await page.getByRole("button", { name: "Resume images" }).click();
    await other.inState(id, "completed");
    await page.getByRole("button", { name: "Accept new jobs" }).click();
    await page.getByRole("button", { name: "Drain: refuse new jobs …" }).waitFor();
    assert.equal((await other.ask("POST", "/v1/jobs", { kind: "noop" })).status, 201);
  }, {}, other.url);
});

test("a worker is found, looked at and killed with the keyboard alone", async () => {
  const incarnation = async () => (await server.get("/v1/workers/reports/3")).incarnation;
  const before = await incarnation();
  await with_page(async (page, { go }) => {
    await go("#/tree");
    await page.locator('.cell[data-name="reports/60"]').waitFor();
    const focused = (f) => page.evaluate(f);
    /** Goes on with the Tab key until what has the focus is such; how many steps it took. */
    const tabTo = async (what, test) => {
      for (let n = 1; n <= 40; n++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(test)) return n;
      }
      throw new Error(`not within 40 steps: ${what}`);
    };
    await page.getByLabel("Find").focus();
    await tabTo("the cells", () => document.activeElement.matches(".cell"));
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await focused(() => document.activeElement.dataset.name), "reports/3");
    await page.keyboard.press("Tab"); // sixty cells are one stop
    assert.equal(await focused(() => document.activeElement.matches(".cell")), false);
    await page.keyboard.press("Shift+Tab");
    assert.equal(await focused(() => document.activeElement.dataset.name), "reports/3");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement.textContent === "reports/3"); // the panel's title
    await tabTo("the button", () => document.activeElement.textContent === "Kill and restart …");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await tabTo("yes", () => document.activeElement.textContent === "Kill and restart");
    await page.keyboard.press("Enter");
    await until(async () => await incarnation() === before + 1, "a new incarnation");
    await page.waitForFunction(() => document.activeElement.textContent === "Kill and restart …"); // where it was
    await page.keyboard.press("Escape");
    await page.locator(".panel").waitFor({ state: "hidden" });
    assert.equal(await focused(() => document.activeElement.dataset.name), "reports/3");
  });
});
