//! gRPC: the same as REST, without environment and time limit, which its messages do not have. Reflection says what there is.

use super::messages::{
    CalledTool, ExecuteCustomToolRequest, ExecuteCustomToolResponse, ExecuteCustomToolResponseError,
    ExecuteCustomToolResponseSuccess, ExecuteRequest, ExecuteResponse, ParseCustomToolRequest, ParseCustomToolResponse,
    ParseCustomToolResponseError, ParseCustomToolResponseSuccess, ParsedTool,
};
use super::model::InvalidResponse;
use super::{CodeInterpreter, Problem, check, model};
use crate::auth::Caller;
use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, post_service};
use std::convert::Infallible;
use std::pin::Pin;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// The proto file, compiled; `scripts/proto` makes it.
const DESCRIPTORS: &[u8] = include_bytes!("../../../proto/code_interpreter.bin");
/// Bytes of a message. The edge bounds what comes in; what goes out is bounded by the limits of a run.
const MAX_MESSAGE: usize = 512 << 20;
/// Bytes of a question about the service.
const MAX_QUESTION: usize = 64 << 10;

/// All methods, by path.
pub(crate) fn grpc(interpreter: CodeInterpreter) -> Result<Router, tonic_reflection::server::Error> {
    let reflection =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
    let v1 = reflection().build_v1()?.max_decoding_message_size(MAX_QUESTION);
    let v1alpha = reflection().build_v1alpha()?.max_decoding_message_size(MAX_QUESTION);
    let method = |name: &str| format!("/code_interpreter.v1.CodeInterpreterService/{name}");
    Ok(Router::new()
        .route(&method("Execute"), unary(interpreter.clone(), execute))
        .route(
            &method("ParseCustomTool"),
            unary(interpreter.clone(), parse_custom_tool),
        )
        .route(&method("ExecuteCustomTool"), unary(interpreter, execute_custom_tool))
        .route_service("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", v1)
        .route_service(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            v1alpha,
        )
        .fallback(async || Status::unimplemented("there is no such method").into_http::<Body>()))
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// A method: what is done with a message of a caller.
struct Method<F> {
    interpreter: CodeInterpreter,
    work: F,
}

impl<A, B, F, R> UnaryService<A> for Method<F>
where
    F: Fn(CodeInterpreter, Caller, A) -> R,
    R: Future<Output = Result<B, Status>> + Send + 'static,
{
    type Response = B;
    type Future = Answer<B>;

    fn call(&mut self, request: Request<A>) -> Answer<B> {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
        let done = (self.work)(self.interpreter.clone(), caller, request.into_inner());
        Box::pin(async move { Ok(Response::new(done.await?)) })
    }
}

fn unary<A, B, F, R>(interpreter: CodeInterpreter, work: F) -> MethodRouter
where
    A: prost::Message + Default + Sync + 'static,
    B: prost::Message + Default + Sync + 'static,
    F: Fn(CodeInterpreter, Caller, A) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<B, Status>> + Send + 'static,
{
    post_service(service_fn(move |request: axum::extract::Request| {
        let interpreter = interpreter.clone();
        async move {
            let mut grpc = Grpc::new(ProstCodec::<B, A>::default()).max_decoding_message_size(MAX_MESSAGE);
            Ok::<_, Infallible>(grpc.unary(Method { interpreter, work }, request).await)
        }
    }))
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Status {
        let code = match problem {
            Problem::Request(_) => Code::InvalidArgument,
            Problem::Unknown(_) => Code::NotFound,
            Problem::Full(_) => Code::ResourceExhausted,
            Problem::Busy(_) => Code::Unavailable,
            Problem::Cancelled => Code::Cancelled,
            Problem::Fault(_) => Code::Internal,
        };
        Status::new(code, problem.to_string())
    }
}

impl From<InvalidResponse> for Status {
    fn from(invalid: InvalidResponse) -> Status {
        let one = |invalid: &model::Invalid| {
            let place: Vec<String> = invalid
                .loc
                .iter()
                .skip(1)
                .map(|part| part.as_str().unwrap_or_default().to_owned())
                .collect();
            format!("{}: {}", place.join("."), invalid.msg)
        };
        let all: Vec<String> = invalid.detail.iter().map(one).collect();
        Status::invalid_argument(all.join("; "))
    }
}

fn bounded(source: &str) -> Result<(), Status> {
    match check::is_bounded(source) {
        true => Ok(()),
        false => Err(Status::invalid_argument(
            "the source is too long, expected at most 1 MiB",
        )),
    }
}

async fn execute(
    interpreter: CodeInterpreter,
    caller: Caller,
    asked: ExecuteRequest,
) -> Result<ExecuteResponse, Status> {
    bounded(&asked.source_code)?;
    let request = model::ExecuteRequest {
        source_code: asked.source_code,
        files: check::files(&asked.files.into_iter().collect())?,
        ..model::ExecuteRequest::default()
    };
    let done = interpreter.execute(caller, request).await?;
    Ok(ExecuteResponse {
        stdout: done.stdout,
        stderr: done.stderr,
        exit_code: done.exit_code,
        files: done.files.into_iter().collect(),
    })
}

async fn parse_custom_tool(
    interpreter: CodeInterpreter,
    _: Caller,
    asked: ParseCustomToolRequest,
) -> Result<ParseCustomToolResponse, Status> {
    bounded(&asked.tool_source_code)?;
    let request = model::ParseCustomToolRequest {
        tool_source_code: asked.tool_source_code,
    };
    let response = match interpreter.parse_tool(request).await? {
        Ok(tool) => ParsedTool::Success(ParseCustomToolResponseSuccess {
            tool_name: tool.tool_name,
            tool_description: tool.tool_description,
            tool_input_schema_json: tool.tool_input_schema_json,
        }),
        Err(failed) => ParsedTool::Error(ParseCustomToolResponseError {
            error_messages: failed.error_messages,
        }),
    };
    Ok(ParseCustomToolResponse {
        response: Some(response),
    })
}

async fn execute_custom_tool(
    interpreter: CodeInterpreter,
    _: Caller,
    asked: ExecuteCustomToolRequest,
) -> Result<ExecuteCustomToolResponse, Status> {
    bounded(&asked.tool_source_code)?;
    bounded(&asked.tool_input_json)?;
    let request = model::ExecuteCustomToolRequest {
        tool_source_code: asked.tool_source_code,
        tool_input_json: asked.tool_input_json,
        ..model::ExecuteCustomToolRequest::default()
    };
    let response = match interpreter.call_tool(request).await? {
        Ok(done) => CalledTool::Success(ExecuteCustomToolResponseSuccess {
            tool_output_json: done.tool_output_json,
        }),
        Err(failed) => CalledTool::Error(ExecuteCustomToolResponseError { stderr: failed.stderr }),
    };
    Ok(ExecuteCustomToolResponse {
        response: Some(response),
    })
}
