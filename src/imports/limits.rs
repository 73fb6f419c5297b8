//! Bounds of what is read, in one place. Memory goes with `conversation_bytes_max`, and with
//! nothing else that stands in a file.

/// Bounds of one export.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// One conversation, as it stands in the file.
    pub conversation_bytes_max: usize,
    /// Conversations in one export.
    pub conversations_max: u64,
    /// What comes out of an archive.
    pub unpacked_bytes_max: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            conversation_bytes_max: 32 << 20,
            conversations_max: 200_000,
            unpacked_bytes_max: 16 << 30,
        }
    }
}

/// Messages of one conversation, and nodes of its tree.
pub(crate) const MESSAGES_MAX: usize = 100_000;
/// The id that a conversation has elsewhere.
pub(crate) const ID_BYTES_MAX: usize = 256;
/// Characters of a title that are kept.
pub(crate) const TITLE_CHARS_MAX: usize = 200;
/// A name in the export's outermost object that is looked at.
pub(crate) const KEY_BYTES_MAX: usize = 64;
/// Of a record that is too large, so much is looked at for its id.
pub(crate) const ID_SOUGHT_BYTES_MAX: usize = 1 << 20;
/// What is read of an archive to know what is in it.
pub(crate) const TABLE_BYTES_MAX: u64 = 8 << 20;
/// How deep the conversations may lie in an archive, and in how many files.
pub(crate) const ARCHIVE_DEPTH_MAX: usize = 8;
pub(crate) const ARCHIVE_PARTS_MAX: usize = 1000;
/// How much larger than the archive that may be which comes out of it, once it is more than
/// `ARCHIVE_SMALL_BYTES`. Text shrinks to a tenth; text that repeats itself to a fiftieth.
pub(crate) const ARCHIVE_RATIO_MAX: u64 = 200;
pub(crate) const ARCHIVE_SMALL_BYTES: u64 = 64 << 20;
/// A line of a session file; a longer one is passed over.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// A working directory, and the name of a model or of a source; what is longer is none.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
pub(crate) const NAME_BYTES_MAX: usize = 200;
/// Characters of a session's first message that are kept.
pub(crate) const FIRST_CHARS_MAX: usize = 500;
