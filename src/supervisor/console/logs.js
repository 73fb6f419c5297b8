// The log: follows, pauses, filters, copies. Filters live in the page's address, so that a view
// can be kept and sent. Bounded: so many lines stay on the page, so many wait for the next
// frame, and of a very long line only the beginning is shown.

import { announce, byId, count, day, make, note, plural, say, whole } from "./dom.js";
import { stream, whileSeen } from "./net.js";
import { onStatus } from "./status.js";

const LINES_MAX = 5_000;
const LINES_FIRST = 500;
const LINES_A_FRAME = 400;
const LINES_A_SHEET = 200;
const SHOWN_CHARS_MAX = 2_000;
const COPIED_CHARS_MAX = 8_000;
const TYPING_MS = 400;
const FILTERS = ["grep", "unit", "priority", "since", "session", "turn"];
const WEIGHTS = ["emergency", "alert", "critical", "error", "warning"];
const SECONDS = { m: 60, h: 3600, d: 86400 };

let follower = null;
let following = true;
let applied = null; // The filters in force, as the address has them.
let queue = [];
let drawing = false;
let rows = []; // What is on the page, as text and oldest first; null for a date.
let lastDay = "";
let atEnd = true;
let unseen = 0;

const input = (name) => byId(`log-${name}`);

// ------------------------------------------------------------ filters and the address

function filters() {
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = input(name).value.trim();
    if (value) query.set(name, value);
  }
  return query;
}

function fillFromAddress() {
  const query = new URLSearchParams(location.search);
  for (const name of FILTERS) {
    const value = query.get(name) ?? "";
    const field = input(name);
    if (field.options && ![...field.options].some((option) => option.value === value)) {
      field.append(make("option", { value, text: value }));
    }
    field.value = value;
  }
  following = query.get("follow") !== "off";
}

