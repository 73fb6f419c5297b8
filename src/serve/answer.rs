//! One request, one straight road: gate, table, admission, handler; and the only place where
//! an error becomes an answer.

use crate::body::Body;
use crate::call::{Cx, Raw};
use crate::fault::Fault;
use crate::gate::{self, Origins, Passage};
use crate::limits::Limits;
use crate::table::{Access, Found, Table};
use crate::{Reply, fault};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On a Unix socket: the user id the kernel tells.
    Unix(u32),
    /// On TCP: its address. No header ever changes it.
    Tcp(SocketAddr),
}

impl Peer {
    /// Whether it is on this machine and speaks for itself: on loopback, and nobody stands
    /// between. Then the address would not be the caller's, and no header can make it so.
    pub fn is_local(&self, headers: &HeaderMap) -> bool {
        let told = ["forwarded", "x-real-ip", "via"];
        let forwards = |name: &str| name.starts_with("x-forwarded-") || told.contains(&name);
        match self {
            Peer::Unix(_) => false,
            Peer::Tcp(from) => {
                let here = from.ip().to_canonical().is_loopback();
                here && !headers.keys().any(|name| forwards(name.as_str()))
            }
        }
    }
}

/// Who asks, as the program has judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The owner, on the Unix socket.
    Owner,
    /// Somebody on this machine.
    Local,
    /// Whoever has this key.
    Key(String),
    /// Somebody from elsewhere without a key, at an open door.
    Stranger,
}

/// What a program says of itself to its HTTP server.
pub trait App: Send + Sync + Sized + 'static {
    /// May this caller pass a door of this access? The only place that decides.
    fn admit(&self, peer: &Peer, headers: &HeaderMap, access: Access) -> Result<Caller, Fault>;
    /// Web pages that may call.
    fn origins(&self) -> &Origins;
    /// A request begins (`true`) or its answer has gone out whole (`false`).
    fn busy(&self, _begins: bool) {}
}

/// Everything a connection needs to answer.
pub struct Service<A: App> {
    /// The program.
    pub app: Arc<A>,
    /// Its doors.
    pub table: Arc<Table<A>>,
    /// Its bounds.
    pub limits: Limits,
    /// Cancelled when it stops.
    pub stop: CancellationToken,
}

impl<A: App> Service<A> {
    /// Answers one request; never fails.
    pub async fn answer(&self, peer: Peer, req: Request<Incoming>) -> Reply {
        let origin = match gate::judge(self.app.origins(), &peer, &req) {
            Ok(Passage::Pass(origin)) => origin,
            Ok(Passage::Answer(reply)) => return *reply,
            Err(fault) => return gate::refuse(fault),
        };
        let mut reply = match self.table.find(req.method(), req.uri().path()) {
            Found::Door(door, path) => {
                let route = door.route.path;
                match self.through(door, path, peer, req).await {
                    Ok(reply) => reply,
                    Err(fault) => fault.reply(route),
                }
            }
            other => self.astray(other, &peer, &req),
        };
        gate::stamp(&mut reply, origin);
        reply
    }

    async fn through(
        &self,
        door: &crate::table::Door<A>,
        path: crate::table::Params,
        peer: Peer,
        req: Request<Incoming>,
    ) -> Result<Reply, Fault> {
        let caller = self.app.admit(&peer, req.headers(), door.route.access)?;
        let (headers, raw) = Raw::new(req, &door.shape, &self.table.definitions, self.limits);
        let cx = Cx {
            app: self.app.clone(),
            caller,
            peer,
            path,
            headers,
            limits: self.limits,
            stop: self.stop.clone(),
        };
        (door.route.call.run)(cx, raw).await
    }

    /// What is no door. Under `/api` a stranger learns only that a key is needed.
    fn astray(&self, found: Found<'_, A>, peer: &Peer, req: &Request<Incoming>) -> Reply {
        let path = req.uri().path();
        if path.starts_with("/api")
            && let Err(fault) = self.app.admit(peer, req.headers(), Access::Key)
        {
            return fault.reply("/api");
        }
        match found {
            Found::Moved(to) => moved(&to, req.uri().query()),
            Found::WrongMethod(allowed) => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut reply = Fault::new(status, "Method Not Allowed").reply(path);
                if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                    reply.headers_mut().insert(header::ALLOW, allowed);
                }
                reply
            }
            _ => fault::Fault::missing("Not Found").reply(path),
        }
    }
}

fn moved(to: &str, query: Option<&str>) -> Reply {
    let to = query.map_or_else(|| to.to_owned(), |q| format!("{to}?{q}"));
    let mut reply = Reply::new(Body::Empty);
    *reply.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(&to) {
        reply.headers_mut().insert(header::LOCATION, to);
    }
    reply
}
