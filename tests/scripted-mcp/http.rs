//! Over HTTP: a thread for each connection, one request after the other on it. As much of
//! HTTP/1.1 as a client needs that means well.

use crate::answer::{Answer, is_modern, note, to};
use crate::{Fault, Options};
use serde_json::{Map, Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// The one session there is.
const SESSION: &str = "a-session";
/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What the connections share: where answers go that belong on the older kind's stream.
type Stream = Arc<Mutex<Option<Sender<Value>>>>;

/// A request.
struct Request {
    method: String,
    path: String,
    /// Names in lower case.
    headers: Map<String, Value>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }
}

/// Serves until it is ended.
pub(crate) fn serve(options: &Options) -> io::Result<ExitCode> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = io::stdout().lock();
    writeln!(out, "http://{}/mcp", listener.local_addr()?)?;
    out.flush()?;
    let stream = Stream::default();
    for connection in listener.incoming() {
        let (options, stream) = (options.clone(), stream.clone());
        let connection = connection?;
        std::thread::spawn(move || {
            // A client that leaves is no fault of this program.
            let _ = converse(connection, &options, &stream);
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn converse(connection: TcpStream, options: &Options, stream: &Stream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut from = BufReader::new(connection.try_clone()?);
    let mut out = connection;
    while let Some(request) = read(&mut from)? {
        let (method, path) = (&request.method, &request.path);
        note(options, json!({ "method": method, "path": path, "headers": request.headers }));
        answer(&request, options, stream, &mut out)?;
    }
    Ok(())
}

fn read(from: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Map::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().into());
    }
    let length = headers.get("content-length").and_then(Value::as_str);
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; MESSAGE_BYTES_MAX.min(length)];
    from.read_exact(&mut body)?;
    Ok(Some(Request { method, path, headers, body }))
}

fn answer(
    request: &Request,
    options: &Options,
    stream: &Stream,
    out: &mut TcpStream,
) -> io::Result<()> {
    let shown = request.header("authorization").and_then(|shown| shown.strip_prefix("Bearer "));
    if options.token.as_deref().is_some_and(|token| shown != Some(token)) {
        return reply(out, 401, "www-authenticate: Bearer\r\n", "text/plain", b"who are you?");
    }
    if let Some(elsewhere) = options.elsewhere.as_ref().filter(|_| !options.older) {
        let location = format!("location: {elsewhere}\r\n");
        return reply(out, 307, &location, "text/plain", b"");
    }
    match options.fault {
        Some(Fault::Exit) => {
            return reply(out, options.status, "", "text/html", b"<!doctype html>no");
        }
        Some(Fault::Garbage) => return reply(out, 200, "", "text/html", b"<!doctype html>hello"),
        _ => {}
    }
    match (request.method.as_str(), options.older) {
        ("GET", true) => older_stream(options, stream, out),
        ("GET", false) if request.header("last-event-id") == Some("e1") => resumed(options, out),
        ("POST", _) => posted(request, options, stream, out),
        ("DELETE", false) => reply(out, 204, "", "text/plain", b""),
        _ => reply(out, 405, "", "text/plain", b""),
    }
}

