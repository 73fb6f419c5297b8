//! Skills: listed, made, taken in, deleted (contract-extended §1.3), and put together for a turn.

use crate::domain::{Domain, DomainError};
use crate::vault::{Folder, Front, Name, skills};
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
    let shelf = vault.folder_made(Path::new(skills::PLACE))?;
    if skills::find(&shelf, name.as_str())?.is_some() {
        return Err(taken(&name));
    }
    let mut front = Front { body: new.content, ..Front::default() };
    front.fields.insert("name".into(), new.name.into());
    if let Some(description) = new.description {
        front.fields.insert("description".into(), description.into());
    }
    skills::create(&shelf, &name, &front)?;
    let made = skills::find(&shelf, name.as_str())?;
    made.map(|made| made.skill).ok_or_else(|| missing(name.as_str()))
}

fn missing(name: &str) -> DomainError {
    DomainError::Missing(format!("Skill '{name}' not found"))
}

fn taken(name: &Name) -> DomainError {
    DomainError::Taken(format!("Skill '{name}' already exists"))
}
