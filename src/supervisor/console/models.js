// The model picker: the vendor's models, the one in force, and how old the list is. Choosing one
// is a change of the configuration like any other, and goes that way.

import { ago, byId, date, make, note, plural, say } from "./dom.js";
import { change, onConfig } from "./config.js";
import { get } from "./net.js";

let asking = 0;

async function load(refresh = false) {
  const all = byId("models-show-all").checked;
  const mine = (asking += 1);
  const list = byId("model-list");
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await get(`/supervisor/models?show_all=${all}&refresh=${refresh}`);
    if (mine === asking) show(answer);
  } catch (failure) {
    if (mine !== asking) return;
    note(byId("model-trouble"), failure.message);
    list.replaceChildren(make("p", { class: "empty", text: "There is no list to choose from." }));
    say(byId("model-age"), "");
  } finally {
    if (mine === asking) list.removeAttribute("aria-busy");
  }
}

function show(answer) {
  const { models, current_model: current } = answer;
  const held = document.activeElement?.closest?.("[data-model]")?.dataset.model;
  const stale = `The vendor did not answer${answer.problem ? `: ${answer.problem}` : "."}`;
  note(byId("model-trouble"), answer.is_stale ? stale : null);
  const old = answer.is_stale ? ", may be out of date" : "";
  say(byId("model-age"), `${plural(answer.count, "model")}, as of ${ago(answer.cached_at)}${old}`);
  const list = byId("model-list");
  list.replaceChildren();
  if (!current) {
    list.append(make("p", { class: "soft", text: "None is set: the Claude CLI takes its own." }));
  } else if (!models.some((model) => model.id === current)) {
    const where = answer.show_all ? "which the vendor does not list" : "which is not among these";
    const now = make("p", {}, "In use: ", make("code", { text: current }), `, ${where}.`);
    list.append(now);
  }
  if (answer.show_all) {
    for (const family of new Set(models.map((model) => model.family))) {
      const own = models.filter((model) => model.family === family);
      list.append(make("h3", { text: family }), rowsOf(own, current, true));
    }
  } else list.append(rowsOf(models, current, false));
  const again = held && [...list.querySelectorAll("[data-model]")]
    .find((row) => row.dataset.model === held);
  again?.querySelector("button")?.focus();
}

function rowsOf(models, current, older) {
  const rows = models.map((model) => {
    const inUse = model.id === current;
    const name = make("b", { text: model.display_name });
    const about = make("small", {}, make("code", { text: model.id }));
    const newest = older && model.is_latest ? ", the newest of its family" : "";
    const born = `${date(model.created_at)}${newest}`;
    const choose = make("button", {
      type: "button",
      class: "small",
      text: "Use",
      "aria-label": `Use ${model.display_name}`,
      onclick: () => change({ default_model: model.id }, `Use ${model.display_name}?`),
    });
    const last = inUse ? make("span", { class: "tag good", text: "In use" }) : choose;
    const row = make("li", { "data-model": model.id, "aria-current": inUse && "true" },
      make("span", { class: "name" }, name, about), make("span", { class: "words", text: born }),
      last);
    return row;
  });
  return make("ul", { class: "rows plain" }, ...rows);
}

export function startModels() {
  byId("models-show-all").addEventListener("change", () => load());
  byId("models-refresh").addEventListener("click", () => load(true));
  onConfig(() => load());
  load();
}
