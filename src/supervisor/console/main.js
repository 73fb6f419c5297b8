// The console of the supervisor. This file starts the parts and marks in the menu where the
// reader is; what a part does is in its own file. Nothing here calls the server on its own port.
//
// For tests and other tools, these names stay as they are:
//   #connection               data-state: connecting, live, lost
//   #server-state             data-state: main_server_status, as the API has it
//   #server-words, #facts, #config-problem
//   [data-action=VERB]        start, stop, restart of the server; aria-disabled="true" if not now
//   [data-unit=NAME]          a row; data-tone: good, busy, warn, bad, quiet. In it
//                             [data-field=words|about|memory|tag], a summary that opens the row,
//                             and behind it [data-unit-action=VERB]
//   [data-agent=SESSION]      a row
//   #orders, #order-list      what was ordered lately; data-key: the job's id
//   #confirm                  the one dialog: #confirm-title, #confirm-yes, #confirm-no
//   #job-outcome              data-state: running, done, failed; empty if there is nothing
//   #model-list               [data-model=ID], aria-current on the one in use, a button on others
//   #models-show-all, #models-refresh, #model-age, #model-trouble
//   #log-unit, #log-priority, #log-grep, #log-since, #log-session, #log-turn, #log-clear
//   #log-follow               aria-pressed; #log-copy, #log-export, #log-newest, #log-count
//   #log-lines                .line with data-priority; .turn with data-turn; #log-trouble
//   #config-form              #config-KEY and #config-KEY-error, #config-save, #config-discard,
//                             #config-errors; #config-diff and #config-restart in the dialog

import { startConfig } from "./config.js";
import { startLogs } from "./logs.js";
import { startModels } from "./models.js";
import { startStatus } from "./status.js";
import { startUnits } from "./units.js";

const PLACE_KEPT_MS = 3_000;

function markPlace() {
  const links = new Map();
  for (const link of document.querySelectorAll("#nav a")) {
    links.set(link.hash.slice(1), link);
  }
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const link = links.get(target.id);
        if (!isIntersecting) link.removeAttribute("aria-current");
        else {
          link.setAttribute("aria-current", "true");
          // Where the menu is wider than the window.
          const menu = link.parentElement;
          menu.scrollTo({ left: link.offsetLeft - menu.offsetWidth / 3 });
        }
      }
    },
    // A line a third down the window: one section at a time.
    { rootMargin: "-33% 0px -66% 0px" },
  );
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}

/** What comes in above the place that the address names moves it: it is gone to again. */
function keepPlace() {
  const place = document.getElementById(location.hash.slice(1));
  if (!place) return;
  const moved = new ResizeObserver(() => place.scrollIntoView({ behavior: "instant" }));
  moved.observe(document.body);
  const enough = () => moved.disconnect();
  for (const hand of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(hand, enough, { once: true, passive: true });
  }
  setTimeout(enough, PLACE_KEPT_MS);
}

startUnits();
startConfig();
startModels();
startLogs();
startStatus();
markPlace();
keepPlace();
