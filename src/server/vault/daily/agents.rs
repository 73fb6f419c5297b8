//! Definitions of daily agents: `Daily/.agents/<name>.md` (contract-extended §4.1). Each key has
//! a default, and a key that makes no sense is named and has its default, too. A definition is
//! found by looking through what is there, never by making a path of what a caller said.

use super::super::front::{field, plain, texts};
use super::super::{FileError, Folder, Front, Name};
use super::output::Output;
use crate::limits::DAILY_AGENTS_MAX;
use serde_yaml::{Mapping, Value};
use std::path::Path;
use wire::words::cut;

/// Where they are.
const PLACE: &str = "Daily/.agents";

/// Characters of what it says of itself; the rest is not shown.
const NAME_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 4000;

/// What an agent is told where its file says nothing.
const TOLD: [&str; 3] = ["read_journal", "read_chat_log", "read_recent_journals"];

/// A definition.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    pub(crate) display_name: String,
    pub(crate) description: String,
    pub(crate) enabled: bool,
    /// Hour and minute, by this machine's clock.
    pub(crate) time: (u8, u8),
    /// Where it writes, or why it cannot.
    pub(crate) output: Result<Output, String>,
    /// Names of tools, as they stand.
    pub(crate) tools: Vec<String>,
    pub(crate) prompt: String,
    /// What makes no sense in it.
    pub(crate) problems: Vec<String>,
}

/// All that can be read, by name, and what is wrong with the others.
pub(crate) fn all(vault: &Folder) -> Result<(Vec<Definition>, Vec<String>), FileError> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let Some(folder) = vault.folder(Path::new(PLACE))? else { return Ok((found, problems)) };
    let files = folder.list()?.into_iter().filter(|file| {
        !file.is_folder && !file.name.starts_with('.') && file.name.ends_with(".md")
    });
    for file in files {
        let shown: String = file.name.chars().filter(|c| !c.is_control()).take(80).collect();
        if found.len() >= DAILY_AGENTS_MAX {
            problems.push(format!("there are more than {DAILY_AGENTS_MAX} agents"));
            break;
        }
        let Some(name) = file.name.strip_suffix(".md").and_then(Name::parse) else {
            problems.push(format!("{PLACE}/{shown} cannot be called so: {}", Name::RULE));
            continue;
        };
        match folder.read(Path::new(&file.name)) {
            Ok(text) => found.extend(text.map(|text| of_text(name, &text))),
            Err(error) => problems.push(format!("{PLACE}: {error}")),
        }
    }
    problems.iter().for_each(|said| tracing::warn!(said, "a daily agent cannot be read"));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((found, problems))
}

/// The one of this name.
pub(crate) fn named(vault: &Folder, name: &str) -> Result<Option<Definition>, FileError> {
    Ok(all(vault)?.0.into_iter().find(|definition| definition.name.as_str() == name))
}

fn of_text(name: Name, text: &str) -> Definition {
    let mut problems = Vec::new();
    let front = Front::read(text).unwrap_or_else(|said| {
        problems.push(format!("{said}; it is taken line by line"));
        Front::read_forgiving(text)
    });
    let text = |key: &str| front.text(key).filter(|text| !text.is_empty());
    let (enabled, time) = schedule(front.field("schedule"), &mut problems);
    let output = match front.field("output") {
        Some(Value::Mapping(output)) => field(output, "path").and_then(plain),
        Some(value) => plain(value),
        None => None,
    };
    Definition {
        display_name: text("displayName")
            .map_or_else(|| title(name.as_str()), |text| cut(&text, NAME_CHARS_MAX)),
        description: cut(&text("description").unwrap_or_default(), DESCRIPTION_CHARS_MAX),
        enabled,
        time,
        output: Output::parse(output.filter(|path| !path.is_empty()).as_deref(), &name),
        tools: match front.field("tools") {
            None | Some(Value::Null) => TOLD.map(String::from).into(),
            Some(tools) => texts(tools),
        },
        prompt: front.body,
        name,
        problems,
    }
}

/// Whether and when it is to run. A text is a time; what is no time is three o'clock.
fn schedule(value: Option<&Value>, problems: &mut Vec<String>) -> (bool, (u8, u8)) {
    const USUAL: (u8, u8) = (3, 0);
    let empty = Mapping::new();
    let (fields, said) = match value {
        None | Some(Value::Null) => return (true, USUAL),
        Some(Value::Bool(enabled)) => return (*enabled, USUAL),
        Some(Value::Mapping(fields)) => (fields, field(fields, "time")),
        Some(value) => (&empty, Some(value)),
    };
    let enabled = match field(fields, "enabled") {
        None | Some(Value::Null) => true,
        Some(value) => is_on(value).unwrap_or_else(|| {
            // One that cannot be understood must not begin to run by itself.
            problems.push("`enabled` is neither true nor false; it does not run".to_owned());
            false
        }),
    };
    let time = said.filter(|value| !value.is_null()).map(|value| {
        time(value).unwrap_or_else(|| {
            problems.push("`time` is no time such as 3:00; it is taken for 3:00".to_owned());
            USUAL
        })
    });
    (enabled, time.unwrap_or(USUAL))
}

