//! Over the standard streams: a message a line.

use crate::answer::{Answer, to};
use crate::{Fault, Options};
use serde_json::Value;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

/// Of what is written without end, so much at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What a loud one writes to stderr: more than any pipe holds.
const LOUD_BYTES: usize = 1 << 20;

/// Serves until its input ends.
pub(crate) fn serve(options: &Options) -> io::Result<ExitCode> {
    let status = ExitCode::from(u8::try_from(options.status).unwrap_or(u8::MAX));
    let mut out = io::stdout().lock();
    match options.fault {
        Some(Fault::Exit) => return Ok(status),
        Some(Fault::Flood) => flood(&mut out)?,
        Some(Fault::Loud) => {
            io::stderr().write_all(&[b'x'; LOUD_BYTES])?;
            eprintln!("\nthe last of it");
        }
        _ => {}
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        if let Some(Fault::Garbage | Fault::Chatter) = options.fault {
            writeln!(out, "listening on nothing at all\n{{\"half\": \n\n[]")?;
            out.flush()?;
        }
        if options.fault == Some(Fault::Garbage) {
            continue;
        }
        let message: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
        match to(&message, options) {
            Answer::Message(answer) => {
                writeln!(out, "{answer}")?;
                out.flush()?;
            }
            Answer::Nothing | Answer::Never => {}
            Answer::End => return Ok(status),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn flood(out: &mut impl Write) -> io::Result<()> {
    loop {
        out.write_all(&[b'x'; PIECE_BYTES])?;
    }
}
