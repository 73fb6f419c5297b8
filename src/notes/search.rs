//! What is found in the index: by words, by name, by what links to it. Reads only; what a query
//! is made of is said in [`query`](crate::query).

use crate::limits::{
    BACKLINKS_MAX, FOUND_MAX, SCAN_BYTES_MAX, SNIPPET_CHARS_MAX, TAGS_COUNTED_MAX, WARNINGS_MAX,
};
use crate::text::{first, is_plain_word, position, spaced, unspaced, word_at};
use crate::{links, query};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use std::collections::HashSet;

/// Which notes are looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those under `Brain/entities`. Also parts of words are found here.
    #[default]
    Entities,
    /// All of the vault.
    Vault,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Any text; an empty one is everything.
    pub query: String,
    /// Among which notes.
    pub scope: Scope,
    /// With this tag, or one below it (`a` for `a/b`).
    pub tag: Option<String>,
    /// In this folder, or one below it.
    pub folder: Option<String>,
    /// Changed since then, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// How many, at most [`FOUND_MAX`].
    pub limit: usize,
    /// So many are passed over first.
    pub offset: usize,
}

/// A note that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Its id.
    pub para_id: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Below the vault.
    pub path: String,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i64,
    /// Of its text, where the words are.
    pub snippet: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// Whether there are more.
    pub more: bool,
}

/// A tag, and how many notes have it.
pub type Counted = (String, usize);

/// A term, and the id and the name of the entity that it names.
pub type Named = (String, String, String);

const COLUMNS: &str = "n.para_id, n.name, n.tags, n.path, n.modified";
/// SQLite's own; the number is that of the text among the columns, and of its words.
const SNIPPET: &str = "snippet(words, 3, '', '', '…', 40)";

/// Searches.
pub(crate) fn search(sql: &Connection, wanted: &Wanted) -> rusqlite::Result<Found> {
    let limit = wanted.limit.min(FOUND_MAX);
    // One more says whether there are more.
    let asked = Wanted { limit: limit + 1, ..wanted.clone() };
    let text = wanted.query.trim();
    let mut hits = match query::words(text) {
        _ if text.is_empty() => list(sql, &asked)?,
        Some(words) => by_words(sql, &words, &asked, text)?,
        None => Vec::new(),
    };
    let mut is_cut = false;
    if hits.len() <= limit && wanted.scope == Scope::Entities && !text.is_empty() {
        let known = match query::words(text) {
            Some(words) => ids(sql, &words, &asked)?,
            None => HashSet::new(),
        };
        let passed = wanted.offset.saturating_sub(known.len());
        let room = limit + 1 - hits.len();
        let (parts, cut) = by_parts(sql, text, &asked, &known, SCAN_BYTES_MAX)?;
        hits.extend(parts.into_iter().skip(passed).take(room));
        is_cut = cut;
    }
    let more = hits.len() > limit || is_cut;
    hits.truncate(limit);
    Ok(Found { hits, more })
}

/// The conditions beside the words, with what is put into them.
fn filters(wanted: &Wanted) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (String::new(), Vec::new());
    if wanted.scope == Scope::Entities {
        sql.push_str(" AND n.is_entity = 1");
    }
    if let Some(tag) = &wanted.tag {
        sql.push_str(
            " AND EXISTS (SELECT 1 FROM tags AS t WHERE t.note = n.id
                AND (t.tag = ? OR (t.tag > ? AND t.tag < ?)))",
        );
        let tag = tag.trim().trim_start_matches('#').to_lowercase();
        values.extend([tag.clone(), format!("{tag}/"), format!("{tag}0")].map(Value::Text));
    }
    let folder = wanted.folder.as_deref().map(|folder| folder.trim_matches('/'));
    if let Some(folder) = folder.filter(|folder| !folder.is_empty()) {
        sql.push_str(" AND n.path > ? AND n.path < ?");
        // `0` comes right after `/`.
        values.extend([format!("{folder}/"), format!("{folder}0")].map(Value::Text));
    }
    if let Some(since) = wanted.since {
        sql.push_str(" AND n.modified >= ?");
        values.push(Value::Integer(since));
    }
    (sql, values)
}

