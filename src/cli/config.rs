//! `parachute config`: what is in force and why, one value, changing one, judging a file. Works
//! on the files alone; a server that runs takes a change at its next start.

use crate::args::{CheckArgs, Common, ConfigCommand, GetArgs, Json, SetArgs};
use crate::fail::{Fail, exit};
use crate::reach;
use crate::table::Table;
use crate::term::{Ink, line, print, print_json, width};
use ::config::settings::{ConfigError, KEYS, Key, Layer, Loaded, Origin, Shown, set};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Write, stderr};
use std::path::{Path, PathBuf};

/// Longest file that is judged, in bytes; the server takes none that is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How alike a key has to be to what was typed to be meant by it (Jaro's measure).
const ALIKE_MIN: f64 = 0.7;

/// Runs the command; answers with the exit status.
pub(crate) fn run(common: &Common, command: &ConfigCommand) -> Result<u8, Fail> {
    let loaded = reach::settings(common)?;
    match command {
        ConfigCommand::Show(json) => show(&loaded, *json),
        ConfigCommand::Get(args) => get(&loaded, args),
        ConfigCommand::Set(args) => change(common, &loaded, args),
        ConfigCommand::Check(args) => check(&loaded, args),
    }
}

fn show(loaded: &Loaded, args: Json) -> Result<u8, Fail> {
    if args.json {
        let settings: Vec<Value> = loaded.show().iter().map(as_json).collect();
        print_json(&json!({
            "file": loaded.file,
            "settings": settings,
            "problem": loaded.problem,
            "warnings": loaded.warnings,
        }))?;
        return Ok(exit::DONE);
    }
    let mut table = Table::new(&["KEY", "FROM", "VALUE"]);
    for shown in loaded.show() {
        table.row(vec![shown.key.into(), shown.origin.to_string(), words(&shown.value)]);
    }
    print(&table.show(width(), Ink::out()))?;
    print(&format!("\nfile: {}\n", line(&loaded.file.display().to_string())))?;
    warn(loaded.problem.iter().chain(&loaded.warnings))?;
    Ok(exit::DONE)
}

fn get(loaded: &Loaded, args: &GetArgs) -> Result<u8, Fail> {
    let shown = loaded.get(&args.key).ok_or_else(|| unknown(&args.key))?;
    match args.json.json {
        true => print_json(&as_json(&shown))?,
        false => print(&format!("{}\n", words(&shown.value)))?,
    }
    Ok(exit::DONE)
}

fn change(common: &Common, loaded: &Loaded, args: &SetArgs) -> Result<u8, Fail> {
    let file = match args.key.as_str() {
        // Which vault is used is asked before any vault is read (contract-core §4.1).
        "vault_path" => pointer()?,
        _ => {
            reach::vault(loaded)?;
            loaded.file.clone()
        }
    };
    set(&file, &args.key, &args.value).map_err(|e| unset(&args.key, &e))?;
    let now = reach::settings(common)?;
    let shown = now.get(&args.key).ok_or_else(|| unknown(&args.key))?;
    if args.json.json {
        print_json(&as_json(&shown))?;
    } else {
        print(&format!("{} is set in {}\n", args.key, line(&file.display().to_string())))?;
    }
    match shown.origin {
        Origin::Environment | Origin::DotEnv => {
            let said = format!("{} says otherwise, and comes before it", shown.origin);
            warn([&said])?;
        }
        _ => {}
    }
    Ok(exit::DONE)
}

/// The file whose `vault_path` names the vault.
fn pointer() -> Result<PathBuf, Fail> {
    let home = host::dirs().map_err(|e| Fail::local(e.to_string(), "set HOME"))?.home;
    Ok(home.join("Parachute").join(".parachute").join("config.yaml"))
}

fn check(loaded: &Loaded, args: &CheckArgs) -> Result<u8, Fail> {
    let (file, problem, warnings) = match &args.file {
        None => (loaded.file.clone(), loaded.problem.clone(), loaded.warnings.clone()),
        Some(file) => {
            let mut warnings = Vec::new();
            let text =
                read(file).map_err(|why| ConfigError::Unreadable { path: file.clone(), why });
            let judged = text.and_then(|text| Layer::of_yaml(&text, file, &mut warnings));
            (file.clone(), judged.err().map(|e| e.to_string()), warnings)
        }
    };
    if args.json.json {
        let valid = problem.is_none();
        print_json(&json!({
            "file": file, "valid": valid, "problem": problem, "warnings": warnings,
        }))?;
    } else {
        warn(&warnings)?;
        match &problem {
            Some(problem) => {
                return Err(Fail::Local { what: problem.clone(), hint: None });
            }
            None if file.exists() => {
                print(&format!("{} is good\n", line(&file.to_string_lossy())))?
            }
            None => print(&format!(
                "there is no {}; the defaults are in force\n",
                line(&file.to_string_lossy())
            ))?,
        }
    }
    Ok(if problem.is_some() { exit::FAILED } else { exit::DONE })
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    match read as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(format!("it is longer than {FILE_BYTES_MAX} bytes"))),
        false => Ok(text),
    }
}

fn warn<'a>(warnings: impl IntoIterator<Item = &'a String>) -> io::Result<()> {
    warnings.into_iter().try_for_each(|warning| writeln!(stderr(), "  ! {}", line(warning)))
}

fn as_json(shown: &Shown) -> Value {
    json!({
        "key": shown.key,
        "value": shown.value,
        "origin": shown.origin.to_string(),
        "about": shown.about,
    })
}

/// A value without the quotes of JSON; what is not set is nothing.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => line(text),
        other => other.to_string(),
    }
}

fn unknown(key: &str) -> Fail {
    let hint = match nearest(key) {
        Some(near) => format!("{near} is the nearest; `parachute config show` lists them all"),
        None => "`parachute config show` lists them all".into(),
    };
    Fail::usage(format!("nobody knows the key {key:?}"), hint)
}

fn nearest(key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let alike = KEYS.iter().map(|known| (strsim::jaro(&key, known.name), known.name));
    let (alike, name) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (alike >= ALIKE_MIN).then_some(name)
}

fn unset(key: &str, error: &ConfigError) -> Fail {
    if Key::named(key).is_none() && !matches!(error, ConfigError::Secret { .. }) {
        return unknown(key);
    }
    let hint = match error {
        ConfigError::Value { .. } => format!("parachute-config(5) says what {key} takes"),
        ConfigError::NotSettable { .. } | ConfigError::Secret { .. } => {
            "`parachute config show` lists all keys".into()
        }
        _ => {
            return Fail::Local { what: error.to_string(), hint: None };
        }
    };
    Fail::usage(error.to_string(), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_guessed_and_nonsense_is_not() {
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("Default-Model"), Some("default_model"));
        assert_eq!(nearest("agent_idle"), Some("agent_idle_seconds"));
        assert_eq!(nearest("qqqq"), None);
    }

    #[test]
    fn a_value_is_shown_as_a_person_would_write_it() {
        assert_eq!(words(&json!("a b")), "a b");
        assert_eq!(words(&json!(3333)), "3333");
        assert_eq!(words(&json!(["a"])), "[\"a\"]");
        assert_eq!(words(&Value::Null), "");
    }
}
