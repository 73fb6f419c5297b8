//! Which files of the vault the owner wants left alone: `.parachuteignore` at its top, in the
//! syntax of `.gitignore`, for the index, for what is synchronised and for whoever else walks the
//! vault. Says nothing of hidden files; each walker has rules of its own for those. A crate of its
//! own because agents go by it too, and need no index.

mod warning;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
pub use warning::Warning;

/// The file of the rules, below the vault.
pub const RULES_FILE: &str = ".parachuteignore";

/// Longest file of rules, in bytes, and how many of its lines are rules.
const RULES_BYTES_MAX: u64 = 64 << 10;
const RULES_MAX: usize = 1000;
/// Braces (`{a,b}`) in one rule. The library follows them by recursion, and some thousands one in
/// the other would end the program.
const BRACES_MAX: usize = 400;
/// Of what is wrong with a line, so much is told: it may quote all of it.
const SAID_CHARS_MAX: usize = 200;

/// The rules of one vault.
#[derive(Clone, Debug)]
pub struct Ignored {
    /// All of them in one, if the library takes them so; of several the last word counts.
    rules: Vec<Gitignore>,
    /// The same as they are written.
    lines: Vec<String>,
    warnings: Vec<Warning>,
}

impl Ignored {
    /// Reads the rules of a vault; there are none where there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, is a link or no file at all, or is too long. Who copies files
    /// elsewhere must not take that for "nothing is ignored".
    pub fn read(vault: &Path) -> io::Result<Ignored> {
        // A pipe must not be waited for, and a link could lead to what nobody may read.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = match options.open(vault.join(RULES_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ignored::none()),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
                return Err(unfit("is a link, and those are not followed"));
            }
            Err(error) => return Err(error),
        };
        bytes_of(file).map(|bytes| Ignored::parse(&bytes))
    }

    /// No rules.
    #[must_use]
    pub fn none() -> Ignored {
        Ignored { rules: Vec::new(), lines: Vec::new(), warnings: Vec::new() }
    }

    /// Reads the text of such a file. A line that is no rule is passed over, with a warning.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Ignored {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let mut lines = Vec::new();
        let mut warnings = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            if index == RULES_MAX {
                let said = format!("lines after the first {RULES_MAX} do not count");
                warnings.push(warning(number, said));
                break;
            }
            match std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)) {
                Ok(line) if !line.starts_with('#') && line.matches('{').count() > BRACES_MAX => {
                    warnings.push(warning(number, format!("has more than {BRACES_MAX} braces")));
                }
                Ok(line) => match GitignoreBuilder::new("").add_line(None, line) {
                    Ok(_) => lines.push((number, line)),
                    Err(error) => warnings.push(warning(number, error.to_string())),
                },
                Err(_) => warnings.push(warning(number, "is not UTF-8 text".into())),
            }
        }
        let mut rules = Vec::new();
        compile(&lines, &mut rules, &mut warnings);
        let is_kept = |number| warnings.iter().all(|warning| warning.line != Some(number));
        let kept = lines.iter().filter(|(number, line)| is_kept(*number) && is_rule(line));
        let lines = kept.map(|(_, line)| as_read(line).to_owned()).collect();
        warnings.sort_by_key(|warning| warning.line);
        Ignored { rules, lines, warnings }
    }

    /// Whether this file or folder, by its path below the vault, is left alone: by a rule of its
    /// own, or because a folder above it is.
    #[must_use]
    pub fn is_ignored(&self, relative: &Path, is_folder: bool) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let mut path = PathBuf::new();
        let mut names = relative.components().peekable();
        while let Some(name) = names.next() {
            // Rules are about names in the vault; `/` and `..` are none.
            let Component::Normal(name) = name else { continue };
            path.push(name);
            // As git has it: what lies in an ignored folder cannot be called back.
            let is_folder = names.peek().is_some() || is_folder;
            let said = self.rules.iter().rev().map(|rules| rules.matched(&path, is_folder));
            if said.into_iter().find(|said| !said.is_none()).is_some_and(|said| said.is_ignore()) {
                return true;
            }
        }
        false
    }

    /// The rules of which no later `!` takes anything back, as they are written: for whoever
    /// knows none such. Of those that have `*` and the like, some are missing here for caution.
    #[must_use]
    pub fn lasting(&self) -> Vec<&str> {
        let lasts = |(index, line): &(usize, &String)| {
            let backs = self.lines[index + 1..].iter().filter_map(|later| later.strip_prefix('!'));
            !line.starts_with('!') && !Last::of(line).meets_any(backs.map(Last::of))
        };
        self.lines.iter().enumerate().filter(lasts).map(|(_, line)| line.as_str()).collect()
    }

    /// What was passed over in the file.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

