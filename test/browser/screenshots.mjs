// Pictures of the dashboard. Arguments: the folder. Look at them before you commit them.

import { join } from "node:path";
import { launch, open } from "./browser.mjs";
import { Server, sleep } from "./server.mjs";

const [, , folder] = process.argv;
const shop = {
  name: "shop",
  pools: [
    { name: "images", queues: ["images"], size: 8, max_overflow: 0 },
    { name: "mail", queues: ["mail"], size: 3, max_overflow: 0, breaker: { threshold: 3, open_for_ms: 8000 } },
    { name: "reports", queues: ["reports"], size: 120, max_overflow: 0 },
  ],
};
const random = (n) => Math.floor(Math.random() * n);

/** Traffic for so long; the mail server is down for the second half. */
async function traffic(server, seconds) {
  const end = Date.now() + seconds * 1000;
  const half = Date.now() + seconds * 500;
  while (Date.now() < end) {
    const jobs = [];
    const busy = 5 + Math.round(4 * Math.sin(Date.now() / 4000));
    for (let i = 0; i < busy; i++) jobs.push({ kind: "sleep", queue: "images", payload: { ms: 30 + random(120) } });
    for (let i = 0; i < 2 * busy; i++) jobs.push({ kind: "sleep", queue: "reports", payload: { ms: 100 + random(700) } });
    for (let i = 0; i < 2; i++) jobs.push({ kind: "echo", queue: "mail", payload: { to: "ada@example.org" } });
    if (random(8) === 0) jobs.push({ kind: "echo", queue: "reports", delay_ms: 60_000 });
    if (Date.now() > half && random(3) === 0) jobs.push({ kind: "fail", queue: "mail", max_attempts: 1, payload: { to: "bob@example.org", order: 4711 } });
    await server.post("/v1/jobs", jobs);
    if (random(60) === 0) await server.post(`/v1/workers/images/${1 + random(8)}/kill`);
    await sleep(150);
  }
}

const server = await new Server(process.env.LIFEGUARD_PROGRAM).start({ config: shop });
const browser = await launch();
let seconds = Number(process.env.SECONDS_OF_TRAFFIC || 75);
const running = traffic(server, seconds + 30);
try {
  await sleep(seconds * 1000);
  const shots = [
    ["overview", "#/", "light", 1120, 800],
    ["tree", "#/tree?at=mail%2F2", "dark", 1120, 620],
    ["phone", "#/", "light", 375, 720],
  ];
  for (const [name, hash, colorScheme, width, height] of shots) {
    const p = await open(browser, server.url, { colorScheme, viewport: { width, height } });
    await p.go(hash);
    if (name === "overview") await p.page.getByRole("combobox", { name: "Last" }).selectOption("60");
    await sleep(3000);
    await p.page.screenshot({ path: join(folder, `${name}.png`) });
    await p.close();
  }
} finally {
  await running.catch(() => {});
  await browser.close();
  await server.end();
}
