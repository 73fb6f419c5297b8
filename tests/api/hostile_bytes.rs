//! Files that somebody else made: a gigabyte without a line's end, bytes that are no text, YAML
//! that grows without end. Each is named or read as far as it is read, memory stays bounded, and
//! what is good beside it is there.

use crate::hostile_vault::{PLACES, all_is_well, ask, good, is_bounded};
use crate::imports::{counted, sessions};
use http::Method;
use parachute_tests::{Home, Server, rss_most_kib};
use serde_json::json;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// A file of so many bytes of which none is written: NULs, and no line ends.
fn sparse(path: &Path, begin: &str, bytes: u64, end: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let mut file = File::create(path).expect("made");
    file.write_all(begin.as_bytes()).expect("written");
    file.set_len(bytes).expect("made long");
    file.seek(SeekFrom::End(0)).expect("at its end");
    file.write_all(end.as_bytes()).expect("written");
}

/// Files that one looks for under their own names.
const OTHERS: [&str; 7] = [
    "AGENTS.md",
    "CLAUDE.md",
    "Daily/AGENTS.md",
    "Daily/CLAUDE.md",
    "note.md",
    "Chat/contexts/me.md",
    ".parachute/module_hashes.json",
];

#[tokio::test]
async fn a_gigabyte_in_one_line_is_named_or_read_in_part() {
    let home = Home::new();
    good(&home);
    let vault = home.vault();
    // No hole, and what is no NUL: written once, and there under many names.
    let filled = home.path("filled");
    let mut file = File::create(&filled).expect("made");
    for _ in 0..200 {
        file.write_all(&[b'a'; MIB as usize]).expect("written");
    }
    for place in PLACES {
        sparse(&vault.join(place.replace("NAME", "hole")), "---\n", GIB, "");
        let file = vault.join(place.replace("NAME", "full"));
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::hard_link(&filled, file).expect("linked");
    }
    for name in OTHERS {
        sparse(&vault.join(name), "x", GIB, "");
    }
    fs::create_dir_all(vault.join(".modules/fat")).expect("made");
    fs::write(vault.join(".modules/fat/manifest.yaml"), "name: fat").expect("written");
    sparse(&vault.join(".modules/fat/data"), "", GIB, "");
    let cli = home.path("h/.claude/projects/-a");
    let good_line = fs::read_to_string(cli.join("good.jsonl")).expect("there");
    sparse(&cli.join("hole.jsonl"), "", GIB, "");
    sparse(&cli.join("half.jsonl"), &good_line, GIB, &format!("\n{good_line}"));
    fs::hard_link(&filled, cli.join("full.jsonl")).expect("linked");
    let server = home.server().await;
    let before = rss_most_kib(server.pid()).expect("alive");
    let stats = "/api/modules/daily/stats";
    all_is_well(&server, &[stats]).await;
    assert_eq!(ask(&server, Method::GET, stats).await.status, 400, "its prompt is too long");
    for name in ["hole", "full"] {
        for door in ["brain/entities", "daily/entries", "skills", "agents", "workspaces"] {
            let path = format!("/api/{door}/{name}");
            let answer = ask(&server, Method::GET, &path).await;
            let said = [400, 404, 409].contains(&answer.status) && answer.body.len() < 1000;
            assert!(said, "{path}: {}", answer.status);
        }
        let path = format!("/api/claude-code/sessions/{name}");
        let shown = ask(&server, Method::GET, &path).await.json();
        assert_eq!(shown["messages"], json!([]));
        for path in ["Daily%2FNAME.md", "note.md"] {
            let path = format!("/api/read?path={}", path.replace("NAME", name));
            assert_eq!(ask(&server, Method::GET, &path).await.status, 413, "{path}");
        }
    }
    let half = ask(&server, Method::GET, "/api/claude-code/sessions/half").await.json();
    assert_eq!(half["messages"].as_array().map(Vec::len), Some(2), "what is around it is told");
    let modules = ask(&server, Method::GET, "/api/modules").await.json();
    assert!(modules["error"].as_str().expect("named").contains("module_hashes.json"));
    // What is too large to go to any device is neither told to one nor lost to one.
    let device = crate::sync::Device::new(&server.local(), "one");
    let pushed = device.push(json!([{ "path": "hole.md", "content": "small" }])).await;
    assert!(pushed["errors"][0].as_str().expect("named").contains("hole.md"), "{pushed}");
    assert_eq!(fs::metadata(vault.join("Daily/hole.md")).expect("there").len(), GIB);
    sparse(&vault.join(".parachuteignore"), "#", GIB, "");
    let answer = ask(&server, Method::GET, "/api/sync/manifest?root=Daily").await;
    assert!(answer.status == 400 && answer.json()["detail"].as_str().is_some(), "the rules");
    is_bounded(&server, before, 384);
}

