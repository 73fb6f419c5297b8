//! A vault that somebody else made: farms of links, folders without end, pipes, files that come
//! and go. Every door answers in bounded time and memory, tells nothing from outside, and what is
//! good beside it is there. What is in files: `hostile_bytes`; names: `hostile_names`.

use crate::contexts::write;
use crate::hostile::CANARY;
use http::Method;
use parachute_tests::{Answer, Home, Server, rss_most_kib};
use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use rustix::process::Rlimit;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// For one answer, whatever is in the vault; nobody is meant to wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every door that reads folders of the vault, or those of the CLI.
const LISTS: [&str; 18] = [
    "/api/ls",
    "/api/brain/search?q=nothing&scope=vault",
    "/api/brain/tags?scope=vault",
    "/api/sync/manifest?root=Daily",
    "/api/contexts/folders",
    "/api/contexts/chain?folders=Daily,farm",
    "/api/modules",
    "/api/modules/daily/stats",
    "/api/claude-code/recent",
    "/api/claude-code/projects",
    "/api/claude-code/sessions?path=-a",
    "/api/daily/entries?limit=100",
    "/api/modules/daily/agents",
    "/api/skills",
    "/api/agents",
    "/api/workspaces",
    "/api/import/contexts",
    "/api/prompt/preview",
];

/// Folders that a door of their own reads, and what a file in them is called.
pub(crate) const PLACES: [&str; 10] = [
    "Brain/entities/NAME.md",
    "Daily/entries/NAME.md",
    "Daily/.agents/NAME.md",
    "Daily/NAME.md",
    ".skills/NAME.md",
    ".skills/NAME/SKILL.md",
    "agents/NAME.md",
    ".parachute/agents/NAME.yaml",
    ".parachute/workspaces/NAME/config.yaml",
    ".modules/NAME/manifest.yaml",
];

/// What is good, in every place.
pub(crate) fn good(home: &Home) {
    for place in PLACES {
        let text = match place.ends_with(".yaml") {
            true => "name: good\nprompt: good\n",
            false => "---\nname: good\n---\ngood",
        };
        write(home, &[(&place.replace("NAME", "good"), text)]);
    }
    let line = json!({ "type": "user", "cwd": "/a", "timestamp": "2026-01-01T10:00:00Z",
        "message": { "role": "user", "content": "good" } });
    let folder = home.path("h/.claude/projects/-a");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("good.jsonl"), format!("{line}\n")).expect("written");
}

/// Asks while others are served, too. No answer is a fault of ours, or tells the canary.
pub(crate) async fn ask(server: &Server, method: Method, path: &str) -> Answer {
    let caller = server.local();
    let asked = tokio::time::timeout(PATIENCE, caller.ask(method.clone(), path, None));
    let other = server.owner();
    let (answer, health) = tokio::join!(asked, other.get("/api/health"));
    assert_eq!(health.status, 200, "beside {path}");
    let answer = answer.unwrap_or_else(|_| panic!("{method} {path} does not come to an end"));
    let text = String::from_utf8_lossy(&answer.body);
    let begin: String = text.chars().take(500).collect();
    assert!(answer.status < 500, "{method} {path}: {} {begin}", answer.status);
    assert!(!text.contains(CANARY), "{method} {path}: {begin}");
    answer
}

/// Everything that is listed answers; what is good is in it, and a turn comes to its end.
pub(crate) async fn all_is_well(server: &Server, but: &[&str]) {
    ask(server, Method::POST, "/api/brain/reload").await;
    for path in LISTS.into_iter().filter(|path| !but.contains(path)) {
        let answer = ask(server, Method::GET, path).await;
        let begin: String = String::from_utf8_lossy(&answer.body).chars().take(500).collect();
        assert_eq!(answer.status, 200, "{path}: {begin}");
    }
    let of = async |path: &str, list: &str| {
        let list = ask(server, Method::GET, path).await.json()[list].take();
        let is_good = |one: &Value| {
            ["name", "slug", "id", "path", "sessionId", "para_id"]
                .iter()
                .any(|field| one[*field] == "good" || one[*field] == "good.md")
        };
        assert!(list.as_array().expect("a list").iter().any(is_good), "{path}: {list}");
    };
    for (path, list) in [
        ("/api/brain/search?q=good", "results"),
        ("/api/claude-code/recent", "sessions"),
        ("/api/modules", "modules"),
        ("/api/modules/daily/agents", "agents"),
        ("/api/workspaces", "workspaces"),
        ("/api/skills", "skills"),
        ("/api/agents", "agents"),
        ("/api/daily/entries?limit=100", "entries"),
        ("/api/sync/manifest?root=Daily", "files"),
    ] {
        if !but.contains(&path) {
            of(path, list).await;
        }
    }
    // The model tells what it was told.
    let body = json!({ "message": "x @@{\"told\":true}@@", "contexts": ["Daily", "farm"] });
    let turn = server.owner().chat("", &body).await.whole().await;
    assert!(turn.kinds().contains(&"done".to_owned()), "{:?}", turn.events);
    assert!(!format!("{:?}", turn.events).contains(CANARY));
}

