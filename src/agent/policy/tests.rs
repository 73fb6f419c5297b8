//! What is refused and what is not, by name, by link and by command.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn judged(
    tool: &str,
    input: &Map<String, Value>,
    vault: &Path,
    directory: &Path,
    rules: &str,
) -> Result<(), Refusal> {
    let ignored = Ignored::parse(rules.as_bytes());
    judge(tool, input, &Ground { vault, directory, ignored: &ignored })
}

fn call(tool: &str, input: Value) -> Result<(), Refusal> {
    let input = input.as_object().expect("an object").clone();
    judged(tool, &input, Path::new("/v"), Path::new("/v/work"), "")
}

#[test]
fn a_link_does_not_lead_around_and_a_search_does_not_find() {
    let dir = tempfile::tempdir().expect("a folder");
    let vault = dir.path().canonicalize().expect("there");
    std::fs::create_dir(vault.join(".parachute")).expect("made");
    std::os::unix::fs::symlink(vault.join(".parachute"), vault.join("notes")).expect("linked");
    let judged = |tool: &str, input: Value| {
        self::judged(tool, input.as_object().expect("an object"), &vault, &vault, "")
    };
    assert!(judged("Read", json!({ "file_path": "notes/.token" })).is_err());
    assert!(judged("Glob", json!({ "pattern": "**/.parachute/*" })).is_err());
    assert!(judged("Grep", json!({ "pattern": "x", "glob": "**/.token" })).is_err());
    assert!(judged("Grep", json!({ "pattern": ".", "path": ".parachute" })).is_err());
    assert!(judged("Grep", json!({ "pattern": ".", "path": "/home/x/.ssh/" })).is_err());
    assert!(judged("Grep", json!({ "pattern": ".token", "path": "." })).is_ok());
    assert!(judged("Read", json!({ "file_path": "sub/.env" })).is_err());
    assert!(judged("Monitor", json!({ "command": "sudo id" })).is_err());
    assert!(changes_something("Monitor"));
    let input = json!({ "file_path": "Notes/../Notes/a.md" });
    let measured = measure(input.as_object().expect("an object"), &vault, &vault);
    assert_eq!(measured.as_deref(), Some("Notes/a.md"));
}

#[test]
fn only_tools_that_are_given_are_used() {
    let given = ["Read", "mcp__notes", "mcp__web__search"].map(String::from);
    for tool in ["Read", "mcp__notes__list", "mcp__web__search"] {
        assert_eq!(judge_tool(tool, &given), Ok(()), "{tool}");
    }
    let others = ["Bash", "read", "Reader", "mcp__notes2__x", "mcp__web__fetch", "mcp__", ""];
    for tool in others.into_iter().chain(["mcp__web__search__more", "AskUserQuestion"]) {
        assert!(judge_tool(tool, &given).is_err(), "{tool}");
    }
    assert!(judge_tool("Read", &[]).is_err());
}

#[test]
fn secrets_and_our_own_folder_are_off_limits() {
    for path in [
        "/v/.parachute/.token",
        "../.parachute/server.yaml",
        "/home/x/.ssh/id_ed25519",
        "/v/work/../.env",
        "/v/a/secrets/b",
        "deploy.pem",
    ] {
        assert!(call("Read", json!({ "file_path": path })).is_err(), "{path}");
    }
    for path in ["/v/Notes/a.md", "a.rs", "/v/work/tokens.md"] {
        assert_eq!(call("Write", json!({ "file_path": path })), Ok(()), "{path}");
    }
}

#[test]
fn dangerous_commands_trap_24() {
    for command in [
        "sudo ls",
        "cd x && sudo rm y",
        "rm -rf /",
        "rm -fr ~",
        "rm -r -f $HOME",
        "/bin/rm -rf /*",
        "env A=1 sudo id",
        ":(){ :|:& };:",
        "mkfs.ext4 /dev/sda",
        "dd if=x of=/dev/sda",
        "echo x > /dev/sda",
        "echo x >/dev/sda",
        "chmod -R 777 /",
        "'su'do id",
    ] {
        assert!(call("Bash", json!({ "command": command })).is_err(), "{command}");
    }
    for command in [
        "rm -rf /tmp/x",
        "rm -rf target/",
        "echo 'sudo make me a sandwich'",
        "ls > /dev/null 2>&1",
        "grep -r pseudo .",
        "dd if=a of=b",
        "rm *",
    ] {
        assert_eq!(call("Bash", json!({ "command": command })), Ok(()), "{command}");
    }
}