#[tokio::test]
async fn a_gigabyte_in_one_string_of_an_export_is_named_and_the_rest_is_imported() {
    let home = Home::new();
    let talk = crate::imports::conversation("good", 2).to_string();
    let vault = home.vault();
    sparse(
        &vault.join("string.json"),
        "[{\"uuid\":\"big\",\"name\":\"",
        GIB,
        &format!("\"}},{talk}]"),
    );
    sparse(&vault.join("open.json"), &format!("[{talk},{{\"name\":\""), GIB / 8, "");
    sparse(&vault.join("nothing.json"), "", GIB, "");
    sparse(&vault.join("key.json"), "{\"", GIB / 8, "\":1}");
    fs::write(vault.join("bytes.json"), [b"[\"\xff\xfe\",", talk.as_bytes(), b"]"].concat())
        .expect("written");
    let server = home.server().await;
    let before = rss_most_kib(server.pid()).expect("alive");
    for (name, talks) in [("string", 2), ("bytes", 2), ("open", 1), ("nothing", 0), ("key", 0)] {
        let path = format!("/api/import/path?path={name}.json");
        let answer = ask(&server, Method::POST, &path).await;
        let said = answer.json();
        assert!(answer.status == 200 || (400..500).contains(&answer.status), "{name}: {said}");
        let named = said["errors"].as_array().is_some_and(|errors| !errors.is_empty());
        assert!(named || said["detail"].is_string(), "{name}: {said}");
        if talks > 0 {
            assert_eq!(counted(&answer)["total_conversations"], talks, "{name}: {said}");
        }
        assert_eq!(sessions(&server.local()).await.len(), 1, "{name}: {said}");
    }
    is_bounded(&server, before, 384);
}

/// Puts a text where front matter is read: as that of a note, or as the whole of a YAML file.
fn put_everywhere(home: &Home, name: &str, yaml: &[u8]) {
    for place in PLACES.into_iter().chain(["NAME.md", "Chat/contexts/NAME.md"]) {
        let file = home.vault().join(place.replace("NAME", name));
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        let text = match place.ends_with(".yaml") {
            true => yaml.to_vec(),
            false => [b"---\n", yaml, b"\n---\ntext\n"].concat(),
        };
        fs::write(file, text).expect("written");
    }
}

/// What each thing of this name is, one by one.
async fn show(server: &Server, name: &str) {
    for door in ["brain/entities", "brain/backlinks", "brain/resolve", "daily/entries", "skills"] {
        ask(server, Method::GET, &format!("/api/{door}/{name}")).await;
    }
    for door in ["agents", "workspaces", "modules/daily/agents"] {
        ask(server, Method::GET, &format!("/api/{door}/{name}")).await;
    }
    for query in [
        format!("contexts={name}.md"),
        format!("agentPath=agents%2F{name}.md"),
        format!("agentPath=.parachute%2Fagents%2F{name}.yaml"),
        format!("workspaceId={name}"),
    ] {
        ask(server, Method::GET, &format!("/api/prompt/preview?{query}")).await;
    }
    ask(server, Method::POST, &format!("/api/modules/{name}/approve")).await;
}

/// Aliases of aliases; `filler` defeats a bound that is a multiple of the document's length.
fn bomb(levels: usize, filler: usize) -> String {
    let mut text = String::from("name: bomb\nprompt: x\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..levels {
        let above = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{above}]\n"));
    }
    text + "filler: [" + &"x,".repeat(filler) + "x]\n"
}