fn is_rule(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

/// A line without the spaces that count for nothing.
fn as_read(line: &str) -> &str {
    if line.ends_with("\\ ") { line } else { line.trim_end() }
}

/// The last name of a rule. A file has one name: two rules that share none share no file.
struct Last<'r>(&'r str);

impl Last<'_> {
    fn of(rule: &str) -> Last<'_> {
        let rule = rule.trim_end_matches('/');
        Last(rule.rsplit('/').next().unwrap_or(rule))
    }

    fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?', '[', '{', '\\'])
    }

    /// Whether one of these may be about a file that this one is about.
    fn meets_any<'r>(&self, mut others: impl Iterator<Item = Last<'r>>) -> bool {
        if self.is_plain() {
            return others.any(|other| other.0 == self.0 || !other.is_plain());
        }
        let mut builder = GitignoreBuilder::new("");
        let pattern = builder.add_line(None, &format!("/{}", self.0)).map(|one| one.build());
        let Ok(Ok(pattern)) = pattern else { return true };
        others.any(|other| !other.is_plain() || !pattern.matched(other.0, true).is_none())
    }
}

/// Compiles rules, all in one if it can be: a line that the library takes for a rule may still be
/// none that it can compile, and takes no other with it.
fn compile(lines: &[(usize, &str)], rules: &mut Vec<Gitignore>, warnings: &mut Vec<Warning>) {
    let mut builder = GitignoreBuilder::new("");
    let added = lines.iter().try_for_each(|(_, line)| builder.add_line(None, line).map(drop));
    match (added.and_then(|()| builder.build()), lines) {
        (Ok(built), _) => rules.extend((!built.is_empty()).then_some(built)),
        (Err(error), [(number, _)]) => warnings.push(warning(*number, error.to_string())),
        (Err(_), _) => {
            let (first, second) = lines.split_at(lines.len() / 2);
            compile(first, rules, warnings);
            compile(second, rules, warnings);
        }
    }
}

fn warning(line: usize, said: String) -> Warning {
    let said = if said.chars().count() > SAID_CHARS_MAX {
        said.chars().take(SAID_CHARS_MAX).chain(['…']).collect()
    } else {
        said
    };
    Warning { path: PathBuf::from(RULES_FILE), line: Some(line), said }
}

fn bytes_of(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(unfit("is no file"));
    }
    let mut bytes = Vec::new();
    file.take(RULES_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > RULES_BYTES_MAX {
        return Err(unfit(&format!("is longer than {} KiB", RULES_BYTES_MAX / 1024)));
    }
    Ok(bytes)
}

