//! `prims-wasm deps`: which packages requirements come to, why, and getting them.

use super::Error;
use crate::arguments::{Deps, DepsCommand, DepsDownload, DepsInputs, DepsInstall, DepsLock, DepsWhy};
use crate::report::status;
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::{Interpreter, Wanted};
use prims_packages::{Indexes, Inputs, Lock, Name, Requirements, Target, resolve};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub(super) fn deps(arguments: &Deps, cache_dir: Option<&Path>) -> Result<u8, Error> {
    match &arguments.command {
        DepsCommand::Lock(arguments) => lock(arguments, cache_dir),
        DepsCommand::Install(arguments) => install(arguments, cache_dir),
        DepsCommand::Tree(arguments) => {
            let (lock, _) = chosen(arguments, cache_dir)?;
            console::out(&lock.tree());
            Ok(0)
        }
        DepsCommand::Why(arguments) => why(arguments, cache_dir),
        DepsCommand::Download(arguments) => download(arguments, cache_dir),
    }
}

fn lock(arguments: &DepsLock, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let began = Instant::now();
    let (lock, indexes) = chosen(&arguments.inputs, cache_dir)?;
    // Wheels the index gives no digest for have to be fetched: a lock without digests would lock nothing.
    let lock = if lock.wheels.iter().any(|wheel| wheel.sha256.is_empty()) {
        indexes.download(&lock)?
    } else {
        lock
    };
    let text = lock.to_pylock(&Target::default())?;
    if arguments.output == Path::new("-") {
        console::out(&text);
        return Ok(0);
    }
    write(&arguments.output, text.as_bytes())?;
    console::out(&format!(
        "{}: {} in {:.2} s\n",
        arguments.output.display(),
        packages(lock.wheels.len()),
        began.elapsed().as_secs_f64()
    ));
    Ok(0)
}

fn install(arguments: &DepsInstall, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let began = Instant::now();
    let inputs = &arguments.inputs;
    let settings = Settings::load_local(&inputs.settings)?;
    let interpreter = setup::for_command(cache_dir, &settings, &inputs.packages.files)?;
    let ready = Instant::now();
    let (lock, indexes) = chosen_with(&interpreter, &settings, inputs)?;
    let resolved = ready.elapsed();
    let installed = if arguments.no_image {
        indexes.install(&lock)?.packages
    } else {
        let prepared = interpreter.prepare_for(&Wanted {
            lock: Some(Arc::new(lock)),
            ..Wanted::default()
        })?;
        for skipped in &prepared.image.prepared().skipped {
            console::note(&format!(
                "{} is not imported ahead of time: {}",
                skipped.module, skipped.error
            ));
        }
        prepared.packages
    };
    for (name, version) in &installed {
        console::out(&format!("{name} {version}\n"));
    }
    console::out(&format!(
        "{} ready in {:.2} s, of which {:.2} s to choose versions\n",
        packages(installed.len()),
        began.elapsed().as_secs_f64(),
        resolved.as_secs_f64(),
    ));
    Ok(0)
}

fn why(arguments: &DepsWhy, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let name = Name::parse(&arguments.name)
        .ok_or_else(|| Error::Usage(format!("`{}` is not the name of a package", arguments.name)))?;
    let (lock, _) = chosen(&arguments.inputs, cache_dir)?;
    match lock.why(&name) {
        Some(text) => {
            console::out(&text);
            Ok(0)
        }
        None => {
            console::note(&format!("`{name}` is not among the packages that were chosen"));
            Ok(status::RAISED)
        }
    }
}

fn download(arguments: &DepsDownload, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let (lock, indexes) = chosen(&arguments.inputs, cache_dir)?;
    let lock = indexes.download(&lock)?;
    let folder = &arguments.directory;
    std::fs::create_dir_all(folder).map_err(|source| Error::Write {
        name: folder.display().to_string(),
        source,
    })?;
    for wheel in &lock.wheels {
        write(&folder.join(&wheel.filename), &indexes.bytes(wheel)?)?;
        console::out(&format!("{}\n", wheel.filename));
    }
    Ok(0)
}

/// What the inputs come to, and the indexes it was found on.
fn chosen(arguments: &DepsInputs, cache_dir: Option<&Path>) -> Result<(Lock, Indexes), Error> {
    let settings = Settings::load_local(&arguments.settings)?;
    // Whether a native wheel can be used is for the interpreter to say.
    let interpreter = setup::for_command(cache_dir, &settings, &arguments.packages.files)?;
    chosen_with(&interpreter, &settings, arguments)
}

fn chosen_with(
    interpreter: &Interpreter,
    settings: &Settings,
    arguments: &DepsInputs,
) -> Result<(Lock, Indexes), Error> {
    let indexes = interpreter.indexes().session(console::package_progress());
    if let Some(path) = &arguments.packages.lock {
        if !arguments.wanted.is_empty() || arguments.script.is_some() {
            return Err(Error::Usage(
                "a lock says everything, expected no requirements beside it".into(),
            ));
        }
        return Ok((setup::read_lock(path)?, indexes));
    }
    let mut inputs = inputs(arguments, settings)?;
    if let Some(script) = &arguments.script {
        let code = setup::read_text(script)?;
        inputs.add_script(&code, &Target::default())?;
    }
    let lock = resolve(&inputs, &Target::default(), &indexes)?;
    Ok((lock, indexes))
}

fn inputs(arguments: &DepsInputs, settings: &Settings) -> Result<Inputs, Error> {
    let mut inputs = setup::policy(settings, &arguments.packages.files)?;
    let wanted = arguments.wanted.iter().chain(&settings.packages.deps);
    let wanted: Vec<&str> = wanted.map(String::as_str).collect();
    inputs.requirements = inputs.requirements.and(&Requirements::parse(&wanted)?);
    Ok(inputs)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|source| Error::Write {
        name: path.display().to_string(),
        source,
    })
}

fn packages(count: usize) -> String {
    match count {
        1 => "1 package".into(),
        count => format!("{count} packages"),
    }
}
