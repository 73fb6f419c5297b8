//! Typed handlers, erased: `call!(handler)` makes of `async fn(Cx<A>, I) -> Result<O, Fault>`
//! one function that runs it and two that describe it, so that types are stated once, in the
//! handler's own signature.

use crate::answer::{Caller, Peer};
use crate::check;
use crate::fault::{Fault, Invalid, json_reply};
use crate::flow::{Coming, late};
use crate::limits::Limits;
use crate::live::Live;
use crate::table::Params;
use crate::{Body, Reply};
pub use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What a handler knows besides its input.
pub struct Cx<A> {
    /// The program.
    pub app: Arc<A>,
    /// Who asks.
    pub caller: Caller,
    /// The other end of the connection, as the kernel tells.
    pub peer: Peer,
    /// Variables of the path.
    pub path: Params,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Bounds in force.
    pub limits: Limits,
    /// Cancelled when the program stops; live streams end then.
    pub stop: CancellationToken,
}

/// What a door takes, as JSON schemas.
#[derive(Default)]
pub struct Shape {
    /// Its query's.
    pub query: Option<Value>,
    /// Its body's.
    pub body: Option<Value>,
    /// Whether the body is a form with a file in it, not JSON.
    pub is_form: bool,
    /// Whether the body may be missing.
    pub may_miss: bool,
}

/// A request's raw input, for [`Take`].
pub struct Raw<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Media type of the body.
    pub(crate) kind: Option<HeaderValue>,
    pub(crate) body: Incoming,
    shape: &'a Shape,
    definitions: &'a Arc<Map<String, Value>>,
    pub(crate) limits: Limits,
    /// Kept until the handler is done with what was read.
    place: Arc<OnceLock<SemaphorePermit<'static>>>,
}

/// Large bodies that are in memory at once.
static LARGE: Semaphore = Semaphore::const_new(2);
/// JSON that is longer is read and written beside the event loop, or all would wait for it.
const HERE_BYTES_MAX: usize = 256 * 1024;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send + 'a>>;

/// A handler without its types. Made by [`crate::call!`].
pub struct Call<A: 'static> {
    /// Module path and name; its last two parts are the operation id.
    pub name: &'static str,
    /// Runs it.
    pub run: for<'a> fn(Cx<A>, Raw<'a>) -> Answer<'a>,
    /// Describes what it takes.
    pub takes: fn(&mut SchemaGenerator) -> Shape,
    /// Describes what it gives: media type and schema.
    pub gives: fn(&mut SchemaGenerator) -> Option<(&'static str, Value)>,
}

/// A handler as a value for the table.
#[macro_export]
macro_rules! call {
    ($handler:path) => {
        $crate::Call {
            name: concat!(module_path!(), "::", stringify!($handler)),
            run: |cx, raw| Box::pin($crate::call::drive($handler, cx, raw)),
            takes: |schemas| $crate::call::taken_by($handler, schemas),
            gives: |schemas| $crate::call::given_by($handler, schemas),
        }
    };
}