fn unfit(said: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{RULES_FILE} {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(text: &str) -> Ignored {
        Ignored::parse(text.as_bytes())
    }

    #[test]
    fn rules_are_gits() {
        let rules = rules(
            "# of mine\n\n*.tmp\n/Archive/\nprivate/*\n!private/open.md\nDaily/**/draft*.md\n\
             \\#odd\nnode_modules\r\n",
        );
        assert_eq!(rules.warnings(), []);
        for (path, is_folder, ignored) in [
            ("a.tmp", false, true),
            ("deep/er/a.tmp", false, true),
            ("a.tmpx", false, false),
            ("Archive", true, true),
            ("Archive", false, false),
            ("Archive/2024/a.md", false, true),
            ("Brain/Archive/a.md", false, false),
            ("private/a.md", false, true),
            ("private/open.md", false, false),
            ("Daily/x/y/draft 2.md", false, true),
            ("Daily/draft.md", false, true),
            ("#odd", false, true),
            ("x/node_modules/y/z.md", false, true),
            ("../Archive/a.md", false, true),
            ("/Archive/a.md", false, true),
            ("", true, false),
            ("..", true, false),
        ] {
            assert_eq!(rules.is_ignored(Path::new(path), is_folder), ignored, "{path}");
        }
    }

    #[test]
    fn what_lies_in_an_ignored_folder_is_not_called_back() {
        let rules = rules("Archive\n!Archive/keep.md\n");
        assert!(rules.is_ignored(Path::new("Archive/keep.md"), false));
    }

    #[test]
    fn a_bad_line_is_passed_over_with_its_number() {
        let rules = Ignored::parse(b"*.a\n[z-a\n{a,b\n\xff\xfe\n*.b\n");
        assert!(rules.is_ignored(Path::new("x.a"), false));
        assert!(rules.is_ignored(Path::new("x.b"), false));
        let lines: Vec<_> = rules.warnings().iter().map(|warning| warning.line).collect();
        assert_eq!(lines, [Some(2), Some(3), Some(4)]);
        let said = rules.warnings()[2].to_string();
        assert_eq!(said, ".parachuteignore:4: is not UTF-8 text");
    }

    #[test]
    fn a_rule_that_is_too_much_takes_no_other_with_it() {
        let nested = |deep| format!("{}a{}", "{".repeat(deep), "}".repeat(deep));
        let (some, many) = (nested(BRACES_MAX), nested(30_000));
        let rules = rules(&format!("*.a\n!keep.a\n{some}\n*.b\n!keep.b\n{many}\nprivate/\n"));
        let lines: Vec<_> = rules.warnings().iter().map(|warning| warning.line).collect();
        assert_eq!(lines, [Some(3), Some(6)]);
        assert!(rules.warnings().iter().all(|warning| warning.said.chars().count() < 300));
        for (path, ignored) in [
            ("x.a", true),
            ("keep.a", false),
            ("x.b", true),
            ("keep.b", false),
            ("private/keep.a", true),
            ("x.c", false),
        ] {
            assert_eq!(rules.is_ignored(Path::new(path), false), ignored, "{path}");
        }
    }

    #[test]
    fn rules_that_nothing_is_taken_back_of_are_told_apart() {
        let rules = rules(
            "# mine\n\nJournal/\n*.draft.md\n/private/*\n*.tmp\n[z-a\n!open.draft.md\n!private/x\n\
             Finance\n!Finance\n/Finance/*.csv\n!*.pdf\nlast/\n*.doc\n\\#odd\n",
        );
        assert_eq!(rules.lasting(), ["last/", "*.doc", "\\#odd"]);
        let plain = self::rules("Journal/\n*.draft.md\n*.tmp\n!open.draft.md\n!Notes/Journal.md\n");
        assert_eq!(plain.lasting(), ["Journal/", "*.tmp"]);
        assert_eq!(self::rules("*").lasting(), ["*"]);
    }

    #[test]
    fn what_is_no_plain_file_of_rules_is_an_error_and_none_is_none() {
        let vault = tempfile::tempdir().expect("a folder");
        let file = vault.path().join(RULES_FILE);
        assert!(!Ignored::read(vault.path()).expect("none").is_ignored(Path::new("a"), false));
        std::fs::write(&file, "a\n").expect("written");
        assert!(Ignored::read(vault.path()).expect("one").is_ignored(Path::new("a"), false));
        std::fs::write(&file, "#".repeat((64 << 10) + 1)).expect("written");
        assert!(Ignored::read(vault.path()).is_err());
        std::fs::remove_file(&file).expect("removed");
        std::os::unix::fs::symlink("/etc/hostname", &file).expect("a link");
        assert!(Ignored::read(vault.path()).is_err());
        std::fs::remove_file(&file).expect("removed");
        std::fs::create_dir(&file).expect("a folder");
        assert!(Ignored::read(vault.path()).is_err());
    }

    #[test]
    fn many_rules_are_bounded() {
        let rules = rules(&"?[a-z]*{b,c}\n".repeat(3000));
        assert_eq!(rules.warnings().len(), 1);
        assert!(rules.is_ignored(Path::new("xyzb"), false));
    }

    proptest! {
        #[test]
        fn no_text_and_no_path_is_too_strange(
            text in prop::collection::vec(any::<u8>(), 0..200),
            path in "[/.]{0,3}\\PC{0,30}",
        ) {
            let _ = Ignored::parse(&text).is_ignored(Path::new(&path), false);
        }

        #[test]
        fn what_lasts_is_ignored_whatever_else_is_said(
            lines in prop::collection::vec("!?/?[ab*]{1,2}(/[ab]{1,2})?/?", 1..6),
            path in "[ab]{1,2}(/[ab]{1,2}){0,2}",
        ) {
            let all = rules(&lines.join("\n"));
            let lasting = rules(&all.lasting().join("\n"));
            let path = Path::new(&path);
            prop_assert!(!lasting.is_ignored(path, false) || all.is_ignored(path, false));
        }

        #[test]
        fn a_literal_name_is_found_wherever_it_lies(
            name in "[a-z]{1,9}", above in prop::collection::vec("[A-Z]{1,4}", 0..4),
        ) {
            let path: PathBuf = above.iter().chain([&name]).collect();
            prop_assert!(rules(&name).is_ignored(&path, false));
        }
    }
}
