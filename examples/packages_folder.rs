//! Runs a script with a folder of packages instead of resolved requirements: native modules in it are compiled and linked as those
//! of a wheel are. `python-wasm/conformance` runs the test suites of CPython and numpy with it.
//!
//! `packages_folder CACHE PACKAGES DIGEST PRELOAD WORKSPACE MOUNTS SECONDS BYTES SCRIPT`; DIGEST names the content of PACKAGES, PRELOAD
//! is a list with commas of modules to import into the image. Prints as JSON how it ended, what it wrote, which modules could not be
//! imported into the image, and what the check of side modules says about every native module.

use prims_cache::Cache;
use prims_sandbox::{Environment, Exit, Invocation, Limits, Options, Sandbox};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [
        cache,
        packages,
        digest,
        preload,
        workspace,
        mounts,
        seconds,
        bytes,
        script,
    ] = &arguments[..]
    else {
        return Err("expected CACHE PACKAGES DIGEST PRELOAD WORKSPACE MOUNTS SECONDS BYTES SCRIPT".into());
    };
    let cache = Cache::open(Some(Path::new(cache)))?;
    let guest = prims_wasm::embedded_guest(&cache);
    let sandbox = Sandbox::new(guest, cache, Options::default())?;
    let image = sandbox.image(&Environment {
        path: PathBuf::from(packages),
        digest: digest.clone(),
        preload: preload
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    })?;
    let skipped: Vec<_> = image.prepared().skipped.iter().map(|s| (&s.module, &s.error)).collect();
    let mut modules = Vec::new();
    for path in native_modules(Path::new(packages))? {
        let problem = sandbox.check_side_module(&std::fs::read(&path)?).err();
        let path = path.strip_prefix(packages)?.to_owned();
        modules.push((path, problem.map(|problem| problem.to_string())));
    }
    let limits = Limits {
        wall_clock: Duration::from_secs(seconds.parse()?),
        memory: bytes.parse()?,
        fuel: Limits::CEILING.fuel,
        files_bytes: 5 << 30,
        ..Limits::DEFAULT
    };
    let name = Path::new(script)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let invocation = Invocation {
        filename: name.clone(),
        argv: vec![name],
        limits,
        workspace: Some(PathBuf::from(workspace)),
        mounts: Some(PathBuf::from(mounts)),
        ..Invocation::new(std::fs::read_to_string(script)?)
    };
    let outcome = image.run(&invocation)?;
    let (status, reason) = match outcome.exit {
        Exit::Completed(_) => ("completed", String::new()),
        Exit::Raised(error) => ("raised", error.traceback),
        Exit::Exited(code) => ("exited", code.to_string()),
        Exit::Stopped(reason) => ("stopped", reason.as_str().to_owned()),
        Exit::Crashed(crash) => ("crashed", crash.message),
    };
    let report = serde_json::json!({"status": status, "reason": reason, "stdout": outcome.output.stdout.text(), "stderr": outcome.output.stderr.text(),
        "skipped": skipped, "modules": modules});
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

fn native_modules(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(native_modules(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "so") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
