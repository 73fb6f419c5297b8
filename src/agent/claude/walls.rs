//! The CLI within walls: the command that runs it confined, with its way out.

use super::env;
use super::start::{Begin, StartError};
use crate::outlet::Outlet;
use crate::view::{self, Own};
use host::child;
use std::io;
use std::path::{Path, PathBuf};
use tokio::process::Command;
use wire::agent::ClaudeSetup;

/// A command that runs the CLI confined to the vault, and its way out.
pub(super) fn confined(
    setup: &ClaudeSetup,
    begin: &Begin<'_>,
    program: &Path,
) -> Result<(Command, Outlet), StartError> {
    let failed = |error: io::Error| StartError::Unconfined(error.to_string());
    host::confine::available().map_err(|e| StartError::Unconfined(e.to_string()))?;
    let vault = begin.vault.canonicalize().map_err(failed)?;
    let directory = Path::new(&setup.directory).canonicalize().map_err(failed)?;
    if !directory.starts_with(&vault) {
        return Err(StartError::Outside(directory));
    }
    let program = program.canonicalize().map_err(failed)?;
    let own = Own::of(begin.dir).map_err(failed)?;
    let outlet = Outlet::open(begin.outlet, setup).map_err(failed)?;
    let given = given(setup, begin.dir).map_err(failed)?;
    let view = view::of_vault(&own, &vault, &directory, &program, &given, begin.outlet);
    let view = view.map_err(failed)?;
    let helper = std::env::current_exe().map_err(failed)?;
    let wrapped = view.command(&helper, &begin.dir.join("view.json"), &program);
    let (helper, words) = wrapped.map_err(failed)?;
    let mut command = child::command_bound(&helper, Path::new("/"), env::inside(setup, &own));
    command.args(words);
    Ok((command, outlet))
}

/// Files and folders elsewhere that the CLI is told to read.
pub(super) fn given(setup: &ClaudeSetup, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut given = Vec::new();
    for plugin in &setup.plugins {
        given.push(Path::new(plugin).canonicalize()?);
    }
    if setup.mcp_config.is_some() {
        given.push(dir.canonicalize()?.join("mcp.json"));
    }
    Ok(given)
}