#[tokio::test]
async fn yaml_that_grows_is_bounded_wherever_it_is_read() {
    let home = Home::new();
    good(&home);
    let long = "z".repeat(10_000);
    let all = [
        ("bomb", bomb(12, 0)),
        ("filled", bomb(7, 25_000)),
        ("texts", format!("a: &a {long}\nb: [{}]\nname: x\nprompt: x\n", "*a,".repeat(15_000))),
        ("keys", "name: x\nprompt: x\n".to_owned() + &key_lines(25_000)),
        ("long", format!("name: long\nprompt: {}\n", "y".repeat(10 << 20))),
        ("deep", format!("name: {}", "[".repeat(100_000))),
        ("braces", format!("name: {}", "{a: ".repeat(50_000))),
        ("merge", "a: &a {b: c}\n<<: [*a, *a]\nname: m\nprompt: x\n".to_owned()),
        ("itself", "a: &a [*a]\nname: i\nprompt: x\n".to_owned()),
    ];
    for (name, yaml) in &all {
        put_everywhere(&home, name, yaml.as_bytes());
    }
    let server = home.server().await;
    let before = rss_most_kib(server.pid()).expect("alive");
    all_is_well(&server, &[]).await;
    show(&server, "filled").await;
    is_bounded(&server, before, 256);
}

fn key_lines(lines: usize) -> String {
    (0..lines).map(|n| format!("k{n}: 1\n")).collect()
}

#[tokio::test]
async fn front_matter_that_makes_no_sense_and_bytes_that_are_no_text_are_no_harm() {
    let home = Home::new();
    good(&home);
    let all: [(&str, &[u8]); 14] = [
        ("list", b"- a\n- b"),
        ("scalar", b"just words"),
        ("number", b"7"),
        ("two", b"name: a\n---\nname: b"),
        ("bytes", b"name: \xff\xfe\nprompt: x"),
        ("nul", b"name: a\0b\nprompt: \"a\\0b\""),
        ("maps", b"name: {a: b}\ntags: {a: {b: c}}\ntools: {x: [y]}\nprompt: {p: q}"),
        ("tags", b"tags: [{a: b}, [c], null, 1.5, .nan, !x y]\nname: [n]\nprompt: p"),
        ("python", b"name: !!python/object/apply:os.system [id]\nprompt: x"),
        ("dates", b"created_at: 99999-99-99T99:99:99Z\ncreated: 0000-00-00\nmodified: 1e400"),
        ("times", b"schedule: {time: 99999999999999999999, enabled: maybe}\nprompt: x"),
        ("same", b"name: a\nname: b\nprompt: x"),
        ("odd", b"? [a, b]\n: c\n? {d: e}\n: f\n~: g\ntrue: h\nprompt: x"),
        ("links", b"brain_links: {a: b}\npara_id: [x]\naliases: {y: z}\nprompt: x"),
    ];
    for (name, yaml) in all {
        put_everywhere(&home, name, yaml);
    }
    for name in ["Daily/AGENTS.md", "CLAUDE.md", "AGENTS.md"] {
        fs::write(home.vault().join(name), "a\0b").expect("written");
    }
    let rules = b"*.tmp\n\xff\xfe\n[z-a\n\0\n{a,b\ncase/\n!\n/\n\\\n**/**/**/**/**/x\n";
    fs::write(home.vault().join(".parachuteignore"), rules).expect("written");
    let line = fs::read(home.path("h/.claude/projects/-a/good.jsonl")).expect("there");
    let cli = home.path("h/.claude/projects/-a/bytes.jsonl");
    fs::write(cli, [b"\xff\xff\n", &line[..], b"{\"type\":\"user\xff\"}\n"].concat()).expect("put");
    let server = home.server().await;
    all_is_well(&server, &[]).await;
    for (name, _) in all {
        show(&server, name).await;
    }
    let bytes = ask(&server, Method::GET, "/api/claude-code/sessions/bytes").await.json();
    assert_eq!(bytes["messages"][0]["content"], "good");
    // By its own lines the file is read; nothing is run or made up by any of it.
    let space = ask(&server, Method::GET, "/api/workspaces/list").await;
    assert_eq!(space.status, 409, "{:?}", space.body);
}
