//! Plugins through their doors (contract-extended §1.5): from a git repository of this test's
//! own into the vault, whole or not at all, with nothing of it run; and those of the CLI, which
//! are listed and left alone.

use crate::skills::tree;
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"{ "name": "Tools", "version": "1.2.3", "description": "For tests",
    "author": { "name": "Somebody" } }"#;

const SERVERS: &str = r#"{ "mcpServers": { "search": { "command": "${CLAUDE_PLUGIN_ROOT}/run",
    "env": { "KEY": "sk-secret-1", "REF": "${SEARCH_KEY}" } },
    "web": { "type": "http", "url": "https://x.org/mcp", "headers": { "X": "sk-secret-2" } } } }"#;

/// What a plugin here has in it.
const FILES: [(&str, &str); 7] = [
    (".claude-plugin/plugin.json", MANIFEST),
    (".mcp.json", SERVERS),
    ("skills/hello/SKILL.md", "---\nname: Hello\ndescription: Says it\n---\nSay hello."),
    ("skills/group/deep/SKILL.md", "Deep."),
    ("skills/single.md", "Single."),
    ("agents/helper.md", "---\nname: The Helper\ntools: [Read]\n---\nYou help."),
    ("agents/sub/inner.yaml", "prompt: You are within.\n"),
];

/// A repository in a test's home, and its one branch.
pub(crate) struct Repository(PathBuf);

impl Repository {
    /// With a plugin in it.
    pub(crate) fn new(home: &Home, name: &str) -> Repository {
        let repository = Repository::empty(home, name);
        repository.put(&FILES);
        repository
    }

    fn empty(home: &Home, name: &str) -> Repository {
        let path = home.path("repositories").join(name);
        fs::create_dir_all(&path).expect("a folder");
        let repository = Repository(path);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }

    /// Writes these files and commits all there is.
    pub(crate) fn put(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        self.commit()
    }

    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, arguments: &[&str]) -> String {
        let somebody = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        let done = Command::new("git")
            .args(somebody)
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("there is a git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim().to_owned()
    }
}

fn plugins(home: &Home) -> PathBuf {
    home.path("vault/.parachute/plugins")
}

/// What is in the vault's plugins, hidden and unfinished ones too.
fn there(home: &Home) -> BTreeMap<String, String> {
    if plugins(home).exists() { tree(&plugins(home)) } else { BTreeMap::new() }
}

async fn install(caller: &Caller, url: &str) -> (u16, Value) {
    let answer = caller.post("/api/plugins/install", &json!({ "url": url })).await;
    (answer.status, answer.json())
}

async fn delete(caller: &Caller, slug: &str) -> u16 {
    caller.ask(Method::DELETE, &format!("/api/plugins/{slug}"), None).await.status
}

