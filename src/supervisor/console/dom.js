// Building and patching elements, and numbers and times as people say them. Whatever comes from
// the supervisor is set as text and nothing else: there is no way in here for markup.

export const byId = (id) => document.getElementById(id);

/** An element. Attributes: `text`, `onX` handlers, `true` for a bare one; null, false: none. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets a text, unless it stands there: what is selected or being read aloud stays. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows a text in a box that is not there without one. */
export function note(node, text) {
  say(node, text ?? "");
  node.hidden = !text;
}

/** Makes a list's children those of the items, keeping what is there: focus and open details. */
export function keep(list, items, keyOf, build, patch) {
  const keys = new Set(items.map((item) => String(keyOf(item))));
  for (const node of [...list.children]) {
    if (!keys.has(node.dataset.key)) node.remove();
  }
  const old = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let next = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = old.get(key);
    if (!node) {
      node = build(item);
      node.dataset.key = key;
      old.set(key, node);
    }
    patch(node, item);
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
  }
}

/** A link to the log of one unit, session or turn; logs.js follows it without a new page. */
export function logLink(wanted, label) {
  const href = `/?${new URLSearchParams(wanted)}#log`;
  const look = { class: "button small", href, "data-log": true, "aria-label": label };
  return make("a", { ...look, text: "See its log" });
}

const unsaid = [];

/** Says something to whoever listens instead of looking; what comes at once is said at once. */
export function announce(text) {
  if (unsaid.push(text) > 1) return;
  setTimeout(() => say(byId("announce"), unsaid.splice(0).join(" ")), 150);
}

/** A `<dl>` of pairs; a pair whose value is null is left out. */
export function facts(list, pairs) {
  const said = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const build = ([name]) => make("div", {}, make("dt", { text: name }), make("dd"));
  keep(list, said, ([name]) => name, build, (node, [, value]) => say(node.lastChild, value));
}

export const count = (number) => number.toLocaleString();

export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;

export function bytes(number) {
  if (number === null || number === undefined) return null;
  let [value, unit] = [number, "B"];
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    [value, unit] = [value / 1024, larger];
  }
  return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** A length of time in its two largest units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return null;
  const whole = Math.max(0, Math.floor(seconds));
  const [day, hour, minute] = [86400, 3600, 60];
  if (whole < minute) return `${whole} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} min`;
  const [large, small, ...names] = whole < day ? [hour, minute, "h", "min"] : [day, hour, "d", "h"];
  const rest = Math.floor((whole % large) / small);
  const first = `${Math.floor(whole / large)} ${names[0]}`;
  return rest ? `${first} ${rest} ${names[1]}` : first;
}

export const secondsSince = (at) => (Date.now() - Date.parse(at)) / 1000;

export const ago = (at) => (at ? `${span(secondsSince(at))} ago` : null);

const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

const format = (how, at) => {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "" : how.format(time);
};
export const whole = (at) => format(WHOLE, at);
export const day = (at) => format(DAY, at);
export const date = (at) => format(DATE, at);

/** A value of the configuration, as text. */
export function shown(value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(shown).join("\n");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