/// Takes the input, runs the handler, gives the answer.
pub async fn drive<A, F, Fut, I, O>(handler: F, cx: Cx<A>, raw: Raw<'_>) -> Result<Reply, Fault>
where
    F: Fn(Cx<A>, I) -> Fut + Send,
    Fut: Future<Output = Result<O, Fault>> + Send,
    I: Take,
    O: Give + Send,
{
    let _place = raw.place.clone();
    let input = I::take(raw).await?;
    Ok(handler(cx, input).await?.give().await)
}

/// The schemas of what a handler takes.
pub fn taken_by<A, F, Fut, I, O>(_: F, schemas: &mut SchemaGenerator) -> Shape
where
    F: Fn(Cx<A>, I) -> Fut,
    Fut: Future<Output = Result<O, Fault>>,
    I: Take,
{
    let mut shape = Shape::default();
    I::describe(schemas, &mut shape);
    shape
}

/// Media type and schema of what a handler gives.
pub fn given_by<A, F, Fut, I, O>(
    _: F,
    schemas: &mut SchemaGenerator,
) -> Option<(&'static str, Value)>
where
    F: Fn(Cx<A>, I) -> Fut,
    Fut: Future<Output = Result<O, Fault>>,
    O: Give,
{
    O::describe(schemas)
}

/// What can be read from a request.
pub trait Take: Sized + Send {
    /// Adds its schemas.
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape);
    /// Reads it.
    fn take(raw: Raw<'_>) -> impl Future<Output = Result<Self, Fault>> + Send;
}

/// What can be answered.
pub trait Give {
    /// Its media type and schema.
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)>;
    /// The answer.
    fn reply(self) -> Reply;
    /// The same, made where it holds up nobody.
    fn give(self) -> impl Future<Output = Reply> + Send
    where
        Self: Sized + Send,
    {
        async { self.reply() }
    }
}

/// A JSON body, taken or given.
pub struct Json<T>(pub T);
/// The same taken of a body larger than others may be: files go to and fro in JSON. Of those
/// that are, few are in memory at once; others wait.
pub struct Large<T>(pub T);
/// A query.
pub struct Query<T>(pub T);
/// Both.
pub struct WithQuery<Q, B>(pub Q, pub B);
/// Something given with another status than 200, or with headers of its own.
pub struct With<T> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is given.
    pub given: T,
}
/// A live stream each of whose events holds a `T`.
pub struct Events<T>(pub Live, pub std::marker::PhantomData<T>);
/// A file that is part of the program: its media type and its content.
pub struct Asset(pub &'static str, pub Bytes);
/// A live stream of something else than events.
pub struct Download(pub Live);
/// JSON that was written before and is still true, as if it were a `T`.
pub struct RawJson<T>(pub Bytes, pub std::marker::PhantomData<T>);

impl Take for () {
    fn describe(_: &mut SchemaGenerator, _: &mut Shape) {}
    async fn take(_: Raw<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Take for Json<T> {
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        shape.body = Some(schemas.subschema_for::<T>().to_value());
    }
    async fn take(raw: Raw<'_>) -> Result<Json<T>, Fault> {
        let bytes = whole(raw.body, &raw.limits).await?;
        let schema = raw.shape.body.as_ref().expect("described with the door");
        let (known, limits) = (raw.definitions, raw.limits);
        if bytes.len() <= HERE_BYTES_MAX {
            return judged(&bytes, schema, known, &limits).map(Json);
        }
        let (schema, known) = (schema.clone(), known.clone());
        let judging = spawn_blocking(move || judged(&bytes, &schema, &known, &limits));
        judging.await.map_err(Fault::bug)?.map(Json)
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Take for Large<T> {
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        <Json<T> as Take>::describe(schemas, shape);
    }
    async fn take(mut raw: Raw<'_>) -> Result<Large<T>, Fault> {
        let length = http_body::Body::size_hint(&raw.body).exact();
        // One that might come elsewhere, too, is held up by nobody who sends slowly.
        if length.is_none_or(|length| length > raw.limits.body_bytes_max as u64) {
            let place = LARGE.acquire().await;
            let place = place.map_err(|_| Fault::unready("the program stops"))?;
            raw.place.get_or_init(|| place);
        }
        raw.limits.body_bytes_max = raw.limits.large_body_bytes_max;
        raw.limits.body_seconds_max = raw.limits.large_body_seconds_max;
        let Json(body) = Json::<T>::take(raw).await?;
        Ok(Large(body))
    }
}

impl<T: DeserializeOwned + JsonSchema + Send> Take for Query<T> {
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        shape.query = Some(schemas.subschema_for::<T>().to_value());
    }
    async fn take(raw: Raw<'_>) -> Result<Query<T>, Fault> {
        typed_query(&raw).map(Query)
    }
}

impl<Q, B> Take for WithQuery<Q, B>
where
    Q: DeserializeOwned + JsonSchema + Send,
    B: DeserializeOwned + JsonSchema + Send + 'static,
{
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        Query::<Q>::describe(schemas, shape);
        Json::<B>::describe(schemas, shape);
    }
    async fn take(raw: Raw<'_>) -> Result<WithQuery<Q, B>, Fault> {
        let query = typed_query(&raw)?;
        let Json(body) = Json::<B>::take(raw).await?;
        Ok(WithQuery(query, body))
    }
}

impl<T: Serialize + JsonSchema + Send + 'static> Give for Json<T> {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        of_type::<T>("application/json", schemas)
    }
    fn reply(self) -> Reply {
        json_reply(StatusCode::OK, serde_json::to_vec(&self.0))
    }
    async fn give(self) -> Reply {
        let mut room = Room(Vec::new());
        match serde_json::to_writer(&mut room, &self.0) {
            Err(error) if error.is_io() => {
                drop(room);
                let written = spawn_blocking(move || self.reply()).await;
                written.unwrap_or_else(|error| Fault::bug(error).reply("an answer"))
            }
            written => json_reply(StatusCode::OK, written.map(|()| room.0)),
        }
    }
}

/// What is written at once, as long as it is short.
struct Room(Vec<u8>);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > HERE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: JsonSchema> Give for RawJson<T> {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        of_type::<T>("application/json", schemas)
    }
    fn reply(self) -> Reply {
        let mut reply = Reply::new(Body::Full(self.0));
        let kind = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(header::CONTENT_TYPE, kind);
        reply
    }
}

