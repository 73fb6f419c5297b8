//! `parachute keys`: keys for callers from elsewhere, in the vault's own file and under its lock,
//! so that the first one can be made before any server listens widely. A server that runs reads
//! the file again by itself.

use crate::args::{Common, Json, KeysCommand, NewKeyArgs, OneKey};
use crate::fail::{Fail, exit};
use crate::reach;
use crate::table::{Table, ago};
use crate::term::{Ink, print, print_json, width};
use ::config::keys::{Keys, KeysError};
use serde_json::{json, to_value};
use std::io::{Write, stderr};
use wire::Timestamp;
use wire::auth::{KeyDeleted, KeyList, MadeKey};

/// Runs the command; answers with the exit status.
pub(crate) fn run(common: &Common, command: &KeysCommand) -> Result<u8, Fail> {
    let loaded = reach::settings(common)?;
    let file = reach::vault(&loaded)?.join(".parachute").join("server.yaml");
    let keys = Keys::load(&file).map_err(|e| fail(&e))?;
    let keys = keys.with_default_mode(loaded.settings.auth_mode);
    match command {
        KeysCommand::Create(args) => create(&keys, args)?,
        KeysCommand::List(args) => list(&keys, *args)?,
        KeysCommand::Revoke(args) => revoke(&keys, args)?,
    }
    Ok(exit::DONE)
}

fn create(keys: &Keys, args: &NewKeyArgs) -> Result<(), Fail> {
    let (info, key) = keys.create(&args.label).map_err(|e| fail(&e))?;
    if args.json.json {
        let (id, label, created_at) = (info.id, info.label, info.created_at);
        let made = MadeKey { id, label, key, created_at };
        print_json(&to_value(made).expect("our own shapes are always JSON"))?;
    } else {
        print(&format!("{}\n", key.expose()))?;
        writeln!(stderr(), "{} is shown this once; keep it like a password", info.id)?;
    }
    Ok(())
}

fn list(keys: &Keys, args: Json) -> Result<(), Fail> {
    let list = KeyList { keys: keys.list(), auth_mode: keys.mode() };
    if args.json {
        return Ok(print_json(&json!(list))?);
    }
    let mut table = Table::new(&["ID", "MADE", "USED", "LABEL"]);
    let now = Timestamp::now().as_millis();
    for key in list.keys {
        let used = key.last_used_at.map(|at| ago(at.as_millis(), now));
        table.row(vec![
            key.id,
            ago(key.created_at.as_millis(), now),
            used.unwrap_or_else(|| "never".into()),
            key.label,
        ]);
    }
    Ok(print(&table.show(width(), Ink::out()))?)
}

fn revoke(keys: &Keys, args: &OneKey) -> Result<(), Fail> {
    if !keys.revoke(&args.id).map_err(|e| fail(&e))? {
        let said = format!("there is no key {:?}", args.id);
        return Err(Fail::local(said, "`parachute keys list` shows them"));
    }
    if args.json.json {
        let deleted = KeyDeleted { status: "deleted".into(), id: args.id.clone() };
        return Ok(print_json(&json!(deleted))?);
    }
    Ok(print(&format!("{} opens no door any more\n", args.id))?)
}

fn fail(error: &KeysError) -> Fail {
    match error {
        KeysError::Label => Fail::usage(error.to_string(), "as in parachute keys create phone"),
        _ => Fail::Local { what: error.to_string(), hint: None },
    }
}
