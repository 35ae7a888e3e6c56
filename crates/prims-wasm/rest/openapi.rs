//! The document at `/openapi.json`: routes as they are, shapes from the types.

use super::model::{
    ErrorResponse, ExecuteCustomToolErrorResponse, ExecuteCustomToolRequest, ExecuteCustomToolResponse, ExecuteRequest,
    ExecuteResponse, FileResponse, InvalidResponse, ParseCustomToolErrorResponse, ParseCustomToolRequest,
    ParseCustomToolResponse,
};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut shapes = settings.into_generator();
    let error = of::<ErrorResponse>(&mut shapes, "The request cannot be carried out");
    let invalid = of::<InvalidResponse>(&mut shapes, "Validation Error");
    let paths = json!({
        "/v1/execute": {"post": operation(
            "Execute",
            &body::<ExecuteRequest>(&mut shapes),
            &json!({
                "200": of::<ExecuteResponse>(&mut shapes, "The code was run, however it ended"),
                "404": error, "413": error, "422": invalid, "500": error, "503": error,
            }),
        )},
        "/v1/parse-custom-tool": {"post": operation(
            "Parse Custom Tool",
            &body::<ParseCustomToolRequest>(&mut shapes),
            &json!({
                "200": of::<ParseCustomToolResponse>(&mut shapes, "The tool"),
                "400": of::<ParseCustomToolErrorResponse>(&mut shapes, "It is no tool"),
                "422": invalid, "500": error, "503": error,
            }),
        )},
        "/v1/execute-custom-tool": {"post": operation(
            "Execute Custom Tool",
            &body::<ExecuteCustomToolRequest>(&mut shapes),
            &json!({
                "200": of::<ExecuteCustomToolResponse>(&mut shapes, "What the tool returned"),
                "400": of::<ExecuteCustomToolErrorResponse>(&mut shapes, "The tool failed"),
                "422": invalid, "500": error, "503": error,
            }),
        )},
        "/v1/files": {"post": operation(
            "Upload File",
            &json!({"required": true, "content": bytes()}),
            &json!({"201": of::<FileResponse>(&mut shapes, "The file is kept"), "413": error}),
        )},
        "/v1/files/{id}": {"get": {
            "summary": "Download File",
            "operationId": "download_file",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "responses": {"200": {"description": "Its bytes", "content": bytes()}, "404": error},
        }},
    });
    json!({
        "openapi": "3.1.0",
        "info": {"title": "prims-wasm", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"schemas": shapes.take_definitions(true)},
    })
}

fn operation(summary: &str, body: &Value, responses: &Value) -> Value {
    json!({
        "summary": summary,
        "operationId": summary.to_lowercase().replace(' ', "_"),
        "requestBody": body,
        "responses": responses,
    })
}

fn bytes() -> Value {
    json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})
}

fn content(shape: &Schema) -> Value {
    json!({"application/json": {"schema": shape}})
}

fn body<T: JsonSchema>(shapes: &mut SchemaGenerator) -> Value {
    json!({"required": true, "content": content(&shapes.subschema_for::<T>())})
}

fn of<T: JsonSchema>(shapes: &mut SchemaGenerator, description: &str) -> Value {
    json!({"description": description, "content": content(&shapes.subschema_for::<T>())})
}