fn page(wanted: &Wanted) -> [Value; 2] {
    let whole = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    [whole(wanted.limit), whole(wanted.offset)]
}

/// Entities by their place, all notes by their time.
fn list(sql: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Hit>> {
    let (filters, mut values) = filters(wanted);
    let order = match wanted.scope {
        Scope::Entities => "n.path",
        Scope::Vault => "n.modified DESC, n.path",
    };
    values.extend(page(wanted));
    let asked = format!(
        "SELECT {COLUMNS}, substr(t.body, 1, 400) FROM (
            SELECT * FROM notes AS n WHERE 1 {filters} ORDER BY {order} LIMIT ? OFFSET ?
         ) AS n JOIN texts AS t ON t.id = n.id ORDER BY {order}"
    );
    let mut asked = sql.prepare_cached(&asked)?;
    asked.query_map(params_from_iter(values), hit)?.collect()
}

/// What the words table is asked: entities are marked there, so that the words of all other
/// notes need not be weighed.
fn matched(words: &str, scope: Scope) -> Value {
    let words = format!("{{name tags para_id body}} : ({words})");
    Value::Text(match scope {
        Scope::Entities => format!("mark : \"entity\" AND {words}"),
        Scope::Vault => words,
    })
}

fn by_words(
    sql: &Connection,
    words: &str,
    wanted: &Wanted,
    text: &str,
) -> rusqlite::Result<Vec<Hit>> {
    if is_plain_word(text) {
        return by_word(sql, words, wanted, text);
    }
    let (filters, given) = filters(wanted);
    let asked = format!(
        "SELECT {COLUMNS}, {SNIPPET}
         FROM words CROSS JOIN notes AS n ON n.id = words.rowid
         WHERE words MATCH ? {filters} ORDER BY words.rank LIMIT ? OFFSET ?"
    );
    let values = [matched(words, wanted.scope)].into_iter().chain(given).chain(page(wanted));
    let mut asked = sql.prepare_cached(&asked)?;
    asked.query_map(params_from_iter(values), hit)?.collect()
}

/// A plain word, which most queries are, is found again in the texts by us: for SQLite's own
/// snippet each text is parted into words once more, which takes longer than the search. Where we
/// do not find it (it is written with accents, or stands in the name) that snippet is asked for.
fn by_word(
    sql: &Connection,
    words: &str,
    wanted: &Wanted,
    word: &str,
) -> rusqlite::Result<Vec<Hit>> {
    let (filters, given) = filters(wanted);
    let asked = format!(
        "SELECT {COLUMNS}, t.body, words.rowid FROM words
         CROSS JOIN notes AS n ON n.id = words.rowid CROSS JOIN texts AS t ON t.id = n.id
         WHERE words MATCH ? {filters} ORDER BY words.rank LIMIT ? OFFSET ?"
    );
    let one = format!("SELECT {SNIPPET} FROM words WHERE words MATCH ? AND rowid = ?");
    let matched = matched(words, wanted.scope);
    let values = [matched.clone()].into_iter().chain(given).chain(page(wanted));
    let mut asked = sql.prepare_cached(&asked)?;
    let hits = asked.query_map(params_from_iter(values), |row| {
        let body = row.get_ref(5)?.as_str()?;
        let snippet = match word_at(body, word) {
            Some(at) => around(body, at),
            None => {
                let of = [matched.clone(), Value::Integer(row.get(6)?)];
                shown(sql.prepare_cached(&one)?.query_row(of, |row| row.get(0))?)
            }
        };
        Ok(Hit { snippet, ..hit_without(row)? })
    })?;
    hits.collect()
}

/// Which entities have the words. There are at most as many as a page and what comes before it.
fn ids(sql: &Connection, words: &str, wanted: &Wanted) -> rusqlite::Result<HashSet<i64>> {
    let (filters, given) = filters(wanted);
    let asked = format!(
        "SELECT n.id FROM words CROSS JOIN notes AS n ON n.id = words.rowid
         WHERE words MATCH ? {filters}"
    );
    let values = [matched(words, wanted.scope)].into_iter().chain(given);
    let mut asked = sql.prepare_cached(&asked)?;
    asked.query_map(params_from_iter(values), |row| row.get(0))?.collect()
}

