//! The one list of keys. From it come parsing, validation, `config show`, the JSON schema and
//! the fields of [`Settings`]. What a key does is the business of whoever reads the field.

use super::kind::{Kind, Value};
use super::layer::Layer;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use wire::Secret;
use wire::auth::AuthMode;

/// The key that says where the config itself is found.
pub(super) const VAULT: &str = "vault_path";

/// A key of the config.
#[derive(Debug)]
pub struct Key {
    /// Its name in `config.yaml`; in capitals, with or without `PARACHUTE_`, in the environment.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default as it would stand in the environment.
    pub default: Option<&'static str>,
    /// Whether `config set` takes it.
    pub settable: bool,
    /// What it means.
    pub about: &'static str,
}

impl Key {
    /// The key of this name.
    pub fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Whether [`change`](super::change) takes it: all that can be set, except where the file
    /// that is changed would no longer be the one that is read.
    pub fn is_writable(&self) -> bool {
        self.settable && self.name != VAULT
    }

    /// Its default, if it has one.
    pub fn default_value(&self) -> Option<Value> {
        self.default.and_then(|text| self.kind.read_text(text))
    }
}

/// Where relative paths and `~` begin.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) cwd: &'a Path,
    pub(super) home: &'a Path,
}

impl Base<'_> {
    /// An absolute path; `~` is expanded here and nowhere else (trap 81).
    pub(super) fn path(self, text: &str) -> PathBuf {
        if text == "~" {
            return self.home.to_owned();
        }
        let path = match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => self.cwd.join(text),
        };
        // `./x` and `x` are one path.
        path.components().collect()
    }

    /// A bare name is looked up in `PATH` by whoever starts it.
    fn program(self, text: &str) -> PathBuf {
        if text.contains('/') { self.path(text) } else { text.into() }
    }
}

