//! Contexts: the folders and notes that a session has, what they lead to, and the prompt of a
//! turn that is made of them (contract-extended §1.8, contract-core §5.2).

use super::capabilities::definitions;
use super::prompt::{self, Ask, NamedAgent, Prompt};
use super::{Domain, DomainError};
use crate::limits::CONTEXTS_MAX;
use crate::store::SessionRow;
use crate::vault::Folder;
use crate::vault::contexts::{self, ContextPath, FILES, Told, in_order};
use wire::context::{Chain, ChainFile, ContextFolder, ContextFolders, SessionContexts};
use wire::definition::AgentInfo;

impl Domain {
    pub(crate) async fn context_folders(&self) -> Result<ContextFolders, DomainError> {
        let found = self.in_vault(|vault| Ok::<_, DomainError>(contexts::folders(vault)?)).await?;
        let folders: Vec<ContextFolder> = found.into_iter().map(shown).collect();
        Ok(ContextFolders { count: folders.len(), folders })
    }

    /// What contexts lead to, with commas between them.
    pub(crate) async fn context_chain(
        &self,
        named: &str,
        tokens_max: usize,
    ) -> Result<Chain, DomainError> {
        let paths = lawful(named.split(',').map(str::trim))?;
        self.chain(paths, tokens_max).await
    }

    pub(crate) async fn session_contexts(
        &self,
        id: &str,
        chain_tokens: Option<usize>,
    ) -> Result<SessionContexts, DomainError> {
        let kept = self.store().await?.contexts(id).await?.ok_or(DomainError::NoSession)?;
        let chain = match chain_tokens {
            Some(most) => {
                // What the predecessor kept unseen may lead anywhere.
                let paths = kept.iter().filter_map(|path| ContextPath::parse(path)).collect();
                Some(self.chain(paths, most).await?)
            }
            None => None,
        };
        Ok(SessionContexts { session_id: id.to_owned(), folder_paths: kept, chain })
    }

    pub(crate) async fn set_contexts(
        &self,
        id: &str,
        named: Vec<String>,
    ) -> Result<SessionContexts, DomainError> {
        let mut paths = lawful(named.iter().map(String::as_str))?;
        let mut seen = std::collections::HashSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        self.in_reach(paths.clone()).await?;
        let folder_paths = texts(paths);
        let set = self.store().await?.set_contexts(id, folder_paths.clone()).await?;
        let chain = None;
        let session_id = id.to_owned();
        set.then_some(SessionContexts { session_id, folder_paths, chain })
            .ok_or(DomainError::NoSession)
    }

    /// Adds a context, or takes it away; one that is there, or is not, is no fault.
    pub(crate) async fn change_contexts(
        &self,
        id: &str,
        named: &str,
        add: bool,
    ) -> Result<SessionContexts, DomainError> {
        let kept = self.store().await?.contexts(id).await?.ok_or(DomainError::NoSession)?;
        let changed = if add {
            let path = ContextPath::parse(named).ok_or_else(|| refused(named))?;
            if kept.len() >= CONTEXTS_MAX && !kept.iter().any(|kept| kept == path.as_str()) {
                return Err(too_many());
            }
            self.in_reach(vec![path.clone()]).await?;
            self.store().await?.add_context(id, path.as_str()).await?
        } else {
            // As it was kept, whatever that is; else as it would be.
            let plain = ContextPath::parse(named).map(|path| path.as_str().to_owned());
            let as_kept = kept.iter().any(|path| path == named);
            let path = plain.filter(|_| !as_kept).unwrap_or_else(|| named.to_owned());
            self.store().await?.remove_context(id, &path).await?
        };
        if !changed {
            return Err(DomainError::NoSession);
        }
        self.session_contexts(id, None).await
    }

    /// The contexts of a turn: those that its session has, and those of the request (trap 78).
    pub(super) async fn contexts(
        &self,
        row: Option<&SessionRow>,
        asked: Option<Vec<String>>,
    ) -> Result<Vec<String>, DomainError> {
        let mut all = match row {
            Some(row) => self.store().await?.contexts(&row.id).await?.unwrap_or_default(),
            None => Vec::new(),
        };
        all.extend(asked.into_iter().flatten());
        Ok(all)
    }

