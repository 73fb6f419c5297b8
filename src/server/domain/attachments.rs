//! Files that are sent along with a message (contract-core §5.1 step 9): kept in the vault under
//! names that cannot collide, told to the model as links, and given to it as they are where it
//! can look at them. What cannot be kept is told, and the turn goes on without.

use super::{Domain, DomainError};
use crate::limits::{ATTACHED_BYTES_MAX, ATTACHED_MAX, ATTACHMENT_BYTES_MAX};
use crate::vault::{FileError, Folder, Name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use wire::Timestamp;
use wire::agent::Attached;
use wire::chat::{Attachment, ChatBody};

/// Where they are kept, in a folder for each day.
const ASSETS: &str = "Chat/assets";
/// Of the name that a file was given, so many letters are kept.
const STEM_CHARS_MAX: usize = 30;
/// Files of one name and second.
const SAME_NAME_MAX: u32 = 100;
/// What the model's API looks at as it is.
const SEEN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"];

impl Domain {
    /// Puts what was sent along into the vault. From then on the body names the files and does
    /// not have them; what could not be kept is no longer in it. Gives back what to tell.
    pub(super) async fn keep_attachments(&self, body: &mut ChatBody) -> Vec<String> {
        let sent = body.attachments.take().unwrap_or_default();
        if sent.is_empty() {
            return Vec::new();
        }
        let keeping = move |vault: &Folder| Ok::<_, DomainError>(keep(vault, sent));
        match self.in_vault(keeping).await {
            Ok((kept, problems)) => {
                body.attachments = Some(kept);
                problems
            }
            Err(error) => vec![format!("The attachments were not kept: {error}.")],
        }
    }

    /// What the model is told of the attachments, and those that it is given to look at.
    pub(super) fn attached(&self, body: &ChatBody) -> (String, Vec<Attached>) {
        let (mut text, mut seen) = (String::new(), Vec::new());
        for attachment in body.attachments.iter().flatten() {
            let path = self.vault().join(&attachment.file_path);
            let link = format!("[{}]({})", attachment.file_name, attachment.file_path);
            let line = match attachment.kind.as_str() {
                "image" => format!("!{link}"),
                "text" | "code" => {
                    format!("{link} ({:.1} KB)", attachment.size_bytes as f64 / 1024.0)
                }
                _ => link,
            };
            text.push_str(&format!("- {line}\n  {}\n", path.display()));
            if SEEN.contains(&attachment.mime_type.as_str()) {
                let media_type = attachment.mime_type.clone();
                seen.push(Attached { path: path.display().to_string(), media_type });
            }
        }
        match text.is_empty() {
            true => (text, seen),
            false => (format!("\n\n## Attachments\n\n{text}"), seen),
        }
    }
}

fn keep(vault: &Folder, sent: Vec<Attachment>) -> (Vec<Attachment>, Vec<String>) {
    let (mut kept, mut problems, mut bytes) = (Vec::new(), Vec::new(), 0);
    for mut attachment in sent {
        let name = attachment.file_name.clone();
        let mut problem = |why: &str| problems.push(format!("{name} was not attached: {why}."));
        let Some(data) = attachment.base64_data.take() else {
            // One that was kept before, when its turn was first taken.
            if is_kept(vault, &attachment.file_path) {
                kept.push(attachment);
            }
            continue;
        };
        if kept.len() == ATTACHED_MAX {
            problem(&format!("at most {ATTACHED_MAX} files can be sent along"));
            continue;
        }
        let Ok(data) = STANDARD.decode(data.trim()) else {
            problem("it did not arrive whole");
            continue;
        };
        if data.len() > ATTACHMENT_BYTES_MAX || bytes + data.len() > ATTACHED_BYTES_MAX {
            problem(&format!("it is too large (more than {} MiB)", ATTACHMENT_BYTES_MAX >> 20));
            continue;
        }
        bytes += data.len();
        match put(vault, &attachment.file_name, &data) {
            Ok(path) => {
                attachment.file_path = path;
                attachment.size_bytes = i64::try_from(data.len()).unwrap_or(i64::MAX);
                kept.push(attachment);
            }
            Err(error) => problem(&error.to_string()),
        }
    }
    (kept, problems)
}

/// Whether a path names a file that was kept, whoever says so.
fn is_kept(vault: &Folder, path: &str) -> bool {
    let plain =
        Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    plain && path.starts_with(ASSETS) && vault.dir().metadata(path).is_ok_and(|f| f.is_file())
}

/// Writes a file; its path in the vault.
fn put(vault: &Folder, name: &str, data: &[u8]) -> Result<String, FileError> {
    // `2026-11-20T06:21:09.123Z`
    let now = Timestamp::now().to_string();
    let (day, time) = (&now[..10], now[11..19].replace(':', "-"));
    let folder = format!("{ASSETS}/{day}");
    let assets = vault.folder_made(Path::new(&folder))?;
    let (stem, ending) = parts(name);
    for number in 1..SAME_NAME_MAX {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let file = format!("{time}_{stem}{again}{ending}");
        // Not bounded as texts of the vault are: how large it may be was judged before.
        match assets.create_long(Path::new(&file), data) {
            Ok(()) => return Ok(format!("{folder}/{file}")),
            Err(FileError::Taken(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(FileError::Taken(folder.into()))
}

/// A harmless name's beginning and ending.
fn parts(name: &str) -> (String, String) {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (stem, ending),
        _ => (name, ""),
    };
    let plain = |text: &str, most: usize| -> String {
        let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
        text.chars().map(plain).take(most).collect()
    };
    let stem = plain(stem, STEM_CHARS_MAX);
    let stem = stem.trim_matches('-');
    let ending = ending.chars().filter(char::is_ascii_alphanumeric).take(10).collect::<String>();
    let stem = Name::parse(stem).map_or_else(|| "file".to_owned(), |name| name.to_string());
    (stem, if ending.is_empty() { ".bin".into() } else { format!(".{}", ending.to_lowercase()) })
}

#[cfg(test)]
mod tests {
    use super::{ATTACHED_MAX, ATTACHMENT_BYTES_MAX, Engine, STANDARD, keep, parts};
    use crate::vault::Folder;
    use proptest::prelude::*;
    use wire::chat::Attachment;

    fn sent(name: &str, data: &str) -> Attachment {
        let base64_data = Some(data.to_owned());
        Attachment { file_name: name.into(), base64_data, ..Attachment::default() }
    }

    #[test]
    fn two_of_one_name_are_two_files_and_what_is_no_file_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("opened").expect("there");
        let all = vec![
            sent("a b.png", "QQ=="),
            sent("a b.png", "Qg=="),
            sent("c", "Q"),
            sent("../../x.sh", "QQ=="),
        ];
        let (kept, problems) = keep(&vault, all);
        let paths: Vec<&str> = kept.iter().map(|a| a.file_path.as_str()).collect();
        assert_eq!(paths.len(), 3);
        assert!(paths.iter().all(|path| path.starts_with("Chat/assets/")), "{paths:?}");
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).expect("a file");
        assert_eq!((read(paths[0]).as_str(), read(paths[1]).as_str()), ("A", "B"));
        assert_eq!(problems, ["c was not attached: it did not arrive whole."]);
        // The same body, given again when the turn is taken up: the files are known.
        let (again, problems) = keep(&vault, kept.clone());
        assert_eq!((again.len(), problems.len()), (3, 0));
        let mut forged = kept;
        for (attachment, path) in forged.iter_mut().zip(["/etc/passwd", "Chat/assets/../x", ".x"]) {
            attachment.file_path = path.into();
        }
        assert_eq!(keep(&vault, forged).0.len(), 0, "nobody names other files");
    }

    #[test]
    fn what_is_too_large_or_garbled_is_told_trap_55() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("opened").expect("there");
        let most = STANDARD.encode(vec![b'x'; ATTACHMENT_BYTES_MAX]);
        let over = STANDARD.encode(vec![b'x'; ATTACHMENT_BYTES_MAX + 1]);
        let (kept, problems) = keep(&vault, vec![sent("over", &over), sent("small", "QQ==")]);
        assert_eq!((kept.len(), problems.len()), (1, 1), "{problems:?}");
        assert_eq!(kept[0].file_name, "small");
        let (kept, problems) = keep(&vault, vec![sent("most", &most), sent("and", &most)]);
        assert_eq!(kept.len(), 1);
        assert!(problems[0].starts_with("and was not attached: it is too large"), "{problems:?}");
        for garbled in ["QQ", "Q Q = =", "QQ==QQ==", "Q-_=", "QQ=\u{e9}", "=QQ="] {
            let (kept, problems) = keep(&vault, vec![sent("g", garbled)]);
            assert_eq!((kept.len(), problems.len()), (0, 1), "{garbled}");
        }
        let many = (0..=ATTACHED_MAX).map(|n| sent(&format!("{n}.txt"), "QQ==")).collect();
        let (kept, problems) = keep(&vault, many);
        assert_eq!((kept.len(), problems.len()), (ATTACHED_MAX, 1), "{problems:?}");
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_its_name_is_harmless(name in "\\PC{0,60}|[./\\\\~-]{0,9}") {
            let (stem, ending) = parts(&name);
            prop_assert!(!stem.is_empty() && !stem.contains(['/', '\\', '\0']));
            prop_assert!(!stem.starts_with(['.', '-']) && ending.starts_with('.'));
            prop_assert!(ending[1..].chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }
}
