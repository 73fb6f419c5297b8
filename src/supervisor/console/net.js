// Talking to the supervisor: JSON requests, and streams of events that come back by themselves
// and go on where they were. `fetch` and not EventSource, which would hide why it is refused.
// It knows no door and shows nothing.

const SILENCE_MS_MAX = 45_000; // A comment comes every 15 s; without one the line is dead.
const ANSWER_MS_MAX = 180_000; // A restart, and the way back where it fails.
const AGAIN_MS_MIN = 300;
const AGAIN_MS_MAX = 8_000;
const EVENT_CHARS_MAX = 8 * 1024 * 1024;
// A browser has six connections for one host and all its pages; hidden ones give theirs back.
const HIDDEN_MS_MAX = 20_000;

/** An answer that is an error, or none at all (status 0). */
export class Failure extends Error {
  constructor(status, body) {
    super(words(status, body));
    this.status = status;
    this.body = body ?? {};
  }
}

function words(status, body) {
  const detail = body?.detail ?? body?.message;
  if (typeof detail === "string" && detail) return detail;
  if (Array.isArray(detail)) {
    return detail.map((one) => `${(one.loc ?? []).slice(1).join(".")}: ${one.msg}`).join("; ");
  }
  return status ? `The supervisor answered ${status}.` : "The supervisor does not answer.";
}

/** Asks, and gives `{ status, body }`; throws a Failure. */
export async function call(method, path, { body, headers = {} } = {}) {
  const asked = { method, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX) };
  asked.headers = { accept: "application/json", ...headers };
  if (method !== "GET") {
    asked.headers["content-type"] = "application/json";
    asked.body = JSON.stringify(body ?? {});
  }
  let answer;
  try {
    answer = await fetch(path, asked);
  } catch {
    throw new Failure(0);
  }
  const given = await answer.json().catch(() => null);
  if (!answer.ok || given === null) throw new Failure(answer.status, given);
  return { status: answer.status, body: given };
}

export const get = async (path) => (await call("GET", path)).body;

/**
 * Follows a stream of events until closed. `hears`: `after` (id of the event to go on from),
 * `once` (do not come back at its end), and `opened()`, `event(data)`, `ended()`,
 * `down(failure)` before it is tried again, `refused(failure)` where that would change nothing.
 */
export function stream(path, hears) {
  const follower = { last: hears.after ?? "", close };
  let closed = false;
  let cut = new AbortController();
  function close() {
    closed = true;
    cut.abort();
  }
  async function run() {
    for (let wait = AGAIN_MS_MIN; !closed; wait = Math.min(wait * 2, AGAIN_MS_MAX)) {
      cut = new AbortController();
      let why = null;
      try {
        const answer = await open(path, follower.last, cut.signal);
        if (closed) return;
        hears.opened?.();
        await read(answer.body, cut, (id, data) => {
          if (closed) return;
          wait = AGAIN_MS_MIN;
          if (id !== null) follower.last = id;
          if (data === null) return; // Only a place to go on from.
          try {
            hears.event(data);
          } catch (error) {
            reportError(error); // A fault of the page, and no reason to ask again.
          }
        });
        if (hears.once && !closed) return hears.ended?.();
      } catch (failure) {
        if (failure instanceof Failure) why = failure;
        if (why && why.status < 500 && !closed) return hears.refused?.(why);
      }
      if (closed) return;
      hears.down?.(why);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  run();
  return follower;
}

async function open(path, last, signal) {
  const headers = { accept: "text/event-stream" };
  if (last) headers["last-event-id"] = last;
  const answer = await fetch(path, { headers, signal, cache: "no-store" });
  if (answer.ok) return answer;
  throw new Failure(answer.status, await answer.json().catch(() => null));
}

async function read(body, cut, tell) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, data, id] = ["", [], null];
  for (;;) {
    const silence = setTimeout(() => cut.abort(), SILENCE_MS_MAX);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    if (rest.length > EVENT_CHARS_MAX) throw new Error("an event without an end");
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (data.length || id !== null) tell(id, data.length ? data.join("\n") : null);
        [data, id] = [[], null];
      } else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line.startsWith("id:")) id = line.slice(line[3] === " " ? 4 : 3);
    }
  }
}

/** Calls `close` when the page has been out of sight for a while, and `open` when it is back. */
export function whileSeen(open, close) {
  let timer = null;
  let shut = false;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => {
        shut = true;
        close();
      }, HIDDEN_MS_MAX);
    } else if (shut) {
      shut = false;
      open();
    }
  };
  document.addEventListener("visibilitychange", look);
  open();
  look();
}