    /// Makes the prompt, with the agent of this path.
    pub(super) async fn prompt(
        &self,
        mut ask: Ask,
        agent_path: Option<String>,
    ) -> Result<Prompt, DomainError> {
        let kept = self.modules_kept.clone();
        self.in_vault(move |vault| {
            let loaded = definitions::load(vault, agent_path.as_deref());
            let found = loaded.map_err(|error| match (error, agent_path) {
                (DomainError::Missing(_), Some(path)) => {
                    DomainError::Missing(format!("Agent not found: {path}"))
                }
                (error, _) => error,
            })?;
            let AgentInfo { name, model, path, .. } = found.agent;
            let prompt = found.prompt;
            ask.agent = path.map(|path| NamedAgent { name, path, prompt, model });
            Ok(prompt::assemble(vault, ask, &kept))
        })
        .await
    }

    async fn chain(
        &self,
        paths: Vec<ContextPath>,
        tokens_max: usize,
    ) -> Result<Chain, DomainError> {
        let gather = move |vault: &Folder| {
            let paths = in_order(paths);
            Ok::<_, DomainError>(Told::default().gather(vault, &paths, tokens_max * 4))
        };
        let gathered = self.in_vault(gather).await?;
        let files: Vec<ChainFile> = gathered
            .files
            .into_iter()
            .map(|file| ChainFile {
                path: file.path,
                folder_path: file.asked.as_str().to_owned(),
                level: "direct".into(),
                tokens: prompt::to_tokens(file.chars),
                exists: file.exists,
            })
            .collect();
        let total_tokens = files.iter().map(|file| file.tokens).sum();
        Ok(Chain { files, total_tokens, truncated: gathered.truncated })
    }

    /// Refuses paths that links lead out of the vault, or to what is hidden in it.
    async fn in_reach(&self, paths: Vec<ContextPath>) -> Result<(), DomainError> {
        let check = move |vault: &Folder| match paths
            .iter()
            .find(|path| !contexts::is_in_reach(vault, path))
        {
            Some(path) => Err(refused(path.as_str())),
            None => Ok(()),
        };
        self.in_vault(check).await
    }
}

fn lawful<'p>(named: impl Iterator<Item = &'p str>) -> Result<Vec<ContextPath>, DomainError> {
    let mut paths = Vec::new();
    for path in named {
        if paths.len() >= CONTEXTS_MAX {
            return Err(too_many());
        }
        paths.push(ContextPath::parse(path).ok_or_else(|| refused(path))?);
    }
    Ok(paths)
}

fn refused(path: &str) -> DomainError {
    DomainError::Bad(format!("{path:?} cannot be a context: {}", ContextPath::RULE))
}

fn too_many() -> DomainError {
    DomainError::Bad(format!("a session has at most {CONTEXTS_MAX} contexts"))
}

fn texts(paths: Vec<ContextPath>) -> Vec<String> {
    paths.into_iter().map(|path| path.as_str().to_owned()).collect()
}

fn shown(folder: contexts::ContextFolder) -> ContextFolder {
    let contexts::ContextFolder { path, has_agents_md, has_claude_md } = folder;
    ContextFolder {
        context_file: FILES[usize::from(!has_agents_md)].into(),
        has_agents_md,
        has_claude_md,
        display_name: display_name(&path),
        path,
    }
}

/// The last part of a path as a title: `my-notes_2` is `My Notes 2`.
fn display_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut title = String::with_capacity(name.len());
    let mut in_word = false;
    for c in name.chars() {
        let c = if matches!(c, '-' | '_') { ' ' } else { c };
        match in_word {
            true => title.extend(c.to_lowercase()),
            false => title.extend(c.to_uppercase()),
        }
        in_word = c.is_alphabetic();
    }
    if title.is_empty() { "Root".into() } else { title }
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn a_folder_is_shown_by_a_name_for_people() {
        for (path, name) in [
            ("", "Root"),
            ("a/my-notes_2", "My Notes 2"),
            ("PROJECTS", "Projects"),
            ("über uns", "Über Uns"),
        ] {
            assert_eq!(display_name(path), name, "{path}");
        }
    }
}
