//! REST: routes, statuses and errors.

use super::model::{ErrorResponse, FileResponse, InvalidResponse};
use super::{CodeInterpreter, Problem, check, openapi};
use crate::auth::Caller;
use crate::http::{Artifact, download};
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

/// Answers at `/v1/…` and `/openapi.json`. Callers and bodies have been judged before a request comes here.
pub(crate) fn routes(interpreter: CodeInterpreter) -> Router {
    Router::new()
        .route("/v1/execute", post(execute))
        .route("/v1/parse-custom-tool", post(parse_custom_tool))
        .route("/v1/execute-custom-tool", post(execute_custom_tool))
        .route("/v1/files", post(upload))
        .route("/v1/files/{id}", get(file))
        .route("/openapi.json", get(async || Json(openapi::document())))
        .fallback(async || detail(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
        // The edge has bounded what it passes on.
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(interpreter)
}

fn detail(status: StatusCode, message: impl Into<String>) -> Response {
    let detail = message.into();
    (status, Json(ErrorResponse { detail })).into_response()
}

impl IntoResponse for InvalidResponse {
    fn into_response(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, Json(self)).into_response()
    }
}

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Problem::Request(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::Unknown(_) => StatusCode::NOT_FOUND,
            Problem::Full(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Busy(_) | Problem::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = detail(status, self.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer, or one of two kinds of refusals.
type Answer = Result<Response, Response>;

fn read<T: check::Request>(interpreter: &CodeInterpreter, body: &Bytes) -> Result<T, InvalidResponse> {
    check::body(body, interpreter.longest())
}

async fn execute(
    State(interpreter): State<CodeInterpreter>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer {
    let request = read(&interpreter, &body).map_err(IntoResponse::into_response)?;
    let done = interpreter.execute(caller, request).await;
    Ok(Json(done.map_err(IntoResponse::into_response)?).into_response())
}

async fn parse_custom_tool(State(interpreter): State<CodeInterpreter>, body: Bytes) -> Answer {
    let request = read(&interpreter, &body).map_err(IntoResponse::into_response)?;
    let parsed = interpreter
        .parse_tool(request)
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(either(parsed))
}

async fn execute_custom_tool(State(interpreter): State<CodeInterpreter>, body: Bytes) -> Answer {
    let request = read(&interpreter, &body).map_err(IntoResponse::into_response)?;
    let called = interpreter
        .call_tool(request)
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(either(called))
}

/// What a tool is or did, or what is wrong with it.
fn either<T: serde::Serialize, E: serde::Serialize>(result: Result<T, E>) -> Response {
    match result {
        Ok(done) => Json(done).into_response(),
        Err(failed) => (StatusCode::BAD_REQUEST, Json(failed)).into_response(),
    }
}

async fn upload(
    State(interpreter): State<CodeInterpreter>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<(StatusCode, Json<FileResponse>), Problem> {
    let size = body.len() as u64;
    let id = interpreter
        .files(move |store| store.save(&caller, &mut &body[..]))
        .await?;
    Ok((StatusCode::CREATED, Json(FileResponse { id, size })))
}

async fn file(
    State(interpreter): State<CodeInterpreter>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = id.clone();
    let (file, length) = interpreter
        .files(move |store| store.get(&caller, &id, u64::MAX))
        .await?;
    let artifact = Artifact {
        file,
        length,
        mime: "application/octet-stream".into(),
        // A digest of the content; the times of the file change with its use.
        tag: Some(name.clone()),
    };
    let answered = download(artifact, &headers, &name).await;
    Ok(answered.map_err(super::store::Error::Io)?)
}
