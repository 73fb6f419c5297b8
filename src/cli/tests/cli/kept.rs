//! Workspaces, agents, skills, plugins and MCP servers.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use zip::ZipArchive;

fn workspace(slug: &str, trust: &str) -> Value {
    json!({"name": "The trip\u{1b}[31m", "slug": slug, "description": "To Łódź.",
        "default_trust_level": "trusted", "working_directory": "/vault/trip", "model": null,
        "capabilities": {"mcps": "all", "skills": ["pack"], "agents": "none", "plugins": []},
        "sandbox": {"memory": "1g", "cpu": "2", "timeout": 60}, "trust": trust,
        "ofALaterServer": 1})
}

fn agent(name: &str, source: &str) -> Value {
    json!({"name": name, "description": "Reviews", "type": "chatbot", "model": "opus",
        "path": null, "source": source, "tools": ["Read", "Grep"]})
}

fn skill(name: &str) -> Value {
    json!({"name": name, "description": "How to pack", "content": "# Pack\n\nLittle.\n",
        "size": 20, "modified": "2026-01-01T10:00:00Z", "version": "1.2.0",
        "allowed_tools": ["Read"], "is_directory": true, "source": "custom",
        "files": [{"name": "SKILL.md", "size": 2048}]})
}

fn plugin(slug: &str) -> Value {
    json!({"slug": slug, "name": "The kit", "version": "2.0.0", "description": "Tools",
        "author": "Ann", "source": "parachute", "sourceUrl": "https://git.example/kit",
        "path": "/v/.parachute/plugins/kit", "skills": ["a:b", "c"], "agents": [],
        "mcps": ["m"], "mcpConfigs": {}, "installedAt": null, "commit": "abc"})
}

fn mcp(name: &str, wrong: &[&str]) -> Value {
    let mut server = json!({"name": name, "builtin": false, "command": "npx", "args": ["-y", "x"],
        "env": {"TOKEN": "[REDACTED]"}, "trust_level": "vault", "displayType": "stdio",
        "displayCommand": "npx -y x"});
    if !wrong.is_empty() {
        server["validationErrors"] = json!(wrong);
    }
    server
}