/// How a field is taken from its key's value. None: the key's kind and the field's type differ.
trait Field: Sized {
    fn take(value: Option<&Value>, kind: Kind, base: Base<'_>) -> Option<Self>;
}

macro_rules! fields {
    ($($type:ty: |$value:pat_param, $kind:pat_param, $base:pat_param| $read:expr;)+) => {
        $(impl Field for $type {
            fn take($value: Option<&Value>, $kind: Kind, $base: Base<'_>) -> Option<$type> {
                $read
            }
        })+
    };
}

fields! {
    bool: |value, _, _| value?.flag();
    u16: |value, _, _| u16::try_from(value?.number()?).ok();
    u32: |value, _, _| u32::try_from(value?.number()?).ok();
    String: |value, _, _| value?.text().map(str::to_owned);
    Option<String>: |value, _, _| Some(value.and_then(Value::text).map(str::to_owned));
    Option<Secret>: |value, _, _| Some(value.and_then(Value::secret).cloned());
    PathBuf: |value, _, base| Some(base.path(value?.text()?));
    Option<PathBuf>: |value, kind, base| Some(value.and_then(Value::text).map(|text| match kind {
        Kind::Program => base.program(text),
        _ => base.path(text),
    }));
    Vec<PathBuf>: |value, _, base| {
        Some(value?.list()?.iter().map(|text| base.path(text)).collect())
    };
    IpAddr: |value, _, _| super::kind::host(value?.text()?);
    AuthMode: |value, _, _| AuthMode::parse(value?.text()?);
}

macro_rules! keys {
    (
        $($(#[doc = $about:literal])+
        $name:ident: $type:ty = $kind:expr, $default:expr, $set:ident;)+
        unused: $($(#[doc = $old_about:literal])+ $old:ident = $old_kind:expr;)+
    ) => {
        /// Every key, in the order in which they are shown.
        pub const KEYS: &[Key] = &[
            $(Key {
                name: stringify!($name),
                kind: $kind,
                default: $default,
                settable: $set,
                about: concat!($($about),+).trim_ascii_start(),
            },)+
            $(Key {
                name: stringify!($old),
                kind: $old_kind,
                default: None,
                settable: false,
                about: concat!($($old_about),+).trim_ascii_start(),
            },)+
        ];

        /// The settings in force. Paths are absolute, numbers within their range.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $name: $type,)+
        }

        impl Settings {
            /// From a full stack of layers, the table's defaults at its bottom.
            pub(super) fn settle(layer: &Layer, base: Base<'_>) -> Settings {
                Settings {
                    $($name: {
                        let value = layer.get(stringify!($name)).map(|(value, _)| value);
                        <$type as Field>::take(value, $kind, base)
                            .expect("the kind of a key is the type of its field")
                    },)+
                }
            }
        }
    };
}

const YES: bool = true;
const NO: bool = false;
const DAY: i64 = 86_400;
const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

keys! {
    /// Folder with the notes; everything else is found from it.
    vault_path: PathBuf = Kind::Path, Some("./sample-vault"), YES;
    /// Port of the server.
    port: u16 = Kind::Number { min: 1, max: 65_535 }, Some("3333"), YES;
    /// Address the server listens on; one that is not of this machine alone needs a key.
    host: IpAddr = Kind::Host, Some("127.0.0.1"), YES;
    /// Web pages that may call the server: origins with commas between, `*` for the app's own.
    cors_origins: String = Kind::Text, Some("*"), YES;
    /// Who has to show a key, where server.yaml does not say.
    auth_mode: AuthMode = Kind::Choice(&["always", "remote", "disabled"]), Some("remote"), YES;
    /// Model for turns that name none.
    default_model: Option<String> = Kind::Text, None, YES;
    /// What is logged.
    log_level: String = Kind::Choice(LEVELS), Some("INFO"), YES;
    /// Kept for the predecessor; ours is fixed.
    log_format: Option<String> = Kind::Text, None, NO;
    /// Log as if log_level were DEBUG.
    debug: bool = Kind::Flag, Some("false"), YES;
    /// Longest message, in characters.
    max_message_length: u32 = Kind::Number { min: 1, max: 10_485_760 }, Some("102400"), NO;
    /// The database; Chat/sessions.db in the vault if not set.
    db_path: Option<PathBuf> = Kind::Path, None, NO;
    /// More folders with plugins.
    plugin_dirs: Vec<PathBuf> = Kind::List, Some("[]"), NO;
    /// Whether plugins of ~/.claude/plugins are used.
    include_user_plugins: bool = Kind::Flag, Some("true"), NO;
    /// Seconds without a connection after which the server leaves; 0 is never.
    idle_exit_seconds: u32 = Kind::Number { min: 0, max: 30 * DAY }, Some("600"), YES;
    /// Seconds without a turn after which an agent leaves; 0 is never.
    agent_idle_seconds: u32 = Kind::Number { min: 0, max: DAY }, Some("300"), YES;
    /// How many agents stay alive at once.
    agents_live_max: u32 = Kind::Number { min: 1, max: 64 }, Some("8"), YES;
    /// The Claude CLI; looked for in PATH if not set.
    claude_path: Option<PathBuf> = Kind::Program, None, YES;
    /// Image that the sandbox's is built on, if not debian:12-slim; it need only be there.
    sandbox_base: Option<String> = Kind::Text, None, NO;
    /// Where the vendor's API is, if not at its usual place.
    anthropic_base_url: Option<String> = Kind::Url, None, YES;
    /// Token of a Claude subscription.
    claude_code_oauth_token: Option<Secret> = Kind::Secret, None, NO;
    /// The predecessor's single key for callers; counts beside those of server.yaml.
    api_key: Option<Secret> = Kind::Secret, None, NO;
    unused:
    /// Known, and without effect.
    reload = Kind::Flag;
}

impl Settings {
    /// What is logged.
    pub fn log_level(&self) -> &str {
        if self.debug { "DEBUG" } else { &self.log_level }
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.db_path.clone().unwrap_or_else(|| self.vault_path.join("Chat").join("sessions.db"))
    }

    /// The origins of `cors_origins`; `*` stands for the app's own four (contract-core §4.6).
    pub fn origins(&self) -> Vec<String> {
        let own = ["localhost", "127.0.0.1"]
            .into_iter()
            .flat_map(|name| [3333, 3337].map(|port| format!("http://{name}:{port}")));
        self.cors_origins
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/'))
            .filter(|origin| !origin.is_empty())
            .flat_map(|origin| match origin {
                "*" => own.clone().collect(),
                other => vec![other.to_owned()],
            })
            .collect()
    }
}
