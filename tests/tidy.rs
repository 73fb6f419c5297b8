//! The house, checked: who may name whom, how long a file may be, what stands at its head, what
//! may not be in it. Reads the source tree and runs nothing of it. What rustfmt, clippy and
//! cargo-deny can check is theirs.

use std::collections::BTreeSet;
use std::fs;

#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/tree.rs"]
mod tree;

use rust::{code, group_heads, words};
use tree::{dependency, is_test, members, owner, read, sources, tables, top};

const LINES_MAX: usize = 600;
const LINES_SOFT: usize = 400;
const COLUMNS_MAX: usize = 100;
const MAIN_LINES_MAX: usize = 8;

/// Which members of ours a member may depend on (DESIGN §3). Tests may name everything.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("host", &[]),
    ("yaml", &[]),
    ("config", &["wire", "yaml"]),
    ("serve", &["wire"]),
    ("models", &["wire"]),
    ("mcp", &["host", "wire"]),
    ("engine", &[]),
    ("imports", &["wire"]),
    ("ignored", &[]),
    ("notes", &["ignored", "yaml"]),
    ("server", &["serve", "config", "host", "wire", "models", "mcp", "engine", "imports", "notes"]),
    ("agent", &["serve", "host", "wire", "models", "engine", "ignored"]),
    ("supervisor", &["serve", "config", "host", "wire", "models"]),
    ("parley", &["serve", "host", "wire", "models"]),
    ("connect", &["wire"]),
    ("telegram", &["connect", "wire"]),
    ("discord", &["connect", "wire"]),
    ("cli", &["config", "host", "wire"]),
];

/// Inside the server: what each layer may name. `store` and `vault` know nobody; what an agent
/// did goes into the store, so `agents` stands above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("routes", &["domain", "agents", "store", "vault"]),
    ("domain", &["agents", "store", "vault"]),
    ("agents", &["store", "vault"]),
    ("store", &[]),
    ("vault", &[]),
];

fn no(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n  {}\n", faults.join("\n  "));
}

// ------------------------------------------------------------ manifests

#[test]
fn members_name_only_whom_they_may() {
    let ours: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).collect();
    let mut faults = Vec::new();
    for member in members() {
        let Some(name) = member.folder.strip_prefix("src/") else {
            continue;
        };
        let Some((_, allowed)) = MAY_NAME.iter().find(|(known, _)| *known == name) else {
            faults.push(format!("{name}: not in the table of DESIGN §3"));
            continue;
        };
        for (table, dependency, _) in &member.dependencies {
            let stranger = ours.contains(dependency.as_str())
                && !allowed.contains(&dependency.as_str())
                && !table.contains("dev-dependencies");
            if stranger {
                faults.push(format!("{name} names {dependency}"));
            }
        }
    }
    no(&faults, "a member may name only what DESIGN §3 allows it");
}

#[test]
fn every_folder_of_src_is_a_member() {
    let members: BTreeSet<String> = members().into_iter().map(|member| member.folder).collect();
    let entries = fs::read_dir(top().join("src")).expect("there is a src").flatten();
    let names = entries.map(|entry| format!("src/{}", entry.file_name().to_string_lossy()));
    let strays: Vec<String> = names.filter(|name| !members.contains(name)).collect();
    no(&strays, "only members live in src");
}

#[test]
fn dependencies_are_the_workspaces_and_are_used() {
    let root = fs::read_to_string(top().join("Cargo.toml")).expect("the root manifest");
    let mut unused: BTreeSet<String> =
        tables(&root)["workspace.dependencies"].iter().map(|line| dependency(line).0).collect();
    let sources = sources();
    let members = members();
    let mut faults = Vec::new();
    for member in &members {
        let own = |path: &str| owner(&members, path) == Some(member.folder.as_str());
        let mine: Vec<String> =
            sources.iter().filter(|(path, _)| own(path)).map(|(_, text)| code(text)).collect();
        for (table, name, shared) in &member.dependencies {
            unused.remove(name);
            let ident = name.replace('-', "_");
            if !mine.iter().any(|code| words(code).any(|word| word == ident)) {
                faults.push(format!("{}: {table} has {name}, no source does", member.folder));
            }
            if !shared {
                faults.push(format!("{}: {name} has a version of its own", member.folder));
            }
        }
    }
    faults.extend(unused.iter().map(|name| format!("Cargo.toml: nobody uses {name}")));
    no(&faults, "a dependency is in the workspace's table once, and is there because it is used");
}

// ------------------------------------------------------------ the server's layers

/// The modules of the crate that a file of layer `own` names: `crate::x`, `crate::{x, y::z}`,
/// and `super::…::x` for an x that is a layer.
fn named(code: &str, own: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code[at + "crate::".len()..].trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group));
        } else {
            found.extend(words(rest).next().map(str::to_owned));
        }
    }
    for (at, _) in code.match_indices("super::") {
        found.extend(words(&code[at + "super::".len()..]).next().map(str::to_owned));
    }
    found.retain(|name| name != own && LAYERS.iter().any(|(layer, _)| layer == name));
    found
}

#[test]
fn nothing_in_the_server_calls_upward() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let Some(inner) = path.strip_prefix("src/server/") else {
            continue;
        };
        let own = inner.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == own) else {
            continue;
        };
        if is_test(&path) {
            continue;
        }
        for name in named(&code(&text), own) {
            if !allowed.contains(&name.as_str()) {
                faults.push(format!("{path} names {name}"));
            }
        }
    }
    no(&faults, "in the server: routes → domain → agents → store | vault");
}

