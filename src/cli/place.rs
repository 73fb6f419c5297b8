//! Where a program is: a Unix socket or a TCP port. Only names places; which one is meant is
//! `reach`'s, and whether anyone is there is `client`'s.

use crate::fail::Fail;
use std::fmt;
use std::path::PathBuf;

/// An address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port of a host.
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Place {
    /// `unix:PATH` or `http://HOST[:PORT]`.
    pub(crate) fn parse(text: &str) -> Result<Place, Fail> {
        let wrong = |what: &str| {
            let hint = "as in unix:/run/user/1000/parachute/server.sock or http://127.0.0.1:3333";
            Fail::usage(format!("{text:?} is no place of a server: {what}"), hint)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(wrong("the path is missing")),
                path => Ok(Place::Unix(path.into())),
            };
        }
        if text.starts_with("https:") {
            return Err(Fail::usage(
                format!("{text:?}: this program speaks plain HTTP only"),
                "reach a server elsewhere through a tunnel, such as `ssh -L 3333:localhost:3333`",
            ));
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Err(wrong("it begins with neither unix: nor http://"));
        };
        let authority: http::uri::Authority = match rest.trim_end_matches('/').parse() {
            Ok(authority) => authority,
            Err(_) => return Err(wrong("it is more than a host and a port")),
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong("it is more, or less, than a host and a port"));
        }
        // `Authority::port` has nothing to say about a port that is too large.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") => 80,
            Some(port) => port[1..].parse().map_err(|_| wrong("the port is no number of one"))?,
        };
        Ok(Place::Tcp { host: host.to_owned(), port })
    }

    /// A port of this machine.
    pub(crate) fn loopback(port: u16) -> Place {
        Place::Tcp { host: "127.0.0.1".into(), port }
    }

    /// What a request says in `Host`, which the server checks.
    pub(crate) fn authority(&self) -> String {
        match self {
            Place::Unix(_) => "localhost".into(),
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Tcp { .. } => write!(f, "http://{}", self.authority()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_names_and_addresses() {
        let tcp = |host: &str, port| Place::Tcp { host: host.into(), port };
        for (text, place, shown) in [
            ("unix:/run/x.sock", Place::Unix("/run/x.sock".into()), "unix:/run/x.sock"),
            ("http://localhost:3333/", tcp("localhost", 3333), "http://localhost:3333"),
            ("http://[::1]:3333", tcp("::1", 3333), "http://[::1]:3333"),
            ("http://nas", tcp("nas", 80), "http://nas:80"),
        ] {
            let read = Place::parse(text).expect(text);
            assert_eq!((&read, read.to_string().as_str()), (&place, shown));
        }
    }

    #[test]
    fn what_is_no_place_is_a_usage_error_with_an_example() {
        for text in [
            "",
            "unix:",
            "localhost:3333",
            "https://x",
            "http://",
            "http://:3333",
            "http://a:b@c",
            "http://a/b",
            "http://a:99999",
            "http://a b",
        ] {
            let fail = Place::parse(text).expect_err(text);
            assert_eq!(fail.exit(), 2, "{text}");
            assert!(fail.hint().is_some(), "{text}");
        }
    }
}
