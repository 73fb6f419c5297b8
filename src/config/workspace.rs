//! What a workspace's file says of trust (contract-core §1.7). Read so that a session whose
//! owner confined its workspace is never run with more; everything else of workspaces is not
//! here.

use serde_yaml::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The name of the level in `workspaces/<slug>/config.yaml`, whatever it is. A file that is there
/// and cannot be understood says `unreadable`, which is no level. None: nothing is said.
pub fn trust(vault: &Path, slug: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if slug.is_empty() || !slug.bytes().all(plain) {
        return None;
    }
    let path = vault.join(".parachute").join("workspaces").join(slug).join("config.yaml");
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(_) => return Some("unreadable".into()),
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX).read_to_string(&mut text);
    // A byte order mark would count as a column.
    let text = text.trim_start_matches('\u{feff}');
    let Ok(value) =
        read.map_err(drop).and_then(|_| serde_yaml::from_str::<Value>(text).map_err(drop))
    else {
        return Some("unreadable".into());
    };
    let said = ["default_trust_level", "trust_level"].iter().find_map(|name| value.get(*name))?;
    Some(said.as_str().unwrap_or("unreadable").to_owned())
}

#[cfg(test)]
mod tests {
    use super::trust;

    #[test]
    fn what_cannot_be_understood_is_not_taken_for_trust() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join(".parachute/workspaces/work");
        std::fs::create_dir_all(&folder).expect("made");
        assert_eq!(trust(dir.path(), "work"), None);
        assert_eq!(trust(dir.path(), "../work"), None);
        for (text, level) in [
            ("name: Work\ndefault_trust_level: untrusted\n", Some("untrusted")),
            ("trust_level: sandboxed\n", Some("sandboxed")),
            ("name: Work\n", None),
            ("trust_level: [1]\n", Some("unreadable")),
            ("a: b: c\n", Some("unreadable")),
        ] {
            std::fs::write(folder.join("config.yaml"), text).expect("written");
            assert_eq!(trust(dir.path(), "work").as_deref(), level, "{text}");
        }
    }
}