#[test]
fn each_kind_is_listed_shown_and_removed() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        let deleted = heard.line.starts_with("DELETE");
        Answer::Json(
            200,
            match heard.line.split(' ').nth(1).unwrap() {
                "/api/workspaces" => json!({"workspaces": [workspace("trip", "vault")],
                "problems": [{"slug": "bad", "problem": "no\nYAML"}]}),
                "/api/workspaces/trip" if deleted => json!({"deleted": "trip"}),
                "/api/workspaces/trip" => json!({"workspace": workspace("trip", "vault")}),
                "/api/agents" => json!({"agents": [agent("vault-agent", "builtin")]}),
                "/api/agents/a%20b" if deleted => json!({"success": true, "deleted": "a b"}),
                "/api/agents/a%20b" => {
                    let mut agent = agent("a b", "custom_agents");
                    agent["system_prompt"] = "You review.\u{7}\n".into();
                    agent["system_prompt_preview"] = Value::Null;
                    agent
                }
                "/api/skills" => json!({"skills": [skill("pack")]}),
                "/api/skills/%2E%2E%2Fx" if deleted => json!({"success": true, "deleted": "../x"}),
                "/api/skills/%2E%2E%2Fx" => skill("../x"),
                "/api/plugins" => json!({"plugins": [plugin("kit")]}),
                "/api/plugins/kit" if deleted => json!({"success": true, "deleted": "kit"}),
                "/api/plugins/kit" => plugin("kit"),
                "/api/mcps" => {
                    json!({"servers": [mcp("good", &[]), mcp("bad", &["no PATH", "no x"])]})
                }
                "/api/mcps/bad" if deleted => json!({"success": true, "removed": "bad"}),
                "/api/mcps/bad" => mcp("bad", &["no PATH", "no x"]),
                other => panic!("{other}"),
            },
        )
    });
    for (noun, name, list, sheet) in [
        (
            "workspace",
            "trip",
            "SLUG  TRUST  MODEL  NAME\ntrip  vault         The trip[31m\n",
            "workspace  trip\nname       The trip[31m\ntrust      vault\n\
             directory  /vault/trip\nmcps       all\nskills     pack\nagents     none\n\
             plugins    none\n\
             container  memory 1g, processors 2, 60 s a turn, network none\n\nTo Łódź.\n",
        ),
        (
            "agent",
            "a b",
            "NAME         FROM     MODEL  DESCRIPTION\nvault-agent  builtin  opus   Reviews\n",
            "agent  a b\nabout  Reviews\ntype   chatbot\nfrom   custom\nmodel  opus\n\
             tools  Read, Grep\n\nYou review.\n",
        ),
        (
            "skill",
            "../x",
            "NAME  VERSION  DESCRIPTION\npack  1.2.0    How to pack\n",
            "skill    ../x\nabout    How to pack\nversion  1.2.0\nfrom     custom\n\
             written  2026-01-01T10:00:00Z\ntools    Read\nfiles    SKILL.md\n\n\
             # Pack\n\nLittle.\n",
        ),
        (
            "plugin",
            "kit",
            "SLUG  VERSION  FROM   DESCRIPTION\nkit   2.0.0    vault  Tools\n",
            "plugin     kit\nname       The kit\nabout      Tools\nversion    2.0.0\n\
             commit     abc\nauthor     Ann\nfrom       vault\n\
             url        https://git.example/kit\nfolder     /v/.parachute/plugins/kit\n\
             skills     a:b, c\nmcps       m\n",
        ),
        (
            "mcp",
            "bad",
            "NAME  TYPE   STATE  COMMAND\ngood  stdio         npx -y x\n\
             bad   stdio  wrong  npx -y x\n",
            "mcp      bad\ntype     stdio\ncommand  npx -y x\ntrust    vault\nenv      TOKEN\n\
             wrong    no PATH; no x\n",
        ),
    ] {
        let ran = house.run(&[noun, "list"]);
        assert_eq!((ran.out.as_str(), ran.status), (list, Some(0)), "{noun}");
        let problems = if noun == "workspace" { "bad: no YAML\n" } else { "" };
        assert_eq!(ran.err, problems, "{noun}");
        let ran = house.run(&[noun, "show", name]);
        assert_eq!((ran.out.as_str(), ran.status), (sheet, Some(0)), "{noun}");
        let ran = house.run(&[noun, "remove", name]);
        assert_eq!((ran.out, ran.status), (format!("{name} removed\n"), Some(0)), "{noun}");
        assert!(stub.lines().last().unwrap().starts_with("DELETE "), "{noun}");
        assert!(json_of(&house.run(&[noun, "list", "--json"])).is_object(), "{noun}");
        assert!(json_of(&house.run(&[noun, "--json", "remove", name])).is_object(), "{noun}");
    }
    let shown = json_of(&house.run(&["workspace", "show", "trip", "--json"]));
    assert_eq!(shown["workspace"]["ofALaterServer"], 1);
}

#[test]
fn what_is_not_there_is_said_with_what_to_do_next() {
    let house = House::new();
    let _stub = house.serve(|heard, _| {
        let status = if heard.line.starts_with("POST") { 409 } else { 404 };
        Answer::Json(status, json!({"detail": "Skill 'x' is so"}))
    });
    for noun in ["workspace", "agent", "skill", "plugin", "mcp"] {
        for act in ["show", "remove"] {
            let ran = house.run(&[noun, act, "x"]);
            let said = format!(
                "parachute: Skill 'x' is so (the server answered 404)\n  \
                 hint: `parachute {noun} list` shows them all\n"
            );
            assert_eq!((ran.err, ran.out, ran.status), (said, String::new(), Some(1)));
        }
    }
    for args in [&["agent", "add", "x", "--prompt", "p"][..], &["mcp", "add", "x", "--", "y"]] {
        let ran = house.run(args);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        let said = format!("hint: choose another name, or see `parachute {} remove", args[0]);
        assert!(ran.err.contains(&said), "{ran:?}");
    }
}

