//! Ten thousand names at every door that makes something of a name: nothing outside of the
//! door's own folder is read, written or deleted, whatever the name is and however it is spelt.
//! The names are the same in every run.

use crate::rng::Rng;
use crate::skills::tree;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use parachute_tests::{Home, Server};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use tokio::net::TcpStream;

const NAMES: usize = 10_000;

/// What no answer may have in it.
pub(crate) const CANARY: &str = "canary-that-nobody-may-hear";

/// What names are made of.
const PARTS: [&str; 56] = [
    "..",
    ".",
    "/",
    "//",
    "\\",
    "..\\",
    "../",
    "/..",
    "~",
    "~/",
    "$HOME",
    "${HOME}",
    "`x`",
    "%2e%2e",
    "%2f",
    "%252e",
    "%00",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "é",
    "日本",
    "🦀",
    "\u{301}",
    "*",
    "**",
    "?",
    "[a-z]",
    "{a,b}",
    ":",
    ";",
    "|",
    "&&",
    "'",
    "\"",
    "-",
    "--",
    "-rf",
    "real",
    "out",
    "note",
    "secret",
    "tools",
    "SKILL",
    "skill",
    "index",
    ".md",
    ".zip",
    ".parachute",
    "agents",
    "plugins",
];

pub(crate) fn names(seed: u64) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let mut name = || {
        let mut name = String::new();
        for _ in 0..=rng.below(5) {
            match rng.below(12) {
                0 => name.push_str("../../../../.."),
                1 => name.extend(char::from_u32(rng.below(0x11_0000) as u32)),
                2 => name.push(char::from(rng.below(128) as u8)),
                3 if rng.below(40) == 0 => name.push_str(&"x".repeat(300)),
                _ => name.push_str(PARTS[rng.below(PARTS.len() as u64) as usize]),
            }
        }
        name
    };
    (0..NAMES).map(|_| name()).collect()
}

/// A name as one part of a path.
pub(crate) fn encoded(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02X}").expect("a String takes it"),
        }
    }
    out
}

