// A server of the program under test, and what a test asks it.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until `f` returns something true; what it returned. */
export async function until(f, what, ms = 5000) {
  const end = performance.now() + ms;
  for (;;) {
    const found = await f();
    if (found) return found;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(25);
  }
}

/** Several queues and pools, one of them with a breaker that opens at once. */
export const options = {
  name: "shop",
  pools: [
    { name: "images", queues: ["images", "default"], size: 4, max_overflow: 0 },
    { name: "mail", queues: ["mail"], size: 2, max_overflow: 0, breaker: { threshold: 3, open_for_ms: 600000 } },
    { name: "reports", queues: ["reports"], size: 60, max_overflow: 0 },
  ],
};

export class Server {
  constructor(program) {
    this.program = program;
    this.folder = mkdtempSync(join(tmpdir(), "lifeguard-browser-"));
    this.token = "";
    this.process = null;
  }

  async start({ port = 0, args = [], token = "", config = options } = {}) {
    const file = join(this.folder, "options.json");
    writeFileSync(file, JSON.stringify(config));
    const all = ["serve", "--listen", `127.0.0.1:${port}`, "--store", "memory", "--demo", "--options", file, ...args];
    this.token = token;
    if (token) {
      writeFileSync(join(this.folder, "token"), `${token}\n`);
      all.push("--token", join(this.folder, "token"));
    }
    let said = "";
    this.process = spawn(this.program, all, { stdio: ["ignore", "pipe", "ignore"] });
    this.ended = new Promise((resolve) => { this.process.once("exit", (code, signal) => resolve(code ?? signal)); });
    this.process.once("error", (e) => { throw e; });
    this.process.stdout.on("data", (piece) => { said += piece; });
    this.url = await until(() => /listening on (\S+)/.exec(said)?.[1], "the server listens", 20000);
    this.port = Number(new URL(this.url).port);
    return this;
  }

  /** Ends the process that was started here, and no other. */
  async stop(signal = "SIGTERM") {
    this.process.kill(signal);
    const slow = setTimeout(() => this.process.kill("SIGKILL"), 8000);
    const how = await this.ended;
    clearTimeout(slow);
    return how;
  }

  async end() {
    await this.stop("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  async ask(method, path, body, headers = {}) {
    const all = { ...headers };
    if (this.token) all.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return fetch(this.url + path, { method, headers: all, body: body === undefined ? undefined : text });
  }

  async value(method, path, body) {
    const r = await this.ask(method, path, body);
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text.slice(0, 300)}`);
    return text === "" ? null : JSON.parse(text);
  }
  get(path) { return this.value("GET", path); }
  post(path, body) { return this.value("POST", path, body); }
  async submit(job) { return (await this.post("/v1/jobs", job)).id; }
  job(id) { return this.get(`/v1/jobs/${id}`); }
  inState(id, state) { return until(async () => { const j = await this.job(id); return j.state === state && j; }, `job ${id} is ${state}`); }
}
