//! `parachute-server --look` and `--take-over`: a survey as JSON on standard output, for
//! `parachute migrate`. Serves nothing.

use super::{SurveyError, keep};
use crate::store::Store;
use config::settings::{self, Sources};
use serve::fault::chain;
use std::io;
use std::process::ExitCode;
use wire::survey::Survey;

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("cannot find our folders")]
    Dirs(#[from] io::Error),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error("the survey cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What an older Parachute left in the vault; nothing is made or changed for it.
pub(crate) fn look() -> ExitCode {
    told(looked())
}

/// Keeps it as it was, and brings the database up to date, as the first start would.
pub(crate) fn take_over() -> ExitCode {
    told(taken_over())
}

fn looked() -> Result<Survey, Failed> {
    let dirs = host::dirs()?;
    // Without a state folder no good config is kept, so that nothing is written.
    let loaded = settings::load(&Sources::of_process(None)?);
    Ok(super::look(&loaded, &dirs.home)?)
}

fn taken_over() -> Result<Survey, Failed> {
    let dirs = host::dirs()?;
    dirs.create()?;
    let loaded = settings::load(&Sources::of_process(Some(dirs.state.clone()))?);
    host::log::init("parachute-server", Some(loaded.settings.log_level()));
    keep(&loaded)?;
    let before = super::look(&loaded, &dirs.home)?;
    if before.database.is_some_and(|database| database.is_behind) {
        Store::open(&loaded.settings.database()).map_err(SurveyError::from)?;
    }
    Ok(super::look(&loaded, &dirs.home)?)
}

#[allow(clippy::print_stdout, reason = "asked for on the command line")]
fn told(survey: Result<Survey, Failed>) -> ExitCode {
    match survey.and_then(|survey| Ok(serde_json::to_string_pretty(&survey)?)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("parachute-server: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}
