//! From the command line and the environment to the server, the supervisor, our key, the settings
//! and the vault.

use crate::args::Common;
use crate::client::Client;
use crate::fail::Fail;
use crate::place::Place;
use crate::suite::{SERVER, SUPERVISOR};
use config::settings::{Loaded, Sources, load};
use std::path::{Path, PathBuf};
use wire::Secret;

/// The supervisor's port where nobody gave it another.
pub(crate) const SUPERVISOR_PORT: u16 = 3334;

/// The server that is meant, and whether a person named it.
pub(crate) fn server(common: &Common) -> Result<(Client, bool), Fail> {
    let named = common.server.clone().or_else(|| variable("PARACHUTE_SERVER"));
    let place = match &named {
        Some(named) => Place::parse(named)?,
        None => match socket(host::Dirs::server_socket) {
            Some(place) => place,
            None => Place::loopback(settings(common)?.settings.port),
        },
    };
    Ok((Client::new(&SERVER, place, key()), named.is_some()))
}

/// The supervisor that is meant, and whether a person named it. The one beside a server that was
/// named is asked through that server, which lets callers with a key through to it.
pub(crate) fn supervisor(common: &Common) -> Result<(Client, bool), Fail> {
    let named = common
        .server
        .clone()
        .or_else(|| variable("PARACHUTE_SUPERVISOR"))
        .or_else(|| variable("PARACHUTE_SERVER"));
    match named {
        Some(named) => Ok((Client::new(&SUPERVISOR, Place::parse(&named)?, key()), true)),
        None => Ok((own_supervisor()?, false)),
    }
}

/// The supervisor of this machine, whatever a person named: its socket, if there is one, else its
/// port.
pub(crate) fn own_supervisor() -> Result<Client, Fail> {
    let place = match socket(host::Dirs::supervisor_socket) {
        Some(place) => place,
        None => Place::loopback(supervisor_port()?.unwrap_or(SUPERVISOR_PORT)),
    };
    Ok(Client::new(&SUPERVISOR, place, key()))
}

/// A socket of ours, if it is there. Without a home there is none; a port may still answer.
fn socket(which: impl Fn(&host::Dirs) -> PathBuf) -> Option<Place> {
    let path = which(&host::dirs().ok()?);
    path.exists().then_some(Place::Unix(path))
}

/// The port that a person gave the supervisor, if they did.
pub(crate) fn supervisor_port() -> Result<Option<u16>, Fail> {
    let Some(text) = variable("SUPERVISOR_PORT") else { return Ok(None) };
    match text.parse() {
        Ok(port @ 1..) => Ok(Some(port)),
        _ => {
            let said = format!("SUPERVISOR_PORT is {text:?}, which is no port");
            Err(Fail::usage(said, "a port is a number from 1 to 65535"))
        }
    }
}

fn key() -> Option<Secret> {
    variable("PARACHUTE_KEY").map(Secret::new)
}

/// The settings as a server that was started here would have them, `--vault` before all else.
/// Nothing is written: the last good copy of a config is the server's.
pub(crate) fn settings(common: &Common) -> Result<Loaded, Fail> {
    let lost = |e| Fail::local(format!("the current directory is gone: {e}"), "go to another one");
    let mut sources = Sources::of_process(None).map_err(lost)?;
    if let Some(vault) = &common.vault {
        let vault = absolute("--vault", vault)?;
        sources.environment.insert(VAULT.into(), vault);
    }
    Ok(load(&sources))
}

/// The vault of the settings, which has to be there: none is made by looking for it.
pub(crate) fn vault(loaded: &Loaded) -> Result<&Path, Fail> {
    let vault = &loaded.settings.vault_path;
    if vault.is_dir() {
        return Ok(vault);
    }
    let said = format!("there is no vault at {}", vault.display());
    let hint = "name it with --vault, or for good with `parachute config set vault_path PATH`";
    Err(Fail::local(said, hint))
}

/// The variable that stands above all that say where the vault is.
pub(crate) const VAULT: &str = "PARACHUTE_VAULT_PATH";

/// A path of the command line, said by `what`, for others than us, who do not know where the
/// person is. Without a slash at its end.
pub(crate) fn absolute(what: &str, path: &Path) -> Result<String, Fail> {
    let absolute = std::path::absolute(path)
        .map_err(|e| Fail::usage(format!("{what} {}: {e}", path.display()), "name a folder"))?;
    let text = absolute.components().collect::<PathBuf>().into_os_string().into_string();
    text.map_err(|_| Fail::usage(format!("{what} is not UTF-8"), "name another folder"))
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
