//! What the owner wants left alone (`.parachuteignore`), read again when a turn begins: what is
//! changed in the file counts from the next turn on. The rules are `notes`' business, and what
//! comes of them `policy`'s.

use crate::session::Session;
use notes::{Ignored, RULES_FILE};
use std::path::Path;
use wire::ChatEvent;

/// Of what is wrong with the file, so many lines are told.
const PROBLEMS_TOLD_MAX: usize = 5;

/// The rules in force, and what was told of them.
pub(crate) struct Rules {
    ignored: Ignored,
    told: Vec<String>,
}

impl Rules {
    pub(crate) fn none() -> Rules {
        Rules { ignored: Ignored::none(), told: Vec::new() }
    }

    pub(crate) fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    /// Reads them anew. What is wrong, unless it was said before: a file that cannot be read
    /// changes nothing.
    fn read(&mut self, vault: &Path) -> Option<&[String]> {
        let problems = match Ignored::read(vault) {
            Ok(ignored) => {
                let problems = ignored.warnings().iter().map(ToString::to_string).collect();
                self.ignored = ignored;
                problems
            }
            Err(error) => {
                vec![format!("{RULES_FILE}: {error}. What it said before is still in force.")]
            }
        };
        let news = problems != self.told;
        self.told = problems;
        (news && !self.told.is_empty()).then_some(&self.told)
    }
}

impl Session {
    /// Takes up what the file says now, for the turn that begins.
    pub(crate) fn read_rules(&mut self) {
        let Some(turn) = &self.turn else { return };
        let Some(problems) = self.rules.read(Path::new(&turn.request.vault)) else { return };
        let details: Vec<String> = problems.iter().take(PROBLEMS_TOLD_MAX).cloned().collect();
        tracing::warn!(?details, "what is to be left alone is not all understood");
        let message = format!("Not all of {RULES_FILE} counts: {}", details[0]);
        self.say(ChatEvent::Warning {
            code: "ignore_rules".into(),
            title: "Files left alone".into(),
            message,
            details: Some(details),
            session_id: Some(self.place.session.clone()),
        });
    }
}
