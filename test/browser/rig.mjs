// What the browser tests share: a browser, a server with several pools, pages that must not complain.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch, open } from "./browser.mjs";
import { Server } from "./server.mjs";

export let browser;
export let server;
const servers = [];

/** A server of its own for a test; it ends with the tests. */
export async function serve(how) {
  const one = new Server(process.env.LIFEGUARD_PROGRAM);
  servers.push(one);
  return one.start(how);
}

/** Opens a page, lets the test use it, and sees that nothing in it went wrong. */
export async function with_page(f, options = {}, url = server.url) {
  const p = await open(browser, url, options);
  try {
    await f(p.page, p);
    assert.deepEqual(await p.wrong(), []);
  } finally {
    await p.close();
  }
}

export const text = (page, selector) => page.locator(selector).first().textContent();
export const live = (page) => page.waitForFunction(() => document.getElementById("link").textContent === "live");

before(async () => {
  browser = await launch();
  server = await serve();
});
after(async () => {
  await browser?.close();
  for (const s of servers) await s.end();
});
