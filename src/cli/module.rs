//! `parachute module`: which modules there are and how they stand, the owner's word on one, and
//! whether those that come with the server answer. The server decides; `--json` shows what it
//! said.

use crate::args::{KindArgs, ModuleAct, One};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::table::{Table, pairs};
use crate::term::{Ink, line, print, print_json, tell, width};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io::{Write, stderr};
use wire::health::Health;
use wire::module::{Module, ModuleApproval, ModuleApproved, ModuleList, ModuleStatus};

const DOOR: &str = "/api/modules";
const HINT: &str = "`parachute module list` shows them all";

/// Digits of a digest in a table.
const TOLD: usize = 12;

/// What is asked of a module that comes with the server: method and door.
const TRIED: [(&str, &str, &str); 3] = [
    ("brain", "GET", "/api/brain/search?q=parachute"),
    ("brain", "POST", "/api/brain/reload"),
    ("daily", "GET", "/api/daily/entries?limit=1"),
];

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<ModuleAct>) -> Result<u8, Fail> {
    match &args.act {
        ModuleAct::List => list(&client, args.json).await,
        ModuleAct::Approve(one) => approve(&client, one, args.json).await,
        ModuleAct::Status => status(&client, args.json).await,
        ModuleAct::Test { name } => test(&client, name.as_deref(), args.json).await,
    }
}

async fn list(client: &Client, json: bool) -> Result<u8, Fail> {
    let answer: Value = client.ask(Ask::get(DOOR)).await?;
    if json {
        print_json(&answer)?;
        return Ok(exit::DONE);
    }
    let ModuleList { modules, error } = client.shape(answer)?;
    print(&table(&modules).show(width(), Ink::out()))?;
    tell_problems(&modules, error.as_deref())?;
    Ok(exit::DONE)
}

fn table(modules: &[Module]) -> Table {
    let mut table = Table::new(&["NAME", "VERSION", "STATE", "DIGEST", "PROVIDES"]);
    for module in modules {
        let digest = module.digest.iter().flat_map(|digest| digest.chars());
        table.row(vec![
            module.state.name.clone(),
            module.version.clone(),
            stands(module).to_owned(),
            digest.take(TOLD).collect(),
            module.provides.join(", "),
        ]);
    }
    table
}

/// How a module stands, in a word.
fn stands(module: &Module) -> &'static str {
    match module.state.status {
        ModuleStatus::Loaded if module.path.is_none() => "builtin",
        ModuleStatus::Loaded => "approved",
        ModuleStatus::PendingApproval if module.state.known_hash.is_none() => "new",
        ModuleStatus::PendingApproval => "modified",
        ModuleStatus::Unsupported => "not run",
        ModuleStatus::Broken => "broken",
    }
}

fn tell_problems(modules: &[Module], error: Option<&str>) -> Result<(), Fail> {
    let of_one = |module: &Module| {
        let problem = module.state.problem.as_deref()?;
        Some(format!("{}: {problem}", module.state.name))
    };
    for said in modules.iter().filter_map(of_one).chain(error.map(str::to_owned)) {
        writeln!(stderr(), "{}", Ink::err().yellow(&line(&said)))?;
    }
    Ok(())
}

/// Shows what is there, and approves that and nothing else.
async fn approve(client: &Client, one: &One, json: bool) -> Result<u8, Fail> {
    let ModuleList { modules, .. } = client.ask(Ask::get(DOOR)).await?;
    let module = named(&modules, &one.name)?;
    let Some(digest) = module.digest.clone() else {
        let none = "it comes with the server, and is approved with it";
        let problem = module.state.problem.as_deref().unwrap_or(none);
        return Err(Fail::local(format!("{}: {problem}", module.state.name), HINT));
    };
    if !json {
        print(&pairs(&shown(module, &digest), Ink::out()))?;
    }
    let name = utf8_percent_encode(&module.state.name, NON_ALPHANUMERIC);
    let ask = Ask::post(format!("{DOOR}/{name}/approve"));
    let asked = client.ask(ask.json(&ModuleApproval { digest: Some(digest) })).await;
    let answer: Value = asked.map_err(|fail| match fail {
        Fail::Refused { status: 404 | 409, .. } => Fail::local(fail.to_string(), HINT),
        fail => fail,
    })?;
    let approved: ModuleApproved = client.shape(answer.clone())?;
    tell(&format!("{} approved. {}", approved.name, approved.message), &answer, json)?;
    Ok(exit::DONE)
}