/// Entities with the text as a part of their words, as the predecessor found them, and whether
/// there are some of whose texts nothing was looked at, because so much was before them.
fn by_parts(
    sql: &Connection,
    text: &str,
    wanted: &Wanted,
    known: &HashSet<i64>,
    max: usize,
) -> rusqlite::Result<(Vec<Hit>, bool)> {
    let text = &*spaced(text);
    let (filters, values) = filters(wanted);
    let asked = format!(
        "SELECT {COLUMNS}, t.body, n.id FROM notes AS n JOIN texts AS t ON t.id = n.id
         WHERE 1 {filters} ORDER BY n.path"
    );
    let mut asked = sql.prepare_cached(&asked)?;
    let mut rows = asked.query(params_from_iter(values))?;
    let (mut hits, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = row.get_ref(5)?.as_str()?;
        bytes += body.len();
        if bytes > max {
            return Ok((hits, true));
        }
        if hits.len() > wanted.offset + wanted.limit {
            break;
        }
        let has = |column: usize| -> rusqlite::Result<bool> {
            Ok(position(row.get_ref(column)?.as_str()?, text).is_some())
        };
        let at = position(body, text);
        if known.contains(&row.get(6)?) || (at.is_none() && !(has(0)? || has(1)? || has(2)?)) {
            continue;
        }
        hits.push(Hit { snippet: around(body, at.unwrap_or(0)), ..hit_without(row)? });
    }
    Ok((hits, false))
}

/// Some of a text, from a word or two before this place on.
fn around(body: &str, at: usize) -> String {
    let before = body[..at].char_indices().rev().nth(40).map_or(0, |(at, _)| at);
    let space = body[before..at].char_indices().find(|(_, c)| c.is_whitespace());
    // White space may have more than one byte.
    let after = |(at, space): (usize, char)| before + at + space.len_utf8();
    let from = space.filter(|_| before > 0).map_or(before, after);
    let mark = if from > 0 { "…" } else { "" };
    shown(format!("{mark}{}", first(&body[from..], 2 * SNIPPET_CHARS_MAX)))
}

/// As it was written, and not too long.
fn shown(text: String) -> String {
    let text = unspaced(text);
    first(&text, SNIPPET_CHARS_MAX).to_owned()
}

fn hit(row: &Row<'_>) -> rusqlite::Result<Hit> {
    Ok(Hit { snippet: shown(row.get(5)?), ..hit_without(row)? })
}

fn hit_without(row: &Row<'_>) -> rusqlite::Result<Hit> {
    let tags: String = row.get(2)?;
    Ok(Hit {
        para_id: unspaced(row.get(0)?),
        name: unspaced(row.get(1)?),
        tags: unspaced(tags).lines().map(str::to_owned).collect(),
        path: row.get(3)?,
        modified: row.get(4)?,
        snippet: String::new(),
    })
}

/// The path of a note by its id, else by its path: entities first.
pub(crate) fn of_id(sql: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    let mut asked = sql.prepare_cached(
        "SELECT path FROM notes WHERE para_id IN (?1, ?2) OR path IN (?1, ?3)
         ORDER BY is_entity DESC, para_id IN (?1, ?2) DESC, path LIMIT 1",
    )?;
    let spaced = spaced(id);
    asked.query_row([id, &spaced, &format!("{id}.md")], |row| row.get(0)).optional()
}

/// The path of an entity by its name.
pub(crate) fn of_name(sql: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let mut asked = sql.prepare_cached(
        "SELECT path FROM notes WHERE name_key = ?1 AND is_entity = 1 ORDER BY path LIMIT 1",
    )?;
    asked.query_row([name.trim().to_lowercase()], |row| row.get(0)).optional()
}

