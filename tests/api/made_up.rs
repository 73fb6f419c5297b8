//! The server within this process, asked by peers that are made up: from another machine, from
//! another user's socket. What the wire brings (headers, methods) is as real as ever.

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use parachute_server::App;
use parachute_tests::{Answer, Home};
use serve::answer::{Peer, Service};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An address of nobody (RFC 5737).
pub(crate) const ELSEWHERE: &str = "192.0.2.7:40000";

/// A server without listeners, in a home.
pub(crate) struct MadeUp(pub(crate) Arc<Service<App>>);

impl MadeUp {
    /// Reads the home's vault and config as the program would.
    pub(crate) fn of(home: &Home) -> MadeUp {
        let dirs = host::Dirs {
            runtime: home.path("r/parachute"),
            state: home.path("s/parachute"),
            home: home.path("h"),
        };
        dirs.create().expect("folders");
        let sources = config::settings::Sources {
            environment: home.env.clone(),
            cwd: home.path("h"),
            home: home.path("h"),
            state: None,
        };
        let stop = CancellationToken::new();
        MadeUp(Arc::new(parachute_server::service(sources, &dirs, stop).expect("a server")))
    }

    /// One request from this peer.
    pub(crate) async fn ask(
        &self,
        peer: Peer,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve::listen::converse(theirs, peer, self.0.clone()));
        let talk = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await;
        let (mut send, talk) = talk.expect("a connection");
        tokio::spawn(talk);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            request = request.header("host", "localhost:3333");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(bytes::Bytes::from_static(b"{}"));
        let answer = send.send_request(request.body(body).expect("a request")).await;
        let (head, body) = answer.expect("an answer").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A GET from an address.
    pub(crate) async fn get(&self, from: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(tcp(from), Method::GET, path, headers).await
    }
}

/// The peer at an address.
pub(crate) fn tcp(from: &str) -> Peer {
    Peer::Tcp(from.parse::<SocketAddr>().expect("an address"))
}
