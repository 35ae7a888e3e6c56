//! Python's way in: the `prims_wasm` package's native half.
//!
//! Private to the package, which gives it types, defaults and documentation (`python/prims_wasm`). Everything here blocks with the interpreter lock released;
//! asyncio is the package's business.

mod decode;
mod ended;
mod engine;
mod errors;
mod files;
mod interrupt;
mod program;
mod reply;
mod request;
mod sessions;
mod threads;

use pyo3::prelude::*;

/// The module that Python loads.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::ended::Ended;
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::files::RunFolder;
    #[pymodule_export]
    use super::program::{main, use_seed};
    #[pymodule_export]
    use super::request::Cancel;
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("PYTHON", prims_wasm::guest::python())
    }
}
