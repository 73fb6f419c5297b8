// The configuration: a form made from the schema, judged before anything is sent, and a change
// that is shown line by line before it is made. The supervisor judges again and has the last
// word; what it says of a key stands at that key.

import { byId, make, note, plural, say, shown } from "./dom.js";
import { call, get } from "./net.js";
import { ask, outcome } from "./orders.js";

const CHARS_MAX = 4_096;
const DOOR = "/supervisor/config";

let answer = null;
let schema = null;
const fields = new Map(); // key → { input, error, rule, start }
const listeners = [];

/** Calls after the configuration was changed from this page. */
export const onConfig = (listener) => listeners.push(listener);

// ------------------------------------------------------------ the form

async function load({ keepTyped = false } = {}) {
  const typed = keepTyped ? changes().values : {};
  try {
    [answer, schema] = await Promise.all([get(DOOR), schema ?? get(`${DOOR}/schema`)]);
  } catch (failure) {
    showErrors(failure.message);
    return;
  }
  const list = byId("config-fields");
  fields.clear();
  const settings = new Map(answer.settings.map((setting) => [setting.key, setting]));
  const rules = Object.entries(schema.properties);
  const mine = rules.filter(([, rule]) => rule["x-writable"] && !rule.writeOnly);
  list.replaceChildren(...mine.map(([key, rule]) => build(key, rule, settings.get(key))));
  for (const [key, value] of Object.entries(typed)) {
    if (fields.has(key)) fields.get(key).input.value = value === null ? "" : shown(value);
  }
  showFixed(rules.filter(([key]) => !fields.has(key)).map(([key]) => [key, settings.get(key)]));
  say(byId("config-file"), answer.file);
  const notes = [answer.problem, ...answer.warnings].filter(Boolean);
  const lines = notes.map((text) => make("p", { class: "note warn", text }));
  byId("config-notes").replaceChildren(...lines);
  showCount();
}

function build(key, rule, setting) {
  const id = `config-${key}`;
  const start = shown(answer.config[key]);
  const standard = shown(rule.default).replace(/\n/g, ", ") || "not set";
  const common = { id, "aria-describedby": `${id}-about ${id}-error` };
  const input = control(rule, start, standard, common);
  input.value = start;
  const error = make("p", { id: `${id}-error`, class: "error", hidden: true });
  const about = make("p", { id: `${id}-about` }, ...prose(describe(rule, setting)));
  fields.set(key, { input, error, rule, start });
  input.addEventListener("input", () => {
    // Judged when saving; before that a new line of text would move the button off the mouse.
    if (!error.hidden) flag(key, judge(fields.get(key)).error);
    showCount();
  });
  return make("div", { class: "field", "data-key": key },
    make("label", { for: id, text: key }), about, input, error);
}

function control(rule, start, standard, common) {
  const words = rule.enum ?? (rule.type === "boolean" ? ["true", "false"] : null);
  if (words) {
    const options = words.map((word) => make("option", { value: String(word), text: word }));
    if (start && !words.map(String).includes(start)) {
      options.push(make("option", { value: start, text: `${start} (as the file says)` }));
    }
    const none = make("option", { value: "", text: `Default: ${standard}` });
    return make("select", common, none, ...options);
  }
  const typing = { ...common, placeholder: standard, autocomplete: "off", spellcheck: "false" };
  if (rule.type === "array") return make("textarea", { ...typing, rows: 3 });
  const number = rule.type === "integer" || rule.type === "number";
  const mode = number ? "numeric" : rule.format === "uri" ? "url" : null;
  return make("input", { ...typing, type: "text", inputmode: mode });
}

/** Words of the schema, where what stands in backticks is code. */
const prose = (text) =>
  text.split("`").map((part, at) => (at % 2 ? make("code", { text: part }) : part));

function describe(rule, setting) {
  const parts = [rule.description ?? ""];
  if (rule.minimum !== undefined && rule.maximum !== undefined) {
    parts.push(`From ${rule.minimum} to ${rule.maximum}.`);
  }
  if (setting?.origin === "env" || setting?.origin === ".env") {
    const where = setting.origin === "env" ? "The environment" : "The file .env";
    parts.push(`${where} says ${shown(setting.value)}, which goes before what is written here.`);
  }
  return parts.join(" ");
}

function showFixed(pairs) {
  byId("config-fixed").hidden = pairs.length === 0;
  const items = pairs.map(([key, setting]) => {
    const value = setting ? shown(setting.value) : "";
    const from = setting && value ? ` (${setting.origin})` : "";
    const about = make("small", {}, ...prose(setting?.about ?? ""));
    return make("div", {}, make("dt", { text: key }),
      make("dd", {}, `${value || "not set"}${from}`, about));
  });
  byId("config-fixed-list").replaceChildren(...items);
}

// ------------------------------------------------------------ judging

/** `{ value }` or `{ error }`; null takes the key out of the file. */
function judge({ input, rule }) {
  const text = input.value.trim();
  if (text === "") return { value: null };
  if (rule.type === "boolean" && ["true", "false"].includes(text)) {
    return { value: text === "true" };
  }
  if (rule.type === "integer") {
    const [low, high] = [rule.minimum ?? -Infinity, rule.maximum ?? Infinity];
    const number = Number(text);
    const fits = /^-?\d+$/.test(text) && number >= low && number <= high;
    if (fits) return { value: number };
    return { error: `It must be a whole number from ${low} to ${high}.` };
  }
  if (rule.type === "array") return { value: text.split("\n").map((line) => line.trim()) };
  if (rule.enum && !rule.enum.includes(text)) {
    return { error: `It must be one of ${rule.enum.join(", ")}.` };
  }
  if (/[\u0000-\u001f]/.test(text)) return { error: "It must be one line." };
  if (text.length > CHARS_MAX) return { error: `It is longer than ${CHARS_MAX} characters.` };
  if (rule.format === "uri" && !isAddress(text)) {
    return { error: "It must begin with http:// or https:// and have no user in it." };
  }
  return { value: text };
}