/// By its name, else by its folder's, as the server does.
fn named<'m>(modules: &'m [Module], name: &str) -> Result<&'m Module, Fail> {
    let of_folder = |module: &&Module| {
        let folder = module.path.as_deref().and_then(|path| path.strip_prefix(".modules/"));
        folder == Some(name)
    };
    let found = modules.iter().find(|module| module.state.name == name);
    found
        .or_else(|| modules.iter().find(of_folder))
        .ok_or_else(|| Fail::local(format!("there is no module {name:?}"), HINT))
}

/// What is approved.
fn shown(module: &Module, digest: &str) -> [(&'static str, String); 7] {
    [
        ("module", module.state.name.clone()),
        ("version", module.version.clone()),
        ("about", module.description.clone()),
        ("provides", module.provides.join(", ")),
        ("folder", module.path.clone().unwrap_or_default()),
        ("state", stands(module).to_owned()),
        ("digest", digest.to_owned()),
    ]
}

async fn status(client: &Client, json: bool) -> Result<u8, Fail> {
    let health: Value = client.ask(Ask::get("/api/health?detailed=true")).await?;
    let listed: Value = client.ask(Ask::get(DOOR)).await?;
    let shaped: Health = client.shape(health.clone())?;
    let vault = shaped.detail.map(|detail| detail.vault.path).unwrap_or_default();
    if json {
        print_json(&json!({
            "version": health["version"], "commit": health["commit"], "vault": vault,
            "modules": listed["modules"], "error": listed["error"],
        }))?;
        return Ok(exit::DONE);
    }
    let ModuleList { modules, error } = client.shape(listed)?;
    let commit = shaped.commit.unwrap_or_default();
    let facts = [("version", shaped.version), ("commit", commit), ("vault", vault)];
    let mut table = Table::new(&["NAME", "STATE", "DOORS", "PROVIDES"]);
    for module in &modules {
        let doors = match module.has_router {
            true => format!("/api/{}", module.state.name),
            false => String::new(),
        };
        let (name, provides) = (module.state.name.clone(), module.provides.join(", "));
        table.row(vec![name, stands(module).to_owned(), doors, provides]);
    }
    let ink = Ink::out();
    print(&format!("{}\n{}", pairs(&facts, ink), table.show(width(), ink)))?;
    tell_problems(&modules, error.as_deref())?;
    Ok(exit::DONE)
}

/// Asks the doors of those that come with the server; others have none.
async fn test(client: &Client, only: Option<&str>, json: bool) -> Result<u8, Fail> {
    let ModuleList { modules, .. } = client.ask(Ask::get(DOOR)).await?;
    let meant = |name: &str| only.is_none_or(|only| only == name);
    let names: Vec<&str> =
        modules.iter().map(|module| module.state.name.as_str()).filter(|n| meant(n)).collect();
    if names.is_empty() {
        let what = format!("there is no module {:?}", only.unwrap_or_default());
        return Err(Fail::local(what, HINT));
    }
    let mut results = Vec::new();
    for name in names {
        let mut doors = TRIED.iter().filter(|(of, _, _)| *of == name).peekable();
        if doors.peek().is_none() {
            results.push(json!({ "module": name, "result": "skip", "said": "it has no doors" }));
        }
        for (_, method, door) in doors {
            let ask = if *method == "GET" { Ask::get(*door) } else { Ask::post(*door) };
            let (result, said) = match client.ask::<Value>(ask).await {
                Ok(_) => ("pass", String::new()),
                Err(fail @ Fail::Refused { .. }) => ("fail", fail.to_string()),
                Err(fail) => return Err(fail),
            };
            let asked = format!("{method} {door}");
            results.push(json!({ "module": name, "asked": asked, "result": result, "said": said }));
        }
    }
    let many = |result: &str| results.iter().filter(|one| one["result"] == result).count();
    let (passed, failed, skipped) = (many("pass"), many("fail"), many("skip"));
    if json {
        let totals =
            json!({ "results": results, "passed": passed, "failed": failed, "skipped": skipped });
        print_json(&totals)?;
    } else {
        let mut table = Table::new(&["MODULE", "RESULT", "ASKED", "SAID"]);
        for one in &results {
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            let result = text("result").to_uppercase();
            table.row(vec![text("module"), result, text("asked"), text("said")]);
        }
        print(&table.show(width(), Ink::out()))?;
        print(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"))?;
    }
    Ok(if failed == 0 { exit::DONE } else { exit::FAILED })
}