/// The server may have taken so much memory, all in all, above what it begins with.
pub(crate) fn is_bounded(server: &Server, before: u64, mib: u64) {
    let most = rss_most_kib(server.pid()).expect("alive");
    assert!(most < before + mib * 1024, "from {before} to {most} KiB");
}

#[tokio::test]
async fn a_farm_of_links_costs_little_and_tells_nothing_from_outside() {
    let home = Home::new();
    good(&home);
    let (secret, top) = (home.path("secret"), home.path(""));
    let told = json!({ "type": "user", "cwd": CANARY, "timestamp": "2026-01-01T10:00:00Z",
        "message": { "role": "user", "content": CANARY } });
    fs::create_dir_all(secret.join("deep")).expect("made");
    for name in ["AGENTS.md", "CLAUDE.md", "SKILL.md", "x.md", "deep/x.md", "x.jsonl"] {
        fs::write(secret.join(name), format!("{told}\n")).expect("written");
    }
    for name in ["manifest.yaml", "config.yaml", "x.yaml"] {
        fs::write(secret.join(name), format!("name: {CANARY}\nprompt: x\n")).expect("written");
    }
    let vault = home.vault();
    let ours = vault.join(".parachute");
    for name in ["x.md", "AGENTS.md"] {
        fs::write(ours.join(name), CANARY).expect("written");
    }
    let system = ["/", "/proc", "/proc/self/root"].map(Path::new);
    let ends = [system.as_slice(), &[&top, &secret, &ours, &vault]].concat();
    let folders = ["farm", "Daily", "Daily/entries", "Daily/.agents", ".skills", "agents"];
    let more = ["Brain/entities", ".modules", "Chat/contexts", ".parachute/agents"];
    let places = folders.iter().chain(&more).map(|folder| vault.join(folder));
    let cli = home.path("h/.claude/projects");
    let others = [cli.clone(), cli.join("-a"), ours.join("workspaces")];
    for folder in places.chain(others) {
        fs::create_dir_all(&folder).expect("made");
        let link = |to: &Path, name: String| symlink(to, folder.join(name)).expect("linked");
        for n in 0..100 {
            let ending = ["", ".md", ".yaml", ".jsonl"][n % 4];
            link(ends[n % ends.len()], format!("l{n}{ending}"));
            link(&secret.join(format!("x{ending}")), format!("s{n}{ending}"));
            link(Path::new(&format!("o{}.md", (n + 1) % 100)), format!("o{n}.md"));
            link(Path::new("."), format!("h{n}"));
        }
        for n in 1..50 {
            link(Path::new(&format!("c{}.md", n - 1)), format!("c{n}.md"));
        }
        link(&secret.join("x.md"), "c0.md".into());
    }
    let server = home.server().await;
    let before = rss_most_kib(server.pid()).expect("alive");
    // A page of entries has none that can be read; each of the links is named in its problems.
    let page = "/api/daily/entries?limit=100";
    all_is_well(&server, &[page]).await;
    let told = ask(&server, Method::GET, page).await.json();
    assert_eq!(told["count"], 0, "{told}");
    assert!(told["problems"].as_array().is_some_and(|problems| problems.len() > 10), "{told}");
    assert_eq!(ask(&server, Method::GET, "/api/daily/entries/good").await.status, 200);
    for path in ["farm", "Daily", "agents", "farm/h0", "farm/h0/h1/h2"] {
        assert_eq!(ask(&server, Method::GET, &format!("/api/ls?path={path}")).await.status, 200);
    }
    for n in 0..7 {
        for name in [format!("l{n}"), format!("s{n}.md"), format!("o{n}.md"), "c49.md".into()] {
            for door in ["ls?path=", "read?path=", "read?raw=true&path="] {
                let path = format!("/api/{door}farm%2F{name}");
                let answer = ask(&server, Method::GET, &path).await;
                // A link to the vault itself, or within it, is a folder as others.
                assert!(answer.status != 200 || door == "ls?path=", "{path}");
            }
        }
    }
    for name in ["l0", "l3", "s1.md", "o1.md", "c49.md"] {
        for path in [
            format!("/api/contexts/chain?folders=farm%2F{name}"),
            format!("/api/prompt/preview?contexts=farm%2F{name}"),
            format!("/api/sync/manifest?root=farm%2F{name}"),
            format!("/api/daily/entries/{name}"),
            format!("/api/skills/{name}"),
            format!("/api/workspaces/{name}"),
            format!("/api/claude-code/sessions/{name}"),
            format!("/api/brain/entities/{name}"),
        ] {
            ask(&server, Method::GET, &path).await;
        }
    }
    is_bounded(&server, before, 128);
}

