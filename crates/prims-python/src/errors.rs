//! Errors of the libraries as exceptions of the package.

use prims_interpreter::Error as InterpreterError;
use prims_sandbox::Error as SandboxError;
use pyo3::prelude::*;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Program(#[from] prims_wasm::Error),
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    #[error("{0}")]
    Argument(String),
    #[error("cannot {what}")]
    Io {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the sandbox was made by another process, and this one is a fork of it")]
    Forked,
    #[error("a thread that ran code died")]
    Died,
    #[error(transparent)]
    Python(#[from] PyErr),
}

impl From<prims_interpreter::FileError> for Error {
    fn from(error: prims_interpreter::FileError) -> Error {
        Error::Interpreter(error.into())
    }
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { what, source }
    }

    /// Whether the requirements are to blame: the code's author can do something about that.
    pub(crate) fn is_about_packages(&self) -> bool {
        match self {
            Error::Interpreter(InterpreterError::Packages(error)) => !matches!(error, prims_packages::Error::Cache(_)),
            Error::Interpreter(InterpreterError::Sandbox(error)) => {
                matches!(error, SandboxError::Module { .. } | SandboxError::Start { .. })
            }
            _ => false,
        }
    }

    /// The class of the package's exceptions that says this.
    fn class(&self) -> &'static str {
        match self {
            error if error.is_about_packages() => "InstallError",
            Error::Program(
                prims_wasm::Error::Interpreter(InterpreterError::Packages(_)) | prims_wasm::Error::Settings(_),
            )
            | Error::Interpreter(InterpreterError::Sandbox(SandboxError::Limit(_) | SandboxError::Invalid(_)))
            | Error::Argument(_)
            | Error::Forked => "InvalidArgument",
            Error::Interpreter(InterpreterError::Session(_)) => "SessionError",
            Error::Interpreter(InterpreterError::File(_)) => "FileError",
            _ => "InternalError",
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Error::Program(error) => error.hint(),
            Error::Interpreter(error) => error.hint(),
            Error::Forked => Some("make it in the process that uses it, or start processes with `spawn`".into()),
            _ => None,
        }
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        if let Error::Python(error) = error {
            return error;
        }
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Python::attach(|py| {
            let made = py
                .import("prims_wasm._errors")
                .and_then(|module| module.getattr(error.class()))
                .and_then(|class| class.call1((message, error.hint())));
            made.map_or_else(|other| other, PyErr::from_value)
        })
    }
}