/// A vault with something in every place, secrets beside them, and links that lead there.
pub(crate) fn home() -> Home {
    let home = Home::new();
    let put = |path: &str, text: &str| {
        let path = home.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    let secret = format!("---\nname: real\nprompt: {CANARY}\n---\n{CANARY}");
    for path in [
        "vault/note.md",
        "vault/secret.md",
        "vault/secret/SKILL.md",
        "vault/.parachute/secret.md",
        "vault/.parachute/secret.yaml",
        "vault/.parachute/secret/skills/real.md",
        "vault/.parachute/secret/.claude-plugin/plugin.json",
        "h/secret.md",
        "h/.claude/secret.md",
        "secret.md",
    ] {
        put(path, &secret);
    }
    let manifest = json!({ "name": "Tools" }).to_string();
    for path in ["vault/.parachute/plugins/tools", "h/.claude/plugins/mine"] {
        put(&format!("{path}/.claude-plugin/plugin.json"), &manifest);
        put(&format!("{path}/skills/real/SKILL.md"), "real");
        put(&format!("{path}/agents/real.md"), "real");
        put(&format!("{path}/index.md"), &secret);
        link(&home, "../../../../secret", &format!("{path}/skills/out"));
        link(&home, "../../../../secret.md", &format!("{path}/agents/out.md"));
    }
    link(&home, "../secret", "vault/.parachute/plugins/out");
    for (path, to) in [
        ("vault/.skills/real.md", "vault/.skills/out.md"),
        ("vault/agents/real.md", "vault/agents/out.md"),
        ("vault/.parachute/agents/real.md", "vault/.parachute/agents/out.md"),
    ] {
        put(path, "---\nname: Real One\n---\nreal");
        link(&home, "../secret.md", to);
    }
    link(&home, "../secret", "vault/.skills/out");
    let kept = json!({ "command": "kept", "env": { "KEY": CANARY } });
    let servers = json!({ "mcpServers": { "The only one": kept }, "other": CANARY });
    let text = serde_json::to_string_pretty(&servers).expect("JSON") + "\n";
    put("vault/.mcp.json", &text);
    home
}

fn link(home: &Home, to: &str, from: &str) {
    let from = home.path(from);
    fs::create_dir_all(from.parent().expect("a folder")).expect("made");
    symlink(to, from).expect("linked");
}

/// Folders in which a door may change something.
const ROOTS: [&str; 3] =
    ["vault/.skills/", "vault/.parachute/agents/", "vault/.parachute/plugins/"];

/// Everything of a home that no door may change, and what is in its own folders by name.
pub(crate) fn others(home: &Home) -> BTreeMap<String, String> {
    let ours = |name: &str| {
        let state = ["s/", "r/", "server.log", "vault/Chat"].iter().any(|s| name.starts_with(s));
        state || ROOTS.iter().any(|root| name.starts_with(root))
    };
    tree(&home.path("")).into_iter().filter(|(name, _)| !ours(name)).collect()
}

/// One connection for many requests.
pub(crate) struct Line {
    send: SendRequest<Full<bytes::Bytes>>,
}

impl Line {
    pub(crate) async fn to(server: &Server) -> Line {
        let stream = TokioIo::new(TcpStream::connect(server.address()).await.expect("connected"));
        let handshake = hyper::client::conn::http1::handshake(stream).await;
        let (send, talk) = handshake.expect("a connection");
        tokio::spawn(talk);
        Line { send }
    }

    /// Asks, and has the answer judged. True: it was done.
    pub(crate) async fn ask(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> bool {
        let request = Request::builder().method(method).uri(path).header("host", "localhost:3333");
        let request = match &body {
            Some((kind, _)) => request.header("content-type", *kind),
            None => request,
        };
        let body = Full::from(body.map_or(Vec::new(), |(_, body)| body));
        self.send.ready().await.expect("the line is open");
        let asked = self.send.send_request(request.body(body).expect("a request")).await;
        let answer = asked.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(status < 500, "{method} {path}: {status} {text}");
        assert!(!text.contains(CANARY), "{method} {path}: {text}");
        status == 200
    }
}

/// All names at the doors of a path; each door is asked for each of them.
async fn in_path(home: Home, seed: u64, doors: &[(Method, &str)]) {
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let before = others(&home);
    for (method, door) in doors {
        for name in names(seed) {
            let path = door.replace("NAME", &encoded(&name));
            line.ask(method, &path, None).await;
        }
        assert_eq!(others(&home), before, "{method} {door}");
    }
}

#[tokio::test]
async fn ten_thousand_names_of_skills() {
    let doors = [(Method::GET, "/api/skills/NAME"), (Method::DELETE, "/api/skills/NAME")];
    in_path(home(), 0x5eed_0011, &doors).await;
}

#[tokio::test]
async fn ten_thousand_names_of_agents() {
    let doors = [(Method::GET, "/api/agents/NAME"), (Method::DELETE, "/api/agents/NAME")];
    in_path(home(), 0x5eed_0012, &doors).await;
}

#[tokio::test]
async fn ten_thousand_paths_of_agents() {
    let home = home();
    // A visible note may be an agent; all else may not.
    for note in ["note.md", "secret.md", "secret/SKILL.md"] {
        fs::remove_file(home.vault().join(note)).expect("removed");
    }
    let doors = [(Method::GET, "/api/prompt/preview?agentPath=NAME")];
    in_path(home, 0x5eed_0017, &doors).await;
}

#[tokio::test]
async fn ten_thousand_names_of_plugins() {
    let doors = [
        (Method::GET, "/api/plugins/NAME"),
        (Method::GET, "/api/plugins/NAME/check-update"),
        (Method::POST, "/api/plugins/NAME/update"),
        (Method::GET, "/api/plugins/tools/skills/NAME"),
        (Method::GET, "/api/plugins/tools/agents/NAME"),
        (Method::GET, "/api/plugins/mine/skills/NAME"),
        (Method::DELETE, "/api/plugins/NAME"),
    ];
    in_path(home(), 0x5eed_0013, &doors).await;
}

#[tokio::test]
async fn ten_thousand_names_of_mcp_servers() {
    let doors = [
        (Method::GET, "/api/mcps/NAME"),
        (Method::GET, "/api/mcps/NAME/tools"),
        (Method::POST, "/api/mcps/NAME/test"),
        (Method::DELETE, "/api/mcps/NAME"),
    ];
    in_path(home(), 0x5eed_0018, &doors).await;
}

#[tokio::test]
async fn ten_thousand_names_of_modules_entries_and_daily_agents() {
    let home = home();
    crate::contexts::write(
        &home,
        &[
            (".modules/Real One/manifest.yaml", "name: Real One"),
            ("Daily/entries/real.md", "real"),
            ("Daily/.agents/Real One.md", "real"),
        ],
    );
    link(&home, "../../secret.md", "vault/Daily/entries/out.md");
    link(&home, "../../secret.md", "vault/Daily/.agents/out.md");
    let doors = [
        (Method::POST, "/api/modules/NAME/approve"),
        (Method::GET, "/api/daily/entries/NAME"),
        (Method::POST, "/api/modules/daily/agents/NAME/reset"),
        (Method::GET, "/api/modules/daily/agents/status?date=NAME"),
    ];
    in_path(home, 0x5eed_0019, &doors).await;
}

/// All names as something new: what is made is made in its folder, and is then deleted again.
async fn as_new(seed: u64, doors: &[(&str, &str, Made)]) {
    let home = home();
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let (before, whole) = (others(&home), tree(&home.vault()));
    let mut made = 0;
    for (door, kept, body) in doors {
        for name in names(seed) {
            let (kind, body) = body(&name);
            if line.ask(&Method::POST, door, Some((kind, body))).await {
                made += 1;
                let path = format!("{kept}/{}", encoded(&name));
                assert!(line.ask(&Method::DELETE, &path, None).await, "{path}");
            }
        }
        assert_eq!(others(&home), before, "{door}");
    }
    assert!(made > 100, "of so many names some are lawful: {made}");
    assert_eq!(tree(&home.vault()).len(), whole.len(), "what was made is gone");
}

type Made = fn(&str) -> (&'static str, Vec<u8>);

pub(crate) const JSON: &str = "application/json";

fn form(name: &str, bytes: &[u8]) -> (&'static str, Vec<u8>) {
    let name = name.replace('"', "%22").replace(['\r', '\n'], "%0A");
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
    let body = [head.as_bytes(), b"\r\n\r\n", bytes, b"\r\n--x--\r\n"].concat();
    ("multipart/form-data; boundary=x", body)
}

#[tokio::test]
async fn ten_thousand_names_of_new_skills() {
    as_new(
        0x5eed_0014,
        &[
            ("/api/skills", "/api/skills", |name| {
                (JSON, json!({ "name": name, "content": "x" }).to_string().into())
            }),
            ("/api/skills/upload", "/api/skills", |name| {
                form(&format!("{name}.zip"), &crate::skills::archive(&[("SKILL.md", "x")]))
            }),
        ],
    )
    .await;
}

#[tokio::test]
async fn ten_thousand_names_of_new_agents() {
    as_new(
        0x5eed_0015,
        &[
            ("/api/agents", "/api/agents", |name| {
                (JSON, json!({ "name": name, "prompt": "x" }).to_string().into())
            }),
            ("/api/agents/upload", "/api/agents", |name| form(&format!("{name}.md"), b"x")),
        ],
    )
    .await;
}

#[tokio::test]
async fn ten_thousand_names_of_new_mcp_servers() {
    as_new(
        0x5eed_0019,
        &[
            ("/api/mcps", "/api/mcps", |name| {
                (JSON, json!({ "name": name, "command": name }).to_string().into())
            }),
            ("/api/mcps", "/api/mcps", |name| {
                let config =
                    json!({ "url": format!("http://x.test/{name}"), "headers": { name: name } });
                (JSON, json!({ "name": name, "config": config }).to_string().into())
            }),
        ],
    )
    .await;
}

#[tokio::test]
async fn ten_thousand_addresses_and_slugs_of_plugins() {
    let home = home();
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let before = tree(&home.path("vault"));
    for name in names(0x5eed_0016) {
        for body in [
            json!({ "url": name }),
            json!({ "url": format!("https://{name}") }),
            json!({ "url": format!("file://{name}") }),
            // Taken already: a slug that is one is refused before anything is fetched.
            json!({ "url": "https://localhost:1/tools", "slug": format!("../{name}") }),
        ] {
            let body = Some((JSON, body.to_string().into_bytes()));
            assert!(!line.ask(&Method::POST, "/api/plugins/install", body).await, "{name:?}");
        }
    }
    let keep = |(name, _): &(String, String)| !name.starts_with("Chat");
    let now: BTreeMap<_, _> = tree(&home.path("vault")).into_iter().filter(keep).collect();
    assert_eq!(now, before.into_iter().filter(keep).collect::<BTreeMap<_, _>>());
}
