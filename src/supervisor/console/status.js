// How the suite is: follows the supervisor's status, hands it to whoever shows a part of it, and
// shows the overview itself: the sentence about the server, its facts and its three actions.

import { announce, byId, facts, note, say, span } from "./dom.js";
import { stream, whileSeen } from "./net.js";
import { order } from "./orders.js";

export const SERVER = "parachute.service";
const LOST_SHOWN_MS = 1_200; // A supervisor that restarts is back before this.
const CLOCK_MS = 20_000;

const SAID = {
  running: ["Parachute is running", "good"],
  stopped: ["Parachute is stopped", "quiet"],
  crashed: ["Parachute crashed and starts again", "warn"],
  starting: ["Parachute is starting", "busy"],
  stopping: ["Parachute is stopping", "busy"],
  failed: ["Parachute has failed", "bad"],
};
const VERBS = {
  running: ["stop", "restart"],
  stopped: ["start"],
  crashed: ["stop", "restart"],
  starting: ["stop"],
  stopping: [],
  failed: ["start"],
};
const MODES = { systemd: "systemd", launchd: "launchd", direct: "the supervisor itself" };

const listeners = [];
let latest = null;
let heardAt = 0;

/** Calls with each status, as it comes. */
export function onStatus(listener) {
  listeners.push(listener);
  if (latest) listener(latest);
}

function headline(status) {
  const { main_server_status: state } = status;
  if (status.main_server_sleeping) return ["Parachute is asleep", "rest"];
  if (state === "running" && !status.main_server_healthy) {
    return ["Parachute runs, but does not answer", "warn"];
  }
  return SAID[state] ?? [`Parachute is ${state}`, "quiet"];
}

function canDo(status) {
  const unit = status.units.find((one) => one.name === SERVER);
  const can = unit?.verbs ?? VERBS[status.main_server_status] ?? [];
  return can.filter((verb) => ["start", "restart", "stop"].includes(verb));
}

function show(status) {
  const [title, tone] = headline(status);
  const before = byId("server-state").textContent;
  byId("overview").dataset.tone = tone;
  byId("server-state").dataset.state = status.main_server_status;
  say(byId("server-state"), title);
  say(byId("server-words"), status.main_server_words);
  document.title = tone === "good" ? "Parachute" : title;
  if (latest && before !== title) announce(`${title}. ${status.main_server_words}`);
  const problem = status.config_problem
    ?? (status.config_loaded ? null : "The configuration is not in force.");
  note(byId("config-problem"), problem);
  showActions(status);
  showFacts(status);
}

function showActions(status) {
  const can = canDo(status);
  const buttons = [...document.querySelectorAll("[data-action]")];
  const held = buttons.find((button) => button === document.activeElement);
  for (const button of buttons) {
    const now = can.includes(button.dataset.action);
    // While nothing can be asked, what stands there stays and waits.
    if (can.length) button.hidden = !now;
    button.setAttribute("aria-disabled", String(!now));
  }
  const main = buttons.find((button) => !button.hidden);
  for (const button of buttons) button.classList.toggle("primary", button === main);
  // The keyboard does not fall into nothing with the button that was pressed.
  if (held?.hidden) main?.focus();
}

function showFacts(status) {
  const past = (Date.now() - heardAt) / 1000;
  const grown = (seconds) => (seconds === null ? null : span(seconds + past));
  facts(byId("facts"), [
    ["Up for", grown(status.main_server_uptime_seconds)],
    ["Version", status.main_server_version],
    ["Port", status.main_server_port && String(status.main_server_port)],
    ["Agents alive", String(status.agents.length)],
    ["Kept alive by", MODES[status.mode] ?? status.mode],
    ["Supervisor", `${status.supervisor_version}, for ${grown(status.supervisor_uptime_seconds)}`],
  ]);
}

function follow() {
  const light = byId("connection");
  let lost = null;
  const live = () => {
    clearTimeout(lost);
    lost = null;
    light.dataset.state = "live";
    document.body.classList.remove("lost");
    say(light, "Live");
  };
  const down = () => {
    lost ??= setTimeout(() => {
      light.dataset.state = "lost";
      document.body.classList.add("lost");
      say(light, "Connection lost, trying again");
      if (heardAt) light.dataset.seen = `this is from ${new Date(heardAt).toLocaleTimeString()}`;
    }, LOST_SHOWN_MS);
  };
  let follower = null;
  const open = () => {
    follower = stream("/supervisor/events", {
      down,
      refused: (failure) => {
        light.dataset.state = "lost";
        say(light, failure.message);
      },
      event: (data) => {
        live();
        heardAt = Date.now();
        tell(JSON.parse(data));
      },
    });
  };
  whileSeen(open, () => {
    follower.close();
    light.dataset.state = "connecting";
    say(light, "Resting while out of sight");
  });
}

function tell(status) {
  show(status);
  latest = status;
  for (const listener of listeners) listener(status);
}

export function startStatus() {
  for (const button of document.querySelectorAll("[data-action]")) {
    const verb = button.dataset.action;
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      order(`/supervisor/server/${verb}`, SERVER, verb, "the server");
    });
  }
  follow();
  // "3 min ago" grows old although nothing happens.
  setInterval(() => latest && tell(latest), CLOCK_MS);
}
