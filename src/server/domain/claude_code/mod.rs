//! Sessions of the Claude CLI that were not begun here (contract-extended §5.5): listed, shown,
//! and taken over as sessions of ours. Where one worked is told by its records; the name of its
//! folder, of which every sign became a dash, is only a guess (trap T-86).

mod shelf;

pub(crate) use shelf::Shelf;

use super::keys::blocking;
use super::place::place;
use super::{Domain, DomainError};
use crate::limits::CLI_SHOWN_BYTES_MAX;
use crate::store::SessionRow;
use crate::vault::cli::{self, CliFile};
use imports::project;
use imports::session::{Facts, last_messages};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::claude_code::{
    Adopted, CliMessage, CliProject, CliProjects, CliSession, CliSessionDetail, CliSessions,
};
use wire::{SessionId, Timestamp};

/// Characters of a first message that make a title.
const TITLE_CHARS: usize = 60;
/// Parts of a path that are shown.
const PARTS_SHOWN: usize = 3;
/// By how much a file may have been written before the time that its last record tells.
const SLACK_US: i64 = 60_000_000;

/// The CLI's sessions as they are found now.
struct Look {
    root: PathBuf,
    shelf: Arc<Shelf>,
    files: Vec<CliFile>,
}

impl Domain {
    /// Looks at the CLI's sessions, off the event loop, one caller after the other.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(Look) -> Result<T, DomainError> + Send + 'static,
    ) -> Result<T, DomainError> {
        let (root, shelf) = (self.claude_projects(), self.cli_shelf.clone());
        let turn = shelf.turn.clone().lock_owned().await;
        blocking(move || {
            // Also of one whose caller has left.
            let _turn = turn;
            let mut files = cli::files(&root)?;
            files.sort_by_key(|file| Reverse(file.modified_us));
            work(Look { root, shelf, files })
        })
        .await?
    }

    /// The sessions that were used last.
    pub(crate) async fn cli_recent(&self, limit: usize) -> Result<CliSessions, DomainError> {
        self.look(move |look| Ok(look.recent(limit))).await
    }

    pub(crate) async fn cli_projects(&self) -> Result<CliProjects, DomainError> {
        self.look(|look| {
            let mut projects: Vec<CliProject> = look.projects().into_values().collect();
            projects.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(CliProjects { projects })
        })
        .await
    }

    /// The sessions of one working directory.
    pub(crate) async fn cli_sessions(&self, path: String) -> Result<CliSessions, DomainError> {
        self.look(move |look| {
            let projects = look.projects();
            let of = |file: &&CliFile| projects.get(&file.project).is_some_and(|p| is(p, &path));
            let files = look.files.iter().filter(of);
            let mut sessions: Vec<CliSession> = files.filter_map(|f| look.session(f)).collect();
            sessions.sort_by_key(|session| Reverse(session.last_timestamp));
            Ok(CliSessions { sessions })
        })
        .await
    }

    pub(crate) async fn cli_session(
        &self,
        id: SessionId,
        path: Option<String>,
    ) -> Result<CliSessionDetail, DomainError> {
        self.look(move |look| {
            let (file, facts) = look.find(&id, path.as_deref()).ok_or(DomainError::NoSession)?;
            let opened = cli::open(&look.root, file)?.ok_or(DomainError::NoSession)?;
            let told = last_messages(BufReader::new(opened), CLI_SHOWN_BYTES_MAX);
            let (told, left_out) = told.map_err(DomainError::History)?;
            let told = told.into_iter().map(|message| CliMessage {
                r#type: message.role,
                content: message.content,
                timestamp: message.timestamp,
            });
            Ok(CliSessionDetail {
                session_id: id.to_string(),
                title: title(&facts),
                cwd: facts.cwd.clone(),
                model: facts.model.clone(),
                created_at: facts.created,
                messages: told.collect(),
                left_out,
            })
        })
        .await
    }

    /// Makes a session of ours of one of the CLI's, under the same id.
    pub(crate) async fn adopt_cli_session(
        &self,
        id: SessionId,
        path: Option<String>,
        directory: Option<String>,
    ) -> Result<Adopted, DomainError> {
        let store = self.store().await?;
        if store.session(id.as_str()).await?.is_some() {
            return Ok(adopted(&id, None));
        }
        let named = id.clone();
        let facts = self
            .look(move |look| Ok(look.find(&named, path.as_deref()).map(|(_, facts)| facts)))
            .await?
            .ok_or(DomainError::NoSession)?;
        if facts.message_count == 0 {
            return Err(DomainError::Bad("there are no messages in this session".into()));
        }
        let row = SessionRow {
            title: title(&facts),
            source: "claude-code".into(),
            working_directory: self.adopted_place(&facts, directory).await?,
            model: facts.model.clone(),
            message_count: i64::try_from(facts.message_count).unwrap_or(i64::MAX),
            last_accessed: facts.last.unwrap_or_else(Timestamp::now),
            ..SessionRow::new(id.as_str(), facts.created.unwrap_or_else(Timestamp::now))
        };
        let count = store.insert_session(&row).await?.then_some(facts.message_count);
        tracing::info!(session = id.as_str(), "a session of the CLI was taken over");
        Ok(adopted(&id, count))
    }

    /// Where such a session works: where the caller says, else where it did, if that is there.
    async fn adopted_place(
        &self,
        facts: &Facts,
        directory: Option<String>,
    ) -> Result<Option<String>, DomainError> {
        let (vault, cwd) = (self.vault().to_owned(), facts.cwd.clone());
        blocking(move || {
            if let Some(directory) = directory.filter(|directory| !directory.trim().is_empty()) {
                let found = place(&vault, Some(&directory));
                return match found.refused {
                    Some(why) => Err(DomainError::Bad(why)),
                    None => Ok(found.stored),
                };
            }
            let found = place(&vault, cwd.as_deref());
            let outside = cwd.filter(|cwd| {
                found.refused.is_some()
                    && cwd.starts_with('/')
                    && !Path::new(cwd).starts_with(&vault)
            });
            // Where it is gone, the session says so in its next turn.
            Ok(found.stored.or(outside))
        })
        .await?
    }
}

