//! The command, run inside a Python process.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs the command with these arguments, of which the first is its name, and returns its exit status.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| prims_wasm::main_with(arguments))
}

/// Lets every cache that is opened from now on take over what lies in `folder`, if it may be used; `program` is a file of the package that it came with.
#[pyfunction]
pub(crate) fn use_seed(folder: PathBuf, program: PathBuf) {
    if let Some(seed) = prims_cache::Seed::open(&folder, &program) {
        prims_wasm::use_seed(seed);
    }
}