#[test]
fn a_name_that_is_none_and_what_nobody_may_remove_are_told_apart() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.starts_with("DELETE") {
        true => Answer::Json(403, json!({"detail": "'vault-agent' is built in"})),
        false => Answer::Json(400, json!({"detail": "Invalid workspace slug"})),
    });
    let ran = house.run(&["workspace", "show", "The trip"]);
    let said = "parachute: Invalid workspace slug (the server answered 400)\n  \
                hint: `parachute workspace list` shows them all\n";
    assert_eq!((ran.err.as_str(), ran.status), (said, Some(1)));
    let ran = house.run(&["agent", "remove", "vault-agent"]);
    let said = "parachute: the server does not allow it: 'vault-agent' is built in\n";
    assert_eq!((ran.err.as_str(), ran.status), (said, Some(77)), "a key does not help");
}

#[test]
fn an_answer_of_somebody_else_is_no_list() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/skills" => Answer::Json(200, json!([])),
        _ => Answer::Json(200, json!({})),
    });
    for noun in ["skill", "agent"] {
        let ran = house.run(&[noun, "list"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.contains("does not speak as Parachute does"), "{ran:?}");
    }
}

#[test]
fn a_workspace_is_made_with_a_folder_that_the_server_can_find() {
    let house = House::new();
    let stub =
        house.serve(|_, _| Answer::Json(201, json!({"workspace": workspace("trip-2", "full")})));
    let ran = house.run(&["workspace", "add", "The trip"]);
    assert_eq!((ran.out.as_str(), ran.status), ("trip-2 added\n", Some(0)), "{ran:?}");
    let all = ["--dir", "work/", "--trust", "untrusted", "--model", "opus", "--json"];
    let ran = house.run(&[&["workspace", "add", "The trip"][..], &all].concat());
    assert_eq!(json_of(&ran)["workspace"]["slug"], "trip-2");
    house.run(&["workspace", "add", "x", "--dir", "/vault/trip", "--trust", "vault"]);
    let heard = stub.heard();
    assert_eq!(heard[0].line, "POST /api/workspaces");
    assert_eq!(heard[0].body["name"], "The trip");
    for open in ["default_trust_level", "working_directory", "model", "capabilities"] {
        assert_eq!(heard[0].body[open], Value::Null, "{open}");
    }
    let here = house.path("").canonicalize().unwrap().join("work");
    assert_eq!(heard[1].body["working_directory"], here.to_str().unwrap());
    assert_eq!(heard[1].body["default_trust_level"], "sandboxed");
    assert_eq!(heard[1].body["model"], "opus");
    assert_eq!(heard[2].body["working_directory"], "/vault/trip");
    assert_eq!(heard[2].body["default_trust_level"], "vault");
}

#[test]
fn a_workspaces_network_is_set_and_its_limits_stay() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        let mut there = workspace("trip", "sandboxed");
        if heard.line.ends_with("/plain") {
            there["sandbox"] = Value::Null;
        }
        Answer::Json(200, json!({"workspace": there}))
    });
    let ran = house.run(&["workspace", "set", "trip", "--network", "full"]);
    assert_eq!((ran.out.as_str(), ran.status), ("trip changed\n", Some(0)), "{ran:?}");
    house.run(&["workspace", "set", "plain", "--network", "none", "--json"]);
    house.run(&["workspace", "add", "The trip", "--network", "full"]);
    let heard = stub.heard();
    assert_eq!(heard[1].line, "PUT /api/workspaces/trip");
    let limits = json!({"memory": "1g", "cpu": "2", "timeout": 60, "network": "full"});
    let usual = json!({"memory": "1g", "cpu": "1.0", "timeout": 3600, "network": "none"});
    assert_eq!((&heard[1].body["sandbox"], &heard[3].body["sandbox"]), (&limits, &usual));
    assert_eq!(heard[4].body["sandbox"]["network"], "full");
}

