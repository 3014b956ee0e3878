// Server-sent events over fetch: EventSource cannot send a token.

import { ask } from "./api.js";

/** Yields {id, event, data} until the server ends the stream. */
export async function* events(path, { after, signal }) {
  const headers = { Accept: "text/event-stream" };
  if (after) headers["Last-Event-ID"] = after;
  const response = await ask("GET", path, { headers, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let one = { id: "", event: "message", data: [] };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (one.data.length > 0) yield { ...one, data: one.data.join("\n") };
        one = { id: one.id, event: "message", data: [] };
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) { // a comment: the server is there
        yield { id: "", event: "comment", data: "" };
        continue;
      }
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") one.data.push(text);
      else if (field === "event") one.event = text;
      else if (field === "id") one.id = text;
    }
  }
}