// ------------------------------------------------------------ files

#[test]
fn files_are_short_and_say_what_they_are() {
    let members = members();
    let mut faults = Vec::new();
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
        } else if lines > LINES_SOFT {
            long.push(format!("{lines} {path}"));
        }
        if !text.starts_with("//! ") {
            faults.push(format!("{path}: begins without //! and what it is"));
        }
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                faults.push(format!("{path}:{}: {columns} columns", number + 1));
            }
        }
        // A program's, not a test's.
        if owner(&members, &path).is_some_and(|folder| path == format!("{folder}/main.rs")) {
            let lines = code(&text).lines().filter(|line| !line.trim().is_empty()).count();
            if lines > MAIN_LINES_MAX {
                faults.push(format!("{path}: {lines} lines of code, at most {MAIN_LINES_MAX}"));
            }
        }
    }
    long.sort();
    eprintln!("over {LINES_SOFT} lines; is each still one thing?\n  {}", long.join("\n  "));
    no(&faults, "a file is short, narrow, and opens with what it is");
}

#[test]
fn only_host_is_unsafe_and_knows_the_machine() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        if !path.starts_with("src/host/") && words(&code).any(|word| word == "unsafe") {
            faults.push(format!("{path}: unsafe"));
        }
        let knows = code.contains("cfg(target_os") || code.contains("cfg!(target_os");
        if knows && path != "src/host/lib.rs" && !is_test(&path) {
            faults.push(format!("{path}: cfg(target_os"));
        }
    }
    no(&faults, "unsafe code is in src/host, and only its lib.rs knows which system it is");
}

#[test]
fn types_are_named_for_what_they_are() {
    let vague = ["Manager", "Helper", "Util"];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        let list: Vec<&str> = words(&code).collect();
        for pair in list.windows(2) {
            let declares = ["struct", "enum", "trait", "type"].contains(&pair[0]);
            // D-Bus has an interface of that name; it is not ours to rename.
            let of_systemd = path.starts_with("src/host/linux/") && pair == ["trait", "Manager"];
            if declares && !of_systemd && vague.iter().any(|word| pair[1].contains(word)) {
                faults.push(format!("{path}: {} {}", pair[0], pair[1]));
            }
        }
    }
    no(&faults, "no Manager, Helper, Util");
}

#[test]
fn nothing_names_one_machine() {
    let folders = ["src", "tests", "units", "launchd", "scripts", "man", ".ci"];
    let mut texts = read(&folders, &[]);
    for name in ["README.md", "DESIGN.md", "Cargo.toml", ".clippy.toml"] {
        texts.extend(fs::read_to_string(top().join(name)).ok().map(|text| (name.to_owned(), text)));
    }
    let mut faults = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| path != "tests/tidy.rs") {
        for (number, line) in text.lines().enumerate() {
            let starts = |at: usize| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._}$/~".contains(c))
            };
            let at_work = ["/work/", "/root/"]
                .iter()
                .any(|place| line.match_indices(place).any(|(at, _)| starts(at)));
            // One letter stands for anybody.
            let at_home = line.match_indices("/home/").any(|(at, _)| {
                let name = line[at + "/home/".len()..].chars();
                starts(at) && name.take_while(char::is_ascii_alphanumeric).count() > 1
            });
            if at_work || at_home {
                faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    no(&faults, "no path of one machine");
}

// ------------------------------------------------------------ the predecessor's traps

/// What is wrong with a line's third part: tests, a later part, or none.
fn not_shown(shown: &str) -> Vec<String> {
    let later = shown.strip_prefix("later: ").is_some_and(|part| !part.is_empty());
    let tests = shown.split(", ").filter(|_| shown != "none" && !later);
    let exists = |test: &&str| {
        test.split_once("::").is_some_and(|(path, name)| {
            let text = fs::read_to_string(top().join(path)).unwrap_or_default();
            text.contains(&format!("fn {name}("))
        })
    };
    tests.filter(|test| !exists(test)).map(str::to_owned).collect()
}

#[test]
fn every_trap_is_listed_once_with_tests_that_exist() {
    let plain = (1..=80).chain(88..=88).map(|number| number.to_string());
    let more = (1..=25).chain(46..=84).chain(86..=89).map(|number| format!("T-{number}"));
    let text = fs::read_to_string(top().join("tests/traps.txt")).expect("the list of traps");
    let (mut numbers, mut faults) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [number, better, shown] = parts[..] else { panic!("not three parts: {line}") };
        numbers.push(number.to_owned());
        if better.split_whitespace().count() > 12 || line.chars().count() > 160 {
            faults.push(format!("{number}: too long"));
        }
        faults.extend(not_shown(shown).iter().map(|test| format!("{number}: no test {test}")));
    }
    no(&faults, "a trap's line is short, and its tests exist");
    assert_eq!(numbers, plain.chain(more).collect::<Vec<_>>(), "each trap once, in order");
}

// ------------------------------------------------------------ this file's own means

#[test]
fn names_are_found_in_every_way_to_say_them() {
    let text = "use crate::{routes::x, domain::{a, b}, other}; crate::store::Y; \
                use super::super::vault::z; use super::agents;";
    let found: Vec<String> = named(text, "store").into_iter().collect();
    assert_eq!(found, ["agents", "domain", "routes", "vault"]);
}
