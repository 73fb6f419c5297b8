//! The CLI's environment: what it needs to be told, and nothing else of ours.

use crate::limits::OUTLET_PORT;
use crate::view::Own;
use host::child::{self, PATH_OTHERWISE};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use wire::agent::{ClaudeSetup, CredentialKind};
use wire::workspace::Network;

/// Variables of a confined CLI. What it shows as a credential is a word that means nothing; the
/// outlet puts the true one in its place.
pub(super) fn inside(setup: &ClaudeSetup, own: &Own) -> Vec<(OsString, OsString)> {
    const NOTHING: &str = "not-inside";
    let mut env = child::passed_on(&["LANG", "LANGUAGE", "LC_*", "TZ", "TERM"]);
    let mut set = |name: &str, value: &Path| env.push((name.into(), value.into()));
    let outlet = PathBuf::from(format!("http://127.0.0.1:{OUTLET_PORT}"));
    set("HOME", &own.home);
    set("CLAUDE_CONFIG_DIR", &own.config);
    set("TMPDIR", &own.tmp);
    set("PATH", Path::new(PATH_OTHERWISE));
    set("SHELL", Path::new("/bin/sh"));
    set("ANTHROPIC_BASE_URL", &outlet);
    // Who has a network of its own gets to the web by that.
    let connected = setup.container.as_ref().is_some_and(|c| c.network == Network::Full);
    for name in ["HTTPS_PROXY", "https_proxy"].iter().filter(|_| !connected) {
        set(name, &outlet);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        set(name, Path::new("127.0.0.1,localhost,::1"));
    }
    if let Some(credential) = &setup.credential {
        set(variable(credential.kind), Path::new(NOTHING));
    }
    common(&mut env, &own.tmp);
    env
}

/// Variables of a CLI that runs as the person.
pub(super) fn environment(setup: &ClaudeSetup, tmp: &Path) -> Vec<(OsString, OsString)> {
    let mut env = child::passed_on(&child::PERSONAL);
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".into(), PATH_OTHERWISE.into()));
    }
    if let Some(url) = &setup.base_url {
        env.push(("ANTHROPIC_BASE_URL".into(), url.into()));
    }
    if let Some(credential) = &setup.credential {
        env.push((variable(credential.kind).into(), credential.secret.expose().into()));
    }
    common(&mut env, tmp);
    env
}

fn variable(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "ANTHROPIC_API_KEY",
        CredentialKind::OauthToken => "CLAUDE_CODE_OAUTH_TOKEN",
        CredentialKind::AuthToken => "ANTHROPIC_AUTH_TOKEN",
    }
}

fn common(env: &mut Vec<(OsString, OsString)>, tmp: &Path) {
    let mut set = |name: &str, value: &str| env.push((name.into(), value.into()));
    set("CLAUDE_CODE_ENTRYPOINT", "sdk-rs");
    set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    set("DISABLE_AUTOUPDATER", "1");
    set("CLAUDE_CODE_MAX_RETRIES", "3");
    set("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1");
    set("CLAUDE_CODE_TMPDIR", &tmp.to_string_lossy());
}
