//! `parachute sandbox`: the image that sandboxed agents run in. The server builds it, and only
//! while somebody listens; here its lines are shown as they come.

use crate::args::{Json, SandboxAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::feed::{Feed, News};
use crate::table::pairs;
use crate::term::{Ink, plain, print, print_json};
use serde_json::Value;
use wire::health::Health;
use wire::sandbox::BuildEvent;

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, act: SandboxAct) -> Result<u8, Fail> {
    match act {
        SandboxAct::Build(args) => build(client, args).await,
        SandboxAct::Status(args) => status(&client, args).await,
    }
}

async fn build(client: Client, args: Json) -> Result<u8, Fail> {
    let body = client.stream(Ask::post("/api/sandbox/build")).await?;
    let mut feed = Feed::new(client.clone(), body, Fail::Unbuilt);
    loop {
        let event = match feed.next().await? {
            News::Event(event) => event,
            News::Ended => return Err(Fail::Unbuilt("the server said no more".into())),
            News::Broken(cause) => return Err(Fail::Unbuilt(cause)),
        };
        let told: BuildEvent = serde_json::from_str(&event.data).map_err(|e| client.foreign(e))?;
        if args.json {
            print(&(event.data + "\n"))?;
        }
        match told {
            BuildEvent::BuildProgress { line } if !args.json => {
                print(&(plain(line.trim_end()) + "\n"))?;
            }
            BuildEvent::BuildProgress { .. } => {}
            BuildEvent::BuildComplete {} if !args.json => {
                print("the image is built\n")?;
                return Ok(exit::DONE);
            }
            BuildEvent::BuildComplete {} => return Ok(exit::DONE),
            BuildEvent::BuildError { error } => {
                let hint = "`parachute sandbox status` says what there is, `parachute logs` more";
                return Err(Fail::local(format!("the image was not built: {error}"), hint));
            }
        }
    }
}

async fn status(client: &Client, args: Json) -> Result<u8, Fail> {
    let answer: Value = client.ask(Ask::get("/api/health?detailed=true")).await?;
    let docker = answer["docker"].clone();
    let health: Health = client.shape(answer)?;
    let Some(detail) = health.detail else {
        return Err(Fail::NotAllowed("strangers are not told what runs there".into()));
    };
    let found = detail.docker;
    let (engine, image) = match (found.available, found.image_exists) {
        (false, _) => ("none answers; install Docker or Podman, and start it", ""),
        (true, Some(false)) => ("answers", "; missing: `parachute sandbox build` builds it"),
        (true, Some(true)) => ("answers", "; it is there"),
        (true, None) => ("answers", "; the engine does not say whether it is there"),
    };
    if args.json {
        print_json(&docker)?;
    } else {
        let facts = [("engine", engine.to_owned()), ("image", found.image + image)];
        print(&pairs(&facts, Ink::out()))?;
    }
    let usable = found.available && found.image_exists == Some(true);
    Ok(if usable { exit::DONE } else { exit::NOT_RUNNING })
}
