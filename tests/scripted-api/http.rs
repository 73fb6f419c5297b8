//! The doors: which request goes to which answer, on hyper without a framework. HTTP/1.1 only.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::answer::{Ended, Piece, Stream, message, pause, tokens};
use crate::ask::{Choice, check, choose};
use crate::error::ApiError;
use crate::models::{self, Fault, Play};
use crate::script::{Cut, Reply, compose, hex};
use crate::state::State;

const BODY_BYTES_MAX: usize = 64 << 20;
const PIECES_AHEAD: usize = 64;

type Body = BoxBody<Bytes, std::io::Error>;
/// `Err` closes the connection without an answer.
type Answer = Result<Response<Body>, std::io::Error>;

/// Serves one connection to its end.
pub(crate) async fn converse(stream: TcpStream, state: Arc<State>) {
    // Nothing to do about a socket that refuses the option; the deltas then arrive in lumps.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, state.clone()));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // Clients that leave and scenarios that cut are what this program is for.
    drop(served);
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Answer {
    match route(request, &state).await {
        Ok(answer) => answer,
        Err(error) => Ok(refusal(&error)),
    }
}

async fn route(request: Request<Incoming>, state: &Arc<State>) -> Result<Answer, ApiError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let options = &state.options;
    let body = match head.method {
        Method::POST => read(body).await?,
        _ => Value::Null,
    };
    if path == "/__scripted/requests" && head.method == Method::GET {
        return Ok(Ok(reply(200, &json!(state.requests()), &[])));
    }
    if path == "/__scripted/reset" && head.method == Method::POST {
        state.reset();
        return Ok(Ok(reply(200, &json!({"ok": true}), &[])));
    }
    if path == "/__scripted/models" && head.method == Method::POST {
        state.set_play(Play::read(&body)?);
        return Ok(Ok(reply(200, &json!({"ok": true}), &[])));
    }
    if path == "/__scripted/usage" && head.method == Method::POST {
        state.set_usage(body);
        return Ok(Ok(reply(200, &json!({"ok": true}), &[])));
    }
    let mut entry = json!({
        "at": jiff::Timestamp::now().to_string(),
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map_or(path, |whole| whole.as_str()),
        "headers": headers(&head.headers),
        "body": body,
    });
    if path == "/v1/messages" && head.method == Method::POST {
        let default = if options.demo { "demo" } else { "echo" };
        let choice = choose(&body, options.scenario.as_deref().unwrap_or(default));
        entry["scenario"] = json!(choice.scenario);
        entry["step"] = json!(choice.step);
        let number = state.record(entry);
        authorise(&head.headers, state)?;
        return messages(body, &choice, number, state).await;
    }
    state.record(entry);
    if path == "/" && matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(Ok(reply(200, &json!({"ok": true}), &[])));
    }
    authorise(&head.headers, state)?;
    let value = match (head.method.as_str(), path) {
        ("POST", "/v1/messages/count_tokens") => json!({"input_tokens": tokens(&body["messages"])}),
        ("GET", "/api/oauth/usage") => {
            let (status, told) = state.usage();
            return Ok(Ok(reply(status, &told, &[])));
        }
        ("GET", "/v1/models") => return list(head.uri.query().unwrap_or(""), state).await,
        ("GET", _) => match path.strip_prefix("/v1/models/") {
            Some(id) => models::one(options, &state.play(), id)?,
            None => return Err(ApiError::of(404)),
        },
        _ => return Err(ApiError::of(404)),
    };
    Ok(Ok(reply(200, &value, &[])))
}

/// The model list, or what is wrong with it.
async fn list(query: &str, state: &State) -> Result<Answer, ApiError> {
    let play = state.play();
    let page = models::page(&state.options, &play, query)?;
    Ok(match play.fault {
        None | Some(Fault::Circle) => Ok(reply(200, &page, &[])),
        Some(Fault::Error(error)) => return Err(error),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Drop) => Err(std::io::Error::other("the list drops the connection")),
        Some(Fault::Shape) => Ok(reply(200, &json!({"models": [], "ok": true}), &[])),
        Some(Fault::Redirect(to)) => Ok(reply(307, &json!({}), &[("location", to)])),
        Some(Fault::Garbage) => {
            let body = Full::new(Bytes::from("<!doctype html><title>Welcome</title>"));
            Ok(respond(200, "text/html", &[], body.map_err(|never| match never {}).boxed()))
        }
        Some(Fault::Half) => {
            let mut half = page.to_string();
            half.truncate(half.floor_char_boundary(half.len() / 2));
            let half = Half { piece: Some(half.into()), is_out: false };
            Ok(respond(200, "application/json", &[], half.boxed()))
        }
    })
}

