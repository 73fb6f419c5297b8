//! What modules' folders came to when they were read, for as long as they are looked at and
//! nothing of them has changed: their bytes are not read for each question. A file's mark of its
//! last change can be set by nobody, but a write through a mapping may leave none for a while,
//! and some file systems know no such mark. So no approval and no prompt hangs on what is kept:
//! whoever approves has everything read anew, and a prompt is told only if its text is still
//! the one that was counted. Which modules there are is found out elsewhere.

use super::super::Folder;
use super::super::files::now_ns;
use super::tree::{Look, Seal, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// By the folders' paths from the vault.
#[derive(Default)]
pub(crate) struct Kept(BTreeMap<PathBuf, (Seal, Tree)>);

impl Kept {
    /// Counts a module's folder, which is at this path of the vault, as long as there are bytes
    /// left; what is kept takes as many as if it were read. An error is for people.
    pub(crate) fn count(
        &mut self,
        vault: &Folder,
        module: &Path,
        room: &mut u64,
    ) -> Result<Tree, String> {
        self.count_at(vault, module, room, now_ns())
    }

    /// Forgets folders that are not among these: there are not more kept than there are.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.0.retain(|module, _| is_there(module));
    }

    fn count_at(
        &mut self,
        vault: &Folder,
        module: &Path,
        room: &mut u64,
        now_ns: i64,
    ) -> Result<Tree, String> {
        let look = Look::at(vault, module)?;
        let bytes = look.bytes(*room)?;
        if let Some((seal, tree)) = self.0.get(module)
            && *seal == look.seal()
        {
            *room -= bytes;
            return Ok(tree.clone());
        }
        self.0.remove(module);
        let counted = look.read(vault, module, room, now_ns)?;
        if counted.is_lasting {
            self.0.insert(module.to_owned(), (counted.seal, counted.tree.clone()));
        }
        Ok(counted.tree)
    }
}

#[cfg(test)]
mod tests;
