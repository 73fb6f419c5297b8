//! `parachute trust`: folders whose own hooks and tools an agent may run. What a folder would run
//! is looked at by the server, at the moment it is trusted; a change later takes trust away.

use crate::args::TrustArgs;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::reach;
use crate::table::{Table, ago};
use crate::term::{Ink, print, print_json, tell, width};
use serde_json::Value;
use std::path::Path;
use wire::Timestamp;
use wire::trusted::{TrustBody, TrustedFolder, TrustedFolders};

const DOOR: &str = "/api/trust";

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &TrustArgs) -> Result<u8, Fail> {
    let json = args.json.json;
    if args.list {
        list(&client, json).await?;
    } else if let Some(dir) = &args.remove {
        let body = TrustBody { path: reach::absolute("--remove", dir)? };
        let asked = client.ask::<Value>(Ask::delete(DOOR).json(&body)).await;
        let answer = asked.map_err(|fail| match fail {
            Fail::Refused { status: 404, .. } => {
                Fail::local(fail.to_string(), "`parachute trust --list` shows those that are")
            }
            fail => fail,
        })?;
        tell(&format!("{} is trusted no longer", body.path), &answer, json)?;
    } else {
        let dir = args.dir.as_deref().unwrap_or(Path::new("."));
        let body = TrustBody { path: reach::absolute("the folder", dir)? };
        let answer: Value = client.ask(Ask::put(DOOR).json(&body)).await?;
        let folder: TrustedFolder = client.shape(answer.clone())?;
        let said =
            format!("{} is trusted, as long as its hooks and tools stay as they are", folder.path);
        tell(&said, &answer, json)?;
    }
    Ok(exit::DONE)
}

async fn list(client: &Client, json: bool) -> Result<(), Fail> {
    let answer: Value = client.ask(Ask::get(DOOR)).await?;
    if json {
        return Ok(print_json(&answer)?);
    }
    let TrustedFolders { folders } = client.shape(answer)?;
    let mut table = Table::new(&["TRUSTED", "STATE", "FOLDER"]);
    let now = Timestamp::now().as_millis();
    for folder in folders {
        let state = if folder.changed { "changed" } else { "" };
        table.row(vec![ago(folder.since.as_millis(), now), state.to_owned(), folder.path]);
    }
    Ok(print(&table.show(width(), Ink::out()))?)
}
