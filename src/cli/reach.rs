//! From the command line and the environment to the server, our key, the settings and the vault.

use crate::args::Common;
use crate::client::Client;
use crate::fail::Fail;
use crate::place::Place;
use config::settings::{Loaded, Sources, load};
use std::path::Path;
use wire::Secret;

/// The server that is meant, and whether a person named it.
pub(crate) fn server(common: &Common) -> Result<(Client, bool), Fail> {
    let named = common.server.clone().or_else(|| variable("PARACHUTE_SERVER"));
    let place = match &named {
        Some(named) => Place::parse(named)?,
        None => own_place(common)?,
    };
    let key = variable("PARACHUTE_KEY").map(Secret::new);
    Ok((Client::new(place, key), named.is_some()))
}

/// Its socket, if there is one, else the port of the config.
fn own_place(common: &Common) -> Result<Place, Fail> {
    // Without a home there is no socket of ours; the port may still answer.
    let socket = host::dirs().ok().map(|dirs| dirs.server_socket());
    match socket.filter(|path| path.exists()) {
        Some(path) => Ok(Place::Unix(path)),
        None => Ok(Place::loopback(settings(common)?.settings.port)),
    }
}

/// The settings as a server that was started here would have them, `--vault` before all else.
/// Nothing is written: the last good copy of a config is the server's.
pub(crate) fn settings(common: &Common) -> Result<Loaded, Fail> {
    let lost = |e| Fail::local(format!("the current directory is gone: {e}"), "go to another one");
    let mut sources = Sources::of_process(None).map_err(lost)?;
    if let Some(vault) = &common.vault {
        let vault = absolute(vault)?;
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

/// The path of `--vault`, for others than us.
pub(crate) fn absolute(vault: &Path) -> Result<String, Fail> {
    let path = std::path::absolute(vault)
        .map_err(|e| Fail::usage(format!("--vault {}: {e}", vault.display()), "name a folder"))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| Fail::usage("--vault is not UTF-8", "name another folder"))
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