#[tokio::test]
async fn deep_trees_and_crowded_folders_are_bounded_and_named() {
    let home = Home::new();
    good(&home);
    let vault = home.vault();
    let (deep, long) = (vec!["d"; 1000].join("/"), vec!["n".repeat(255); 14].join("/"));
    for place in ["", "Daily", ".skills/deep", ".modules/deep", "Brain/entities", "Chat/contexts"] {
        for tree in [&deep, &long] {
            fs::create_dir_all(vault.join(place).join(tree)).expect("made");
            fs::write(vault.join(place).join(tree).join("AGENTS.md"), "deep").expect("written");
        }
    }
    write(
        &home,
        &[(".skills/deep/SKILL.md", "deep"), (".modules/deep/manifest.yaml", "name: deep")],
    );
    fs::create_dir(vault.join("Daily/crowd")).expect("made");
    for n in 0..50_001 {
        fs::File::create(vault.join(format!("Daily/crowd/{n}.txt"))).expect("made");
    }
    let server = home.server().await;
    let before = rss_most_kib(server.pid()).expect("alive");
    all_is_well(&server, &[]).await;
    is_bounded(&server, before, 256);
    let crowd = ask(&server, Method::GET, "/api/ls?path=Daily%2Fcrowd").await;
    assert_eq!(crowd.status, 400);
    assert!(crowd.json()["detail"].as_str().expect("a sentence").contains("50000"));
    let modules = ask(&server, Method::GET, "/api/modules").await.json();
    let named = modules["modules"].as_array().expect("a list").iter().find(|m| m["name"] == "deep");
    assert!(named.expect("listed")["problem"].as_str().expect("named").contains("16 deep"));
    // More than is looked at in each folder: said so, and a turn is taken all the same.
    for folder in [".skills", "agents", "Daily/.agents", ".parachute/workspaces"] {
        for n in 0..10_001 {
            fs::File::create(vault.join(format!("{folder}/{n}.md"))).expect("made");
        }
    }
    let full = ["/api/skills", "/api/agents", "/api/modules/daily/agents", "/api/workspaces"];
    for path in full {
        let answer = ask(&server, Method::GET, path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["detail"].as_str().expect("a sentence").contains("10000"), "{path}");
    }
    all_is_well(&server, &full).await;
}

#[tokio::test]
async fn what_is_deleted_goes_however_deep_it_is_with_few_files_open() {
    let home = Home::new();
    let tree = |top: &Path| {
        let deep = top.join(vec!["d"; 1500].join("/"));
        fs::create_dir_all(&deep).expect("made");
        fs::write(deep.join("x.md"), "deep").expect("written");
        symlink(home.vault(), top.join("d/d/out")).expect("linked");
    };
    write(&home, &[(".skills/deep/SKILL.md", "deep"), ("kept.md", "kept")]);
    tree(&home.vault().join(".skills/deep"));
    let server = home.server().await;
    let turn = server.owner().chat("", &json!({ "message": "x" })).await.whole().await;
    let id = turn.session();
    tree(&home.run(&id).join("tmp"));
    let pid = rustix::process::Pid::from_raw(server.pid().cast_signed()).expect("a process");
    let resource = rustix::process::Resource::Nofile;
    let few = Rlimit { current: Some(256), ..rustix::process::getrlimit(resource) };
    rustix::process::prlimit(Some(pid), resource, few).expect("lowered");
    for path in ["/api/skills/deep".to_owned(), format!("/api/chat/{id}")] {
        assert_eq!(ask(&server, Method::DELETE, &path).await.status, 200, "{path}");
    }
    assert!(!home.vault().join(".skills/deep").exists());
    assert!(!home.run(&id).exists(), "{}", server.log());
    assert_eq!(fs::read(home.vault().join("kept.md")).expect("kept"), b"kept");
}

