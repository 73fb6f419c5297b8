// The units, the agents and the last orders, as lists that change in place: what has the focus
// or stands open stays so while the numbers move.

import {
  ago, announce, byId, bytes, count, facts, keep, logLink, make, note, plural, say, span, whole,
  secondsSince,
} from "./dom.js";
import { order, verbLabel } from "./orders.js";
import { onStatus, SERVER } from "./status.js";

const FILES = {
  same: "as shipped with this version",
  differs: "differs from the one of this version",
  stale: "changed after the manager read it; it wants a daemon-reload",
  missing: "not installed",
};

const tones = new Map();

function tone(unit) {
  if (["not-found", "masked"].includes(unit.load)) return "quiet";
  if (unit.load !== "loaded") return "bad";
  if (unit.active === "failed") return "bad";
  if (unit.active === "activating") return unit.result === "success" ? "busy" : "warn";
  if (["deactivating", "reloading"].includes(unit.active)) return "busy";
  return unit.active === "active" ? "good" : "quiet";
}

function buildUnit({ name }) {
  const part = (tag, field, attributes) => make(tag, { "data-field": field, ...attributes });
  const row = make("li", { "data-unit": name });
  const summary = make(
    "summary",
    {},
    make("span", { class: "dot", "aria-hidden": "true" }),
    make("span", { class: "name" }, make("b", { text: name }), part("small", "about")),
    part("span", "words", { class: "words" }),
    part("span", "tag", { class: "tag", hidden: true }),
    part("span", "memory", { class: "number" }),
  );
  const more = make(
    "div",
    { class: "more" },
    make("dl", { class: "facts" }),
    make("div", { class: "actions", role: "group", "aria-label": `Actions for ${name}` },
      part("span", "verbs"), logLink({ unit: name }, `See its log: ${name}`)),
  );
  row.append(make("details", {}, summary, more));
  return row;
}

function patchUnit(row, unit) {
  const field = (name) => row.querySelector(`[data-field="${name}"]`);
  const now = tone(unit);
  row.dataset.tone = now;
  say(field("about"), unit.about);
  say(field("words"), unit.words);
  say(field("memory"), unit.memory_bytes === null ? "" : bytes(unit.memory_bytes));
  note(field("tag"), { differs: "file differs", stale: "file changed" }[unit.file]);
  facts(row.querySelector("dl"), unitFacts(unit));
  patchVerbs(row, field("verbs"), unit);
  const changed = tones.has(unit.name) && tones.get(unit.name) !== now && now !== "busy";
  if (changed && unit.name !== SERVER) announce(`${unit.name}: ${unit.words}.`);
  tones.set(unit.name, now);
}

function unitFacts(unit) {
  const { last_exit: exit } = unit;
  return [
    ["State", [unit.active, unit.sub].filter(Boolean).join(", ")],
    ["Since", unit.since && `${whole(unit.since)} (${ago(unit.since)})`],
    ["Last bad end", exit && `${exit.words}, ${whole(exit.at)}`],
    ["Restarts by itself", count(unit.restarts)],
    ["Process", unit.pid && String(unit.pid)],
    ["Memory", bytes(unit.memory_bytes)],
    ["Processor time", unit.cpu_seconds === null ? null : `${unit.cpu_seconds.toFixed(1)} s`],
    ["Tasks", unit.tasks === null ? null : count(unit.tasks)],
    ["Listens on", unit.listens.join("\n")],
    ["At login", unit.enabled],
    ["Unit file", FILES[unit.file]],
    ["Changed by", unit.drop_ins.join("\n")],
  ];
}

function patchVerbs(row, list, unit) {
  const held = list.contains(document.activeElement);
  const build = (verb) => {
    const path = `/supervisor/units/${encodeURIComponent(unit.name)}/${verb}`;
    const act = () => order(path, unit.name, verb);
    const look = { type: "button", class: "small", "data-unit-action": verb };
    return make("button", { ...look, text: verbLabel(verb), onclick: act });
  };
  keep(list, unit.verbs, (verb) => verb, build, () => {});
  if (held && !list.contains(document.activeElement)) row.querySelector("summary").focus();
}

function buildAgent({ session }) {
  return make(
    "li",
    { "data-agent": session },
    make("span", { class: "dot", "aria-hidden": "true" }),
    make("span", { class: "name" }, make("b", { text: session }), make("small")),
    make("span", { class: "words" }),
    make("span", { class: "number" }),
    logLink({ session }, `See its log: session ${session}`),
  );
}

function patchAgent(row, agent) {
  row.dataset.tone = agent.turn ? "good" : "quiet";
  const alive = agent.since && `alive for ${span(secondsSince(agent.since))}`;
  const about = [alive, agent.pid && `process ${agent.pid}`].filter(Boolean).join(", ");
  say(row.querySelector("small"), about);
  say(row.querySelector(".words"), agent.turn ? `Works on turn ${agent.turn}` : "Waits for a turn");
  say(row.querySelector(".number"), bytes(agent.memory_bytes) ?? "");
}

function buildOrder() {
  return make("li", {}, make("span", { class: "dot", "aria-hidden": "true" }),
    make("span", { class: "words" }), make("span", { class: "number" }));
}

function patchOrder(row, job) {
  row.dataset.tone = { running: "busy", done: "good", failed: "bad" }[job.state];
  const took = job.took_ms === null ? "" : `, took ${(job.took_ms / 1000).toFixed(1)} s`;
  say(row.children[1], job.message || `${verbLabel(job.verb)} ${job.unit}`);
  say(row.children[2], `${ago(job.at)}${took}`);
}

export function startUnits() {
  onStatus((status) => {
    keep(byId("unit-list"), status.units, (unit) => unit.name, buildUnit, patchUnit);
    keep(byId("agent-list"), status.agents, (agent) => agent.session, buildAgent, patchAgent);
    byId("agents-none").hidden = status.agents.length > 0;
    byId("orders").hidden = status.jobs.length === 0;
    keep(byId("order-list"), status.jobs, (job) => job.id, buildOrder, patchOrder);
    const summary = byId("orders").firstElementChild;
    say(summary, plural(status.jobs.length, "recent order"));
  });
}