#[tokio::test]
async fn trap_t76_a_plugin_comes_is_brought_up_to_date_and_goes() {
    let home = Home::new();
    let repository = Repository::new(&home, "Tools.git");
    let first = repository.git(&["rev-parse", "HEAD"]);
    let server = home.server().await;
    let owner = server.owner();
    let (status, made) = install(&owner, &repository.url()).await;
    assert_eq!(status, 200, "{made}");
    let plugin = &made["plugin"];
    assert_eq!(plugin["slug"], "Tools");
    assert_eq!((&plugin["version"], &plugin["author"]), (&json!("1.2.3"), &json!("Somebody")));
    assert_eq!(plugin["skills"], json!(["group:deep", "hello", "single"]));
    assert_eq!(plugin["agents"], json!(["helper", "sub:inner"]));
    assert_eq!(plugin["mcps"], json!(["search", "web"]));
    assert_eq!((&plugin["source"], &plugin["commit"]), (&json!("parachute"), &json!(first)));
    assert_eq!(plugin["sourceUrl"], repository.url());
    // As it came, with our record beside it, and without git's own folder.
    let mut files = there(&home);
    let record = files.remove("Tools/.parachute-plugin.json").expect("a record");
    assert!(record.contains("url"), "{record}");
    let record = fs::read(plugins(&home).join("Tools/.parachute-plugin.json")).expect("a record");
    let record: Value = serde_json::from_slice(&record).expect("JSON");
    assert_eq!((&record["commit"], &record["branch"]), (&json!(first), &json!("main")));
    let mut came = tree(&repository.0);
    came.retain(|name, _| !name.starts_with(".git"));
    let came: BTreeMap<_, _> =
        came.into_iter().map(|(name, text)| (format!("Tools/{name}"), text)).collect();
    files.remove("Tools");
    assert_eq!(files, came);

    let check = owner.get("/api/plugins/Tools/check-update").await.json();
    assert_eq!(check, json!({ "upToDate": true, "slug": "Tools", "latest": first }));
    let second = repository.put(&[("skills/hello/SKILL.md", "Say good bye."), ("new.txt", "new")]);
    let check = owner.get("/api/plugins/Tools/check-update").await.json();
    let told = json!({ "upToDate": false, "behind": 1, "slug": "Tools", "latest": second });
    assert_eq!(check, told);
    for _ in 0..2 {
        let updated = owner.ask(Method::POST, "/api/plugins/Tools/update", None).await.json();
        assert_eq!(updated["plugin"]["commit"], second, "{updated}");
        assert_eq!(updated["plugin"]["installedAt"], plugin["installedAt"]);
    }
    let skill = owner.get("/api/plugins/Tools/skills/hello").await.json();
    assert_eq!(skill["content"], "Say good bye.");
    assert!(plugins(&home).join("Tools/new.txt").exists());
    assert_eq!(owner.get("/api/plugins/Tools/check-update").await.json()["upToDate"], true);
    assert_eq!(delete(&server.local(), "Tools").await, 200);
    assert_eq!(there(&home), BTreeMap::new(), "nothing is left, finished or not");
}

#[tokio::test]
async fn trap_t6_nothing_of_a_repository_is_run() {
    let home = Home::new();
    let mark = home.path("run");
    let script = home.path("h/script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", mark.display())).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
    let script = script.display();
    // What a person may have in their settings, which a repository could make use of.
    fs::create_dir_all(home.path("h/hooks")).expect("a folder");
    fs::create_dir_all(home.path("h/template/hooks")).expect("a folder");
    for hook in ["hooks/post-checkout", "hooks/post-merge", "template/hooks/post-checkout"] {
        fs::copy(home.path("h/script"), home.path("h").join(hook)).expect("copied");
    }
    let folder = home.path("h").display().to_string();
    let settings = format!(
        "[core]\n hooksPath = {folder}/hooks\n fsmonitor = {script}\n sshCommand = {script}\n\
         [init]\n templateDir = {folder}/template\n[filter \"x\"]\n smudge = {script}\n \
         clean = {script}\n required = true\n[url \"ext::{script} \"]\n insteadOf = file://\n\
         [submodule]\n recurse = true\n[protocol]\n allow = always\n[credential]\n \
         helper = {script}\n[core]\n gitProxy = {script}\n"
    );
    fs::write(home.path("h/.gitconfig"), settings).expect("written");
    let repository = Repository::new(&home, "tools");
    let inner = Repository::new(&home, "inner");
    repository.git(&["-c", "protocol.file.allow=always", "submodule", "add", &inner.url(), "sub"]);
    repository.put(&[
        (".gitattributes", "* filter=x\n"),
        ("hooks/hooks.json", "{}"),
        (".husky/post-checkout", "#!/bin/sh\ntouch /nowhere"),
    ]);
    let server = home.server().await;
    let (status, made) = install(&server.owner(), &repository.url()).await;
    assert_eq!(status, 200, "{made}");
    repository.put(&[("new.txt", "new")]);
    let updated = server.owner().ask(Method::POST, "/api/plugins/tools/update", None).await;
    assert_eq!(updated.status, 200, "{}", updated.json());
    assert!(!mark.exists(), "something was run");
    let sub = fs::read_dir(plugins(&home).join("tools/sub")).expect("a folder").count();
    assert_eq!(sub, 0, "submodules are not fetched");
}

