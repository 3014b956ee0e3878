// Requests to the server. The token lives in this tab's session storage and in a header.

const KEY = "lifeguard.token";
let token = sessionStorage.getItem(KEY) ?? "";
let asking = null;
let prompt_ = async () => "";

export class ApiError extends Error {
  constructor(status, code, message, where) {
    super(message);
    this.status = status;
    this.code = code;
    this.where = where;
  }
}

/** `ask(wrong)` shows the prompt and resolves to a token; `wrong`: one was refused. */
export function onTokenNeeded(ask) { prompt_ = ask; }
export const hasToken = () => token !== "";

export function forgetToken() {
  token = "";
  sessionStorage.removeItem(KEY);
}

async function newToken(refused) {
  if (refused !== token) return; // somebody has asked meanwhile
  asking ??= prompt_(token !== "").then((t) => {
    token = t;
    sessionStorage.setItem(KEY, t);
  }).finally(() => { asking = null; });
  await asking;
}

async function failure(response) {
  let body = {};
  try {
    body = await response.json();
  } catch { /* not ours: the status says enough */ }
  return new ApiError(response.status, body.code ?? "", body.message ?? `status ${response.status}`, body.where ?? "");
}

/** The response, when the server agreed. Throws ApiError otherwise; status 0: it was not reached. */
export async function ask(method, path, { body, signal, headers = {} } = {}) {
  for (;;) {
    const used = token;
    const all = { ...headers };
    if (used) all.Authorization = `Bearer ${used}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, { method, headers: all, body, signal, cache: "no-store", credentials: "omit" });
    } catch (e) {
      if (e.name === "AbortError") throw e;
      throw new ApiError(0, "unreachable", "the server cannot be reached", "");
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await failure(response);
    await response.body?.cancel();
    await newToken(used);
  }
}

/** What a response says. A connection may break in the middle of it. */
async function read(response, how) {
  try {
    return await response[how]();
  } catch (e) {
    if (e.name !== "TypeError") throw e;
    throw new ApiError(0, "unreachable", "the server cannot be reached", "");
  }
}

const early = new Map();

/** Asks for what `get` is about to be asked for. */
export function prefetch(paths) {
  for (const path of paths) {
    const answer = ask("GET", path).then((r) => read(r, "json"));
    answer.catch(() => {}); // whoever gets it is told
    early.set(path, answer);
  }
}

export async function get(path, signal) {
  const asked = early.get(path);
  early.delete(path);
  return asked ?? read(await ask("GET", path, { signal }), "json");
}
export async function getText(path, signal) {
  return read(await ask("GET", path, { signal }), "text");
}
export async function post(path, body) {
  const response = await ask("POST", path, { body: body === undefined ? undefined : JSON.stringify(body) });
  return response.status === 204 ? null : read(response, "json");
}
export async function del(path) {
  const response = await ask("DELETE", path);
  return response.status === 204 ? null : read(response, "json");
}

/** "?a=1&b=2" of what has a value. */
export function query(values) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && value !== null && value !== "") q.set(name, value);
  const text = q.toString();
  return text ? `?${text}` : "";
}

/** A path of segments, each escaped. */
export const path = (...segments) => segments.map((p) => `/${encodeURIComponent(p)}`).join("");
