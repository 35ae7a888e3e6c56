//! From the embedded guest to an interpreter that can run code.

use crate::arguments::{PackageFiles, PackageSources};
use crate::server::{Deferred, package_progress, progress_sink};
use crate::settings::{IndexUrl, Settings};
use crate::{console, guest};
use prims_cache::{Cache, Seed};
use prims_interpreter::{Interpreter, PackageOptions};
use prims_packages::{BundledIndex, IndexSettings, Indexes, Inputs, Lock, Name, Target};
use prims_sandbox::{Guest, Options, ProgressSink, SharedFolder, SlotPolicy};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::commands::Error;

/// Code, its input, and files of text are read up to this.
pub(crate) const MAX_TEXT: u64 = 64 << 20;

/// What came with the program, compiled ahead of time.
static SEED: OnceLock<Seed> = OnceLock::new();

/// Lets every cache that this process opens from now on take over what came with the program. The first one counts.
pub fn use_seed(seed: Seed) {
    let _ = SEED.set(seed);
}

fn open_cache(path: Option<&Path>) -> Result<Cache, Error> {
    let cache = Cache::open(path)?;
    Ok(match SEED.get() {
        Some(seed) => cache.with_seed(seed.clone()),
        None => cache,
    })
}

/// An interpreter on the embedded guest and wheels. The cache lies in `cache_dir`, else where the environment says, else in the
/// user's cache folder.
pub fn interpreter(cache_dir: Option<&Path>, progress: Option<ProgressSink>) -> Result<Interpreter, Error> {
    interpreter_with(
        cache_dir,
        Options {
            progress,
            ..Options::default()
        },
    )
}

/// The same with other options.
pub fn interpreter_with(cache_dir: Option<&Path>, options: Options) -> Result<Interpreter, Error> {
    on_cache(open_cache(cache_dir)?, options)
}

fn on_cache(cache: Cache, options: Options) -> Result<Interpreter, Error> {
    let guest = embedded_guest(&cache);
    Ok(Interpreter::new(guest, bundled()?, cache, options)?)
}

/// The packages that come with the program.
fn bundled() -> Result<BundledIndex, Error> {
    Ok(BundledIndex::new(&guest::wheels())?)
}

/// The embedded guest. Its folders are unpacked into the cache when a run first looks into them.
pub fn embedded_guest(cache: &Cache) -> Guest {
    Guest {
        module_digest: guest::module_digest().to_owned(),
        module: Arc::new(|| guest::module().map_err(std::io::Error::other)),
        stdlib: unpacked(cache, guest::stdlib),
        stdlib_digest: guest::stdlib_digest().to_owned(),
        skeleton: unpacked(cache, guest::skeleton),
    }
}

/// The embedded guest with the Python files below `overlay` laid over its standard library: what they share a name with at the top
/// level is replaced. For work on the guest's own package, which otherwise means to build the guest.
pub fn overlaid_guest(cache: &Cache, overlay: &Path) -> Result<Guest, Error> {
    let (digest, files) = guest::read_overlay(overlay)?;
    let (plain, cache) = (embedded_guest(cache), cache.clone());
    Ok(Guest {
        stdlib_digest: format!("{} {digest}", plain.stdlib_digest),
        stdlib: SharedFolder::new(move || {
            guest::overlaid_stdlib(&cache, &digest, &files).map_err(std::io::Error::other)
        }),
        ..plain
    })
}

/// The same with the packages, indexes and cache of the settings, for programs that this one is a part of. Slow steps are told to `progress`.
pub fn interpreter_for(
    cache_dir: Option<&Path>,
    settings: &Settings,
    progress: Option<ProgressSink>,
) -> Result<Interpreter, Error> {
    let cache = open_cache(cache_dir.or(settings.cache.dir.as_deref()))?;
    let packages = PackageOptions {
        indexes: indexes(settings, &cache)?,
        policy: policy(settings, &PackageFiles::default())?,
        auto_deps: settings.packages.auto_deps,
        progress: None,
    };
    let options = Options {
        progress,
        slots: slots(settings),
        ..Options::default()
    };
    let guest = embedded_guest(&cache);
    Ok(Interpreter::with_packages(guest, bundled()?, cache, options, packages)?)
}

/// Whether runs may have what other runs used.
fn slots(settings: &Settings) -> SlotPolicy {
    match settings.runs.fresh {
        true => SlotPolicy::Fresh,
        false => SlotPolicy::Reuse,
    }
}