async fn messages(
    body: Value,
    choice: &Choice,
    number: u64,
    state: &Arc<State>,
) -> Result<Answer, ApiError> {
    check(&body)?;
    let model = body["model"].as_str().unwrap_or_default();
    if state.options.strict_models && !model.starts_with("scripted-") {
        models::one(&state.options, &state.play(), model)?;
    }
    let composed = compose(choice, &body, state)?;
    if body["stream"] == true {
        return Ok(Ok(stream(body, composed, number, state.clone())));
    }
    pause(composed.ttft).await;
    match composed.cut {
        Some((_, Cut::Disconnect)) => {
            return Ok(Err(std::io::Error::other("the scenario drops the connection")));
        }
        Some((_, Cut::Error(kind))) => return Err(ApiError::of_kind(&kind)),
        Some((_, Cut::Stall(length))) => tokio::time::sleep(length).await,
        None => {}
    }
    state.outcome(number, "complete");
    Ok(Ok(reply(200, &message(&body, &composed), &composed.headers)))
}

fn stream(body: Value, composed: Reply, number: u64, state: Arc<State>) -> Response<Body> {
    let (out, pieces) = mpsc::channel(PIECES_AHEAD);
    let headers = composed.headers.clone();
    tokio::spawn(async move {
        let outcome = match Stream::new(out).send(&body, composed).await {
            Ok(()) => "complete",
            Err(Ended) => "cut short",
        };
        state.outcome(number, outcome);
    });
    respond(200, "text/event-stream; charset=utf-8", &headers, Pieces(pieces).boxed())
}

async fn read(body: Incoming) -> Result<Value, ApiError> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|error| {
        let long = error.is::<http_body_util::LengthLimitError>();
        if long { ApiError::of(413) } else { ApiError::new(400, "body ended early") }
    })?;
    let bytes = whole.to_bytes();
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|_| ApiError::new(400, "body is not JSON"))?;
    if value.is_object() { Ok(value) } else { Err(ApiError::new(400, "body is not an object")) }
}

fn authorise(headers: &HeaderMap, state: &State) -> Result<(), ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = header("x-api-key").filter(|key| !key.is_empty());
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let token = token.map(str::trim).filter(|token| !token.is_empty());
    let options = &state.options;
    let rejected = |secret: &str| options.reject_key.iter().any(|key| key == secret);
    if options.require_auth && key.is_none() && token.is_none() {
        return Err(ApiError::new(401, "x-api-key header is required"));
    }
    if key.is_some_and(rejected) {
        return Err(ApiError::of(401));
    }
    if token.is_some_and(rejected) {
        return Err(ApiError::new(401, "Invalid bearer token"));
    }
    Ok(())
}

fn headers(headers: &HeaderMap) -> Value {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes())))
    };
    Value::Object(headers.iter().map(pair).collect())
}

fn refusal(error: &ApiError) -> Response<Body> {
    let request_id = format!("req_{}", hex());
    reply(error.status, &error.body(&request_id), &error.headers)
}

fn reply(status: u16, value: &Value, headers: &[(&'static str, String)]) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string()));
    let body = body.map_err(|never: Infallible| match never {}).boxed();
    respond(status, "application/json", headers, body)
}

fn respond(
    status: u16,
    kind: &'static str,
    headers: &[(&'static str, String)],
    body: Body,
) -> Response<Body> {
    let mut builder = Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("cache-control", "no-cache")
        .header("request-id", format!("req_{}", hex()));
    for (name, value) in headers {
        // What a prompt puts into a header may not be fit for one.
        if let Ok(value) = http::HeaderValue::from_str(value) {
            builder = builder.header(*name, value);
        }
    }
    builder.body(body).expect("status and headers are valid")
}

/// A body fed by a channel.
struct Pieces(mpsc::Receiver<Piece>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context)
    }
}

/// A body of one piece that breaks off.
struct Half {
    piece: Option<Bytes>,
    is_out: bool,
}

impl http_body::Body for Half {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(piece) = self.piece.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        // A body that fails at once takes what is still buffered with it.
        if !std::mem::replace(&mut self.is_out, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other("the list breaks off"))))
    }
}