fn of_type<T: JsonSchema>(
    kind: &'static str,
    schemas: &mut SchemaGenerator,
) -> Option<(&'static str, Value)> {
    Some((kind, schemas.subschema_for::<T>().to_value()))
}

impl Give for Live {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        of_type::<wire::ChatEvent>("text/event-stream", schemas)
    }
    fn reply(self) -> Reply {
        Live::reply(self)
    }
}

impl<T: Give + Send> Give for With<T> {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        T::describe(schemas)
    }
    fn reply(self) -> Reply {
        stamped(self.given.reply(), self.status, self.headers)
    }
    async fn give(self) -> Reply {
        stamped(self.given.give().await, self.status, self.headers)
    }
}

fn stamped(mut reply: Reply, status: StatusCode, more: Vec<(HeaderName, HeaderValue)>) -> Reply {
    *reply.status_mut() = status;
    reply.headers_mut().extend(more);
    reply
}

impl<T: JsonSchema> Give for Events<T> {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        of_type::<T>("text/event-stream", schemas)
    }
    fn reply(self) -> Reply {
        self.0.reply()
    }
}

impl Give for Download {
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        Some(("text/plain", serde_json::json!({ "type": "string" })))
    }
    fn reply(self) -> Reply {
        self.0.reply()
    }
}

impl Give for Asset {
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        None
    }
    fn reply(self) -> Reply {
        let mut reply = Reply::new(Body::Full(self.1));
        let kind = HeaderValue::from_static(self.0);
        reply.headers_mut().insert(header::CONTENT_TYPE, kind);
        reply
    }
}

impl<'a> Raw<'a> {
    pub(crate) fn new(
        req: Request<Incoming>,
        shape: &'a Shape,
        definitions: &'a Arc<Map<String, Value>>,
        limits: Limits,
    ) -> (HeaderMap, Raw<'a>) {
        let (head, body) = req.into_parts();
        let query = head.uri.query().map(str::to_owned);
        let path = head.uri.path().to_owned();
        let kind = head.headers.get(header::CONTENT_TYPE).cloned();
        let method = head.method;
        let place = Arc::default();
        (head.headers, Raw { method, path, query, kind, body, shape, definitions, limits, place })
    }
}

pub(crate) fn typed_query<T: DeserializeOwned>(raw: &Raw<'_>) -> Result<T, Fault> {
    let schema = raw.shape.query.as_ref().expect("described with the door");
    let query = raw.query.as_deref().unwrap_or_default();
    let value = check::query(query, schema, raw.definitions);
    let value = value.map_err(|wrong| invalid(wrong, &raw.limits))?;
    into_typed(value, "query")
}

/// Reads and judges a body, which may take its time.
fn judged<T: DeserializeOwned>(
    bytes: &[u8],
    schema: &Value,
    known: &Map<String, Value>,
    limits: &Limits,
) -> Result<T, Fault> {
    let value = check::body(bytes, schema, known);
    into_typed(value.map_err(|wrong| invalid(wrong, limits))?, "body")
}

/// What does not fit, with what was given there only as far as the limits say.
fn invalid(mut wrong: Vec<Invalid>, limits: &Limits) -> Fault {
    for invalid in &mut wrong {
        if invalid.given.to_string().len() > limits.echo_bytes_max {
            invalid.given = Value::Null;
        }
    }
    Fault::invalid(wrong)
}

/// The schema has judged; what it could not say (a custom form) is told as one plain fault.
fn into_typed<T: DeserializeOwned>(value: Value, part: &str) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|error| {
        Fault::invalid(vec![Invalid {
            kind: "value_error",
            place: vec![part.into()],
            said: error.to_string(),
            given: Value::Null,
            bounds: None,
        }])
    })
}

/// Reads a whole body within its bounds.
pub(crate) async fn whole(body: Incoming, limits: &Limits) -> Result<Bytes, Fault> {
    let max = limits.body_bytes_max;
    let said = http_body::Body::size_hint(&body).lower();
    let mut body = Coming::Body(body);
    if said > max as u64 {
        body.discard(limits).await;
        return Err(too_large(max as u64));
    }
    let mut bytes = Vec::with_capacity(said as usize);
    let reading = async {
        while let Some(piece) = body.next().await? {
            if bytes.len() + piece.len() > max {
                body.discard(limits).await;
                return Err(too_large(max as u64));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    let time = Duration::from_secs(limits.body_seconds_max);
    timeout(time, reading).await.map_err(|_| late())?
}

pub(crate) fn too_large(max: u64) -> Fault {
    let detail = format!("the body is larger than {} MiB", max / (1024 * 1024));
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
