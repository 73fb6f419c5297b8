//! How plugins come and go (contract-extended §1.5): installed from a git repository, brought up
//! to date, removed. A plugin is there whole or not at all, is a commit that is written down, and
//! nothing of it is run by any of this.

use super::plugins::{missing, named};
use crate::domain::{Domain, DomainError};
use crate::vault::git::{self, Cloned};
use crate::vault::plugins::{self, PLACE, Plugin, Record};
use crate::vault::repo::{Repo, is_branch, is_slug};
use crate::vault::{FileError, Folder};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::Timestamp;
use wire::plugin::{NewPlugin, Plugin as Told, PluginCheck, PluginSource};

/// What is cloned is called so until it is in its place.
const NEW: &str = "plugin";

impl Domain {
    pub(crate) async fn install_plugin(
        self: &Arc<Domain>,
        new: NewPlugin,
        is_owner: bool,
    ) -> Result<Told, DomainError> {
        let domain = self.clone();
        self.to_its_end(async move { domain.install(new, is_owner).await }).await
    }

    pub(crate) async fn update_plugin(
        self: &Arc<Domain>,
        slug: String,
        is_owner: bool,
    ) -> Result<Told, DomainError> {
        let domain = self.clone();
        self.to_its_end(async move { domain.update(slug, is_owner).await }).await
    }

    /// Whether a plugin is what is newest, as its repository says now (trap T-76).
    pub(crate) async fn check_plugin(
        &self,
        slug: String,
        is_owner: bool,
    ) -> Result<PluginCheck, DomainError> {
        let (record, repo) = self.origin(&slug, is_owner).await?;
        let latest = git::newest(&repo, record.branch.as_deref()).await?;
        let up_to_date = record.commit.as_deref() == Some(latest.as_str());
        // How many there are between is not known without fetching them.
        let behind = (!up_to_date).then_some(1);
        Ok(PluginCheck { up_to_date, behind, slug, latest })
    }

    pub(crate) async fn delete_plugin(&self, slug: String) -> Result<String, DomainError> {
        let places = self.places();
        let removed = move |vault: &Folder| {
            if named(vault, &places, &slug)?.source != PluginSource::Parachute {
                // Trap T-77: the CLI's, too.
                let said = format!("Plugin '{slug}' was not installed here; the CLI removes it");
                return Err(DomainError::Protected(said));
            }
            let shelf = vault.folder(Path::new(PLACE))?.ok_or_else(|| missing(&slug))?;
            // At once for whoever looks, and only then file by file.
            let place = shelf.unfinished()?;
            let aside = shelf.folder_made(&place)?;
            let gone = shelf.rename(Path::new(&slug), &aside, Path::new(NEW));
            shelf.remove_folder(&place)?;
            gone.map(|()| slug).map_err(DomainError::from)
        };
        let slug = self.in_vault(removed).await?;
        tracing::info!(plugin = slug, "a plugin was removed");
        Ok(slug)
    }

