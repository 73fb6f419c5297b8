//! Workspaces on disk: `.parachute/workspaces/<slug>/config.yaml` (contract-core §1.7). A file is
//! read leniently, keeps the keys that nobody knows here, and what restricts is never taken for
//! its opposite because it could not be understood.

use super::{FileError, Folder, Slug, front};
use serde_yaml::{Mapping, Value};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wire::Trust;
use wire::workspace::{
    Capabilities, Chosen, Network, NewWorkspace, OldPlugins, Sandbox, Workspace, WorkspaceChange,
};

pub(crate) const PLACE: &str = ".parachute/workspaces";
const FILE: &str = "config.yaml";
/// What the containers of a workspace leave.
const SANDBOXES: &str = ".parachute/sandbox";
/// How many workspaces can have names that give the same slug.
const NUMBER_MAX: u32 = 1000;

/// One change at a time: two at once would each undo the other's.
static CHANGING: Mutex<()> = Mutex::new(());

/// Why a workspace could not be had. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    /// Its file cannot be understood.
    #[error("{path} cannot be read: {said}; correct the file, or delete the workspace")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        said: String,
    },
    /// There are too many of one name.
    #[error("there are {NUMBER_MAX} workspaces of this name")]
    TooMany,
    /// Something with the files.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A workspace as its file has it.
#[derive(Debug)]
pub(crate) struct Stored {
    slug: Slug,
    fields: Mapping,
}

/// A slug, and what is in its folder.
type Listed = (Slug, Result<Stored, WorkspaceError>);

/// All of them by slug, those included that cannot be read.
pub(crate) fn all(vault: &Folder) -> Result<Vec<Listed>, FileError> {
    let Some(place) = vault.folder(Path::new(PLACE))? else { return Ok(Vec::new()) };
    let folders = place.list()?.into_iter().filter(|listed| listed.is_folder);
    let slugs = folders.filter_map(|listed| Slug::parse(&listed.name));
    Ok(slugs.filter_map(|slug| Some((slug.clone(), find(vault, &slug).transpose()?))).collect())
}

/// One of them. None: there is no such file.
pub(crate) fn find(vault: &Folder, slug: &Slug) -> Result<Option<Stored>, WorkspaceError> {
    let path = Path::new(PLACE).join(slug).join(FILE);
    let unreadable = |said: String| WorkspaceError::Unreadable { path: path.clone(), said };
    let text = match vault.read(&path) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let fields = match front::value(&text) {
        Ok(Value::Mapping(fields)) => fields,
        Ok(Value::Null) => Mapping::new(),
        Ok(_) => return Err(unreadable("it is no list of names and values".into())),
        Err(said) => return Err(unreadable(said)),
    };
    Ok(Some(Stored { slug: slug.clone(), fields }))
}

/// Makes one, in a folder of its own.
pub(crate) fn make(vault: &Folder, new: NewWorkspace) -> Result<Stored, WorkspaceError> {
    let _one = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let place = vault.folder_made(Path::new(PLACE))?;
    let wanted = Slug::of_name(&new.name);
    let numbered = (2..=NUMBER_MAX).map(|number| wanted.numbered(number));
    let mut stored = None;
    for slug in std::iter::once(wanted.clone()).chain(numbered) {
        match place.dir().create_dir(&slug) {
            Ok(()) => stored = Some(Stored { slug, fields: Mapping::new() }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(source) => return Err(FileError::Io { path: PLACE.into(), source }.into()),
        }
        break;
    }
    let mut stored = stored.ok_or(WorkspaceError::TooMany)?;
    stored.set(WorkspaceChange {
        name: Some(new.name),
        description: Some(Some(new.description.unwrap_or_default())),
        default_trust_level: Some(new.default_trust_level.unwrap_or_else(|| "trusted".into())),
        working_directory: Some(new.working_directory),
        model: Some(new.model),
        capabilities: Some(new.capabilities.unwrap_or_default()),
        sandbox: Some(new.sandbox),
    });
    if let Err(error) = stored.write(vault) {
        // An empty folder would only keep the name from others.
        place.remove_folder(stored.slug.as_ref())?;
        return Err(error.into());
    }
    Ok(stored)
}

/// Changes one. None: there is none of this slug.
pub(crate) fn change(
    vault: &Folder,
    slug: &Slug,
    change: WorkspaceChange,
) -> Result<Option<Stored>, WorkspaceError> {
    let _one = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut stored) = find(vault, slug)? else { return Ok(None) };
    stored.set(change);
    stored.write(vault)?;
    Ok(Some(stored))
}

/// Takes one away with what its containers left. False: there was none.
pub(crate) fn remove(vault: &Folder, slug: &Slug) -> Result<bool, FileError> {
    let _one = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    vault.remove_folder(&Path::new(SANDBOXES).join(slug))?;
    vault.remove_folder(&Path::new(PLACE).join(slug))
}

