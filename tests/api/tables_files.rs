//! What the app reads of files and of synchronised folders (contract-core §1.14,
//! contract-extended §1.9 and §1.11), with what the contract promises beside it.

use crate::dart::Dart::{Bool, Date, Int, List, Map, Num, OneOf, Str, Strings};
use crate::dart::{Field, may, need, null};

pub(crate) const LISTING: &[Field] = &[
    need("path", Str),
    need("fullPath", Str),
    need(
        "entries",
        List(&[
            need("name", Str),
            need("type", OneOf(&["directory", "file", "symlink"])),
            need("path", Str),
            need("relativePath", Str),
            need("isDirectory", Bool),
            need("isFile", Bool),
            need("isSymlink", Bool),
            need("isBrokenSymlink", Bool),
            null("symlinkTarget", Str),
            need("hasAgentsMd", Bool),
            need("hasClaudeMd", Bool),
            need("isGitRepo", Bool),
            null("size", Int),
            null("lastModified", Date),
        ]),
    ),
];

pub(crate) const TEXT: &[Field] =
    &[need("path", Str), need("content", Str), need("size", Int), need("lastModified", Date)];

pub(crate) const WRITTEN: &[Field] =
    &[need("success", Bool), need("path", Str), need("size", Int), need("lastModified", Date)];

const FILE: &[Field] = &[
    need("path", Str),
    need("hash", Str),
    need("size", Int),
    need("modified", Num),
    may("version", Int),
];

const TOMBSTONE: &[Field] =
    &[need("path", Str), need("hash", Str), need("version", Int), need("deleted_at", Date)];

pub(crate) const MANIFEST: &[Field] = &[
    need("root", Str),
    need("files", List(FILE)),
    need("generated_at", Date),
    need("version", Int),
    need("deleted", List(TOMBSTONE)),
];

pub(crate) const CHANGES: &[Field] = &[
    need("root", Str),
    need("files", List(FILE)),
    need("since", Num),
    need("generated_at", Date),
    need("deleted", List(TOMBSTONE)),
];

const CONFLICT: &[Field] =
    &[need("path", Str), null("hash", Str), null("version", Int), need("deleted", Bool)];

pub(crate) const PUSHED: &[Field] = &[
    need("pushed", Int),
    need("errors", Strings),
    need(
        "files",
        List(&[need("path", Str), need("hash", Str), need("version", Int), may("kept", Str)]),
    ),
    need("conflicts", List(CONFLICT)),
];

pub(crate) const PULLED: &[Field] = &[
    need(
        "files",
        List(&[
            need("path", Str),
            need("content", Str),
            need("hash", Str),
            need("size", Int),
            need("modified", Num),
            need("is_binary", Bool),
        ]),
    ),
    need("errors", Strings),
];

pub(crate) const DELETED: &[Field] =
    &[need("deleted", Int), need("errors", Strings), need("conflicts", List(CONFLICT))];

pub(crate) const STATUS: &[Field] = &[
    need("version", Int),
    need(
        "roots",
        List(&[
            need("root", Str),
            need("files", Int),
            need("tombstones", Int),
            null("last_push", Date),
            null("last_push_by", Str),
            null("last_push_files", Int),
        ]),
    ),
    need(
        "aside",
        Map(&[need("folder", Str), need("files", Int), need("bytes", Int), need("days", Int)]),
    ),
];
