//! A file that somebody hands in: the field `file` of a form (RFC 7578). Bounded like every
//! body, and held in memory: what the suite takes in so is small. Other fields are passed over.

use crate::call::{Raw, Shape, Take, whole};
use crate::fault::{Fault, Invalid};
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use multer::{Field, Multipart};
use schemars::generate::SchemaGenerator;
use serde_json::{Value, json};
use std::convert::Infallible;

/// The field that holds the file.
const FIELD: &str = "file";

/// Fields of a form that are looked at before it is taken for nonsense.
const FIELDS_MAX: usize = 64;

/// What was handed in.
pub struct Upload {
    /// What the sender calls the file; empty if it does not say. No path is to be made of it.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

impl Take for Upload {
    fn describe(_: &mut SchemaGenerator, shape: &mut Shape) {
        describe_form(shape);
    }

    async fn take(raw: Raw<'_>) -> Result<Upload, Fault> {
        let bytes = whole(raw.body, &raw.limits).await?;
        let boundary = boundary(raw.kind.as_ref())?;
        let pieces = stream::iter([Ok::<_, Infallible>(bytes)]);
        let field = field(&mut Multipart::new(pieces, boundary)).await?;
        let name = field.file_name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(broken)?;
        Ok(Upload { name, bytes })
    }
}

pub(crate) fn describe_form(shape: &mut Shape) {
    shape.is_form = true;
    shape.body = Some(json!({
        "type": "object",
        "properties": { FIELD: { "type": "string", "format": "binary" } },
        "required": [FIELD],
    }));
}

/// What stands between the fields of a form of this media type.
pub(crate) fn boundary(kind: Option<&HeaderValue>) -> Result<String, Fault> {
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(kind).map_err(|_| missing())
}

/// The field with the file.
pub(crate) async fn field(form: &mut Multipart<'static>) -> Result<Field<'static>, Fault> {
    for _ in 0..FIELDS_MAX {
        let field = form.next_field().await.map_err(broken)?.ok_or_else(missing)?;
        if field.name() == Some(FIELD) {
            return Ok(field);
        }
    }
    Err(missing())
}

fn missing() -> Fault {
    Fault::invalid(vec![Invalid {
        kind: "missing",
        place: vec!["body".into(), FIELD.into()],
        said: "Field required".into(),
        given: Value::Null,
        bounds: None,
    }])
}

pub(crate) fn broken(error: multer::Error) -> Fault {
    Fault::bad("There was an error parsing the body").because(error)
}
