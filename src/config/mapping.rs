//! The lines of `key: value` that `config.yaml` and `server.yaml` are, out of a text of any bytes.
//! Which keys there may be, and what they mean, is not known here.

use serde_yaml::{Mapping, Value};

/// The keys and values of a text; none if it is empty. None: it is YAML, and no such lines. Err
/// says why it is no YAML that is read.
pub(crate) fn mapping(text: &str) -> Result<Option<Mapping>, String> {
    // The parser counts a byte order mark as a column, and what follows as less indented.
    let text = text.trim_start_matches('\u{feff}');
    // What is found so has lost its tags, and they belong to whoever wrote them.
    yaml::read(text).map_err(|bad| bad.said)?;
    match serde_yaml::from_str(text).map_err(|error| error.to_string())? {
        Value::Mapping(mapping) => Ok(Some(mapping)),
        Value::Null => Ok(Some(Mapping::new())),
        _ => Ok(None),
    }
}
