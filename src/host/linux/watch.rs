//! Changes of units as systemd signals them. Every state is told as the signal has it: one that
//! lasted a millisecond could not be asked for any more.
//!
//! Signals come on a connection of their own. While they wait there, questions about units go
//! over the other one; on one connection a full queue of signals would keep the answers out.

use super::bus::Systemd;
use super::properties::{Properties, status};
use crate::units::Changed;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use tokio::sync::mpsc;
use zbus::message::Type;
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant};

/// Signals that wait here, and changes that wait for whoever watches; beyond that they wait in
/// the bus.
const SIGNALS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
const CHANGES_MAX: usize = 64;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNITS: &str = "/org/freedesktop/systemd1/unit";

/// Starts to listen; what is said from the return of this on is told.
pub(super) async fn begin(asked: Systemd, prefix: String) -> zbus::Result<mpsc::Receiver<Changed>> {
    let closed = || zbus::Error::Failure("the session bus is gone".into());
    let own = Systemd::open().await?.ok_or_else(closed)?;
    let all = || MatchRule::builder().msg_type(Type::Signal).sender(SYSTEMD);
    let changed = all()
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .path_namespace(UNITS)
        .build()?;
    let of_manager = all().interface("org.freedesktop.systemd1.Manager").build()?;
    let changed = MessageStream::for_match_rule(changed, own.bus(), Some(SIGNALS_MAX)).await?;
    let of_manager =
        MessageStream::for_match_rule(of_manager, own.bus(), Some(SIGNALS_MAX)).await?;
    let (tell, told) = mpsc::channel(CHANGES_MAX);
    let watch = Watch { asked, own, prefix, known: HashMap::new(), reloading: false, tell };
    tokio::spawn(watch.run(changed, of_manager));
    Ok(told)
}

struct Watch {
    asked: Systemd,
    /// Keeps the connection open, and the subscription with it.
    own: Systemd,
    prefix: String,
    known: HashMap<String, (Properties, Properties)>,
    /// systemd reads its files anew, and meanwhile forgets and finds every unit.
    reloading: bool,
    tell: mpsc::Sender<Changed>,
}

/// Nobody watches any more.
struct Left;

impl Watch {
    async fn run(mut self, mut changed: MessageStream, mut of_manager: MessageStream) {
        loop {
            let heard = tokio::select! {
                () = self.tell.closed() => break,
                message = changed.next() => message.map(|message| (message, true)),
                message = of_manager.next() => message.map(|message| (message, false)),
            };
            let Some((Ok(message), of_unit)) = heard else { break };
            let told = match of_unit {
                true => self.of_unit(&message).await,
                false => self.of_manager(&message).await,
            };
            if told.is_err() {
                break;
            }
        }
        tracing::debug!(bus = ?self.own.bus().unique_name(), "units are watched no longer");
    }

    async fn of_unit(&mut self, message: &Message) -> Result<(), Left> {
        let header = message.header();
        let Some(path) = header.path().map(|path| OwnedObjectPath::from(path.to_owned())) else {
            return Ok(());
        };
        let Some(unit) = name(path.as_str()).filter(|unit| unit.starts_with(&self.prefix)) else {
            return Ok(());
        };
        type Body = (String, HashMap<String, OwnedVariant>, Vec<String>);
        let Ok((interface, values, _)) = message.body().deserialize::<Body>() else {
            tracing::warn!(unit, "systemd said something unclear of a unit");
            return Ok(());
        };
        if !self.known.contains_key(&unit) {
            // One that is gone again has told its end before, or never failed.
            let Ok(about) = self.asked.about(&unit, &path).await else { return Ok(()) };
            self.known.insert(unit.clone(), about);
        }
        let (common, own) = self.known.get_mut(&unit).expect("inserted above");
        let of_all = interface == "org.freedesktop.systemd1.Unit";
        // What is special to a kind is told first, and what all units have right after it
        // (`bus_unit_send_change_signal` of systemd): then both belong together.
        if !of_all {
            own.0.extend(values);
            return Ok(());
        }
        common.0.extend(values);
        let now = status(common, own);
        // Not everything is signalled: what a new run begins with (its watchdog, its limits) is
        // asked for when something is said of it again.
        if now.active == "active" {
            self.known.remove(&unit);
        }
        self.say(Changed::Unit(unit, Box::new(now))).await
    }

    async fn of_manager(&mut self, message: &Message) -> Result<(), Left> {
        let header = message.header();
        match header.member().map(|member| member.as_str()) {
            Some("UnitRemoved") => {
                let Ok((unit, _)) = message.body().deserialize::<(String, OwnedObjectPath)>()
                else {
                    return Ok(());
                };
                self.known.remove(&unit);
                match unit.starts_with(&self.prefix) && !self.reloading {
                    true => self.say(Changed::Gone(unit)).await,
                    false => Ok(()),
                }
            }
            Some("UnitFilesChanged") => self.files().await,
            Some("Reloading") => {
                // True when it begins, false when it is over.
                self.reloading = message.body().deserialize().unwrap_or(false);
                if self.reloading { Ok(()) } else { self.files().await }
            }
            _ => Ok(()),
        }
    }

    async fn files(&mut self) -> Result<(), Left> {
        self.known.clear();
        self.say(Changed::Files).await
    }

    async fn say(&self, changed: Changed) -> Result<(), Left> {
        self.tell.send(changed).await.map_err(|_| Left)
    }
}

/// The unit of an object path: what is no letter or digit stands there as `_` and two hex
/// digits.
fn name(path: &str) -> Option<String> {
    let escaped = path.strip_prefix(UNITS)?.strip_prefix('/')?.as_bytes();
    let mut name = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'_' {
            let (digits, after) = after.split_at_checked(2)?;
            name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            name.push(*first);
            rest = after;
        }
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_path_is_read_back_as_the_unit_it_stands_for() {
        let of = |escaped: &str| name(&format!("/org/freedesktop/systemd1/unit/{escaped}"));
        assert_eq!(of("parachute_2eservice").as_deref(), Some("parachute.service"));
        let agent = of("parachute_2dagent_40a_2d1_2eservice");
        assert_eq!(agent.as_deref(), Some("parachute-agent@a-1.service"));
        assert_eq!(of("x_2"), None);
        assert_eq!(of("x_zz"), None);
        assert_eq!(name("/elsewhere/x"), None);
    }
}