#[tokio::test]
async fn traps_t2_t5_and_t6_addresses_and_slugs_that_are_none_are_refused() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let before = tree(&home.path("vault/.parachute"));
    for url in [
        "",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c true",
        "http://127.0.0.1/x",
        "git://127.0.0.1/x",
        "https://user:pass@127.0.0.1/x",
        "ssh://-oProxyCommand=true/x",
        "/etc",
        "../x",
        "me/x",
        "https://127.0.0.1:1/x y",
        &repository.0.display().to_string(),
    ] {
        for caller in [server.local(), server.owner()] {
            let (status, said) = install(&caller, url).await;
            assert_eq!(status, 400, "{url}: {said}");
            assert!(said["detail"].is_string(), "{said}");
        }
    }
    // From this machine, but perhaps not from its owner.
    let (status, said) = install(&server.local(), &repository.url()).await;
    assert_eq!((status, said["detail"].as_str().unwrap_or("").contains("owner")), (400, true));
    for slug in ["..", ".", "../x", "a/b", "/x", "-x", ".x", "a.b", "a b", "a\nb", "_x"] {
        let new = json!({ "url": repository.url(), "slug": slug });
        let answer = server.owner().post("/api/plugins/install", &new).await;
        assert_eq!(answer.status, 400, "{slug:?}: {}", answer.json());
    }
    assert_eq!(tree(&home.path("vault/.parachute")), before);
    for slug in ["..", ".", "%2e%2e", "%2e", "a%2fb"] {
        let path = format!("/api/plugins/{slug}");
        assert_eq!(delete(&server.owner(), slug).await, 404, "{slug}");
        let update = server.owner().ask(Method::POST, &format!("{path}/update"), None).await;
        assert_eq!(update.status, 404, "{slug}");
    }
    assert_eq!(tree(&home.path("vault/.parachute")), before);
}

/// Names and contents of files, or contents and names of links.
type Pairs<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn a_repository_that_is_no_plugin_leaves_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let zeros = "0".repeat(70 << 20);
    let manifest = (".claude-plugin/plugin.json", MANIFEST);
    let cases: [(&str, Pairs<'_>, Pairs<'_>); 8] = [
        ("nothing", &[], &[]),
        ("no manifest", &[("readme.md", "x")], &[]),
        ("a list", &[(".claude-plugin/plugin.json", "[]")], &[]),
        ("a link out", &[manifest], &[("../../../../../etc/passwd", "skills")]),
        ("an absolute link", &[manifest], &[("/etc", "skills")]),
        ("a link into git's folder", &[manifest], &[(".git/config", "config")]),
        ("a manifest elsewhere", &[("x", "x")], &[("../../server.yaml", ".claude-plugin")]),
        ("too large", &[manifest, ("zeros", &zeros)], &[]),
    ];
    for (index, (what, files, links)) in cases.into_iter().enumerate() {
        let repository = Repository::empty(&home, &format!("r{index}"));
        for (to, from) in links {
            symlink(to, repository.0.join(from)).expect("linked");
        }
        repository.put(files);
        let (status, said) = install(&server.owner(), &repository.url()).await;
        assert_eq!(status, 400, "{what}: {said}");
        assert_eq!(there(&home), BTreeMap::new(), "{what}");
    }
    let gone = format!("file://{}", home.path("nowhere").display());
    let (status, said) = install(&server.owner(), &gone).await;
    assert_eq!(status, 400, "{said}");
    assert_eq!(there(&home), BTreeMap::new());
    // Links that stay inside are the plugin's own business; its record is ours.
    let repository = Repository::new(&home, "linked");
    symlink("hello", repository.0.join("skills/alias")).expect("linked");
    symlink("../../../.token", repository.0.join("x")).expect("linked");
    fs::remove_file(repository.0.join("x")).expect("removed");
    repository.put(&[(".parachute-plugin.json", "{\"url\":\"https://evil.example/x\"}")]);
    let (status, made) = install(&server.owner(), &repository.url()).await;
    assert_eq!((status, &made["plugin"]["sourceUrl"]), (200, &json!(repository.url())), "{made}");
}

