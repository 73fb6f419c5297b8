//! A query with a JSON body that may be missing: the app posts nothing at all at some doors.

use crate::call::{Json, Raw, Shape, Take, typed_query};
use crate::fault::Fault;
use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::de::DeserializeOwned;

/// Both; None where nothing was sent.
pub struct MaybeBody<Q, B>(pub Q, pub Option<B>);

impl<Q, B> Take for MaybeBody<Q, B>
where
    Q: DeserializeOwned + JsonSchema + Send,
    B: DeserializeOwned + JsonSchema + Send + 'static,
{
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        shape.query = Some(schemas.subschema_for::<Q>().to_value());
        shape.body = Some(schemas.subschema_for::<B>().to_value());
        shape.may_miss = true;
    }

    async fn take(raw: Raw<'_>) -> Result<MaybeBody<Q, B>, Fault> {
        let query = typed_query(&raw)?;
        if hyper::body::Body::is_end_stream(&raw.body) {
            return Ok(MaybeBody(query, None));
        }
        let Json(body) = Json::<B>::take(raw).await?;
        Ok(MaybeBody(query, Some(body)))
    }
}
