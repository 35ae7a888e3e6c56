//! Schemas as clients can use them: derived from the types, then without what only some validators know.

use super::Failure;
use rmcp::handler::server::tool::{schema_for_input, schema_for_output};
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde_json::{Value, json};

/// What a tool takes. Fields may be left out instead of being `null`, so `null` is not offered: some model providers know one type per field only.
pub(super) fn input<T: JsonSchema + 'static>() -> JsonObject {
    let schema = schema_for_input::<T>()
        .map(|schema| (*schema).clone())
        .unwrap_or_default();
    let mut schema = Value::Object(schema);
    simplify(&mut schema, true);
    object(schema)
}

/// What a tool gives.
pub(super) fn output<T: JsonSchema + 'static>() -> JsonObject {
    let mut schema = Value::Object((*schema_for_output::<T>()).clone());
    simplify(&mut schema, false);
    object(schema)
}

/// What a tool gives, or the failure that stands in its place: an object in either case, because clients want one.
pub(super) fn output_or_failure<T: JsonSchema + 'static>() -> JsonObject {
    let (mut schema, mut failure) = (output::<T>(), output::<Failure>());
    failure.remove("$schema");
    let required = schema.remove("required").unwrap_or_else(|| json!([]));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("error".into(), Value::Object(failure));
    }
    let either = json!([{ "required": required }, { "required": ["error"] }]);
    schema.insert("anyOf".into(), either);
    schema
}

fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

/// Leaves out the widths of numbers, which are no formats of JSON Schema and make validators warn, and `null` if it is not wanted.
fn simplify(schema: &mut Value, without_null: bool) {
    match schema {
        Value::Object(fields) => {
            let is_width = |format: &str| {
                ["int", "uint", "float", "double"]
                    .iter()
                    .any(|kind| format.starts_with(kind))
            };
            if fields.get("format").and_then(Value::as_str).is_some_and(is_width) {
                fields.remove("format");
            }
            if without_null && let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|each| each != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".into(), only);
                }
            }
            fields.values_mut().for_each(|field| simplify(field, without_null));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| simplify(item, without_null)),
        _ => {}
    }
}