#[tokio::test]
async fn the_old_one_stays_until_the_new_one_is_whole() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let owner = server.owner();
    assert_eq!(install(&owner, &repository.url()).await.0, 200);
    let before = there(&home);
    symlink("/etc", repository.0.join("skills/out")).expect("linked");
    repository.commit();
    let answer = owner.ask(Method::POST, "/api/plugins/tools/update", None).await;
    assert_eq!(answer.status, 400, "{}", answer.json());
    assert_eq!(there(&home), before);
    assert_eq!(owner.get("/api/plugins/tools/check-update").await.json()["upToDate"], false);
    fs::rename(&repository.0, home.path("elsewhere")).expect("moved");
    let answer = owner.ask(Method::POST, "/api/plugins/tools/update", None).await;
    assert_eq!(answer.status, 400, "{}", answer.json());
    assert_eq!(owner.get("/api/plugins/tools/check-update").await.status, 400, "no guess");
    assert_eq!(there(&home), before);
    // A record is a file, and files can be changed: it is judged like any address.
    let record = plugins(&home).join("tools/.parachute-plugin.json");
    for (url, branch) in [("ext::sh -c true", "main"), ("https://127.0.0.1:1/x", "--upload-pack=x")]
    {
        let text = json!({ "url": url, "branch": branch }).to_string();
        fs::write(&record, text).expect("written");
        let answer = owner.ask(Method::POST, "/api/plugins/tools/update", None).await;
        assert_eq!(answer.status, 400, "{}", answer.json());
    }
}

#[tokio::test]
async fn of_many_at_once_one_is_installed() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let (owner, url) = (server.owner(), repository.url());
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let (owner, url) = (owner.clone(), url.clone());
            tokio::spawn(async move { install(&owner, &url).await.0 })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.expect("an answer"));
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 400, 400, 400, 400, 400, 400, 400]);
    let names: Vec<String> = fs::read_dir(plugins(&home))
        .expect("there")
        .map(|e| e.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    assert_eq!(names, ["tools"]);
}

#[tokio::test]
async fn trap_t14_secrets_of_a_plugin_do_not_leave() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let (status, made) = install(&server.owner(), &repository.url()).await;
    assert_eq!(status, 200, "{made}");
    for path in ["/api/plugins", "/api/plugins/tools"] {
        let answer = server.local().get(path).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("sk-secret") && text.contains("${SEARCH_KEY}"), "{text}");
    }
    assert!(!server.log().contains("sk-secret"));
}

