//! `prims-wasm warm`: everything slow, done ahead of time.

use super::Error;
use crate::arguments::Warm;
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::Wanted;
use std::path::Path;
use std::time::Instant;

pub(super) fn warm(arguments: &Warm, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let began = Instant::now();
    let settings = Settings::load_local(&arguments.settings)?;
    let interpreter = setup::for_command(cache_dir, &settings, &arguments.packages.files)?;
    let prepared = interpreter.prepare_for(&Wanted {
        requirements: &settings.packages.deps,
        lock: setup::lock(&arguments.packages)?,
        ..Wanted::default()
    })?;
    let record = prepared.image.prepared();
    for skipped in &record.skipped {
        console::note(&format!(
            "{} was not imported ahead of time: {}",
            skipped.module, skipped.error
        ));
    }
    console::out(&format!(
        "ready in {:.1} s: CPython {} with {} modules imported, {:.1} MiB of memory per image\n",
        began.elapsed().as_secs_f64(),
        record.python,
        record.imported.len(),
        prepared.image.memory_len() as f64 / f64::from(1 << 20),
    ));
    Ok(0)
}
