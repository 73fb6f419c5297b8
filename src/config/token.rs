//! The credential for the model's vendor: where it may lie, and which one counts. It is looked
//! for anew each time, so that a changed file needs no restart. Nothing is sent or checked here.

use crate::file;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use wire::Secret;
use wire::agent::{Credential, CredentialKind};

/// How keys of the vendor's API begin; what stands in a place for subscription tokens and begins
/// like this is one of them all the same.
const API_KEY_PREFIX: &str = "sk-ant-api";

/// Longest credential, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;

/// Where to look, strongest first: the service manager's credentials, the environment, the
/// config, the vault's `.token`.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<&'a Path>,
    /// Variables of the process.
    pub environment: &'a BTreeMap<String, String>,
    /// `claude_code_oauth_token` of the settings.
    pub configured: Option<&'a Secret>,
    /// `vault/.parachute/.token`.
    pub file: &'a Path,
}

/// Where a credential was found; the secret itself is no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(&'static str),
    /// The config or `.env`.
    Config,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Variable(name) => write!(f, "the variable {name}"),
            Place::Config => f.write_str("claude_code_oauth_token in the config"),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The credential that counts, and where it lies.
    pub credential: Option<(Credential, Place)>,
    /// Places that were passed over, and a `.token` that others may read.
    pub warnings: Vec<String>,
}

/// Looks for the credential. Blocks for a few reads of small files.
pub fn find(places: &Places<'_>) -> Found {
    let mut found = Found::default();
    let from_manager = [
        ("anthropic_api_key", CredentialKind::ApiKey),
        ("claude_code_oauth_token", CredentialKind::OauthToken),
    ];
    for (name, kind) in from_manager {
        if let Some(folder) = places.credentials {
            found.file(kind, &folder.join(name));
            found.file(kind, &folder.join(name.replace('_', "-")));
        }
    }
    let from_environment = [
        ("ANTHROPIC_API_KEY", CredentialKind::ApiKey),
        ("CLAUDE_CODE_OAUTH_TOKEN", CredentialKind::OauthToken),
        ("ANTHROPIC_AUTH_TOKEN", CredentialKind::AuthToken),
    ];
    for (name, kind) in from_environment {
        if let Some(text) = places.environment.get(name) {
            found.take(kind, text, || Place::Variable(name));
        }
    }
    if let Some(secret) = places.configured {
        found.take(CredentialKind::OauthToken, secret.expose(), || Place::Config);
    }
    if found.file(CredentialKind::OauthToken, places.file) && file::is_open_to_others(places.file) {
        let path = places.file.display();
        found.warnings.push(format!("others may read {path}; run: chmod 600 {path}"));
    }
    found
}

impl Found {
    /// True if the file was read, whether or not it is the one that counts.
    fn file(&mut self, kind: CredentialKind, path: &Path) -> bool {
        match file::read(path) {
            Ok(None) => false,
            Ok(Some(text)) => {
                let text = Secret::new(text);
                self.take(kind, text.expose(), || Place::File(path.to_owned()));
                true
            }
            Err(error) => {
                self.warnings
                    .push(format!("passed over, {} cannot be read: {error}", path.display()));
                false
            }
        }
    }

    /// Takes a text as the credential unless a stronger place had one.
    fn take(&mut self, kind: CredentialKind, text: &str, place: impl Fn() -> Place) {
        let text = text.trim();
        if self.credential.is_some() || text.is_empty() {
            return;
        }
        if text.len() > CREDENTIAL_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            self.warnings.push(format!("passed over, {} is not one word of text", place()));
            return;
        }
        let is_key = kind == CredentialKind::OauthToken && text.starts_with(API_KEY_PREFIX);
        let kind = if is_key { CredentialKind::ApiKey } else { kind };
        self.credential =
            Some((Credential { kind, secret: Secret::new(text.to_owned()) }, place()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    struct Home {
        folder: TempDir,
        environment: BTreeMap<String, String>,
        configured: Option<Secret>,
    }

    impl Home {
        fn new() -> Home {
            let folder = tempfile::tempdir().unwrap();
            Home { folder, environment: BTreeMap::new(), configured: None }
        }

        fn file(&self, name: &str, text: &str, mode: u32) {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn find(&self) -> Found {
            find(&Places {
                credentials: Some(self.folder.path()),
                environment: &self.environment,
                configured: self.configured.as_ref(),
                file: &self.folder.path().join(".token"),
            })
        }

        fn counts(&self) -> (CredentialKind, String) {
            let (credential, _) = self.find().credential.unwrap();
            (credential.kind, credential.secret.expose().to_owned())
        }
    }

    #[test]
    fn the_stronger_place_counts() {
        let mut home = Home::new();
        assert!(home.find().credential.is_none());
        home.file(".token", "file\n", 0o600);
        assert_eq!(home.counts(), (CredentialKind::OauthToken, "file".into()));
        home.configured = Some(Secret::new("configured".into()));
        assert_eq!(home.counts(), (CredentialKind::OauthToken, "configured".into()));
        for (name, kind) in [
            ("ANTHROPIC_AUTH_TOKEN", CredentialKind::AuthToken),
            ("CLAUDE_CODE_OAUTH_TOKEN", CredentialKind::OauthToken),
            ("ANTHROPIC_API_KEY", CredentialKind::ApiKey),
        ] {
            home.environment.insert(name.into(), name.to_lowercase());
            assert_eq!(home.counts(), (kind, name.to_lowercase()));
        }
        home.file("claude_code_oauth_token", "from-the-manager", 0o400);
        assert_eq!(home.counts(), (CredentialKind::OauthToken, "from-the-manager".into()));
        home.file("anthropic_api_key", "its-key", 0o400);
        assert_eq!(home.counts(), (CredentialKind::ApiKey, "its-key".into()));
    }

    #[test]
    fn an_api_key_in_a_tokens_place_is_one() {
        let home = Home::new();
        home.file(".token", "  sk-ant-api03-x\n", 0o600);
        assert_eq!(home.counts(), (CredentialKind::ApiKey, "sk-ant-api03-x".into()));
        home.file(".token", "sk-ant-oat01-x", 0o600);
        assert_eq!(home.counts(), (CredentialKind::OauthToken, "sk-ant-oat01-x".into()));
    }

    #[test]
    fn what_cannot_be_one_is_passed_over_and_nothing_shows_the_secret() {
        let mut home = Home::new();
        home.environment.insert("ANTHROPIC_API_KEY".into(), "two words".into());
        home.environment.insert("ANTHROPIC_AUTH_TOKEN".into(), " ".into());
        home.file(".token", "hush", 0o644);
        fs::create_dir(home.folder.path().join("anthropic_api_key")).unwrap();
        let found = home.find();
        let shown = format!("{found:?}");
        assert!(!shown.contains("hush") && !shown.contains("two words"), "{shown}");
        let (credential, place) = found.credential.unwrap();
        assert_eq!(credential.secret.expose(), "hush");
        assert!(matches!(place, Place::File(path) if path.ends_with(".token")));
        let [folder, words, open] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
        assert!(folder.contains("anthropic_api_key"), "{folder}");
        assert!(words.contains("ANTHROPIC_API_KEY"), "{words}");
        assert!(open.contains("chmod 600"), "{open}");
    }
}
