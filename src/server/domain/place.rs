//! Where a turn works: the folder that a request names, if it may be had.

use std::path::{Path, PathBuf};

/// Where a turn works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Absolute, and there.
    pub(crate) directory: PathBuf,
    /// As it is stored: `/vault/…`, absolute outside of the vault, None for the vault itself.
    pub(crate) stored: Option<String>,
    /// What was asked for and cannot be had.
    pub(crate) refused: Option<String>,
}

/// Finds the working directory of a request: relative to the vault, `/vault/…`, or absolute.
/// What names the vault must stay in it, symlinks followed.
pub(crate) fn place(vault: &Path, asked: Option<&str>) -> Place {
    let root = vault.canonicalize().unwrap_or_else(|_| vault.to_owned());
    let at_root =
        |refused: Option<String>| Place { directory: root.clone(), stored: None, refused };
    let Some(asked) = asked.map(str::trim).filter(|a| !a.is_empty() && *a != "/vault") else {
        return at_root(None);
    };
    let inside = asked.strip_prefix("/vault/").or((!asked.starts_with('/')).then_some(asked));
    let wanted = inside.map_or_else(|| PathBuf::from(asked), |rest| root.join(rest));
    let Ok(found) = wanted.canonicalize() else {
        return at_root(Some(format!("{asked} does not exist")));
    };
    if !found.is_dir() {
        return at_root(Some(format!("{asked} is not a folder")));
    }
    match found.strip_prefix(&root) {
        Ok(rest) if rest.as_os_str().is_empty() => at_root(None),
        Ok(rest) => {
            let stored = Some(format!("/vault/{}", rest.display()));
            Place { directory: found, stored, refused: None }
        }
        Err(_) if inside.is_some() => at_root(Some(format!("{asked} leads out of the vault"))),
        Err(_) => {
            let stored = Some(found.display().to_string());
            Place { directory: found, stored, refused: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_vault_stays_in_the_vault() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("there");
        let vault = root.join("vault");
        let sibling = root.join("vault-backup");
        for folder in [vault.join("work"), sibling.clone()] {
            std::fs::create_dir_all(folder).expect("made");
        }
        std::os::unix::fs::symlink(&sibling, vault.join("out")).expect("linked");
        let stored = |asked: Option<&str>| place(&vault, asked).stored;
        assert_eq!(stored(None), None);
        assert_eq!(stored(Some("work")), Some("/vault/work".into()));
        assert_eq!(stored(Some("/vault/work/../work")), Some("/vault/work".into()));
        let absolute = sibling.display().to_string();
        assert_eq!(stored(Some(&absolute)), Some(absolute.clone()));
        for out in ["../vault-backup", "/vault/../vault-backup", "out", "nowhere", "a\0b"] {
            let place = place(&vault, Some(out));
            assert_eq!((place.stored, place.directory), (None, vault.clone()), "{out:?}");
            assert!(place.refused.is_some(), "{out:?}");
        }
    }
}
