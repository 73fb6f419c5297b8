//! How a session's last agent ended, as its service manager saw it: noted by one more run of this
//! program after it (`--ended`), taken by the next agent, which can then say why a turn was broken
//! off. Where there is no manager nobody notes anything, and nothing is said.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

const FILE: &str = "ended";
const BYTES_MAX: u64 = 256;

/// Notes what systemd says of the run that just ended (systemd.exec(5)), unless all was well.
pub(crate) fn note(dir: &Path) -> io::Result<()> {
    let said = |name| std::env::var(name).unwrap_or_default();
    let result = said("SERVICE_RESULT");
    if matches!(result.as_str(), "" | "success") {
        return Ok(());
    }
    let status = said("EXIT_STATUS");
    fs::write(dir.join(FILE), format!("{result} {status}"))
}

/// The note as a sentence. It is gone then: it is about the run before this one only.
pub(crate) fn take(dir: &Path) -> Option<String> {
    let path = dir.join(FILE);
    let mut said = String::new();
    let file = File::open(&path).ok()?;
    if let Err(error) = file.take(BYTES_MAX).read_to_string(&mut said) {
        tracing::warn!(%error, "how the last agent ended cannot be read");
    }
    if let Err(error) = fs::remove_file(&path) {
        tracing::warn!(%error, "how the last agent ended stays noted");
    }
    sentence(&said)
}

fn sentence(said: &str) -> Option<String> {
    let (result, status) = said.split_once(' ')?;
    let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric());
    match result {
        "oom-kill" => Some(
            "It and its tools used more memory than they may, and the system ended them all."
                .into(),
        ),
        "signal" | "core-dump" if plain(status) => Some(format!("It was ended by SIG{status}.")),
        "exit-code" if plain(status) => Some(format!("It failed with status {status}.")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(take(dir.path()), None);
        fs::write(dir.path().join(FILE), "oom-kill KILL").unwrap();
        assert!(take(dir.path()).unwrap().contains("more memory"));
        assert_eq!(take(dir.path()), None);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let told = |said| sentence(said);
        assert_eq!(told("signal KILL").unwrap(), "It was ended by SIGKILL.");
        assert_eq!(told("exit-code 73").unwrap(), "It failed with status 73.");
        for odd in ["", "signal", "signal ", "signal <b>", "protocol 1", "oom-kill"] {
            assert_eq!(told(odd), None, "{odd}");
        }
    }
}