impl Stored {
    /// What it says of trust; a level that nobody knows is the strictest. None: it says nothing.
    pub(crate) fn trust(&self) -> Option<Trust> {
        let names = ["default_trust_level", "trust_level"];
        let said = names.iter().find_map(|name| self.fields.get(*name))?;
        Some(said.as_str().and_then(Trust::parse).unwrap_or(Trust::Sandboxed))
    }

    /// As its callers see it.
    pub(crate) fn shown(&self) -> Workspace {
        let trust = self.trust().unwrap_or(Trust::Full);
        Workspace {
            name: self.text("name").unwrap_or_else(|| self.slug.to_string()),
            slug: self.slug.to_string(),
            description: self.text("description").unwrap_or_default(),
            default_trust_level: trust.app_name().into(),
            working_directory: self.text("working_directory"),
            model: self.text("model"),
            capabilities: self.fields.get("capabilities").map_or_else(Default::default, set_of),
            sandbox: self.fields.get("sandbox").and_then(limits),
            trust,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        plain(self.fields.get(name)?).filter(|text| !text.trim().is_empty())
    }

    fn set(&mut self, change: WorkspaceChange) {
        if let Some(name) = change.name {
            self.put("name", name.into());
        }
        if let Some(description) = change.description {
            self.put("description", description.unwrap_or_default().into());
        }
        if let Some(trust) = change.default_trust_level.as_deref().and_then(Trust::parse) {
            // The old name would say something else from now on.
            self.fields.shift_remove("trust_level");
            self.put("default_trust_level", trust.stored_name().into());
        }
        let texts = [("working_directory", change.working_directory), ("model", change.model)];
        for (name, text) in texts {
            if let Some(text) = text {
                let text = text.filter(|text| !text.trim().is_empty());
                self.put(name, text.map_or(Value::Null, Value::from));
            }
        }
        if let Some(capabilities) = change.capabilities {
            let capabilities = serde_yaml::to_value(Capabilities::from(capabilities));
            self.put("capabilities", capabilities.expect("capabilities are always YAML"));
        }
        if let Some(sandbox) = change.sandbox {
            let sandbox = sandbox.map(|s| serde_yaml::to_value(s).expect("limits are always YAML"));
            self.put("sandbox", sandbox.unwrap_or(Value::Null));
        }
    }

    /// A field; null takes it away.
    fn put(&mut self, name: &str, value: Value) {
        match value {
            Value::Null => drop(self.fields.shift_remove(name)),
            value => drop(self.fields.insert(name.into(), value)),
        }
    }

    fn write(&self, vault: &Folder) -> Result<(), FileError> {
        let text = serde_yaml::to_string(&self.fields).expect("a mapping is always YAML");
        vault.replace(&Path::new(PLACE).join(&self.slug).join(FILE), text.as_bytes())
    }
}

fn set_of(value: &Value) -> Capabilities {
    let Value::Mapping(sets) = value else {
        let none = || Chosen::NONE;
        return Capabilities { mcps: none(), skills: none(), agents: none(), plugins: none() };
    };
    let plugins = match sets.get("plugins") {
        Some(old @ Value::Mapping(_)) => {
            serde_yaml::from_value::<OldPlugins>(old.clone()).unwrap_or_default().into()
        }
        other => chosen(other),
    };
    let of = |name: &str| chosen(sets.get(name));
    Capabilities { mcps: of("mcps"), skills: of("skills"), agents: of("agents"), plugins }
}

fn chosen(value: Option<&Value>) -> Chosen {
    match value {
        None => Chosen::ALL,
        Some(Value::String(all)) if all == "all" => Chosen::ALL,
        Some(Value::Sequence(names)) => Chosen::Named(names.iter().filter_map(plain).collect()),
        Some(_) => Chosen::NONE,
    }
}

/// The limits, each that cannot be kept being the usual one; a network that nobody knows is none.
fn limits(value: &Value) -> Option<Sandbox> {
    let Value::Mapping(said) = value else { return None };
    let usual = Sandbox::default();
    let text = |name: &str| said.get(name).and_then(plain);
    let timeout = said.get("timeout").and_then(Value::as_u64);
    let timeout = timeout.and_then(|t| u32::try_from(t).ok()).filter(|t| (1..=86_400).contains(t));
    let connected = text("network").as_deref() == Some(Network::Full.name());
    let mut limits = Sandbox {
        memory: text("memory").unwrap_or_default(),
        cpu: text("cpu").unwrap_or_default(),
        timeout: timeout.unwrap_or(usual.timeout),
        network: if connected { Network::Full } else { Network::None },
    };
    if limits.memory_bytes().is_none() {
        limits.memory = usual.memory;
    }
    if limits.cpus().is_none() {
        limits.cpu = usual.cpu;
    }
    Some(limits)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn vault() -> (TempDir, Folder) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join(PLACE).join("work")).expect("made");
        let folder = Folder::open(dir.path()).expect("opened").expect("there");
        (dir, folder)
    }

    fn put(dir: &TempDir, text: &str) {
        std::fs::write(dir.path().join(PLACE).join("work").join(FILE), text).expect("written");
    }

    fn work(vault: &Folder) -> Result<Option<Stored>, WorkspaceError> {
        find(vault, &Slug::parse("work").expect("a slug"))
    }

    #[test]
    fn what_cannot_be_understood_is_not_taken_for_trust() {
        let (dir, vault) = vault();
        assert!(work(&vault).expect("nothing").is_none());
        for (text, level) in [
            ("name: Work\ndefault_trust_level: untrusted\n", Some(Trust::Sandboxed)),
            ("trust_level: sandboxed\n", Some(Trust::Sandboxed)),
            ("\u{feff}trust_level: full\n", Some(Trust::Full)),
            ("default_trust_level: vault\ntrust_level: full\n", Some(Trust::Vault)),
            ("name: Work\n", None),
            ("", None),
            ("trust_level: [1]\n", Some(Trust::Sandboxed)),
            ("default_trust_level: root\n", Some(Trust::Sandboxed)),
            ("default_trust_level:\n", Some(Trust::Sandboxed)),
        ] {
            put(&dir, text);
            assert_eq!(work(&vault).expect("read").expect("there").trust(), level, "{text}");
        }
        for text in ["a: b: c\n", "- 1\n", "words\n", "\u{0}", "a: &a [*a]\n"] {
            put(&dir, text);
            assert!(matches!(work(&vault), Err(WorkspaceError::Unreadable { .. })), "{text:?}");
        }
        put(&dir, &"#".repeat((1 << 20) + 1));
        assert!(work(&vault).is_err());
    }

    #[test]
    fn what_restricts_is_not_taken_for_its_opposite() {
        let (dir, vault) = vault();
        let shown = |text: &str| {
            put(&dir, text);
            work(&vault).expect("read").expect("there").shown()
        };
        assert_eq!(shown("name: 7\n").capabilities, Capabilities::default());
        let named = shown("capabilities: {mcps: [a, 1], skills: none, plugins: {dirs: []}}\n");
        assert_eq!(named.capabilities.mcps, Chosen::Named(vec!["a".into(), "1".into()]));
        assert_eq!(named.capabilities.skills, Chosen::NONE);
        assert_eq!(named.capabilities.agents, Chosen::ALL);
        assert_eq!(named.capabilities.plugins, Chosen::NONE);
        let odd = shown("capabilities: {mcps: {a: 1}, skills: some, agents: 1, plugins: maybe}\n");
        let all = [odd.capabilities.mcps, odd.capabilities.skills, odd.capabilities.agents];
        assert_eq!(all, [Chosen::NONE, Chosen::NONE, Chosen::NONE]);
        assert_eq!(shown("capabilities: nothing\n").capabilities.plugins, Chosen::NONE);
        let limits = shown("sandbox: {memory: lots, cpu: 2, timeout: -1}\n").sandbox;
        let limits = limits.expect("limits");
        assert_eq!(
            (limits.memory.as_str(), limits.cpu.as_str(), limits.timeout),
            ("512m", "2", 300)
        );
        for (said, network) in [
            ("", Network::None),
            ("network: none", Network::None),
            ("network: full", Network::Full),
            ("network: host", Network::None),
            ("network: [full]", Network::None),
            ("network: yes", Network::None),
        ] {
            let limits = shown(&format!("sandbox: {{{said}}}\n")).sandbox.expect("limits");
            assert_eq!(limits.network, network, "{said}");
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_a_null_takes_away() {
        let (dir, vault) = vault();
        put(&dir, "mine: {deep: [1, 2]}\nname: Work\ntrust_level: full\nmodel: opus\n");
        let slug = Slug::parse("work").expect("a slug");
        let now = WorkspaceChange {
            default_trust_level: Some("vault".into()),
            model: Some(None),
            working_directory: Some(Some("Projects/x".into())),
            ..WorkspaceChange::default()
        };
        let changed = change(&vault, &slug, now).expect("changed").expect("there");
        assert_eq!(changed.trust(), Some(Trust::Vault));
        let file = dir.path().join(PLACE).join("work").join(FILE);
        let kept = std::fs::read_to_string(file).expect("a file");
        assert_eq!(
            kept,
            "mine:\n  deep:\n  - 1\n  - 2\nname: Work\ndefault_trust_level: vault\n\
             working_directory: Projects/x\n"
        );
    }

    proptest! {
        #[test]
        fn no_file_is_too_strange_and_none_raises_trust(
            text in "\\PC{0,60}|[a-z:_\\[\\]{}&* \n-]{0,60}",
        ) {
            let (dir, vault) = vault();
            put(&dir, &format!("default_trust_level: untrusted\n{text}"));
            if let Ok(Some(found)) = work(&vault) {
                prop_assert_eq!(found.trust(), Some(Trust::Sandboxed));
                let _ = found.shown();
            }
        }
    }
}