function isAddress(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return /^https?:$/.test(url?.protocol ?? "") && !url.username && !url.password;
}

function changes() {
  const [values, errors] = [{}, []];
  for (const [key, field] of fields) {
    if (field.input.value === field.start) continue;
    const { value, error } = judge(field);
    if (error) errors.push({ key, said: error });
    // Also what is wrong: it stays in its field when the form is made anew.
    values[key] = error ? field.input.value : value;
  }
  return { values, errors };
}

function flag(key, error) {
  const field = fields.get(key);
  if (!field) return;
  note(field.error, error);
  if (error) field.input.setAttribute("aria-invalid", "true");
  else field.input.removeAttribute("aria-invalid");
}

function showErrors(message, errors = []) {
  const box = byId("config-errors");
  for (const key of fields.keys()) flag(key, null);
  box.replaceChildren(make("p", { text: message }));
  const items = errors.map(({ key, said }) => {
    flag(key, said);
    const go = (event) => {
      event.preventDefault();
      fields.get(key)?.input.focus();
    };
    const name = fields.has(key)
      ? make("a", { href: `#config-${key}`, text: key, onclick: go })
      : make("b", { text: key });
    return make("li", {}, name, `: ${said}`);
  });
  if (items.length) box.append(make("ul", {}, ...items));
  box.hidden = false;
}

function clearErrors() {
  byId("config-errors").hidden = true;
  byId("config-errors").replaceChildren();
  for (const key of fields.keys()) flag(key, null);
}

function showCount() {
  const changed = Object.keys(changes().values).length;
  say(byId("config-count"), changed ? `${plural(changed, "change")} not saved yet` : "");
}

// ------------------------------------------------------------ changing

const put = (values, more) =>
  call("PUT", DOOR, { body: { values, ...more }, headers: { "if-match": answer.etag } });

function diff(plan) {
  const value = (given) => (given === null ? "not set" : shown(given));
  const rows = plan.changes.map(({ key, from, to }) => make("li", { "data-key": key },
    make("b", { text: key }),
    make("del", {}, make("span", { class: "unseen", text: "In the file now: " }), value(from)),
    make("ins", {}, make("span", { class: "unseen", text: "After saving: " }), value(to))));
  const restart = make("input", { type: "checkbox", id: "config-restart", checked: true });
  const box = make("div", { id: "config-diff" },
    make("ul", {}, ...rows),
    ...plan.warnings.map((text) => make("p", { class: "note warn", text })),
    make("label", { class: "check" }, restart, " Have a running server take it at once"));
  return { box, restart };
}

/** Shows what a change would do, asks, makes it, says its outcome. True if it was made. */
export async function change(values, title) {
  clearErrors();
  try {
    answer ??= await get(DOOR);
    const { body: plan } = await put(values, { dry_run: true });
    if (!plan.changes.length) {
      outcome("done", "The file says so already; nothing was changed.");
      return false;
    }
    const { box, restart } = diff(plan);
    if (!(await ask(title, box, "Save"))) return false;
    outcome("running", restart.checked ? "Saving, and restarting the server…" : "Saving…");
    const { body: done } = await put(values, { restart: restart.checked });
    // What else is typed and not saved stays, also when a model was picked beside it.
    await load({ keepTyped: true });
    outcome("done", [sentence(done), ...done.warnings].join(" "));
  } catch (failure) {
    await refused(failure);
    return false;
  }
  for (const listener of listeners) listener();
  return true;
}

function sentence(done) {
  if (done.server_restarted) return "Saved, and the server runs with it.";
  return done.restart_needed ? "Saved. It counts from the server's next start." : "Saved.";
}

async function refused(failure) {
  const { status, body } = failure;
  if (status === 412) {
    await load({ keepTyped: true });
    const text = "The file was changed by somebody else meanwhile. It was read again: look at it "
      + "and save once more.";
    outcome("failed", text);
    showErrors(text);
  } else if (body.rolled_back) {
    await load({ keepTyped: true });
    outcome("failed", failure.message, { unit: "parachute.service" });
    showErrors(`The earlier configuration was put back. ${failure.message}`);
    for (const listener of listeners) listener();
  } else {
    outcome("failed", failure.message);
    showErrors(failure.message, body.errors ?? []);
  }
}

async function submitted(event) {
  event.preventDefault();
  clearErrors();
  const { values, errors } = changes();
  if (errors.length) {
    showErrors("Nothing was saved. What is wrong:", errors);
    byId("config-errors").focus();
  } else if (Object.keys(values).length) {
    const number = Object.keys(values).length;
    const saved = await change(values, `Save ${plural(number, "change")}?`);
    if (!saved && !byId("config-errors").hidden) byId("config-errors").focus();
  } else {
    say(byId("config-count"), "Nothing is changed.");
  }
}

export function startConfig() {
  byId("config-form").addEventListener("submit", submitted);
  byId("config-discard").addEventListener("click", () => {
    clearErrors();
    load();
  });
  load();
}