impl Look {
    /// A file's last record is hardly ever younger than the file: the rest is not read once no
    /// file can hold anything newer than what was found.
    fn recent(&self, limit: usize) -> CliSessions {
        let mut newest: BinaryHeap<Reverse<i64>> = BinaryHeap::new();
        let mut sessions = Vec::new();
        for file in &self.files {
            if newest.len() >= limit
                && newest
                    .peek()
                    .is_some_and(|Reverse(at)| file.modified_us.saturating_add(SLACK_US) < *at)
            {
                break;
            }
            let Some(session) = self.session(file) else { continue };
            newest.push(Reverse(session.last_timestamp.map_or(0, Timestamp::as_micros)));
            if newest.len() > limit {
                newest.pop();
            }
            sessions.push(session);
        }
        sessions.sort_by_key(|session: &CliSession| Reverse(session.last_timestamp));
        sessions.truncate(limit);
        CliSessions { sessions }
    }

    /// Each folder that has sessions, by its name.
    fn projects(&self) -> BTreeMap<String, CliProject> {
        let mut projects: BTreeMap<String, CliProject> = BTreeMap::new();
        for file in &self.files {
            let project = projects.entry(file.project.clone()).or_insert_with(|| CliProject {
                encoded_name: file.project.clone(),
                path: String::new(),
                session_count: 0,
            });
            project.session_count += 1;
            // The newest that says where it worked.
            if project.path.is_empty() {
                let facts = self.shelf.facts(&self.root, file);
                let cwd = facts.and_then(|facts| facts.cwd.clone());
                project.path = cwd.unwrap_or_default();
            }
        }
        for project in projects.values_mut().filter(|project| project.path.is_empty()) {
            project.path = project::guess(&project.encoded_name);
        }
        projects
    }

    /// A session as it is listed; None where nobody said anything in it.
    fn session(&self, file: &CliFile) -> Option<CliSession> {
        let facts = self.shelf.facts(&self.root, file)?;
        let project_path = facts.cwd.clone().unwrap_or_else(|| project::guess(&file.project));
        (facts.message_count > 0).then(|| CliSession {
            session_id: file.id.clone(),
            title: title(&facts),
            first_message: facts.first_message.clone(),
            message_count: facts.message_count,
            model: facts.model.clone(),
            cwd: facts.cwd.clone(),
            project_display_name: display_name(&project_path),
            project_path,
            created_at: facts.created,
            last_timestamp: facts.last,
        })
    }

    /// The session of this id, in this project if one is named; the newest, if there are several.
    fn find(&self, id: &SessionId, path: Option<&str>) -> Option<(&CliFile, Arc<Facts>)> {
        let projects = path.map(|_| self.projects()).unwrap_or_default();
        let fits = |file: &&CliFile| {
            let project = projects.get(&file.project);
            file.id == id.as_str()
                && path.is_none_or(|path| project.is_some_and(|project| is(project, path)))
        };
        let file = self.files.iter().find(fits)?;
        Some((file, self.shelf.facts(&self.root, file)?))
    }
}

/// Whether this is the folder of a working directory, or its own name. A name is compared and
/// never made into a path (trap T-13).
fn is(found: &CliProject, path: &str) -> bool {
    let name = &found.encoded_name;
    found.path == path
        || name == path
        || *name == project::folder(path)
        || *name == project::folder_of_predecessor(path)
}

fn title(facts: &Facts) -> Option<String> {
    let cut = |first: &String| match first.char_indices().nth(TITLE_CHARS) {
        None => first.clone(),
        Some((at, _)) => format!("{}...", &first[..at]),
    };
    facts.title.clone().or_else(|| facts.first_message.as_ref().map(cut))
}

/// The last parts of a path.
fn display_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.len().checked_sub(PARTS_SHOWN) {
        None | Some(0) => path.to_owned(),
        Some(from) => format!(".../{}", parts[from..].join("/")),
    }
}

/// `count`: None if it was one of ours already.
fn adopted(id: &SessionId, count: Option<usize>) -> Adopted {
    let message = match count {
        None => "This session is one of Parachute's already".to_owned(),
        Some(count) => format!("The session was taken over with {count} messages"),
    };
    Adopted {
        success: true,
        already_adopted: count.is_none(),
        parachute_session_id: id.to_string(),
        message_count: count,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn the_end_of_a_path_is_shown() {
        for (path, shown) in
            [("/", "/"), ("/a/b/c", "/a/b/c"), ("/a/b/c/my-notes", ".../b/c/my-notes"), ("", "")]
        {
            assert_eq!(display_name(path), shown);
        }
    }
}
