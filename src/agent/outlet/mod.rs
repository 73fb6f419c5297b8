//! A confined CLI's only way out: a socket of ours, which stands in its view. Requests to the
//! model's API are handed on to the vendor with the credential, which is not inside; `CONNECT`
//! leads to public addresses of the web. Nothing else is led anywhere, least of all to this
//! machine or the networks around it.

mod reach;

use crate::limits::{OUTLET_BODY_BYTES_MAX, OUTLET_CONNECTIONS_MAX};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use models::{Forward, ForwardError};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::agent::{ClaudeSetup, Credential};

type Answer = Response<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// The open way out. Dropping it closes it and what goes through it.
pub(crate) struct Outlet {
    socket: PathBuf,
    _close: DropGuard,
}

/// What requests are handed on with.
struct Model {
    base_url: String,
    credential: Option<Credential>,
    /// Whether `CONNECT` leads anywhere; from a container nothing does.
    web: bool,
    /// Made when it is first asked for: reading the system's certificates takes its time.
    forward: OnceCell<Forward>,
}

impl Outlet {
    /// Opens one at `socket`, for a CLI of this setup.
    pub(crate) fn open(socket: &Path, setup: &ClaudeSetup) -> io::Result<Outlet> {
        let listener = host::private_socket(socket)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let model = Arc::new(Model {
            base_url: setup.base_url.clone().unwrap_or_else(|| models::DEFAULT_BASE_URL.into()),
            credential: setup.credential.clone(),
            web: setup.container.is_none(),
            forward: OnceCell::new(),
        });
        let closed = CancellationToken::new();
        let stop = closed.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = serve(listener, &model, &stop) => {}
            }
        });
        Ok(Outlet { socket: socket.to_owned(), _close: closed.drop_guard() })
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::warn!(%error, "the outlet's socket is left behind");
        }
    }
}

async fn serve(listener: UnixListener, model: &Arc<Model>, stop: &CancellationToken) {
    let room = Arc::new(Semaphore::new(OUTLET_CONNECTIONS_MAX));
    loop {
        let Ok(held) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the outlet takes no connection");
                tokio::time::sleep(crate::limits::OUTLET_PAUSE).await;
                continue;
            }
        };
        let (model, stop) = (model.clone(), stop.clone());
        tokio::spawn(async move {
            let _held = held;
            let each = |request| lead(model.clone(), stop.clone(), request);
            let talk = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service_fn(each))
                .with_upgrades();
            tokio::select! {
                () = stop.cancelled() => {}
                talked = talk => if let Err(error) = talked {
                    tracing::debug!(%error, "a connection through the outlet broke off");
                }
            }
        });
    }
}

async fn lead(
    model: Arc<Model>,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    Ok(match *request.method() {
        Method::CONNECT if !model.web => {
            said(StatusCode::FORBIDDEN, "this sandbox has no network but the model's API")
        }
        Method::CONNECT => tunnel(stop, request).await,
        _ => model.ask(request).await,
    })
}

impl Model {
    async fn ask(&self, request: Request<Incoming>) -> Answer {
        if request.uri().host().is_some() {
            return said(StatusCode::NOT_IMPLEMENTED, "only https is led out of here");
        }
        let Some(credential) = &self.credential else {
            return said(StatusCode::UNAUTHORIZED, "there is no credential for the model's API");
        };
        let made = || Forward::new(&self.base_url, credential);
        let forward = match self.forward.get_or_try_init(made).await {
            Ok(forward) => forward,
            Err(error) => return said(StatusCode::BAD_GATEWAY, &error.to_string()),
        };
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, OUTLET_BODY_BYTES_MAX).collect().await else {
            return said(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long, or broke off");
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        match forward.send(head.method, path, &head.headers, body.to_bytes()).await {
            Ok(answer) => answer.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(error @ ForwardError::Elsewhere(_)) => {
                said(StatusCode::FORBIDDEN, &error.to_string())
            }
            Err(error) => said(StatusCode::BAD_GATEWAY, &error.to_string()),
        }
    }
}

/// Joins the connection to a public address, for as long as both stay.
async fn tunnel(stop: CancellationToken, request: Request<Incoming>) -> Answer {
    let wanted = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let mut there = match reach::connect(&wanted).await {
        Ok(there) => there,
        Err(reach::Refused::Unreachable(why)) => return said(StatusCode::BAD_GATEWAY, &why),
        Err(reach::Refused::NotAllowed(why)) => {
            tracing::info!(wanted, "a confined program wanted out");
            return said(StatusCode::FORBIDDEN, &why);
        }
    };
    tokio::spawn(async move {
        let joined = async {
            let here = hyper::upgrade::on(request).await.map_err(io::Error::other)?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(here), &mut there).await
        };
        tokio::select! {
            () = stop.cancelled() => {}
            // Either end may leave whenever it likes.
            _ = joined => {}
        }
    });
    Response::new(Full::default().map_err(|never| match never {}).boxed_unsync())
}

/// An error as the vendor words its own, so that the CLI can tell it to the person.
fn said(status: StatusCode, message: &str) -> Answer {
    let error = serde_json::json!({ "type": "outlet_error", "message": message });
    let body = serde_json::json!({ "type": "error", "error": error }).to_string();
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    answer
}
