//! What the owner wants left alone (`.parachuteignore`), read again when a turn begins: what is
//! changed in the file counts from the next turn on. The rules are `ignored`'s business; what
//! comes of them is `policy`'s, and in searches the CLI's.

use crate::claude::control;
use crate::session::Session;
use ignored::{Ignored, RULES_FILE};
use std::path::Path;
use wire::ChatEvent;

/// Of what is wrong with the file, so many lines are told.
const PROBLEMS_TOLD_MAX: usize = 5;

/// The rules in force, and what was told of them.
pub(crate) struct Rules {
    ignored: Ignored,
    /// Whether they were ever read.
    known: bool,
    told: Vec<String>,
}

impl Rules {
    pub(crate) fn none() -> Rules {
        Rules { ignored: Ignored::none(), known: false, told: Vec::new() }
    }

    pub(crate) fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    /// Reads them anew. What is wrong, unless it was said before: a file that cannot be read
    /// changes nothing, and where nobody knows what it says, everything is left alone.
    fn read(&mut self, vault: &Path) -> Option<&[String]> {
        let problems = match Ignored::read(vault) {
            Ok(ignored) => {
                let problems = ignored.warnings().iter().map(ToString::to_string).collect();
                (self.ignored, self.known) = (ignored, true);
                problems
            }
            Err(error) if self.known => {
                vec![format!("{RULES_FILE}: {error}. What it said before is still in force.")]
            }
            Err(error) => {
                self.ignored = Ignored::parse(b"*");
                let meanwhile = "Until it can be read, file tools touch nothing of the vault.";
                vec![format!("{RULES_FILE}: {error}. {meanwhile}")]
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

    /// Tells the CLI of them, unless it knows: what its searches find in a folder, nobody else
    /// sees before the model does.
    pub(crate) fn tell_rules(&mut self) {
        let (Some(turn), Some(claude)) = (&self.turn, &mut self.claude) else { return };
        let vault = Path::new(&turn.request.vault);
        let told = control::leave_alone(vault, &self.rules.ignored.lasting());
        if told != claude.left_alone && claude.tell(told.clone()) {
            claude.left_alone = told;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_nobody_could_read_leaves_everything_alone() {
        let vault = tempfile::tempdir().expect("a folder");
        let file = vault.path().join(RULES_FILE);
        let note = Path::new("notes/a.md");
        fs::create_dir(&file).expect("no file");
        let mut rules = Rules::none();
        assert!(rules.read(vault.path()).is_some_and(|said| said[0].contains("touch nothing")));
        assert!(rules.ignored().is_ignored(note, false));
        assert!(rules.read(vault.path()).is_none(), "it was said");
        fs::remove_dir(&file).expect("removed");
        fs::write(&file, "*.tmp\n").expect("written");
        assert!(rules.read(vault.path()).is_none());
        assert!(!rules.ignored().is_ignored(note, false));
        // From now on the last word is known.
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("no file");
        assert!(rules.read(vault.path()).is_some_and(|said| said[0].contains("still in force")));
        assert!(rules.ignored().is_ignored(Path::new("x.tmp"), false));
        assert!(!rules.ignored().is_ignored(note, false));
    }
}
