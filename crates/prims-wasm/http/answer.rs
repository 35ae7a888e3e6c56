//! Answers of the edge itself: what a request lacks, in one form for all.

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use std::time::Duration;

// Codes of JSON-RPC; the last is the first of its range for servers.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INTERNAL_ERROR: i32 = -32603;
const SERVER_ERROR: i32 = -32000;

/// Why a request is not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    ForeignHost,
    ForeignOrigin,
    UnknownPath,
    Method(&'static str),
    Twice(&'static str),
    ContentType,
    UnexpectedBody,
    TooLarge(usize),
    TooSlow,
    Incomplete,
    TooDeep(usize),
    TooMany(usize),
    Overloaded,
    Exceeded(&'static str, Duration),
    Panicked(String),
}

/// How clients read an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As those of MCP.
    JsonRpc,
    /// As those of services made with FastAPI.
    Detail,
    /// As a text of the server whose place is taken.
    Text(&'static str),
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Problem::ForeignHost | Problem::ForeignOrigin => StatusCode::FORBIDDEN,
            Problem::UnknownPath => StatusCode::NOT_FOUND,
            Problem::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Problem::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Twice(_)
            | Problem::UnexpectedBody
            | Problem::Incomplete
            | Problem::TooDeep(_)
            | Problem::TooMany(_) => StatusCode::BAD_REQUEST,
            Problem::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Problem::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Exceeded(..) => StatusCode::TOO_MANY_REQUESTS,
            Problem::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> i32 {
        match self {
            Problem::TooDeep(_) | Problem::TooMany(_) | Problem::Incomplete => PARSE_ERROR,
            Problem::Twice(_) | Problem::ContentType | Problem::UnexpectedBody | Problem::TooLarge(_) => {
                INVALID_REQUEST
            }
            Problem::Panicked(_) => INTERNAL_ERROR,
            _ => SERVER_ERROR,
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Problem::ForeignHost => "this server is not known by the name in `Host`".into(),
            Problem::ForeignOrigin => "pages of this origin may not call this server".into(),
            Problem::UnknownPath => "nothing is here, expected /mcp".into(),
            Problem::Method(allowed) => format!("the method is not one of {allowed}"),
            Problem::Twice(name) => format!("the header `{name}` is there twice"),
            Problem::ContentType => "the body must be `application/json` without an encoding".into(),
            Problem::UnexpectedBody => "this method has no body".into(),
            Problem::TooLarge(most) => format!("the body has more than {most} bytes"),
            Problem::TooSlow => "the body did not arrive in time".into(),
            Problem::Incomplete => "the body is incomplete".into(),
            Problem::TooDeep(most) => format!("the body has more than {most} levels"),
            Problem::TooMany(most) => format!("the body has more than {most} values"),
            Problem::Overloaded => "too many large requests are in progress".into(),
            Problem::Exceeded(what, _) => (*what).into(),
            Problem::Panicked(incident) => format!("internal error, incident {incident}"),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Problem::ForeignHost => Some("an operator can allow the name with --allowed-hosts"),
            Problem::ForeignOrigin => Some("an operator can allow the origin with --allowed-origins"),
            _ => None,
        }
    }

    pub(super) fn into_response(self, form: Form) -> Response<Body> {
        let mut response = match form {
            Form::JsonRpc => coded(self.code(), self.status(), &self.message(), self.hint()),
            Form::Text(body) => text(self.status(), body),
            Form::Detail => match &self {
                Problem::UnknownPath => detail(self.status(), "Not Found"),
                Problem::Method(_) => detail(self.status(), "Method Not Allowed"),
                problem => detail(problem.status(), &problem.message()),
            },
        };
        let headers = response.headers_mut();
        match self {
            Problem::Method(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Problem::Exceeded(_, wait) => {
                headers.insert(RETRY_AFTER, (wait.as_secs_f64().ceil().max(1.0) as u64).into());
            }
            Problem::Overloaded => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The rest of the body is not read.
            Problem::TooSlow => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// An error in one of the forms.
pub(super) fn formed(form: Form, status: StatusCode, message: &str) -> Response<Body> {
    match form {
        Form::JsonRpc => error(status, message, None),
        Form::Detail => detail(status, message),
        Form::Text(body) => text(status, body),
    }
}

fn detail(status: StatusCode, message: &str) -> Response<Body> {
    document(status, &json!({"detail": message}))
}

/// An error as MCP clients read it, also where it is not about MCP.
pub(super) fn error(status: StatusCode, message: &str, hint: Option<&str>) -> Response<Body> {
    coded(SERVER_ERROR, status, message, hint)
}

fn coded(code: i32, status: StatusCode, message: &str, hint: Option<&str>) -> Response<Body> {
    let mut error = json!({"code": code, "message": message});
    if let Some(hint) = hint {
        error["data"] = json!({"hint": hint});
    }
    document(status, &json!({"jsonrpc": "2.0", "id": null, "error": error}))
}

pub(super) fn document(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    with_type(status, "application/json", value.to_string())
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", text.to_owned())
}

fn with_type(status: StatusCode, mime: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
