//! A scripted stand-in for Anthropic's Messages API: what it answers is written in the prompt.
//!
//! It lets a client (the real Claude CLI, our own model client) be tested end to end without a
//! network, and lets `scripts/run` show a first turn where there is no credential (`--demo`).
//! It is no model and says so; it checks no real key and is not meant for other than loopback.
//! See [`Options`] for the command line and `script.rs` for the scenarios.

mod answer;
mod args;
mod ask;
mod error;
mod http;
mod models;
mod script;
mod state;
pub mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;

pub use state::State;

/// The command line. `--help` prints these sentences.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "scripted-api",
    about = "A scripted stand-in for the Messages API: no model, no network.",
    after_help = "The scenario is chosen by [[scripted:NAME {json}]] in the newest prompt, else by \
                  a model named scripted-NAME or scripted-NAME-NUMBER, else by --scenario.\n\
                  Scenarios: echo text say thinking tool tools script error stream_error \
                  disconnect stall slow max_tokens refusal empty ratelimit demo.\n\
                  GET /__scripted/requests lists what was asked; POST /__scripted/reset forgets it \
                  and puts the model list back.\n\
                  POST /__scripted/models {json} says what GET /v1/models answers from then on: \
                  `models` (ids, or objects listed as they are), `page` (models in a page at \
                  most), `fault` (an error status with `retry_after`, redirect with `location`, \
                  or one of hang drop garbage shape half circle). What it does not name is as at \
                  the start.\n\
                  POST /__scripted/usage {json} says the same of GET /api/oauth/usage: `status` \
                  and `body`."
)]
pub struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 takes a free one. The address is the first line on stdout.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// Scenario where neither prompt nor model names one [default: echo, with --demo: demo].
    #[arg(long)]
    pub scenario: Option<String>,
    /// Seconds between pieces where the scenario names none.
    #[arg(long, default_value_t = 0.0)]
    pub delay: f64,
    /// Seconds before the first byte where the scenario names none.
    #[arg(long, default_value_t = 0.0)]
    pub ttft: f64,
    /// Append each request to this file, one JSON object a line, headers and body in full.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Answer 404 to a model that is not listed.
    #[arg(long)]
    pub strict_models: bool,
    /// List this model too (repeatable).
    #[arg(long, value_name = "ID")]
    pub model: Vec<String>,
    /// List this many made-up models too, to test paging.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub many_models: usize,
    /// Answer 401 where no credential is sent.
    #[arg(long)]
    pub require_auth: bool,
    /// Answer 401 to this key or token (repeatable).
    #[arg(long, value_name = "KEY")]
    pub reject_key: Vec<String>,
    /// Greet a newcomer: plain prompts get an answer that says it is scripted; nothing is kept.
    #[arg(long)]
    pub demo: bool,
}

/// The program: reads the command line, prints the address, serves until it is killed.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &std::io::Error) -> ExitCode {
    eprintln!("scripted-api: {error}");
    ExitCode::FAILURE
}

async fn run(options: Options) -> std::io::Result<()> {
    let listener = TcpListener::bind((options.host.as_str(), options.port)).await?;
    let address = listener.local_addr()?;
    if options.demo {
        eprintln!("scripted model endpoint: a demonstration, no real model");
    }
    announce(address)?;
    serve(listener, Arc::new(State::open(options)?)).await
}

fn announce(address: SocketAddr) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "http://{address}")?;
    out.flush()
}

/// Serves `listener` for ever, a task for each connection. For a test that wants it in-process.
pub async fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(http::converse(stream, state.clone()));
    }
}
