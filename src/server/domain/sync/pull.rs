//! What goes to a device: files as they are, not a line end changed, with the hash of the very
//! bytes that go (trap T-81). The server remembers what it gave to whom.

use super::{Root, few, is_binary, mark, path_in, seconds, stored, unlinked, who};
use crate::domain::Domain;
use crate::domain::files::FilesError;
use crate::limits::{SYNC_ANSWER_BYTES_MAX, SYNC_FILE_BYTES_MAX};
use crate::store::sync::{News, Visit};
use crate::vault::files::{self, ReachError, Vault};
use crate::vault::sync::rests;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use wire::sync::{PullBody, Pulled, PulledFile};

impl Domain {
    pub(super) async fn pull(&self, body: PullBody, caller: String) -> Result<Pulled, FilesError> {
        few(body.paths.len())?;
        let who = who(body.device, caller)?;
        let root = self.sync_root(&body.root).await?;
        let ignored = self.ignored().await?;
        let store = self.sync_store().await?;
        let _alone = self.changing_files.lock().await;
        let (pulled, news) = self
            .in_files(move |vault| {
                let (mut out, mut news) = (Pulled::default(), Vec::new());
                let mut room = SYNC_ANSWER_BYTES_MAX;
                for asked in body.paths {
                    let given = path_in(&root, &asked).and_then(|path| {
                        if ignored.is_ignored(&root.real.join(&path), false) {
                            return Err("it is left alone by .parachuteignore".into());
                        }
                        give(vault, &root, &path, &mut room).map_err(|error| error.to_string())?
                    });
                    match given {
                        Ok((mut file, found)) => {
                            file.path = asked;
                            out.files.push(file);
                            news.push(found);
                        }
                        Err(why) => out.errors.push(format!("{asked}: {why}")),
                    }
                }
                Ok::<_, FilesError>((out, news))
            })
            .await?;
        let seen = |news: &News| Some((news.path.clone(), news.text.clone()?.0));
        let visit = Visit { who, seen: news.iter().filter_map(seen).collect(), pushed: None };
        store.note(news, Some(visit)).await.map_err(stored)?;
        Ok(pulled)
    }
}

type Given = Result<(PulledFile, News), String>;

fn give(vault: &Vault, root: &Root, path: &Path, room: &mut u64) -> Result<Given, ReachError> {
    let Some(real) = unlinked(vault, root, path)? else { return Ok(Err("File not found".into())) };
    let spot = files::spot(vault, &real)?;
    let found = match &spot {
        Some(spot) => spot.open()?,
        None => None,
    };
    let Some(mut found) = found else { return Ok(Err("File not found".into())) };
    let began = files::now_ns();
    if found.stamp.size > SYNC_FILE_BYTES_MAX {
        let said = format!("it is larger than {} MiB", SYNC_FILE_BYTES_MAX >> 20);
        return Ok(Err(said));
    }
    if found.stamp.size > *room {
        return Ok(Err("the answer is full; ask for it again".into()));
    }
    let bytes = found.bytes(SYNC_FILE_BYTES_MAX)?;
    *room = room.saturating_sub(bytes.len() as u64);
    let hash = files::hash(&bytes);
    let lasting = rests(&found.stamp, began) && bytes.len() as u64 == found.stamp.size;
    let text = Some((hash.clone(), lasting.then(|| mark(&found.stamp))));
    let size = bytes.len() as u64;
    let (content, is_binary) = match is_binary(path) {
        true => (STANDARD.encode(bytes), true),
        false => match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(other) => (STANDARD.encode(other.as_bytes()), true),
        },
    };
    let modified = seconds(&found.stamp);
    let file = PulledFile { path: String::new(), content, hash, size, modified, is_binary };
    Ok(Ok((file, News { path: root.key_of(path), text, only_at: None })))
}