fn posted(
    request: &Request,
    options: &Options,
    stream: &Stream,
    out: &mut TcpStream,
) -> io::Result<()> {
    let bad = |out: &mut TcpStream, said: &str| {
        let error =
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": said } });
        reply(out, 400, "", "application/json", error.to_string().as_bytes())
    };
    let Ok(message) = serde_json::from_slice::<Value>(&request.body) else {
        return bad(out, "no JSON");
    };
    let method = message["method"].as_str().unwrap_or_default();
    let accepted = request.header("accept").unwrap_or_default();
    if !(accepted.contains("application/json") && accepted.contains("text/event-stream")) {
        return bad(out, "Accept says too little");
    }
    let begins = method == "initialize";
    let has_sessions = options.sessions && !is_modern(options);
    if has_sessions && !begins && request.header("mcp-session-id") != Some(SESSION) {
        return bad(out, "no session");
    }
    // From 2025-06-18 on.
    let said = request.header("mcp-protocol-version");
    let wants = options.revision.as_str() >= "2025-06-18" && !begins && !options.older;
    if wants && said != Some(&options.revision) {
        return bad(out, "Mcp-Protocol-Version is another");
    }
    if is_modern(options) && request.header("mcp-method") != Some(method) {
        return bad(out, "Mcp-Method is another");
    }
    let answered = match to(&message, options) {
        Answer::Message(answered) => answered,
        Answer::Nothing => return reply(out, 202, "", "text/plain", b""),
        Answer::Never => return never(),
        Answer::End => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    if options.older {
        if let Some(to) = &*stream.lock().map_err(|_| io::ErrorKind::Other)? {
            to.send(answered).map_err(io::Error::other)?;
        }
        return reply(out, 202, "", "text/plain", b"Accepted");
    }
    let session = if has_sessions && begins {
        format!("mcp-session-id: {SESSION}\r\n")
    } else {
        String::new()
    };
    // In the revision without a handshake an unknown method is a bad request.
    let unknown = is_modern(options) && answered.get("error").is_some();
    if unknown {
        return reply(out, 404, "", "application/json", answered.to_string().as_bytes());
    }
    let flood = options.fault == Some(Fault::Flood);
    let breaks = options.fault == Some(Fault::Break) && method == "tools/list";
    if flood || breaks || options.events {
        begin(out, 200, &session, "text/event-stream")?;
        if flood {
            loop {
                chunk(out, &[b'x'; 64 * 1024])?;
            }
        }
        chunk(out, b": hello\n\nid: e1\nretry: 1\ndata:\n\n")?;
        if !breaks {
            chunk(out, event("message", &answered.to_string()).as_bytes())?;
        }
        return chunk(out, b"");
    }
    reply(out, 200, &session, "application/json", answered.to_string().as_bytes())
}

/// What a stream that broke off had still to say: the list of tools.
fn resumed(options: &Options, out: &mut TcpStream) -> io::Result<()> {
    let asked = json!({ "id": 1, "method": "tools/list" });
    begin(out, 200, "", "text/event-stream")?;
    if let Answer::Message(list) = to(&asked, options) {
        chunk(out, event("message", &list.to_string()).as_bytes())?;
    }
    chunk(out, b"")
}

fn older_stream(options: &Options, stream: &Stream, out: &mut TcpStream) -> io::Result<()> {
    let (to, answers) = channel();
    *stream.lock().map_err(|_| io::ErrorKind::Other)? = Some(to);
    begin(out, 200, "", "text/event-stream")?;
    let endpoint = options.elsewhere.as_deref().unwrap_or("/messages?session=1");
    chunk(out, event("endpoint", endpoint).as_bytes())?;
    chunk(out, b": ping\n\n")?;
    for answer in answers {
        chunk(out, event("message", &answer.to_string()).as_bytes())?;
    }
    Ok(())
}

fn never() -> io::Result<()> {
    loop {
        std::thread::park();
    }
}

fn event(kind: &str, data: &str) -> String {
    format!("event: {kind}\ndata: {data}\n\n")
}

fn begin(out: &mut impl Write, status: u16, headers: &str, kind: &str) -> io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n{headers}\r\n"
    )
}

/// A piece of a body; an empty one is its end.
fn chunk(out: &mut impl Write, piece: &[u8]) -> io::Result<()> {
    write!(out, "{:x}\r\n", piece.len())?;
    out.write_all(piece)?;
    out.write_all(b"\r\n")?;
    out.flush()
}

fn reply(
    out: &mut impl Write,
    status: u16,
    headers: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let mut answer = format!("HTTP/1.1 {status} x\r\n{headers}");
    // These two have no body and no length.
    if !matches!(status, 204 | 304) {
        answer += &format!("content-type: {kind}\r\ncontent-length: {length}\r\n");
    }
    out.write_all(format!("{answer}\r\n").as_bytes())?;
    out.write_all(body)?;
    out.flush()
}
