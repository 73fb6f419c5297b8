//! Skills: listed, made, taken in, deleted (contract-extended §1.3), and put together for a turn.

use crate::domain::{Domain, DomainError};
use crate::vault::unpack::unpack;
use crate::vault::{FileError, Folder, Front, Name, bounded, skills};
use bytes::Bytes;
use std::path::Path;
use wire::skill::{NewSkill, Skill};

impl Domain {
    pub(crate) async fn skills(&self) -> Result<Vec<Skill>, DomainError> {
        self.in_vault(list).await
    }

    pub(crate) async fn skill(&self, name: String) -> Result<Skill, DomainError> {
        let found = move |vault: &Folder| {
            let shelf = vault.folder(Path::new(skills::PLACE))?;
            let found = shelf.map(|shelf| skills::find(&shelf, &name)).transpose()?.flatten();
            found.map(|found| found.skill).ok_or_else(|| missing(&name))
        };
        self.in_vault(found).await
    }

    pub(crate) async fn make_skill(&self, new: NewSkill) -> Result<Skill, DomainError> {
        let made = self.in_vault(move |vault| make(vault, new)).await?;
        tracing::info!(skill = made.name, "a skill was made");
        Ok(made)
    }

    /// Takes in a skill as an archive of this name.
    pub(crate) async fn take_skill(
        &self,
        file: String,
        bytes: Bytes,
    ) -> Result<Skill, DomainError> {
        let taken = self.in_vault(move |vault| take_in(vault, &file, &bytes)).await?;
        tracing::info!(skill = taken.name, "a skill was taken in");
        Ok(taken)
    }

    pub(crate) async fn delete_skill(&self, name: String) -> Result<String, DomainError> {
        let deleted = move |vault: &Folder| {
            let shelf = vault.folder(Path::new(skills::PLACE))?.ok_or_else(|| missing(&name))?;
            let found = skills::find(&shelf, &name)?.ok_or_else(|| missing(&name))?;
            found.remove(&shelf)?;
            Ok::<_, DomainError>(name)
        };
        let name = self.in_vault(deleted).await?;
        tracing::info!(skill = name, "a skill was deleted");
        Ok(name)
    }
}

/// All skills of the vault.
fn list(vault: &Folder) -> Result<Vec<Skill>, DomainError> {
    let Some(shelf) = vault.folder(Path::new(skills::PLACE))? else { return Ok(Vec::new()) };
    Ok(skills::all(&shelf)?.into_iter().map(|found| found.skill).collect())
}

fn make(vault: &Folder, new: NewSkill) -> Result<Skill, DomainError> {
    let name = Name::parse(&new.name).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let mut front = Front { body: new.content, ..Front::default() };
    front.fields.insert("name".into(), new.name.into());
    if let Some(description) = new.description {
        front.fields.insert("description".into(), description.into());
    }
    let (file, text) = (name.with(".md"), front.write());
    bounded(Path::new(&file), text.as_bytes())?;
    let shelf = vault.folder_made(Path::new(skills::PLACE))?;
    if skills::find(&shelf, name.as_str())?.is_some() {
        return Err(taken(&name));
    }
    shelf.create(Path::new(&file), text.as_bytes())?;
    let made = skills::find(&shelf, name.as_str())?;
    made.map(|made| made.skill).ok_or_else(|| missing(name.as_str()))
}

/// The archive becomes a folder of its name: whole, and with a skill in it, or not at all.
fn take_in(vault: &Folder, file: &str, bytes: &[u8]) -> Result<Skill, DomainError> {
    let stem = [".skill", ".zip"].into_iter().find_map(|ending| {
        let (stem, end) = file.split_at_checked(file.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some(stem)
    });
    let stem =
        stem.ok_or_else(|| DomainError::Bad("the file has to be a .skill or .zip".into()))?;
    let name = Name::parse(stem).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let shelf = vault.folder_made(Path::new(skills::PLACE))?;
    if skills::find(&shelf, name.as_str())?.is_some() {
        return Err(taken(&name));
    }
    let place = shelf.unfinished()?;
    let unpacked = unpack_in(&shelf, &place, &name, bytes);
    shelf.remove_folder(&place)?;
    unpacked?;
    let made = skills::find(&shelf, name.as_str())?;
    made.map(|made| made.skill).ok_or_else(|| missing(name.as_str()))
}

fn unpack_in(shelf: &Folder, place: &Path, name: &Name, bytes: &[u8]) -> Result<(), DomainError> {
    let unfinished = shelf.folder_made(place)?;
    unpack(bytes, &unfinished.folder_made(name.as_ref())?)?;
    if skills::find(&unfinished, name.as_str())?.is_none() {
        return Err(DomainError::Bad("the archive has no SKILL.md in it".into()));
    }
    unfinished.rename(name.as_ref(), shelf, name.as_ref()).map_err(|error| match error {
        FileError::Taken(_) => taken(name),
        error => error.into(),
    })
}

fn missing(name: &str) -> DomainError {
    DomainError::Missing(format!("Skill '{name}' not found"))
}

fn taken(name: &Name) -> DomainError {
    DomainError::Taken(format!("Skill '{name}' already exists"))
}
