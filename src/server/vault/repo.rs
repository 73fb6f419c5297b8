//! Addresses of git repositories that we are ready to fetch from. What comes from there is run
//! later with the person's own rights, so it has to be protected on the way: `https` and `ssh`.
//!
//! `http` and `git` are not, and are refused; so is whatever names a program (`ext::`, options,
//! a port in the wrong place). `file` is for whoever is the owner beyond doubt: on TCP even the
//! loopback address may be another user, or an agent that is confined, and neither may have the
//! server read a repository for it that it could not read itself.

use crate::limits::GIT_URL_BYTES_MAX;

/// Longest name that is made of an address, in bytes.
const SLUG_BYTES_MAX: usize = 64;

/// An address that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repo {
    url: String,
    protocol: &'static str,
}

impl Repo {
    /// Judges an address. An error says, for people, what is wrong.
    pub(crate) fn parse(url: &str, is_owner: bool) -> Result<Repo, String> {
        let url = url.trim();
        if url.is_empty() {
            return Err("url is required".into());
        }
        let plain = |c: char| c.is_ascii_graphic() && !"\\'\"`$&|;<>(){}[]*?#!^".contains(c);
        if url.len() > GIT_URL_BYTES_MAX || !url.chars().all(plain) || url.starts_with('-') {
            return Err("this is no address of a git repository".into());
        }
        let protocol = match url.split_once("://") {
            Some(("https", rest)) => {
                if rest.split('/').next().is_some_and(|host| host.contains('@')) {
                    let said = "an address with a password or token in it would be kept as it is; \
                        use ssh for a repository that is not public";
                    return Err(said.into());
                }
                remote(rest, '/').then_some("https")
            }
            Some(("ssh", rest)) => remote(after_user(rest), '/').then_some("ssh"),
            Some(("file", rest)) if is_owner => rest.starts_with('/').then_some("file"),
            Some(("file", _)) => return Err("a file:// address is for the owner alone".into()),
            Some(("http" | "git", _)) => {
                return Err("http:// and git:// are not protected on the way; use https://".into());
            }
            Some(_) => None,
            None if url.contains("::") => None,
            None => (url.contains('@') && remote(after_user(url), ':')).then_some("ssh"),
        };
        let protocol = protocol.ok_or("this is no address that begins with https:// or ssh://")?;
        Ok(Repo { url: url.to_owned(), protocol })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The only protocol that git may speak for it.
    pub(crate) fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// What a plugin from there is called if nobody says: the last part of the path.
    pub(crate) fn slug(&self) -> Option<String> {
        let path = self.url.trim_end_matches('/');
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        let last = last.strip_suffix(".git").unwrap_or(last);
        let slug: String = last
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .take(SLUG_BYTES_MAX)
            .collect();
        let slug = slug.trim_matches(['-', '_']);
        is_slug(slug).then(|| slug.to_owned())
    }
}

/// Whether a plugin may be called so: one plain part of a path.
pub(crate) fn is_slug(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.len() <= SLUG_BYTES_MAX && text.chars().all(plain)
}

/// Whether a branch may be called so, by git and by whoever reads a command.
pub(crate) fn is_branch(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_./+".contains(c);
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    begins && text.len() <= 200 && text.chars().all(plain) && !text.contains("..")
}

/// What comes after `NAME@`, if that is a plain name.
fn after_user(text: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.split_once('@') {
        Some((user, rest)) if user.chars().all(plain) && !user.starts_with('-') => rest,
        // Judged as a host, which it is not.
        _ => text,
    }
}

/// Whether this is a host (with a port before a `/`) and, after the mark, a path.
fn remote(text: &str, mark: char) -> bool {
    let Some((host, path)) = text.split_once(mark) else { return false };
    let (host, port) = match host.split_once(':') {
        Some((host, port)) => (host, port),
        None => (host, "22"),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let lawful = host.starts_with(|c: char| c.is_ascii_alphanumeric()) && host.chars().all(plain);
    let parts = path.split('/');
    let named = parts.clone().any(|part| !part.is_empty());
    let tame = parts.into_iter().all(|part| !part.starts_with('-') && part != "..");
    lawful && port.parse::<u16>().is_ok() && named && tame && !path.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_are_taken() {
        for (url, protocol, slug) in [
            ("https://example.org/me/My.Plugin.git", "https", "My-Plugin"),
            ("https://example.org:8443/x/", "https", "x"),
            (" https://example.org/a/b ", "https", "b"),
            ("ssh://git@example.org:2222/me/x.git", "ssh", "x"),
            ("git@example.org:me/tools.git", "ssh", "tools"),
            ("git@example.org:tools", "ssh", "tools"),
        ] {
            let repo = Repo::parse(url, false).expect(url);
            assert_eq!((repo.protocol(), repo.slug().as_deref()), (protocol, Some(slug)), "{url}");
            assert_eq!(repo.url(), url.trim());
        }
        assert_eq!(Repo::parse("https://x.org/a/+.git", false).expect("taken").slug(), None);
    }

    #[test]
    fn trap_t6_addresses_that_are_not() {
        for url in [
            "",
            " ",
            "-x",
            "--upload-pack=touch x",
            "ext::sh -c touch% x",
            "ext::x",
            "fd::17",
            "/etc/passwd",
            "../x",
            "x",
            "me/plugin",
            "http://example.org/x",
            "git://example.org/x",
            "ftp://example.org/x",
            "https://",
            "https://example.org",
            "https://example.org/",
            "https:///x",
            "https://-oProxyCommand=x/y",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-oProxyCommand=x/y",
            "-oProxyCommand=x@example.org:y",
            "git@-oProxyCommand=x:y",
            "git@example.org:-x",
            "git@example.org:a/../../b",
            "https://user:secret@example.org/x",
            "https://token@example.org/x",
            "https://example.org/x?token=y",
            "https://example.org/x#y",
            "https://example.org/$(x)",
            "https://example.org/a b",
            "https://example.org/a\nb",
            "https://example.org:port/x",
            "https://exämple.org/x",
            "file:///srv/x",
        ] {
            assert!(Repo::parse(url, false).is_err(), "{url}");
        }
        assert!(Repo::parse(&format!("https://x.org/{}", "a".repeat(3000)), false).is_err());
    }

    #[test]
    fn a_file_is_for_the_owner_alone() {
        assert_eq!(Repo::parse("file:///srv/x.git", true).expect("taken").protocol(), "file");
        for url in ["file://srv/x", "file:x", "file://", "/srv/x"] {
            assert!(Repo::parse(url, true).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_no_option_and_its_slug_is_one_part(
            url in "(https|ssh|file|ext|git)?(://|::|:)?-?\\PC{0,20}(/[a-z.@:-]{0,10}){0,3}"
        ) {
            if let Ok(repo) = Repo::parse(&url, false) {
                prop_assert!(!repo.url().starts_with('-') && repo.protocol() != "file");
                prop_assert!(repo.slug().is_none_or(|slug| is_slug(&slug)));
            }
        }

        #[test]
        fn no_slug_and_no_branch_is_an_option(text in "[-./a-z\\PC]{0,12}") {
            prop_assert!(!is_slug(&text) || !text.contains(['/', '.', '\\', '\0']));
            let odd = text.starts_with(['-', '.', '/']);
            prop_assert!(!odd || !(is_slug(&text) || is_branch(&text)));
        }
    }
}