function writeAddress(push) {
  const query = filters();
  if (!following) query.set("follow", "off");
  const text = query.toString();
  const address = `${location.pathname}${text && `?${text}`}${location.hash}`;
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** The query for the supervisor: a time that is relative to now becomes one of the calendar. */
function asked() {
  const query = filters();
  const [, number, unit] = /^(\d+)([mhd])$/.exec(query.get("since") ?? "") ?? [];
  if (unit) {
    const at = Date.now() - number * SECONDS[unit] * 1000;
    query.set("since", new Date(at).toISOString());
  }
  return query;
}

/** Shows the log of one unit, session or turn, and nothing else; "back" undoes it. */
function showLogOf(wanted) {
  for (const name of FILTERS) input(name).value = "";
  for (const [name, value] of Object.entries(wanted)) {
    if (name === "unit") offerUnits([value]);
    input(name).value = value;
  }
  writeAddress(true);
  apply();
  byId("log").scrollIntoView();
  input("lines").focus({ preventScroll: true });
}

function apply() {
  const now = filters().toString();
  if (now === applied) return;
  applied = now;
  open();
}

// ------------------------------------------------------------ the stream

function open(after) {
  follower?.close();
  if (!after) clear();
  const query = asked();
  query.set("lines", String(LINES_FIRST));
  query.set("follow", String(following));
  const kept = asked();
  kept.set("format", "text");
  byId("log-export").href = `/supervisor/logs/export?${kept}`;
  follower = stream(`/supervisor/logs?${query}`, {
    after,
    once: !following,
    event: (data) => take(JSON.parse(data)),
    opened: () => {
      note(byId("log-trouble"), null);
      showCount();
    },
    ended: showCount,
    down: (failure) => failure && note(byId("log-trouble"), `${failure.message} Trying again…`),
    refused: (failure) => trouble(failure.message),
  });
}

function trouble(message) {
  note(byId("log-trouble"), message);
  say(byId("log-empty"), "");
  follower.close();
}

function setFollowing(on) {
  following = on;
  byId("log-follow").setAttribute("aria-pressed", String(on));
  writeAddress(false);
  if (on) {
    // It goes on exactly behind the last line, with all that was said meanwhile.
    toEnd();
    open(follower.last);
  } else {
    follower.close();
    showCount();
  }
}

// ------------------------------------------------------------ lines

function take(line) {
  if (line.error) return trouble(line.error);
  queue.push(line);
  // More than the page keeps would be gone again in the same frame.
  if (queue.length > LINES_MAX * 2) queue = queue.slice(-LINES_MAX);
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
}

function draw() {
  if (queue.length > LINES_MAX) queue = queue.slice(-LINES_MAX);
  const now = queue.splice(0, LINES_A_FRAME);
  for (const line of now) append(line);
  const list = input("lines");
  while (rows.length > LINES_MAX) drop(list.firstElementChild, list);
  if (atEnd) list.scrollTop = list.scrollHeight;
  else unseen += now.length;
  showCount();
  drawing = queue.length > 0;
  if (drawing) requestAnimationFrame(draw);
}

/** Lines stand in sheets: the browser passes over those that are out of sight. */
function sheet() {
  const list = input("lines");
  const last = list.lastElementChild;
  if (last && last.childElementCount < LINES_A_SHEET) return last;
  last?.classList.add("full");
  list.append(make("div", { class: "sheet" }));
  return list.lastElementChild;
}

function drop(old, list) {
  rows.splice(0, old.childElementCount);
  const held = old.contains(document.activeElement);
  old.remove();
  if (held) list.focus({ preventScroll: true });
}

function append(line) {
  const today = line.time ? day(line.time) : lastDay;
  if (today !== lastDay) {
    lastDay = today;
    rows.push(null);
    sheet().append(make("p", { class: "day", text: today }));
  }
  rows.push(line.line.replace(/\n$/, "").slice(0, COPIED_CHARS_MAX));
  sheet().append(row(line));
}

function row(line) {
  const said = line.message || line.line.trimEnd();
  const shown = said.length > SHOWN_CHARS_MAX
    ? `${said.slice(0, SHOWN_CHARS_MAX)}… (${count(said.length)} characters)`
    : said;
  const who = line.unit ? shortName(line.unit) : (line.program ?? "");
  const text = make("span", { class: "text" });
  const weight = WEIGHTS[line.priority];
  if (weight) text.append(make("em", { text: weight }), " ");
  text.append(shown);
  for (const [name, value] of Object.entries(line.fields ?? {})) {
    const given = typeof value === "string" ? value : JSON.stringify(value);
    text.append(" ", make("i", { text: `${name}=${given.slice(0, SHOWN_CHARS_MAX)}` }));
  }
  if (line.turn) {
    const look = { type: "button", class: "turn", tabindex: -1, "data-turn": line.turn };
    text.append(" ", make("button", { ...look, text: line.turn, title: "Show this turn alone" }));
  }
  const node = make("div", { class: "line" },
    make("time", { text: clock(line.time), title: line.time && whole(line.time) }),
    make("b", { text: who, title: line.unit }), text);
  if (line.priority !== undefined) node.dataset.priority = line.priority;
  return node;
}

function shortName(unit) {
  const name = unit.replace(/\.service$/, "").replace(/@.*/, "");
  return name === "parachute" ? "server" : name.replace(/^parachute-/, "");
}

function clock(at) {
  if (!at) return "";
  const time = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const seconds = `${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return `${two(time.getHours())}:${two(time.getMinutes())}:${seconds}`;
}

function clear() {
  [queue, rows, lastDay] = [[], [], ""];
  input("lines").replaceChildren();
  toEnd();
  byId("log-empty").hidden = false;
  say(byId("log-empty"), "Reading the log…");
}

function showCount() {
  const lines = rows.reduce((sum, text) => sum + (text !== null), 0);
  const full = rows.length > LINES_MAX - LINES_A_SHEET ? "the newest " : "";
  const pause = following ? "" : ", paused";
  say(byId("log-count"), `${full}${plural(lines, "line")}${pause}`);
  const none = following ? "Nothing that fits, so far." : "Nothing fits.";
  byId("log-empty").hidden = lines > 0;
  if (lines === 0) say(byId("log-empty"), none);
  const newest = byId("log-newest");
  newest.hidden = atEnd;
  say(newest, unseen ? `${plural(unseen, "new line")} below` : "To the newest");
}

// ------------------------------------------------------------ hands

function toEnd() {
  const list = input("lines");
  [atEnd, unseen] = [true, 0];
  list.scrollTop = list.scrollHeight;
}

function scrolled() {
  const list = input("lines");
  const was = atEnd;
  atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  if (atEnd) unseen = 0;
  if (was !== atEnd) showCount();
}

function pressed(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const turns = [...input("lines").querySelectorAll(".turn")];
  if (!turns.length) return;
  event.preventDefault();
  const at = turns.indexOf(document.activeElement);
  const next = at < 0 ? (step < 0 ? turns.length - 1 : 0) : at + step;
  turns[Math.min(Math.max(next, 0), turns.length - 1)].focus();
}

async function copy() {
  const lines = rows.filter((text) => text !== null);
  const button = byId("log-copy");
  try {
    await navigator.clipboard.writeText(`${lines.join("\n")}\n`);
    say(button, "Copied");
    announce(`${plural(lines.length, "line")} copied`);
  } catch {
    say(button, "Not allowed");
    announce("The browser does not allow copying.");
  }
  setTimeout(() => say(button, "Copy"), 2_000);
}

function offerUnits(names) {
  const select = input("unit");
  const have = new Set([...select.options].map((option) => option.value));
  for (const name of names.filter((one) => !have.has(one))) {
    select.append(make("option", { value: name, text: name }));
  }
}

export function startLogs() {
  fillFromAddress();
  byId("log-follow").setAttribute("aria-pressed", String(following));
  applied = filters().toString();
  let typing = null;
  const changed = () => {
    clearTimeout(typing);
    writeAddress(false);
    apply();
  };
  const form = byId("log-filters");
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(changed, event.target.options ? 0 : TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("reset", () => setTimeout(changed));
  window.addEventListener("popstate", () => {
    fillFromAddress();
    byId("log-follow").setAttribute("aria-pressed", String(following));
    apply();
  });
  byId("log-follow").addEventListener("click", () => setFollowing(!following));
  byId("log-copy").addEventListener("click", copy);
  byId("log-newest").addEventListener("click", () => {
    toEnd();
    showCount();
    input("lines").focus();
  });
  input("lines").addEventListener("scroll", scrolled, { passive: true });
  input("lines").addEventListener("keydown", pressed);
  input("lines").addEventListener("click", (event) => {
    const turn = event.target.closest(".turn")?.dataset.turn;
    if (turn) showLogOf({ turn });
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-log]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showLogOf(Object.fromEntries(new URL(link.href).searchParams));
  });
  onStatus((status) => offerUnits(status.units.map((unit) => unit.name)));
  whileSeen(() => (following || !follower) && open(follower?.last), () => follower.close());
}
