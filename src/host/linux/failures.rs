//! How units of the user ended badly, from what systemd wrote into the journal about it. systemd
//! itself forgets it when it starts the unit again.

use crate::child;
use crate::units::Failure;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

/// Ids of messages, sd-messages.h: a process of a unit ended; a unit failed with a result.
const PROCESS_ENDED: &str = "98e322203f7a4ed290d09fe03c09fe15";
const UNIT_FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
/// Entries looked at: two for each bad end, of all units together.
const ENTRIES_MAX: u32 = 64;
/// For journalctl to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The last failure of each unit that the journal still has.
pub(super) async fn last(units: &[&str]) -> Vec<Failure> {
    let env = child::passed_on(&["HOME", "PATH", "XDG_RUNTIME_DIR"]);
    let mut command = child::command(Path::new("journalctl"), Path::new("/"), env);
    command
        .args(["--user", "--quiet", "--no-pager", "--output=json", "--reverse"])
        .arg(format!("--lines={ENTRIES_MAX}"))
        .arg(format!("MESSAGE_ID={PROCESS_ENDED}"))
        .arg(format!("MESSAGE_ID={UNIT_FAILED}"))
        .args(units.iter().map(|unit| format!("USER_UNIT={unit}")))
        .stdout(Stdio::piped());
    match tokio::time::timeout(ANSWER_LIMIT, command.output()).await {
        Ok(Ok(output)) => read(&String::from_utf8_lossy(&output.stdout)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the journal cannot be asked how units ended");
            Vec::new()
        }
        Err(_) => {
            tracing::debug!("the journal does not say in time how units ended");
            Vec::new()
        }
    }
}

/// Out of journal entries as JSON lines, newest first. systemd first says how the process ended,
/// then what that means for the unit.
fn read(lines: &str) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    // Units whose newest failure waits for the entry about its process.
    let mut open: HashMap<String, usize> = HashMap::new();
    for line in lines.lines() {
        let Ok(entry) = serde_json::from_str::<HashMap<String, serde_json::Value>>(line) else {
            continue;
        };
        let text = |name: &str| entry.get(name).and_then(|value| value.as_str());
        let (Some(unit), Some(id)) = (text("USER_UNIT"), text("MESSAGE_ID")) else { continue };
        let known = found.iter().any(|failure| failure.unit == unit);
        if id == UNIT_FAILED && !known {
            let at = text("__REALTIME_TIMESTAMP").and_then(|at| at.parse().ok());
            open.insert(unit.to_owned(), found.len());
            found.push(Failure {
                unit: unit.to_owned(),
                at: at.unwrap_or_default(),
                result: text("UNIT_RESULT").unwrap_or_default().to_owned(),
                exit_status: None,
            });
        } else if id == PROCESS_ENDED
            && let Some(index) = open.remove(unit)
        {
            found[index].exit_status = ended(text("EXIT_CODE"), text("EXIT_STATUS"));
        }
    }
    found
}

fn ended(code: Option<&str>, status: Option<&str>) -> Option<ExitStatus> {
    let status: i32 = status?.parse().ok()?;
    match code? {
        "exited" => Some(ExitStatus::from_raw((status & 0xff) << 8)),
        "killed" => Some(ExitStatus::from_raw(status)),
        "dumped" => Some(ExitStatus::from_raw(status | 0x80)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_failure_of_each_unit_with_the_end_of_its_process() {
        let entry = |unit: &str, id: &str, more: &str| {
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"7","USER_UNIT":"{unit}","MESSAGE_ID":"{id}",{more}}}"#
            )
        };
        let lines = [
            entry("a.service", UNIT_FAILED, r#""UNIT_RESULT":"core-dump""#),
            entry("b.service", UNIT_FAILED, r#""UNIT_RESULT":"exit-code""#),
            entry("a.service", PROCESS_ENDED, r#""EXIT_CODE":"dumped","EXIT_STATUS":"11""#),
            "nonsense".to_owned(),
            entry("b.service", PROCESS_ENDED, r#""EXIT_CODE":"exited","EXIT_STATUS":"78""#),
            entry("a.service", UNIT_FAILED, r#""UNIT_RESULT":"older""#),
            entry("a.service", PROCESS_ENDED, r#""EXIT_CODE":"killed","EXIT_STATUS":"9""#),
        ];
        let found = read(&lines.join("\n"));
        assert_eq!(found.len(), 2);
        assert_eq!(
            (&*found[0].unit, &*found[0].result, found[0].at),
            ("a.service", "core-dump", 7)
        );
        assert_eq!(found[0].exit_status.unwrap().signal(), Some(11));
        assert_eq!(found[1].exit_status.unwrap().code(), Some(78));
    }
}