/// Which of these terms are names of entities: the term, the id, the name.
pub(crate) fn named(sql: &Connection, terms: &[String]) -> rusqlite::Result<Vec<Named>> {
    let mut asked = sql.prepare_cached(
        "SELECT para_id, name FROM notes WHERE name_key = ?1 AND is_entity = 1
         ORDER BY path LIMIT 1",
    )?;
    let mut found: Vec<Named> = Vec::new();
    for term in terms {
        let row = asked.query_row([term.trim().to_lowercase()], |row| {
            Ok((term.clone(), unspaced(row.get(0)?), unspaced(row.get(1)?)))
        });
        if let Some(row) = row.optional()?
            && found.iter().all(|known| known.1 != row.1)
        {
            found.push(row);
        }
    }
    Ok(found)
}

/// The notes that link to the one at this path, and whether there are more.
pub(crate) fn backlinks(sql: &Connection, path: &str) -> rusqlite::Result<Found> {
    let mut asked =
        sql.prepare_cached("SELECT id, name, para_id, aliases FROM notes WHERE path = ?1")?;
    let found = asked.query_row([path], |row| {
        let names: [String; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
        Ok((row.get::<_, i64>(0)?, names.map(unspaced)))
    });
    let Some((id, [name, para_id, aliases])) = found.optional()? else {
        return Ok(Found::default());
    };
    let names = [name.as_str(), para_id.as_str()].into_iter().chain(aliases.lines());
    let keys = links::keys(path, names);
    let marks = vec!["?"; keys.len()].join(", ");
    let asked = format!(
        "SELECT {COLUMNS}, substr(t.body, 1, 400) FROM (
            SELECT * FROM notes WHERE id <> ? AND id IN (
                SELECT source FROM links WHERE target IN ({marks})
            ) ORDER BY path LIMIT ?
         ) AS n JOIN texts AS t ON t.id = n.id ORDER BY n.path"
    );
    let mut values = vec![Value::Integer(id)];
    values.extend(keys.into_iter().map(Value::Text));
    values.push(Value::Integer(i64::try_from(BACKLINKS_MAX + 1).unwrap_or(i64::MAX)));
    let mut asked = sql.prepare(&asked)?;
    let hits = asked.query_map(params_from_iter(values), hit)?;
    let mut hits: Vec<Hit> = hits.collect::<rusqlite::Result<_>>()?;
    let more = hits.len() > BACKLINKS_MAX;
    hits.truncate(BACKLINKS_MAX);
    Ok(Found { hits, more })
}

/// The tags of entities, or of all notes, the most used first.
pub(crate) fn tags(sql: &Connection, scope: Scope) -> rusqlite::Result<Vec<Counted>> {
    let only = match scope {
        Scope::Entities => "WHERE note IN (SELECT id FROM notes WHERE is_entity = 1)",
        Scope::Vault => "",
    };
    let mut asked = sql.prepare_cached(&format!(
        "SELECT tag, count(*) AS notes FROM tags {only} GROUP BY tag
         ORDER BY notes DESC, tag LIMIT {TAGS_COUNTED_MAX}"
    ))?;
    let rows = asked.query_map([], |row| {
        Ok((row.get(0)?, usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
    })?;
    rows.collect()
}

/// How many entities there are, all notes, and the first of what is wrong with some.
pub(crate) fn census(sql: &Connection) -> rusqlite::Result<(usize, usize, Vec<String>)> {
    let count = |asked: &str| -> rusqlite::Result<usize> {
        let count: i64 = sql.query_row(asked, [], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    };
    let entities = count("SELECT count(*) FROM notes WHERE is_entity = 1")?;
    let notes = count("SELECT count(*) FROM notes")?;
    let mut asked = sql.prepare(&format!(
        "SELECT warnings FROM notes WHERE warnings <> '' ORDER BY path LIMIT {WARNINGS_MAX}"
    ))?;
    let said: Vec<String> =
        asked.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let said = said.iter().flat_map(|said| said.lines()).take(WARNINGS_MAX).map(str::to_owned);
    Ok((entities, notes, said.collect()))
}

#[cfg(test)]
mod tests;
