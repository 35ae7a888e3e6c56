//! What Python asks for, as an invocation.

use crate::decode::Decoders;
use crate::errors::Error;
use prims_interpreter::WorkspacePath;
use prims_sandbox::{Invocation, Limits, OutputSink, Stream};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Stops a run from another thread.
#[pyclass(frozen, module = "prims_wasm._native")]
#[derive(Default)]
pub(crate) struct Cancel(pub(crate) prims_sandbox::Cancel);

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Cancel {
        Cancel::default()
    }

    /// Stops the run. Calling it twice changes nothing.
    fn cancel(&self) {
        self.0.cancel();
    }
}

/// A run as the package describes it: attributes of an object.
#[derive(FromPyObject)]
pub(crate) struct Request {
    pub(crate) code: String,
    pub(crate) deps: Vec<String>,
    /// A JSON object.
    globals: Option<String>,
    stdin: Option<String>,
    env: BTreeMap<String, String>,
    pub(crate) files: Vec<(String, PyBackedBytes)>,
    /// Seconds.
    timeout: Option<f64>,
    /// Bytes.
    memory: Option<u64>,
    fuel: Option<u64>,
    filename: Option<String>,
    pub(crate) session: Option<String>,
    /// Whether the reply is to have the lines of both streams in order.
    pub(crate) lines: bool,
    on_output: Option<Py<PyAny>>,
    pub(crate) cancel: Py<Cancel>,
    pub(crate) is_main_thread: bool,
}

/// The exception that a callback raised.
pub(crate) type Raised = Arc<Mutex<Option<PyErr>>>;

impl Request {
    /// The invocation, and where an exception of the callback will be.
    pub(crate) fn invocation(&self, defaults: Limits) -> Result<(Invocation, Raised), Error> {
        let raised = Raised::default();
        let cancel = self.cancel.get().0.clone();
        let sink = Python::attach(|py| self.on_output.as_ref().map(|callback| callback.clone_ref(py)));
        let mut invocation = Invocation {
            env: self.environment()?,
            stdin: self.stdin.clone(),
            globals: match &self.globals {
                Some(json) => {
                    serde_json::from_str(json).map_err(|error| Error::Argument(format!("globals: {error}")))?
                }
                None => serde_json::Map::new(),
            },
            limits: self.limits(defaults)?,
            sink: sink.map(|callback| telling(callback, cancel.clone(), Arc::clone(&raised))),
            cancel,
            ..Invocation::new(self.code.clone())
        };
        if let Some(filename) = &self.filename {
            invocation.filename.clone_from(filename);
        }
        Ok((invocation, raised))
    }

    fn environment(&self) -> Result<BTreeMap<String, String>, Error> {
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                let message = format!(
                    "env: `{}` is not a variable, expected a name without `=`",
                    name.escape_debug()
                );
                return Err(Error::Argument(message));
            }
        }
        Ok(self.env.clone())
    }

    fn limits(&self, defaults: Limits) -> Result<Limits, Error> {
        let mut limits = defaults;
        if let Some(seconds) = self.timeout {
            let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
            let expected = || Error::Argument(format!("timeout is `{seconds}`, expected seconds, more than 0"));
            limits.wall_clock = time.ok_or_else(expected)?;
        }
        for (name, asked, limit) in [
            ("memory", self.memory, &mut limits.memory),
            ("fuel", self.fuel, &mut limits.fuel),
        ] {
            match asked {
                Some(0) => return Err(Error::Argument(format!("{name} is `0`, expected at least 1"))),
                Some(asked) => *limit = asked,
                None => {}
            }
        }
        Ok(limits)
    }

    /// The files with paths that stay in the workspace.
    pub(crate) fn workspace_files(&self) -> Result<Vec<(WorkspacePath, PyBackedBytes)>, Error> {
        let mut files = vec![];
        for (path, bytes) in &self.files {
            let path = WorkspacePath::parse(path)?;
            if path == WorkspacePath::root() {
                return Err(Error::Argument(
                    "files: the workspace itself is a folder, expected the path of a file".into(),
                ));
            }
            let bytes = Python::attach(|py| bytes.clone_ref(py));
            files.push((path, bytes));
        }
        Ok(files)
    }
}

/// Passes output on to Python while it is written. An exception of the callback stops the run.
fn telling(callback: Py<PyAny>, cancel: prims_sandbox::Cancel, raised: Raised) -> OutputSink {
    let decoders = Mutex::new(Decoders::default());
    Arc::new(move |stream, bytes| {
        let text = decoders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .of(stream)
            .text(bytes);
        if text.is_empty() {
            return;
        }
        let name = if stream == Stream::Stderr { "stderr" } else { "stdout" };
        let told = Python::attach(|py| callback.call1(py, (name, text)).map(drop));
        if let Err(error) = told {
            raised
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
            cancel.cancel();
        }
    })
}
