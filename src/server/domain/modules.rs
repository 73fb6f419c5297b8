//! Modules: which there are, their prompts, and how much is in their folders (contract-core §1.6).

pub(super) mod all;

use super::{Domain, DomainError};
use crate::vault::modules::ModuleFolder;
use wire::context::{ModulePrompt, ModulePromptSet, ModuleStats, NewModulePrompt};

/// A text to begin with, for whoever wants to write a module's prompt.
const DEFAULT_PROMPT: &str = "# Parachute Agent\n\nYou are an AI companion in Parachute - an open, \
    local-first tool for connected thinking.\n\n## Your Role\n\nYou are a **thinking partner and \
    memory extension**. Help the user:\n- Think through ideas and problems\n- Remember context \
    from past conversations\n- Explore topics and make connections\n- Find information when they \
    need it\n";

impl Domain {
    pub(crate) async fn module_prompt(&self, module: &str) -> Result<ModulePrompt, DomainError> {
        let folder = known(module)?;
        let content =
            self.in_vault(move |vault| Ok::<_, DomainError>(folder.prompt(vault)?)).await?;
        Ok(ModulePrompt {
            module: module.to_owned(),
            path: folder.prompt_path(),
            exists: content.is_some(),
            content,
            default_prompt: DEFAULT_PROMPT.into(),
        })
    }

    pub(crate) async fn set_module_prompt(
        &self,
        module: &str,
        new: NewModulePrompt,
    ) -> Result<ModulePromptSet, DomainError> {
        let folder = known(module)?;
        if new.reset {
            self.in_vault(move |vault| Ok::<_, DomainError>(folder.remove_prompt(vault)?)).await?;
            return Ok(ModulePromptSet { success: true, reset: Some(true), path: None });
        }
        let text = new
            .content
            .ok_or_else(|| DomainError::Bad("Either content or reset must be provided".into()))?;
        self.in_vault(move |vault| Ok::<_, DomainError>(folder.set_prompt(vault, &text)?)).await?;
        Ok(ModulePromptSet { success: true, path: Some(folder.prompt_path()), reset: None })
    }

    pub(crate) async fn module_stats(&self, module: &str) -> Result<ModuleStats, DomainError> {
        let folder = known(module)?;
        let look = move |vault: &crate::vault::Folder| {
            Ok::<_, DomainError>((folder.weight(vault), folder.prompt(vault)?.is_some()))
        };
        let ((file_count, total_size), has_prompt) = self.in_vault(look).await?;
        Ok(ModuleStats { module: module.to_owned(), file_count, total_size, has_prompt })
    }
}

fn known(module: &str) -> Result<ModuleFolder, DomainError> {
    let none = || DomainError::Missing(format!("Module not found: {module}"));
    ModuleFolder::of(module).ok_or_else(none)
}
