-- Only a cache: another version, or another vault, is begun anew.
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    folder TEXT NOT NULL,
    file TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    is_entity INTEGER NOT NULL,
    para_id TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    -- One to a line.
    tags TEXT NOT NULL,
    aliases TEXT NOT NULL,
    warnings TEXT NOT NULL
);
CREATE INDEX notes_by_folder ON notes (folder, file);
CREATE INDEX notes_by_id ON notes (para_id);
CREATE INDEX notes_by_name ON notes (name_key);
CREATE INDEX notes_by_time ON notes (modified);
CREATE INDEX entities ON notes (path) WHERE is_entity = 1;
CREATE INDEX warned ON notes (path) WHERE warnings <> '';

-- Apart from the notes, so that those are quickly gone through.
CREATE TABLE texts (id INTEGER PRIMARY KEY, body TEXT NOT NULL);

CREATE TABLE tags (
    note INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (note, tag)
) WITHOUT ROWID;
CREATE INDEX notes_of_tag ON tags (tag, note);

CREATE TABLE links (
    source INTEGER NOT NULL, target TEXT NOT NULL, PRIMARY KEY (source, target)
) WITHOUT ROWID;
CREATE INDEX sources ON links (target, source);

CREATE VIEW shown AS
    SELECT notes.id AS id, name, tags, para_id, body,
           CASE is_entity WHEN 1 THEN 'entity' ELSE '' END AS mark
    FROM notes JOIN texts ON texts.id = notes.id;

-- The text is kept in `texts` and not twice. No index of prefixes: with one of two and three
-- letters the words took three times as long to be indexed and a quarter more room, and only
-- prefixes that short became quicker (250 to 67 ms in 125 MB of notes).
CREATE VIRTUAL TABLE words USING fts5 (
    name, tags, para_id, body, mark,
    content = 'shown', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO words (words, rank) VALUES ('rank', 'bm25(10.0, 6.0, 3.0, 1.0, 0.0)');
