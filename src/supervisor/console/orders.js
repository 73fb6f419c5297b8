// Orders: asking whether it is meant, giving the order, and saying what became of it. Holds the
// page's one dialog and its one notice. What may be ordered is for the caller to know.

import { byId, logLink, make, say } from "./dom.js";
import { call, Failure, get } from "./net.js";

const LOOK_AGAIN_MS = 1_000;
const LOOKS_MAX = 600;
const GOOD_NEWS_MS = 12_000;

const WORDS = {
  start: ["Start", "Starting"],
  stop: ["Stop", "Stopping"],
  restart: ["Restart", "Restarting"],
  "reset-failed": ["Forget the failure", "Forgetting the failure of"],
  enable: ["Begin at login", "Having begin at login:"],
  disable: ["Do not begin at login", "No longer to begin at login:"],
};

/** A verb as a button has it. */
export const verbLabel = (verb) => WORDS[verb]?.[0] ?? verb;

/** Asks; true if it is meant. `body` is a text or a node. */
export function ask(title, body, yes) {
  const dialog = byId("confirm");
  say(byId("confirm-title"), title);
  const content = typeof body === "string" ? make("p", { text: body }) : body;
  byId("confirm-body").replaceChildren(content);
  say(byId("confirm-yes"), yes);
  return new Promise((answer) => {
    let meant = false;
    const end = () => dialog.close();
    const agree = () => {
      meant = true;
      end();
    };
    byId("confirm-no").addEventListener("click", end);
    byId("confirm-yes").addEventListener("click", agree);
    const closed = () => {
      byId("confirm-no").removeEventListener("click", end);
      byId("confirm-yes").removeEventListener("click", agree);
      answer(meant);
    };
    dialog.addEventListener("close", closed, { once: true });
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

let clearing = null;

/** Says what becomes of something: `state` is `running`, `done` or `failed`. */
export function outcome(state, message, { log = [], unit = null } = {}) {
  const box = byId("job-outcome");
  clearTimeout(clearing);
  box.dataset.state = state;
  const parts = [make("p", { text: message })];
  if (log.length) {
    const look = { class: "log", tabindex: 0, role: "region", "aria-label": "Its last words" };
    parts.push(make("pre", { ...look, text: log.join("\n") }));
  }
  const links = make("div", { class: "actions" });
  if (state === "failed" && unit) links.append(logLink({ unit }, `See its log: ${unit}`));
  if (state !== "running") {
    const away = () => box.replaceChildren();
    links.append(make("button", { type: "button", class: "small", text: "Close", onclick: away }));
  }
  box.replaceChildren(...parts, ...(links.children.length ? [links] : []));
  if (state === "done") clearing = setTimeout(() => box.replaceChildren(), GOOD_NEWS_MS);
}

function consequence(unit, verb) {
  const [server, all] = [unit === "parachute.service", unit.endsWith(".target")];
  if (unit === "parachute-supervisor.service" && ["stop", "restart"].includes(verb)) {
    return "This page comes from it: the connection breaks for a moment and comes back.";
  }
  switch (verb) {
    case "start":
      return all ? "Its addresses open; the server starts when somebody asks." : "It starts now.";
    case "stop":
      if (all) return "Everything stops and stays so, agents in the middle of a turn included.";
      return server
        ? "It stays stopped until it is started again. Agents finish their turns meanwhile."
        : "It stays stopped until it is started again.";
    case "restart":
      return server
        ? "Agents go on with their turns, and whoever asks meanwhile waits a moment."
        : "It stops and starts again.";
    case "reset-failed":
      return "Its failure is no longer shown, and it may be started again at once.";
    case "enable":
      return "It begins by itself when you log in.";
    default:
      return "It does not begin by itself any more. What runs now goes on.";
  }
}

/** Asks, gives the order and says its outcome. `name` is what the person calls the unit. */
export async function order(path, unit, verb, name = unit) {
  const [label, doing] = WORDS[verb] ?? [verb, verb];
  const title = verb === "enable" || verb === "disable" || verb === "reset-failed"
    ? `${label}: ${name}?`
    : `${label} ${name}?`;
  if (!(await ask(title, consequence(unit, verb), label))) return;
  outcome("running", `${doing} ${name}…`);
  try {
    const { body } = await call("POST", path);
    const job = await finished(body.job);
    const failed = job.state === "failed";
    outcome(failed ? "failed" : "done", job.message || body.message, { log: job.log, unit });
  } catch (failure) {
    const lost = failure instanceof Failure && failure.status === 0;
    const message = lost
      ? "The connection broke before there was an answer. How the unit is now shows in its row."
      : failure.message;
    outcome("failed", message, { log: failure.body?.job?.log, unit });
  }
}

async function finished(job) {
  let now = job;
  for (let looks = 0; now.state === "running" && looks < LOOKS_MAX; looks += 1) {
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
    try {
      now = await get(`/supervisor/jobs/${now.id}`);
    } catch (failure) {
      // The supervisor may be what restarts; a job that it no longer knows is another matter.
      if (failure.status !== 0) throw failure;
    }
  }
  return now;
}
