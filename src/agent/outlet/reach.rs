//! Where a confined program may connect to: the web, at public addresses. Names are looked up
//! here, and what is connected to is the address that was judged, so that no name can change
//! its meaning in between.

use crate::limits::{OUTLET_CONNECT, OUTLET_LOOKUP};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpStream;

/// The web's ports.
const PORTS: [u16; 2] = [80, 443];

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    NotAllowed(String),
    Unreachable(String),
}

/// Connects to `host:port`.
pub(super) async fn connect(wanted: &str) -> Result<TcpStream, Refused> {
    let (host, port) = split(wanted)?;
    let looked = tokio::time::timeout(OUTLET_LOOKUP, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = match looked {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return Err(Refused::Unreachable(format!("{host}: {error}"))),
        Err(_) => return Err(Refused::Unreachable(format!("{host}: no answer from its name"))),
    };
    // One that is not public spoils the name: whoever mixes them is up to something.
    if found.is_empty() || !found.iter().all(|address| is_public(address.ip())) {
        return Err(Refused::NotAllowed(format!("{host} is not on the public web")));
    }
    let mut why = String::new();
    for address in found {
        match tokio::time::timeout(OUTLET_CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "no answer".into(),
        }
    }
    Err(Refused::Unreachable(format!("{host}: {why}")))
}

/// Host and port of `host:port`, `[v6]:port`.
fn split(wanted: &str) -> Result<(&str, u16), Refused> {
    let unclear = || Refused::NotAllowed(format!("{wanted:?} is no host and port"));
    let (host, port) = wanted.rsplit_once(':').ok_or_else(unclear)?;
    let port: u16 = port.parse().map_err(|_| unclear())?;
    if !PORTS.contains(&port) {
        return Err(Refused::NotAllowed(format!("port {port} is not one of the web's")));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() || bare.contains(['@', '/', '%']) {
        Err(unclear())
    } else {
        Ok((bare, port))
    }
}

/// Whether an address is of the public Internet, by IANA's registries of special addresses.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 100 && (64..128).contains(&b)
        || a == 192 && b == 0 && c == 0
        || a == 192 && b == 88 && c == 99
        || a == 198 && (18..20).contains(&b)
        || a >= 224;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is routed is in 2000::/3; in it 2001::/23 is for protocols (Teredo), 2001:db8::/32
    // and 3fff::/20 for documents, and 2002::/16 has any address of the old kind in it.
    first & 0xe000 == 0x2000
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && first != 0x2002
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::{Refused, connect, is_public, split};

    #[test]
    fn this_machine_and_the_networks_around_it_are_not_public() {
        for private in [
            "0.0.0.0",
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn only_a_host_and_a_port_of_the_web() {
        assert_eq!(split("example.org:443"), Ok(("example.org", 443)));
        assert_eq!(split("[2606:4700::1111]:80"), Ok(("2606:4700::1111", 80)));
        for bad in ["", "x", "x:", ":443", "x:22", "x:3333", "x:65536", "a@b:443", "a/b:443"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused() {
        for name in ["localhost:443", "127.0.0.1:80", "[::1]:443", "0:80", "2130706433:80"] {
            let refused = connect(name).await.err();
            assert!(matches!(refused, Some(Refused::NotAllowed(_))), "{name}: {refused:?}");
        }
    }
}