#[tokio::test]
async fn trap_t7_names_within_a_plugin_lead_nowhere_else() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(install(&server.owner(), &repository.url()).await.0, 200);
    fs::write(home.path("vault/.parachute/secret.md"), "secret").expect("written");
    for (path, name) in [
        ("skills/group:deep", "deep"),
        ("skills/group/deep", "deep"),
        ("skills/group%2Fdeep", "deep"),
        ("skills/Hello", "Hello"),
        ("skills/single", "single"),
        ("agents/helper", "The Helper"),
        ("agents/The%20Helper", "The Helper"),
        ("agents/sub:inner", "inner"),
        ("agents/sub/inner", "inner"),
        ("agents/inner", "inner"),
    ] {
        let answer = caller.get(&format!("/api/plugins/tools/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        assert_eq!(answer.json()["name"], name, "{path}");
    }
    let inner = caller.get("/api/plugins/tools/agents/inner").await.json();
    assert_eq!(inner["path"], "agents/sub/inner.yaml");
    for path in [
        "skills/..",
        "skills/../../../secret",
        "skills/..%2F..%2F..%2Fsecret",
        "skills/%2Fetc%2Fpasswd",
        "skills/*",
        "skills/hel*",
        "skills/hello%00",
        "agents/..%2F..%2F..%2Fsecret",
        "agents/**",
        "agents/help?r",
        "agents/[h]elper",
        "agents/nobody",
    ] {
        let answer = caller.get(&format!("/api/plugins/tools/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("\"secret\""), "{path}");
    }
    fs::write(plugins(&home).join("tools/agents/broken.yaml"), "prompt: [").expect("written");
    assert_eq!(caller.get("/api/plugins/tools/agents/broken").await.status, 400);
}

fn plugin_in(folder: &Path, name: &str) {
    let manifest = folder.join(".claude-plugin/plugin.json");
    fs::create_dir_all(manifest.parent().expect("a folder")).expect("made");
    fs::write(manifest, json!({ "name": name, "version": "1.0.0" }).to_string()).expect("written");
}

#[tokio::test]
async fn trap_t77_the_clis_plugins_are_listed_and_left_alone() {
    let home = Home::new();
    let claude = home.path("h/.claude/plugins");
    plugin_in(&claude.join("cache/market/tool/2.0.0"), "Of the CLI");
    plugin_in(&claude.join("mine"), "Mine");
    plugin_in(&claude.join("marketplaces/x"), "Not one");
    plugin_in(&home.path("h/private"), "Elsewhere");
    symlink(home.path("h/private"), claude.join("linked")).expect("linked");
    let at = |path: &str| json!([{ "installPath": claude.join(path), "version": "2.0.0" }]);
    let list = json!({ "version": 2, "plugins": {
        "tool@market": at("cache/market/tool/2.0.0"),
        "again@market": at("cache/market/tool/2.0.0"),
        "private@market": [{ "installPath": home.path("h/private") }],
        "dots@market": at("../../private"),
        "gone@market": at("cache/gone"),
        "odd@market": 7,
    } });
    fs::write(claude.join("installed_plugins.json"), list.to_string()).expect("written");
    let server = home.server().await;
    let caller = server.owner();
    let list = caller.get("/api/plugins").await.json();
    let told: Vec<(&str, &str, &str)> = list["plugins"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| {
            let text = |name: &str| p[name].as_str().expect("text");
            (text("slug"), text("source"), text("version"))
        })
        .collect();
    assert_eq!(told, [("tool", "cli", "2.0.0"), ("mine", "user", "1.0.0")]);
    let before = tree(&home.path("h"));
    for slug in ["tool", "mine"] {
        assert_eq!(delete(&caller, slug).await, 403, "{slug}");
        let update = caller.ask(Method::POST, &format!("/api/plugins/{slug}/update"), None).await;
        assert_eq!(update.status, 400, "{slug}");
        let check = caller.get(&format!("/api/plugins/{slug}/check-update")).await;
        assert_eq!(check.status, 400, "{slug}");
    }
    assert_eq!(caller.get("/api/plugins/nobody/check-update").await.status, 404);
    assert_eq!(tree(&home.path("h")), before);
}

#[tokio::test]
async fn what_the_predecessor_installed_is_brought_up_to_date() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let folder = plugins(&home).join("tools");
    plugin_in(&folder, "Tools");
    let manifest = json!({ "name": "Tools", "source_url": repository.url(),
        "installed_at": "2026-01-01T10:00:00.000001+00:00" });
    fs::write(folder.join(".claude-plugin/plugin.json"), manifest.to_string()).expect("written");
    let server = home.server().await;
    let owner = server.owner();
    let told = owner.get("/api/plugins/tools").await.json();
    assert_eq!(told["sourceUrl"], repository.url());
    assert_eq!(told["installedAt"], "2026-01-01T10:00:00.000001Z");
    assert_eq!(owner.get("/api/plugins/tools/check-update").await.json()["upToDate"], false);
    let updated = owner.ask(Method::POST, "/api/plugins/tools/update", None).await.json();
    assert_eq!(updated["plugin"]["commit"], repository.git(&["rev-parse", "HEAD"]), "{updated}");
    assert_eq!(updated["plugin"]["installedAt"], "2026-01-01T10:00:00.000001Z");
    assert_eq!(owner.get("/api/plugins/tools/check-update").await.json()["upToDate"], true);
}

#[tokio::test]
async fn without_git_it_is_said_what_is_missing() {
    let mut home = Home::new();
    let repository = Repository::new(&home, "tools");
    let nothing = home.path("h").display().to_string();
    home.set("PATH", &nothing);
    let server = home.server().await;
    let (status, said) = install(&server.owner(), &repository.url()).await;
    assert_eq!(status, 400, "{said}");
    assert!(said["detail"].as_str().expect("text").contains("no git"), "{said}");
    assert_eq!(there(&home), BTreeMap::new());
}