#[tokio::test]
async fn what_is_no_file_or_closed_is_passed_over_and_keeps_nobody_from_the_rest() {
    let mut home = Home::new();
    good(&home);
    let as_root = rustix::process::geteuid().is_root();
    let mut closed = Vec::new();
    for place in PLACES {
        for name in ["pipe", "socket", "device", "closed", "shut/x", "folder"] {
            let file = home.vault().join(place.replace("NAME", name));
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            match name {
                "pipe" => mkfifoat(CWD, &file, Mode::RWXU).expect("a pipe"),
                "socket" => drop(UnixListener::bind(&file).expect("a socket")),
                // Only root may; as anybody else it is one thing less.
                "device" if as_root => {
                    let zero = rustix::fs::makedev(1, 5);
                    let made = mknodat(CWD, &file, FileType::CharacterDevice, Mode::RWXU, zero);
                    made.expect("a device");
                }
                "device" => {}
                "folder" => fs::create_dir(&file).expect("made"),
                _ => {
                    fs::write(&file, CANARY).expect("written");
                    let shut = if name == "closed" { &file } else { file.parent().expect("one") };
                    closed.push(shut.to_owned());
                }
            }
        }
    }
    // At the end: what lies in a closed folder could not be made. What is deeper comes first.
    closed.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    closed.dedup();
    for path in &closed {
        close(path, as_root);
    }
    if as_root {
        // In a namespace of its own the server is nobody to files of people who are not there.
        home.mounts = Some(String::new());
    }
    let server = home.server().await;
    all_is_well(&server, &[]).await;
    for name in ["pipe", "socket", "device", "folder", "closed"] {
        for door in ["daily/entries/", "skills/", "agents/", "workspaces/", "brain/entities/"] {
            let answer = ask(&server, Method::GET, &format!("/api/{door}{name}")).await;
            assert!([404, 403, 409].contains(&answer.status), "{door}{name}: {}", answer.status);
        }
        let path = format!("/api/read?path=Daily%2F{name}.md");
        let answer = ask(&server, Method::GET, &path).await;
        assert!([400, 403, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    // So that the home can be taken away again.
    for path in closed.iter().rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("opened");
    }
}

fn close(path: &Path, as_root: bool) {
    if as_root {
        std::os::unix::fs::chown(path, Some(54_321), Some(54_321)).expect("given away");
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("closed");
}

#[tokio::test]
async fn files_that_come_go_and_grow_while_they_are_read_harm_nobody() {
    let home = Home::new();
    good(&home);
    let server = home.server().await;
    let stop = Stop::default();
    let (told, vault, h) = (stop.0.clone(), home.vault(), home.path("h/.claude/projects"));
    let stirs = std::thread::spawn(move || stir(&told, &vault, &h));
    for _ in 0..15 {
        for path in LISTS {
            assert_eq!(ask(&server, Method::GET, path).await.status, 200, "{path}");
        }
    }
    drop(stop);
    stirs.join().expect("it stirred to the end");
    all_is_well(&server, &[]).await;
}

/// Tells whoever stirs to stop, also where a test fails.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Makes, moves and takes away files everywhere. What is not there at the time is no matter.
fn stir(stop: &AtomicBool, vault: &Path, projects: &Path) {
    for n in (0..40).cycle().take_while(|_| !stop.load(Relaxed)) {
        for place in PLACES {
            let at = |n: usize| vault.join(place.replace("NAME", &format!("n{n}")));
            let (file, old) = (at(n), at((n + 20) % 40));
            let folder = |file: &Path| file.parent().expect("a folder").to_owned();
            let _ = fs::create_dir_all(folder(&file));
            let _ = fs::write(&file, "name: x\n".repeat(n * 100));
            let _ = fs::remove_file(&old).and_then(|()| fs::rename(&file, &old));
            let _ = fs::remove_dir(folder(&file));
        }
        let project = projects.join(format!("p{n}"));
        let _ = fs::create_dir(&project).and_then(|()| fs::write(project.join("x.jsonl"), "{}\n"));
        let _ = fs::remove_dir_all(&project);
    }
}
