//! All doors of the server. Each group has its rows, then its handlers: unwrap, one call of the
//! domain, wrap. The only place where the domain's errors get status codes.

mod agents;
mod auth;
mod brain;
mod chat;
mod claude_code;
mod contexts;
mod daily;
mod everything;
mod files;
mod health;
mod imports;
mod mcps;
mod migration;
mod modules;
mod permissions;
mod plugins;
mod sandbox;
mod sessions;
mod skills;
mod supervisor;
mod sync;
mod trusted;
mod vendor;
mod workspaces;

use crate::app::App;
use crate::domain::DomainError;
use crate::domain::keys::KeyError;
use crate::store::StoreError;
use crate::vault::FileError;
use crate::vault::git::GitError;
use crate::vault::plugins::PluginError;
use crate::vault::unpack::ArchiveError;
use http::StatusCode;
use serve::client::AskError;
use serve::{Fault, Table};
use std::io::ErrorKind;

/// The route table.
pub fn table() -> Table<App> {
    let rows = health::rows()
        .into_iter()
        .chain(auth::rows())
        .chain(brain::rows())
        .chain(chat::rows())
        .chain(claude_code::rows())
        .chain(contexts::rows())
        .chain(imports::rows())
        .chain(daily::rows())
        .chain(sandbox::rows())
        .chain(sessions::rows())
        .chain(permissions::rows())
        .chain(skills::rows())
        .chain(agents::rows())
        .chain(mcps::rows())
        .chain(migration::rows())
        .chain(modules::rows())
        .chain(plugins::rows())
        .chain(supervisor::rows())
        .chain(trusted::rows())
        .chain(workspaces::rows())
        .chain(vendor::rows())
        .chain(everything::rows())
        .chain(files::rows())
        .chain(sync::rows())
        .collect();
    Table::new("Parachute Computer", env!("CARGO_PKG_VERSION"), rows)
}

impl From<DomainError> for Fault {
    fn from(error: DomainError) -> Fault {
        let said = error.to_string();
        match error {
            DomainError::NoSession | DomainError::NoTranscript => Fault::missing(said),
            DomainError::Bad(_) => Fault::bad(said),
            DomainError::Missing(_) => Fault::missing(said),
            DomainError::Taken(_) | DomainError::Unusable(_) => {
                Fault::new(StatusCode::CONFLICT, said)
            }
            DomainError::Protected(_) => Fault::forbidden(said),
            DomainError::File(error) | DomainError::Archive(ArchiveError::File(error)) => {
                error.into()
            }
            DomainError::Plugin(PluginError::File(error)) => error.into(),
            DomainError::Git(GitError::Start(_)) => Fault::bug(error),
            DomainError::Archive(_) | DomainError::Git(_) | DomainError::Plugin(_) => {
                Fault::bad(said)
            }
            DomainError::NoStore(_) | DomainError::Away(_) => Fault::unready(said),
            DomainError::Notes(_) => Fault::unready(said),
            DomainError::Store(error) => error.into(),
            DomainError::History(_) | DomainError::Broken => Fault::bug(error),
        }
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Fault {
        let said = error.to_string();
        match error {
            FileError::Taken(_) => Fault::new(StatusCode::CONFLICT, said),
            FileError::Io { .. } => of_disk(error),
            FileError::TooLong(_)
            | FileError::TooMany
            | FileError::NotText(_)
            | FileError::Link(_) => Fault::bad(said),
        }
    }
}

/// What the disk refuses is told: the file's owner can do something about it.
fn of_disk(error: FileError) -> Fault {
    let FileError::Io { source, .. } = &error else { return Fault::bug(error) };
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Fault::forbidden("Permission denied").because(error)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let said = "there is no space left for the file; free some and try again";
            Fault::new(StatusCode::INSUFFICIENT_STORAGE, said).because(error)
        }
        _ => Fault::bug(error),
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        let said = error.to_string();
        match error {
            StoreError::Full { .. } => {
                Fault::new(StatusCode::INSUFFICIENT_STORAGE, said).because(error)
            }
            StoreError::ReadOnly { .. } | StoreError::Busy { .. } | StoreError::Closed => {
                Fault::unready(said).because(error)
            }
            error => Fault::bug(error),
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Fault {
        match error {
            KeyError::Unknown(_) => Fault::missing(error.to_string()),
            KeyError::Mode(_) => Fault::bad(error.to_string()),
            // The owner has to know what is wrong with the file; no secret is in the message.
            KeyError::File(_) => {
                Fault::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).because(error)
            }
            KeyError::Domain(error) => error.into(),
        }
    }
}

/// What an agent's refusal means here; `missing` is said where it has nothing of the kind.
fn of_agent(error: AskError, missing: String) -> Fault {
    match error {
        AskError::Refused(StatusCode::TOO_MANY_REQUESTS, _) => {
            Fault::new(StatusCode::TOO_MANY_REQUESTS, "Too many messages wait already")
        }
        AskError::Refused(StatusCode::NOT_FOUND, _) | AskError::Away(_) => Fault::missing(missing),
        other => Fault::unready("the session's agent does not answer").because(other),
    }
}
