/**
 * The only fetch: sends one request to the server and reads its answer. The files beside it name the calls, one file per resource.
 * Promises an ApiError with a readable sentence for everything that is not a success. Leaves showing it to the elements.
 */

const TIMEOUT_MS = 30_000;

/** Tells the shell about `session-lost`, `part-away` (detail: sentence) and `part-back`. */
export const health = new EventTarget();
let away = false;

/** What went wrong. `status` 0 means that no answer came; `fields` maps a field name to its message. */
export class ApiError extends Error {
  constructor(status, problem, retryAfter = null) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
    this.kind = String(problem.type ?? "").split("/").pop();
    this.fields = Object.fromEntries((problem.errors ?? []).map((error) => [error.field, error.message]));
  }

  /** True when the server certainly did not do it, so that a new attempt is a new request. */
  get refused() {
    return this.status >= 400 && this.status < 500;
  }
}

function say(type, detail) {
  health.dispatchEvent(new CustomEvent(type, { detail }));
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return { title: response.statusText || `Status ${response.status}` };
  }
}

function address(path, query) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url;
}

/** The error for an attempt without any answer: nobody knows whether the server did it. */
export function noAnswer(cause) {
  const detail = navigator.onLine
    ? "The server did not answer. Check that it is running, then try again."
    : "This computer is offline. Try again when the connection is back.";
  return Object.assign(new ApiError(0, { type: "/problems/no-answer", title: "No answer", detail }), { cause });
}

/** One request. Answers the parsed body, null for 204; `as: "text"` for text, `quiet` when a 401 is not a lost session, `priority` as fetch has it. */
export async function call(method, path, { query, body, headers = {}, signal, quiet = false, as = "json", priority = "auto" } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const all = { Accept: as === "json" ? "application/json, application/problem+json" : "text/plain, application/problem+json", ...headers };
  if (method !== "GET") all["X-Mailroom"] = "1";
  if (body !== undefined) all["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      priority,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw noAnswer(cause);
  }
  if (response.ok) {
    if (away) {
      away = false;
      say("part-back");
    }
    if (response.status === 204) return null;
    return as === "text" ? response.text() : response.json();
  }
  const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const error = new ApiError(response.status, await problemOf(response), Number.isNaN(retryAfter) ? null : retryAfter);
  if (error.status === 401 && !quiet) say("session-lost");
  if (error.status === 503) {
    away = true;
    say("part-away", error.message);
  }
  throw error;
}

/** What of the server answers, as `/readyz` says it: names of parts that are away, or null when the server itself gives no answer. */
export async function partsAway() {
  try {
    const response = await fetch("/readyz", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    const { parts } = await response.json();
    return Object.entries(parts).filter(([, part]) => !part.ok).map(([name]) => name);
  } catch {
    return null;
  }
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { body, ...options });
export const patch = (path, body, options) => call("PATCH", path, { body, ...options });
export const put = (path, body, options) => call("PUT", path, { body, ...options });
export const remove = (path, options) => call("DELETE", path, options);

/** An id as a part of a path. */
export const at = (id) => encodeURIComponent(id);
