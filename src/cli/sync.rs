//! `parachute sync`: what the server knows of the folders that devices keep the same. Files
//! themselves go between server and devices; nothing is moved from here.

use crate::args::SyncAct;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::table::{Table, ago, memory};
use crate::term::{Ink, plain, print, print_json, width};
use serde_json::Value;
use wire::Timestamp;
use wire::sync::{SyncAside, SyncStatus};

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, act: SyncAct) -> Result<u8, Fail> {
    let SyncAct::Status(args) = act;
    let answer: Value = client.ask(Ask::get("/api/sync/status")).await?;
    if args.json {
        print_json(&answer)?;
        return Ok(exit::DONE);
    }
    let SyncStatus { roots, aside, .. } = client.shape(answer)?;
    let mut table = Table::new(&["FILES", "DELETED", "LAST PUSH", "BY", "ROOT"]);
    let now = Timestamp::now().as_millis();
    for known in roots {
        let never = || "never".to_owned();
        table.row(vec![
            known.files.to_string(),
            known.tombstones.to_string(),
            known.last_push.map_or_else(never, |at| ago(at.as_millis(), now)),
            known.last_push_by.unwrap_or_default(),
            if known.root.is_empty() { "(the vault)".into() } else { known.root },
        ]);
    }
    print(&table.show(width(), Ink::out()))?;
    if aside.files > 0 {
        let SyncAside { folder, files, bytes, days } = aside;
        print(&format!(
            "\nFor {days} days the server keeps what a device replaced or deleted without having \
             surely seen it\n({files} texts, {}): {}\n",
            memory(bytes),
            plain(&folder)
        ))?;
    }
    Ok(exit::DONE)
}
