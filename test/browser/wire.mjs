// Between a browser and a server: a wire that can be cut.

import { connect, createServer } from "node:net";

export class Wire {
  constructor() {
    this.whole = true;
    this.ends = new Set();
  }

  async start(port) {
    this.listener = createServer((near) => {
      if (!this.whole) return near.destroy();
      const far = connect(port, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]]) {
        this.ends.add(one);
        one.on("error", () => {}); // is followed by "close"
        one.on("close", () => { this.ends.delete(one); other.destroy(); });
        one.pipe(other);
      }
    });
    await new Promise((resolve) => { this.listener.listen(0, "127.0.0.1", resolve); });
    this.url = `http://127.0.0.1:${this.listener.address().port}`;
    return this;
  }

  /** What is connected is cut off, and nothing connects any more. */
  cut() {
    this.whole = false;
    for (const one of this.ends) one.destroy();
  }

  join() { this.whole = true; }

  end() {
    this.cut();
    return new Promise((resolve) => { this.listener.close(resolve); });
  }
}
