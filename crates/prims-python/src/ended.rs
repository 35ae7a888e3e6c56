//! Telling an event loop which of its runs have ended, without the interpreter lock: it watches a pipe.

use crate::errors::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes the reply.
type Reply = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyDict>> + Send>;

/// A future, and its result or its exception.
type Settled<'py> = (Py<PyAny>, Option<Bound<'py, PyDict>>, Option<PyErr>);

/// The runs of an event loop that have ended.
#[pyclass(frozen, module = "prims_wasm._native")]
pub(crate) struct Ended(Arc<Shared>);

struct Shared {
    /// Has a byte as long as there are runs.
    reader: PipeReader,
    writer: PipeWriter,
    runs: Mutex<Vec<(Py<PyAny>, Reply)>>,
}

#[pymethods]
impl Ended {
    #[new]
    fn new() -> PyResult<Ended> {
        let (reader, writer) = std::io::pipe().map_err(Error::io("make a pipe"))?;
        Ok(Ended(Arc::new(Shared {
            reader,
            writer,
            runs: Mutex::default(),
        })))
    }

    /// Can be read from as long as there is something to take.
    fn fileno(&self) -> RawFd {
        self.0.reader.as_raw_fd()
    }

    /// Takes what has ended: futures with their replies, or with the exceptions there are instead.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Vec<Settled<'py>>> {
        let runs = {
            let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
            if !runs.is_empty() {
                (&self.0.reader)
                    .read_exact(&mut [0])
                    .map_err(Error::io("read from a pipe"))?;
            }
            std::mem::take(&mut *runs)
        };
        let settle = |(future, reply): (Py<PyAny>, Reply)| match reply(py) {
            Ok(reply) => (future, Some(reply), None),
            Err(error) => (future, None, Some(error)),
        };
        Ok(runs.into_iter().map(settle).collect())
    }
}

impl Ended {
    /// What is to be called, from any thread, when a run has ended.
    pub(crate) fn telling(&self, future: Py<PyAny>) -> impl FnOnce(Reply) + Send + use<> {
        let shared = Arc::clone(&self.0);
        move |reply| {
            let mut runs = shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
            if runs.is_empty() {
                // It has room: there is no other byte in it. Nobody reads it any more if the loop is gone.
                let _ = (&shared.writer).write_all(&[0]);
            }
            runs.push((future, reply));
        }
    }
}
