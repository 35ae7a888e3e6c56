//! From a module's bytes to machine code, by way of the cache.

use crate::engine;
use crate::error::Error;
use crate::link::{Compiled, CompiledRecord};
use crate::sandbox::{Guest, Metering};
use crate::symbols::TablePositions;
use crate::transform::{self, ModuleInfo, Role};
use prims_cache::{Cache, Key};
use wasmtime::Engine;

/// Compiles modules for one guest: its interpreter, or side modules that are to be linked to it.
pub(crate) struct Compiler<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) cache: &'a Cache,
    pub(crate) metering: Metering,
    pub(crate) guest: &'a Guest,
    /// The interpreter a side module is for.
    pub(crate) main: Option<&'a ModuleInfo>,
}

impl Compiler<'_> {
    /// Compiles a module, or maps the code compiled before.
    pub(crate) fn compile(
        &self,
        digest: &str,
        announce: impl FnOnce(),
        load: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Result<Compiled, Error> {
        let role = if self.main.is_some() { Role::Side } else { Role::Main };
        let key = Key::new("code")
            .with("transform", &transform::VERSION.to_le_bytes())
            .with("engine", &engine::compatibility(self.engine))
            .with("module", digest.as_bytes())
            // Which of its weak functions a side module keeps depends on the interpreter.
            .with("guest", self.guest.module_digest.as_bytes())
            .with("metering", &[self.metering as u8])
            .with("role", &[role as u8]);
        let entry = self.cache.file("code", &key, |out| {
            announce();
            let wasm = load()?;
            let bad = |reason: String| Error::Module { reason };
            let options = self.metering.options(self.main);
            let transformed =
                transform::transform_with(&wasm, role, options).map_err(|error| bad(error.to_string()))?;
            let code = self
                .engine
                .precompile_module(&transformed.wasm)
                .map_err(|error| bad(format!("{error:#}")))?;
            std::io::Write::write_all(out, &code).map_err(Error::io("cannot write compiled code"))?;
            let positions = TablePositions::of(&wasm).map_err(|error| bad(error.to_string()))?;
            let record = CompiledRecord {
                info: transformed.info,
                positions,
            };
            out.set_metadata(serde_json::to_vec(&record).map_err(|e| Error::Invalid(e.to_string()))?);
            Ok::<(), Error>(())
        })?;
        let record: CompiledRecord = serde_json::from_slice(entry.metadata())
            .map_err(|error| Error::Invalid(format!("the record of compiled code does not read: {error}")))?;
        let module = engine::load(self.engine, entry.into_file()).map_err(Error::engine("loading compiled code"))?;
        Ok(Compiled::new(module, record))
    }
}