    /// Goes on although whoever asked has left: what was begun is not left half done.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, DomainError>> + Send + 'static,
    ) -> Result<T, DomainError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.agents.spawn(async move {
            // Nobody listens any more where the client has left.
            let _ = tell.send(work.await);
        });
        told.await.map_err(|_| DomainError::Broken)?
    }

    async fn install(&self, new: NewPlugin, is_owner: bool) -> Result<Told, DomainError> {
        let repo = Repo::parse(&new.url, is_owner).map_err(DomainError::Bad)?;
        let slug = match new.slug.filter(|slug| !slug.is_empty()) {
            Some(slug) => Some(slug).filter(|slug| is_slug(slug)),
            None => repo.slug(),
        };
        let rule = "slug has to be up to 64 letters, digits, - and _, and begin with no mark";
        let slug = slug.ok_or_else(|| DomainError::Bad(rule.into()))?;
        let wanted = slug.clone();
        let place = self.in_vault(move |vault| {
            let shelf = vault.folder_made(Path::new(PLACE))?;
            if shelf.list()?.iter().any(|there| there.name == wanted) {
                return Err(installed(&wanted));
            }
            Ok::<_, DomainError>(shelf.unfinished()?)
        });
        let place = place.await?;
        let cloned = self.cloned(&repo, None, &place).await;
        let (slug_there, url) = (slug.clone(), repo.url().to_owned());
        let put = move |shelf: &Folder, place: &Path| {
            let new = shelf.folder_made(place)?;
            new.rename(Path::new(NEW), shelf, Path::new(&slug_there)).map_err(|error| match error {
                FileError::Taken(_) => installed(&slug_there),
                error => error.into(),
            })
        };
        self.finish(place, cloned, url, Timestamp::now(), put).await?;
        tracing::info!(plugin = slug, url = repo.url(), "a plugin was installed");
        self.plugin(slug).await
    }

    /// The newest commit of its branch in place of the one that is there, which stays until then.
    async fn update(&self, slug: String, is_owner: bool) -> Result<Told, DomainError> {
        let (record, repo) = self.origin(&slug, is_owner).await?;
        let branch = record.branch.as_deref();
        let newest = git::newest(&repo, branch).await?;
        if record.commit.as_ref() == Some(&newest) {
            return self.plugin(slug).await;
        }
        let place = self.in_vault(|vault| {
            Ok::<_, DomainError>(vault.folder_made(Path::new(PLACE))?.unfinished()?)
        });
        let place = place.await?;
        let cloned = self.cloned(&repo, branch, &place).await;
        let there = slug.clone();
        let put = move |shelf: &Folder, place: &Path| {
            shelf.swap(&place.join(NEW), Path::new(&there)).map_err(DomainError::from)
        };
        let since = record.installed_at.unwrap_or_else(Timestamp::now);
        self.finish(place, cloned, record.url, since, put).await?;
        tracing::info!(plugin = slug, commit = newest, "a plugin was brought up to date");
        self.plugin(slug).await
    }

    /// Clones into a folder of the plugins' place that is ours alone.
    async fn cloned(
        &self,
        repo: &Repo,
        branch: Option<&str>,
        place: &Path,
    ) -> Result<Cloned, DomainError> {
        let into = self.settings.vault_path.join(PLACE).join(place).join(NEW);
        Ok(git::clone(repo, branch, &into).await?)
    }

    /// Judges what was cloned, writes down what it is, and puts it in its place; then, however
    /// that went, takes away what is left.
    async fn finish(
        &self,
        place: PathBuf,
        cloned: Result<Cloned, DomainError>,
        url: String,
        installed_at: Timestamp,
        put: impl FnOnce(&Folder, &Path) -> Result<(), DomainError> + Send + 'static,
    ) -> Result<(), DomainError> {
        let finished = move |vault: &Folder| {
            let shelf = vault.folder_made(Path::new(PLACE))?;
            let done = cloned.and_then(|Cloned { commit, branch }| {
                let new = shelf.folder_made(&place.join(NEW))?;
                plugins::judge(&new)?;
                let (branch, commit) = (Some(branch), Some(commit));
                let installed_at = Some(installed_at);
                plugins::keep_record(&new, &Record { url, branch, commit, installed_at })?;
                put(&shelf, &place)
            });
            shelf.remove_folder(&place)?;
            done
        };
        self.in_vault(finished).await
    }

    /// Where a plugin came from, judged anew: its record is a file, and files can be changed.
    async fn origin(&self, slug: &str, is_owner: bool) -> Result<(Record, Repo), DomainError> {
        let (places, slug) = (self.places(), slug.to_owned());
        let found = self.in_vault(move |vault| {
            let plugin: Plugin = named(vault, &places, &slug)?;
            let unknown = || DomainError::Bad(format!("Plugin '{slug}' was not installed by git"));
            plugin.record.ok_or_else(unknown)
        });
        let record = found.await?;
        let repo = Repo::parse(&record.url, is_owner).map_err(DomainError::Bad)?;
        if record.branch.as_deref().is_some_and(|branch| !is_branch(branch)) {
            return Err(DomainError::Bad("the plugin's record names no branch".into()));
        }
        Ok((record, repo))
    }
}

fn installed(slug: &str) -> DomainError {
    DomainError::Bad(format!("Plugin '{slug}' is already installed"))
}