#[test]
fn no_command_names_ours_trap_24() {
    for command in [
        "cat .parachute/.token",
        "cat /v/.parachute/.token",
        "cat <../.parachute/.token",
        "cp ../.parachute/server.yaml /tmp/x",
        "true && (cd ../.parachute; cat .token)",
        "echo x >../.parachute/.token",
        "echo x 2>>../.parachute/x",
        "ls '../.para'chute",
        "x=1 env tar c ../.parachute",
    ] {
        let input = json!({ "command": command.replace(" .parachute", " ../.parachute") });
        assert!(call("Bash", input).is_err(), "{command}");
    }
    for command in [
        "cat ../notes/.parachute.md",
        "find .. -not -path ../.parachute -name x",
        "echo 'all of ../.parachute is ours'",
        "grep -r --exclude-dir=.parachute heron ..",
        "cat /elsewhere/.parachute/x",
        "parachute status",
    ] {
        assert_eq!(call("Bash", json!({ "command": command })), Ok(()), "{command}");
    }
}

#[test]
fn what_the_owner_lists_is_left_alone_trap_t_24() {
    let dir = tempfile::tempdir().expect("a folder");
    let vault = dir.path().canonicalize().expect("there");
    std::fs::create_dir_all(vault.join("Journal/deep")).expect("made");
    std::fs::write(vault.join("Journal/deep/a.md"), "x").expect("written");
    std::os::unix::fs::symlink(vault.join("Journal"), vault.join("link")).expect("linked");
    let rules = "# mine\nJournal/\n*.draft.md\n!open.draft.md\n!.parachute\n/Finance/*.csv\n[z-a\n";
    let judged = |tool: &str, input: Value| {
        self::judged(tool, input.as_object().expect("an object"), &vault, &vault, rules)
    };
    for file in [
        "Journal/deep/a.md",
        "Journal/not yet.md",
        "link/deep/a.md",
        "link/../Journal/a.md",
        "Notes/x.draft.md",
        "Finance/2026.csv",
        ".parachute/.token",
    ] {
        for tool in ["Read", "Write", "Edit", "NotebookEdit"] {
            let refused = judged(tool, json!({ "file_path": file })).expect_err(file);
            assert_eq!(refused.reason, "denied_by_ignore_list", "{file}");
        }
    }
    for file in ["Notes/a.md", "open.draft.md", "Finance/deep/2026.csv", "/elsewhere/x.draft.md"] {
        assert_eq!(judged("Write", json!({ "file_path": file })), Ok(()), "{file}");
    }
    for (tool, input) in [
        ("Grep", json!({ "pattern": "x", "path": "Journal" })),
        ("Glob", json!({ "pattern": "Journal/**" })),
        ("Glob", json!({ "pattern": "deep/*.md", "path": "Journal" })),
        ("Grep", json!({ "pattern": "x", "glob": "link/*.md" })),
    ] {
        assert!(judged(tool, input.clone()).is_err(), "{tool} {input}");
    }
    for (tool, input) in [
        ("Grep", json!({ "pattern": "Journal", "path": "Notes" })),
        ("Glob", json!({ "pattern": "**/*.md" })),
        ("Grep", json!({ "pattern": "x", "glob": "*.{md,txt}" })),
        ("Read", json!({ "file_path": ".parachuteignore" })),
    ] {
        assert_eq!(judged(tool, input.clone()), Ok(()), "{tool} {input}");
    }
    assert!(judged("Edit", json!({ "file_path": ".parachuteignore" })).is_err());
}

#[test]
fn a_grant_covers_one_command_and_no_rider() {
    assert!(covers("Bash(git *)", "Bash", Some("git status")));
    assert!(covers("Bash(git:*)", "Bash", Some("git status")));
    assert!(!covers("Bash(git *)", "Bash", Some("git status; rm x")));
    assert!(!covers("Bash(git *)", "Bash", Some("gitx")));
    assert!(covers("Write", "Write", None));
    assert!(covers("Write(Notes/**)", "Write", Some("Notes/a/b.md")));
    assert!(!covers("Write(Notes/**)", "Edit", Some("Notes/a.md")));
}

#[test]
fn looking_is_told_from_doing() {
    assert!(only_looks("ls -la | head"));
    assert!(!only_looks("ls; touch x"));
    assert!(!only_looks("echo $(rm x)"));
    assert!(!only_looks("echo x > y"));
    for dressed in ["PATH=./bin ls", "LD_PRELOAD=./x.so cat a", "env X=1 ls", "tree -o x"] {
        assert!(!only_looks(dressed), "{dressed}");
    }
}

proptest! {
    #[test]
    fn no_command_panics(command: String) {
        let _ = shell::judge(&command);
        let _ = shell::names(&command);
        let _ = only_looks(&command);
        let _ = covers("Bash(git *)", "Bash", Some(&command));
    }
}

#[test]
fn a_file_of_the_home_is_judged_where_it_is() {
    let home = std::env::home_dir().expect("a home");
    let input = json!({"file_path": "~/notes/private/x.md"});
    let input = input.as_object().expect("an object");
    let (vault, work) = (home.join("notes"), home.join("notes/work"));
    assert!(judged("Read", input, &vault, &work, "/private/").is_err());
    assert!(judged("Read", input, &vault, &work, "/other/").is_ok());
}