/// What a person means who writes `on` or `no`, which are booleans in YAML 1.1 alone.
fn is_on(value: &Value) -> Option<bool> {
    match plain(value)?.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `H:MM`, hours taken modulo 24 and minutes modulo 60. A number is what YAML 1.1 makes of it
/// where nobody put it in quotes: `3:00` is three times sixty (trap T-58); below 24 it is hours.
fn time(value: &Value) -> Option<(u8, u8)> {
    let (hours, minutes) = match value {
        Value::Number(number) => match number.as_u64()? {
            hours @ 0..24 => (hours, 0),
            sexagesimal @ 60.. => (sexagesimal / 60, sexagesimal % 60),
            _ => return None,
        },
        value => {
            let text = plain(value)?;
            let mut parts = text.split(':').map(|part| part.trim().parse::<u64>().ok());
            let hours = parts.next()??;
            (hours, parts.next().unwrap_or(Some(0))?)
        }
    };
    Some((u8::try_from(hours % 24).ok()?, u8::try_from(minutes % 60).ok()?))
}

/// `evening-review` → `Evening Review`.
fn title(name: &str) -> String {
    let words = name.split(['-', ' ']).filter(|word| !word.is_empty()).map(|word| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_uppercase() + &rest.to_lowercase()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Definition {
        of_text(Name::parse("evening-review").expect("a name"), text)
    }

    #[test]
    fn a_file_without_fields_has_each_default() {
        let found = read("Reflect on the day.\n");
        assert_eq!(found.display_name, "Evening Review");
        assert_eq!((found.enabled, found.time, found.problems.len()), (true, (3, 0), 0));
        assert_eq!(found.tools, TOLD);
        let output = found.output.expect("a path").of("2026-11-20");
        assert_eq!(output.to_str(), Some("Daily/evening-review/2026-11-20.md"));
        assert_eq!(found.prompt, "Reflect on the day.");
    }

    #[test]
    fn trap_t58_a_time_is_a_time_in_quotes_and_without() {
        for (written, time) in [
            ("schedule: 3:00", (3, 0)),
            ("schedule: \"3:00\"", (3, 0)),
            ("schedule: 180", (3, 0)),
            ("schedule: {time: 3:05}", (3, 5)),
            ("schedule:\n  enabled: yes\n  time: 22:30", (22, 30)),
            ("schedule:\n  time: 1350", (22, 30)),
            ("schedule: {time: 25:61}", (1, 1)),
            ("schedule: 7", (7, 0)),
            ("schedule: {time: }", (3, 0)),
        ] {
            let found = read(&format!("---\n{written}\n---\nx"));
            assert_eq!((found.time, found.enabled), (time, true), "{written}");
            assert_eq!(found.problems, Vec::<String>::new(), "{written}");
        }
        for written in ["soon", "-1", "30", "[1]", "3:xx", "1.5"] {
            let found = read(&format!("---\nschedule: {{time: {written}}}\n---\nx"));
            assert_eq!((found.time, found.problems.len()), ((3, 0), 1), "{written}");
        }
    }

    #[test]
    fn an_agent_that_is_off_is_off_however_it_is_written() {
        for (written, enabled) in
            [("false", false), ("no", false), ("Off", false), ("on", true), ("maybe", false)]
        {
            let found = read(&format!("---\nschedule: {{enabled: {written}}}\n---\nx"));
            assert_eq!(found.enabled, enabled, "{written}");
        }
        assert!(!read("---\nschedule: false\n---\n").enabled);
    }

    #[test]
    fn what_it_says_of_itself_is_bounded() {
        let long = "ä".repeat(9000);
        let found = read(&format!("---\ndisplayName: {long}\ndescription: {long}\n---\nx"));
        assert_eq!(found.display_name.chars().count(), NAME_CHARS_MAX + 1);
        assert_eq!(found.description.chars().count(), DESCRIPTION_CHARS_MAX + 1);
    }

    #[test]
    fn front_matter_that_is_no_yaml_is_told_of() {
        let found = read("---\ndescription: a: b\n---\nx");
        assert_eq!((found.description.as_str(), found.problems.len()), ("a: b", 1));
    }

    proptest! {
        #[test]
        fn no_file_is_too_much(
            text in "(---\n)?((schedule|output|tools|time): ?\\PC{0,20}\n){0,4}(---\n)?\\PC{0,9}"
        ) {
            let found = read(&text);
            prop_assert!(found.time.0 < 24 && found.time.1 < 60);
        }
    }
}