#[test]
fn an_agents_prompt_is_an_argument_or_standard_input() {
    let house = House::new();
    let stub = house.serve(|_, _| Answer::Json(200, agent("planner", "custom_agents")));
    let ran = house.run(&["agent", "add", "planner", "--prompt", "- You plan."]);
    assert_eq!((ran.out.as_str(), ran.status), ("planner added\n", Some(0)), "{ran:?}");
    let ran = house.run_with(&["agent", "add", "planner", "--prompt", "-"], b"You plan.\nWell.\n");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let heard = stub.heard();
    assert_eq!(heard[0].line, "POST /api/agents");
    assert_eq!(
        (&heard[0].body["name"], &heard[0].body["prompt"]),
        (&json!("planner"), &json!("- You plan."))
    );
    assert_eq!(heard[1].body["prompt"], "You plan.\nWell.\n");
    let ran = house.run_with(&["agent", "add", "planner", "--prompt", "-"], b"\xff");
    assert_eq!(ran.status, Some(2));
    assert!(ran.err.starts_with("parachute: the prompt is not UTF-8\n"), "{ran:?}");
}

/// The name and the bytes of the only file in a form.
fn file_in(kind: &str, body: &[u8]) -> (String, Vec<u8>) {
    let line = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let end = format!("\r\n--{line}--\r\n");
    let body = body.strip_suffix(end.as_bytes()).unwrap();
    let at = body.windows(4).position(|piece| piece == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(body[..at].to_vec()).unwrap();
    let begin = format!("--{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
    let name = head.strip_prefix(&begin).unwrap().split("\"\r\n").next().unwrap();
    (name.to_owned(), body[at + 4..].to_vec())
}

#[test]
fn a_skill_goes_as_an_archive_with_its_front_matter_as_it_is() {
    let house = House::new();
    let stub =
        house.serve(|_, _| Answer::Json(200, json!({"success": true, "skill": skill("pack")})));
    let text = "---\nname: pack\nallowed-tools: [Read]\nmine: yes\n---\n# Pack\n";
    fs::write(house.path("Pack light.MD"), text).unwrap();
    // Not looked into, whatever is in it: here, what stands between the parts of a form.
    let archive = b"PK\r\n-------parachute-0--\r\n\0\xff";
    fs::write(house.path("a\"b.zip"), archive).unwrap();
    for file in ["Pack light.MD", "a\"b.zip"] {
        let ran = house.run(&["skill", "add", file]);
        assert_eq!((ran.out.as_str(), ran.status), ("pack added\n", Some(0)), "{ran:?}");
    }
    let heard = stub.heard();
    assert_eq!(heard[0].line, "POST /api/skills/upload");
    let (name, packed) = file_in(heard[0].kind.as_deref().unwrap(), &heard[0].bytes);
    assert_eq!(name, "Pack light.zip");
    let mut packed = ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
    assert_eq!(packed.len(), 1);
    let mut read = String::new();
    packed.by_name("SKILL.md").unwrap().read_to_string(&mut read).unwrap();
    assert_eq!(read, text);
    let sent = file_in(heard[1].kind.as_deref().unwrap(), &heard[1].bytes);
    assert_eq!(sent, ("a%22b.zip".to_owned(), archive.to_vec()));
    let ran = house.run(&["skill", "add", "none.md"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.starts_with("parachute: cannot read none.md: "), "{ran:?}");
}

#[test]
fn a_plugin_is_installed_updated_and_asked_about() {
    let house = House::new();
    let stub = house.serve(|heard, before| match heard.line.as_str() {
        "GET /api/plugins/kit/check-update" => Answer::Json(
            200,
            match before % 2 {
                0 => json!({"upToDate": true, "slug": "kit", "latest": "abc"}),
                _ => json!({"upToDate": false, "behind": 3, "slug": "kit", "latest": "def"}),
            },
        ),
        _ => Answer::Json(200, json!({"success": true, "plugin": plugin("kit")})),
    });
    let ran = house.run(&["plugin", "add", "https://git.example/kit", "--slug", "kit"]);
    assert_eq!((ran.out.as_str(), ran.status), ("kit added, version 2.0.0\n", Some(0)), "{ran:?}");
    let ran = house.run(&["plugin", "update", "kit"]);
    assert_eq!(ran.out, "kit updated, version 2.0.0\n");
    assert_eq!(house.run(&["plugin", "check", "kit"]).out, "kit is up to date\n");
    let ran = house.run(&["plugin", "check", "kit"]);
    assert_eq!(ran.out, "kit is behind by 3 or more; `parachute plugin update kit`\n");
    let ran = house.run(&["plugin", "check", "kit", "--json"]);
    assert_eq!(json_of(&ran)["upToDate"], true);
    let heard = stub.heard();
    assert_eq!(heard[0].line, "POST /api/plugins/install");
    assert_eq!(heard[0].body, json!({"url": "https://git.example/kit", "slug": "kit"}));
    assert_eq!(heard[1].line, "POST /api/plugins/kit/update");
}

#[test]
fn an_mcp_server_is_put_down_and_none_is_replaced() {
    let house = House::new();
    let stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/mcps/old" => Answer::Json(200, mcp("old", &[])),
        "POST /api/mcps" => {
            let name = heard.body["name"].as_str().unwrap();
            Answer::Json(200, json!({"success": true, "server": mcp(name, &[])}))
        }
        _ => Answer::Json(404, json!({"detail": "none"})),
    });
    let ran = house.run(&["mcp", "add", "files", "--", "npx", "-y", "--json", "--url"]);
    assert_eq!((ran.out.as_str(), ran.status), ("files added\n", Some(0)), "{ran:?}");
    let ran = house.run(&["mcp", "add", "there", "--url", "https://x.example/mcp", "--json"]);
    assert_eq!(json_of(&ran)["server"]["name"], "there");
    let ran = house.run(&["mcp", "add", "old", "--", "npx"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.starts_with("parachute: there is an MCP server \"old\" already\n"), "{ran:?}");
    assert!(ran.err.contains("`parachute mcp remove`"), "{ran:?}");
    let put: Vec<Value> = stub.heard().into_iter().map(|heard| heard.body).collect();
    let command = json!({"command": "npx", "args": ["-y", "--json", "--url"]});
    assert_eq!(put[1], json!({"name": "files", "config": command}));
    let place = json!({"type": "http", "url": "https://x.example/mcp"});
    assert_eq!(put[3], json!({"name": "there", "config": place}));
    assert_eq!(put.len(), 5);
}

#[test]
fn an_mcp_server_is_tried_and_its_tools_are_listed() {
    let house = House::new();
    let _stub = house.serve(|heard, _| {
        Answer::Json(
            200,
            match heard.line.as_str() {
                "POST /api/mcps/good/test" => {
                    json!({"name": "good", "builtin": false, "status": "ok",
            "message": "files speaks MCP 2025-06-18; its tools: 1", "toolsCount": 1,
            "tools_count": 1, "protocolVersion": "2025-06-18"})
                }
                "POST /api/mcps/bad/test" => {
                    json!({"name": "bad", "builtin": false, "status": "error",
            "error": "npx was not found", "hint": "install it"})
                }
                "GET /api/mcps/good/tools" => json!({"name": "good", "toolsCount": 2,
            "tools": [{"name": "read", "description": "Reads\na file"},
                {"name": "write", "description": null}]}),
                _ => json!({"name": "bad", "tools": [], "error": "npx was not found"}),
            },
        )
    });
    let ran = house.run(&["mcp", "test", "good"]);
    let said = "good: files speaks MCP 2025-06-18; its tools: 1\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(0)), "{ran:?}");
    let ran = house.run(&["mcp", "test", "bad"]);
    let said = "parachute: bad: npx was not found\n  hint: install it\n";
    assert_eq!((ran.err.as_str(), ran.out.as_str(), ran.status), (said, "", Some(1)));
    let ran = house.run(&["mcp", "tools", "good"]);
    assert_eq!(ran.out, "NAME   DESCRIPTION\nread   Reads a file\nwrite\n");
    let ran = house.run(&["mcp", "tools", "bad"]);
    assert_eq!((ran.err.as_str(), ran.status), ("parachute: bad: npx was not found\n", Some(1)));
    for (act, field, value) in
        [("test", "status", json!("error")), ("tools", "error", json!("npx was not found"))]
    {
        let ran = house.run(&["mcp", act, "bad", "--json"]);
        assert_eq!((&json_of(&ran)[field], ran.status), (&value, Some(1)), "{act}");
    }
}