/// The same for a command: with packages from the indexes of the settings. Progress is shown, and so is where the cache lies if that
/// is not where one would look.
pub(crate) fn for_command(
    cache_dir: Option<&Path>,
    settings: &Settings,
    files: &PackageFiles,
) -> Result<Interpreter, Error> {
    let cache = cache(cache_dir, settings)?;
    let packages = PackageOptions {
        indexes: indexes(settings, &cache)?,
        policy: policy(settings, files)?,
        auto_deps: settings.packages.auto_deps,
        progress: Some(Arc::new(console::package_progress)),
    };
    let options = Options {
        progress: Some(console::progress()),
        slots: slots(settings),
        ..Options::default()
    };
    let guest = embedded_guest(&cache);
    Ok(Interpreter::with_packages(guest, bundled()?, cache, options, packages)?)
}

/// The same for a server: made when it is first needed, with progress told to the call that waits. What the operator got wrong is an
/// error now.
pub(crate) fn for_server(cache: Cache, settings: &Settings, files: &PackageFiles) -> Result<Deferred, Error> {
    let packages = PackageOptions {
        indexes: indexes(settings, &cache)?,
        policy: policy(settings, files)?,
        auto_deps: settings.packages.auto_deps,
        progress: Some(package_progress()),
    };
    let slots = slots(settings);
    Ok(Deferred::new(move || {
        let options = Options {
            progress: Some(progress_sink()),
            slots,
            ..Options::default()
        };
        let guest = embedded_guest(&cache);
        let interpreter = Interpreter::with_packages(guest, bundled()?, cache.clone(), options, packages.clone())?;
        Ok(interpreter)
    }))
}

/// The cache of the arguments or the settings; where it lies is said if that is not where one would look.
pub(crate) fn cache(cache_dir: Option<&Path>, settings: &Settings) -> Result<Cache, Error> {
    let cache = open_cache(cache_dir.or(settings.cache.dir.as_deref()))?;
    if let Some(note) = cache.location().note() {
        console::note(&note);
    }
    Ok(cache)
}

/// The indexes of the settings; what they leave open is as the environment has it for other Python tools.
pub(crate) fn indexes(settings: &Settings, cache: &Cache) -> Result<Indexes, Error> {
    let wanted = &settings.packages;
    let mut index = IndexSettings::from_environment()?;
    if let Some(IndexUrl(url)) = &wanted.index_url {
        index.default = Some(url.clone());
    }
    if !wanted.extra_index_url.is_empty() {
        index.extra = wanted.extra_index_url.iter().map(|IndexUrl(url)| url.clone()).collect();
    }
    index.offline |= wanted.offline;
    index.require_hashes |= wanted.require_hashes;
    Ok(Indexes::new(index, bundled()?, cache.clone())?)
}

/// What the operator wants of every environment.
pub(crate) fn policy(settings: &Settings, files: &PackageFiles) -> Result<Inputs, Error> {
    let names = |texts: &[String], flag: &str| {
        let read = |text: &String| {
            let error = || Error::Usage(format!("--{flag}: `{text}` is not the name of a package"));
            Name::parse(text).ok_or_else(error)
        };
        texts.iter().map(read).collect::<Result<BTreeSet<Name>, Error>>()
    };
    let wanted = &settings.packages;
    let mut inputs = Inputs {
        exclude: names(&wanted.exclude, "exclude")?,
        allow: match &wanted.allow[..] {
            [] => None,
            allowed => Some(names(allowed, "allow-package")?),
        },
        ..Inputs::default()
    };
    for path in &files.requirements {
        inputs.add_file(path)?;
    }
    for path in &files.constraint {
        inputs.add_constraints_file(path)?;
    }
    Ok(inputs)
}

/// The lock of the arguments, if one is named.
pub(crate) fn lock(packages: &PackageSources) -> Result<Option<Arc<Lock>>, Error> {
    packages
        .lock
        .as_deref()
        .map(|path| Ok(Arc::new(read_lock(path)?)))
        .transpose()
}

/// A `pylock.toml`. Wheels it names by their path are looked for beside it.
pub(crate) fn read_lock(path: &Path) -> Result<Lock, Error> {
    let text = read_text(path)?;
    Ok(Lock::from_pylock(&text, &Target::default(), path.parent())?)
}

/// A file of text, if it is not too long to be what it should be.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read {
        name: path.display().to_string(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let text = String::from_utf8(read_bounded(file, MAX_TEXT).map_err(failed)?);
    text.map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
}

/// Everything there is to read, if it is not more than `most` bytes.
pub(crate) fn read_bounded(from: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// A part of the guest that is unpacked into the cache, or verified there, when it is first used.
fn unpacked(cache: &Cache, unpack: fn(&Cache) -> Result<PathBuf, guest::Error>) -> SharedFolder {
    let cache = cache.clone();
    SharedFolder::new(move || unpack(&cache).map_err(std::io::Error::other))
}
