//! Where engines are: `DOCKER_HOST`, then the sockets at which Docker and Podman listen by
//! themselves, a person's own before the machine's.

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Addresses to try, the first first; sockets only where there is one.
pub fn places(env: impl Fn(&str) -> Option<String>) -> Vec<String> {
    if let Some(host) = env("DOCKER_HOST").filter(|host| !host.is_empty()) {
        return vec![host];
    }
    let own = env("XDG_RUNTIME_DIR").into_iter();
    let own =
        own.flat_map(|dir| [format!("{dir}/docker.sock"), format!("{dir}/podman/podman.sock")]);
    let home = env("HOME").into_iter().map(|home| format!("{home}/.docker/run/docker.sock"));
    let machine = ["/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"];
    let mut found: Vec<String> = Vec::new();
    for socket in own.chain(home).chain(machine.map(str::to_owned)) {
        // /var/run is /run under another name.
        let Ok(real) = Path::new(&socket).canonicalize() else { continue };
        let place = format!("unix://{}", real.display());
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

/// Whether the socket of a place belongs to the administrator, or it is no socket.
pub(crate) fn is_roots(place: &str) -> bool {
    let socket = place.strip_prefix("unix://").and_then(|path| std::fs::metadata(path).ok());
    socket.is_none_or(|socket| socket.uid() == 0)
}

pub(crate) fn connect(place: &str, seconds: u64) -> Result<Docker, Error> {
    match place.split_once("://") {
        Some(("tcp" | "http", _)) => Docker::connect_with_http(place, seconds, API_DEFAULT_VERSION),
        _ => Docker::connect_with_socket(place, seconds, API_DEFAULT_VERSION),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_roots, places};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_named_counts_and_nothing_else() {
        let named = |name: &str| (name == "DOCKER_HOST").then(|| "unix:///x/y.sock".to_owned());
        assert_eq!(places(named), ["unix:///x/y.sock"]);
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("there");
        std::fs::write(real.join("docker.sock"), "").expect("written");
        let own = |name: &str| {
            (name == "XDG_RUNTIME_DIR").then(|| real.to_str().expect("text").to_owned())
        };
        let found = places(own);
        assert_eq!(found.first(), Some(&format!("unix://{}/docker.sock", real.display())));
        let own = std::fs::metadata(&real).expect("there").uid();
        assert_eq!(is_roots(&found[0]), own == 0);
        assert!(is_roots("tcp://127.0.0.1:2375"), "whose it is is not known");
    }
}
