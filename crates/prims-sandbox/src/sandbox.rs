//! The way in: a [`Sandbox`] holds the compiled interpreter, an [`Image`] a state to start from, a run is [`Image::run`].

mod ready;
mod stateful;

use self::ready::Pool;
use self::stateful::{Call, Ending};
use crate::check::{self, SideModuleProblem};
use crate::compile::Compiler;
use crate::engine;
use crate::error::Error;
use crate::host::{self, Host};
use crate::image::{IMAGE, IMAGE_VERSION, ImageRecord, native_modules};
use crate::limits::Limits;
use crate::link::{self, Compiled, ImageLinkage, Libraries, Linkage};
use crate::memory::{Mapped, SlotPolicy};
use crate::mounts::{RunFolders, mounts};
use crate::offenders;
use crate::outcome::{Crash, Exit, Invocation, Outcome, PrepareRequest, Prepared, Report, RunRequest, Usage};
use crate::stack;
use crate::state::{ImageId, Inner, Kept};
use crate::stop::{Cancel, StopReason, Stopped, Watch};
use crate::transform::{self, Meter, ModuleInfo, TransformOptions};
use crate::wasi::{self, Entropy, Overflow, SharedFolder, Wasi, WasiSpec};
use prims_cache::{Cache, FileEntry, Key};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use wasmtime::{Engine, InstancePre, Linker, Store};

pub(crate) use self::ready::Ready;
pub use self::stateful::StatefulRun;

/// Free memory in an image: a run that needs no more leaves its instance as large as it was, so that it can be used again. Holes in
/// the image's file.
const ROOM: u32 = 4 << 20;

/// How large an image may be: it counts against the memory limit of every run, so this is half of the default.
const IMAGE_BYTES: usize = 256 << 20;

/// The interpreter: its WebAssembly and the folders it starts from.
#[derive(Clone)]
pub struct Guest {
    /// Digest of the module, part of every cache key. Anything that names the bytes uniquely will do.
    pub module_digest: String,
    /// Produces the module's bytes; called only when the compiled code is not in the cache.
    pub module: Arc<dyn Fn() -> std::io::Result<Vec<u8>> + Send + Sync>,
    /// Host folder with the standard library, shown read-only as `/usr/local/lib/python3.13`.
    pub stdlib: SharedFolder,
    /// Digest of the standard library, part of every image's key.
    pub stdlib_digest: String,
    /// Host folder shown read-only as `/`: empty folders where the mounts go.
    pub skeleton: SharedFolder,
}

/// What an image is made for: a folder of packages, shown read-only, and the modules to import ahead of time.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Host folder shown as `/usr/local/lib/python3.13/site-packages`.
    pub path: PathBuf,
    /// Names its content uniquely.
    pub digest: String,
    /// Modules imported into the image; one that fails is noted and left out.
    pub preload: Vec<String>,
}

/// Something slow that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The interpreter is being compiled; seconds, once per version.
    CompilingInterpreter,
    /// A native module is being compiled.
    CompilingModule {
        /// Its file name.
        name: String,
        /// How many of `total` are done.
        done: usize,
        /// How many native modules the environment has.
        total: usize,
    },
    /// The interpreter is started and packages are imported.
    BuildingImage,
    /// Everything is ready.
    Ready,
}

/// Receives progress.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// Whether guests count what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metering {
    /// They do, so that fuel, deadline and cancellation work.
    #[default]
    On,
    /// They do not, and nothing can stop them: only for measuring what metering costs.
    OffForMeasuring,
}

impl Metering {
    pub(crate) fn options(self, main: Option<&ModuleInfo>) -> TransformOptions<'_> {
        let meter = match self {
            Metering::On => Meter::On,
            Metering::OffForMeasuring => Meter::Off,
        };
        TransformOptions {
            main,
            meter,
            ..TransformOptions::default()
        }
    }
}

/// How a sandbox is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether memories of finished runs are reset and reused.
    pub slots: SlotPolicy,
    /// Told about slow steps.
    pub progress: Option<ProgressSink>,
    /// Whether guests are metered.
    pub metering: Metering,
    /// How long importing one module into an image may take; a minute if this is `None`. All of them together get three times that.
    pub import_time: Option<Duration>,
}

/// The compiled interpreter and what is needed to start it. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    engine: Engine,
    linker: Linker<Host>,
    program: Arc<Compiled>,
    pre: InstancePre<Host>,
    guest: Guest,
    cache: Cache,
    options: Options,
    /// States whose instance waits for the next call, the one that waits longest first.
    waiting: Mutex<VecDeque<Weak<Inner>>>,
}

/// An environment's native modules: compiled, and their guest paths with the digests of what they were compiled from.
type CompiledLibraries = (Arc<Libraries>, Vec<(String, String)>);

/// A state to start runs from. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Image(Arc<ImageShared>);

struct ImageShared {
    sandbox: Sandbox,
    mapped: Arc<Mapped>,
    linkage: Arc<ImageLinkage>,
    libraries: Arc<Libraries>,
    environment: Environment,
    record: ImageRecord,
    /// What states of this image are bound to.
    id: ImageId,
    /// Instances for the next runs.
    pool: Mutex<Pool>,
    /// Instances made so far.
    made: AtomicUsize,
}

impl Sandbox {
    /// Compiles the interpreter, or maps what an earlier process compiled.
    pub fn new(guest: Guest, cache: Cache, options: Options) -> Result<Sandbox, Error> {
        let engine = engine::engine().map_err(Error::engine("configuring"))?;
        let linker = host::linker(&engine).map_err(Error::engine("defining host functions"))?;
        let load = || (guest.module)().map_err(Error::io("cannot read the interpreter's module"));
        let announce = || {
            if let Some(sink) = &options.progress {
                sink(Progress::CompilingInterpreter);
            }
        };
        let compiler = Compiler {
            engine: &engine,
            cache: &cache,
            metering: options.metering,
            guest: &guest,
            main: None,
        };
        let program = compiler.compile(&guest.module_digest, announce, load)?;
        let pre = linker
            .instantiate_pre(&program.module)
            .map_err(Error::engine("linking the interpreter"))?;
        Ok(Sandbox(Arc::new(Shared {
            engine,
            linker,
            program: Arc::new(program),
            pre,
            guest,
            cache,
            options,
            waiting: Mutex::default(),
        })))
    }

    /// Whether a native module could be loaded: it is valid, within bounds, and all that it imports is there. Compiles nothing.
    ///
    /// # Errors
    /// Why it could not.
    pub fn check_side_module(&self, wasm: &[u8]) -> Result<(), SideModuleProblem> {
        check::check(wasm, self.0.program.info())
    }

    fn report(&self, progress: Progress) {
        if let Some(sink) = &self.0.options.progress {
            sink(progress);
        }
    }

    /// Of something that goes with this sandbox and an environment: all that must agree for its pages to be of use. The standard
    /// library is among it because what an image has imported goes on with what it imports later.
    fn key(&self, what: &str, environment: &Environment) -> Key {
        let shared = &self.0;
        Key::new(what)
            .with("version", &IMAGE_VERSION.to_le_bytes())
            .with("module", shared.guest.module_digest.as_bytes())
            .with("transform", &transform::VERSION.to_le_bytes())
            .with("engine", &engine::compatibility(&shared.engine))
            .with("stdlib", shared.guest.stdlib_digest.as_bytes())
            .with("environment", environment.digest.as_bytes())
            .with("metering", &[shared.options.metering as u8])
    }

    /// The image for an environment: mapped from the cache, or built first.
    pub fn image(&self, environment: &Environment) -> Result<Image, Error> {
        let shared = &self.0;
        let key = self
            .key("image", environment)
            .with("preload", environment.preload.join("\0").as_bytes());
        let mut built = None;
        let entry = shared.cache.file(IMAGE, &key, |out| {
            self.report(Progress::BuildingImage);
            let libraries = self.compile_environment(environment)?;
            let time = shared.options.import_time.unwrap_or(offenders::IMPORT_TIME);
            let attempt = |preload: &[String], limits: &Limits| self.build(environment, preload, limits, &libraries);
            let ((mut record, memory), skipped) = offenders::build(&environment.preload, time, attempt)?;
            record.prepared.skipped.extend(skipped);
            built = Some(libraries);
            record.write(&memory, out)
        })?;
        self.open(entry, environment, built.map(|(libraries, _)| libraries))
    }

    /// Maps an image's file and plans its linkage.
    fn open(
        &self,
        entry: FileEntry,
        environment: &Environment,
        libraries: Option<Arc<Libraries>>,
    ) -> Result<Image, Error> {
        let shared = &self.0;
        let record: ImageRecord = serde_json::from_slice(entry.metadata())
            .map_err(|error| Error::Invalid(format!("the image's record does not read: {error}")))?;
        let libraries = match libraries {
            Some(libraries) => libraries,
            None => self.load_libraries(&record, environment)?,
        };
        let linkage = ImageLinkage::plan(&record.linkage, &shared.program, &libraries)
            .map_err(Error::engine("planning the image's linkage"))?;
        let mapped = Mapped::new(entry.into_file(), record.memory_len, shared.options.slots)
            .map_err(Error::io("cannot map the image"))?;
        self.report(Progress::Ready);
        Ok(Image(Arc::new(ImageShared {
            sandbox: self.clone(),
            mapped,
            linkage: Arc::new(linkage),
            libraries,
            environment: environment.clone(),
            id: self.image_id(environment, &record.identity),
            record,
            pool: Mutex::default(),
            made: AtomicUsize::new(0),
        })))
    }

    /// For side modules.
    fn compiler(&self) -> Compiler<'_> {
        let shared = &self.0;
        Compiler {
            engine: &shared.engine,
            cache: &shared.cache,
            metering: shared.options.metering,
            guest: &shared.guest,
            main: Some(shared.program.info()),
        }
    }

    /// Compiles all native modules below the environment's folder.
    fn compile_environment(&self, environment: &Environment) -> Result<CompiledLibraries, Error> {
        let found =
            native_modules(&environment.path).map_err(Error::io("cannot list the environment's native modules"))?;
        let (mut libraries, mut digests, total) = (Libraries::default(), vec![], found.len());
        for (done, (guest, host)) in found.into_iter().enumerate() {
            let name = guest.rsplit('/').next().unwrap_or(&guest).to_owned();
            let wasm = std::fs::read(&host).map_err(Error::io(format!("cannot read {guest}")))?;
            let digest = blake3::hash(&wasm).to_hex().to_string();
            let announce = || self.report(Progress::CompilingModule { name, done, total });
            let compiled = self.compiler().compile(&digest, announce, || Ok(wasm));
            match compiled {
                Ok(compiled) => {
                    libraries.usable.insert(guest.clone(), Arc::new(compiled));
                    digests.push((guest, digest));
                }
                // Packages often have a way to go on without; whoever imports it is told.
                Err(Error::Module { reason }) => drop(libraries.unusable.insert(guest, reason)),
                Err(error) => return Err(error),
            }
        }
        Ok((Arc::new(libraries), digests))
    }

    /// The same from the cache, by the digests an image recorded.
    fn load_libraries(&self, record: &ImageRecord, environment: &Environment) -> Result<Arc<Libraries>, Error> {
        let mut libraries = Libraries {
            unusable: record.unusable.clone(),
            ..Libraries::default()
        };
        for (guest, digest) in &record.libraries {
            let load = || {
                let relative = guest
                    .strip_prefix(crate::image::SITE_PACKAGES)
                    .unwrap_or(guest)
                    .trim_start_matches('/');
                std::fs::read(environment.path.join(relative)).map_err(Error::io(format!("cannot read {guest}")))
            };
            let compiled = self.compiler().compile(digest, || (), load)?;
            libraries.usable.insert(guest.clone(), Arc::new(compiled));
        }
        Ok(Arc::new(libraries))
    }

    /// Starts the interpreter from nothing, imports `preload`, and takes the snapshot. The inner error says what the guest did that
    /// made this impossible.
    fn build(
        &self,
        environment: &Environment,
        preload: &[String],
        limits: &Limits,
        (libraries, digests): &CompiledLibraries,
    ) -> Result<Result<(ImageRecord, Vec<u8>), String>, Error> {
        // Found here, so that a failure is reported as what it is and not as an interpreter that does not start.
        for folder in [&self.0.guest.skeleton, &self.0.guest.stdlib] {
            folder.path().map_err(Error::io("cannot unpack the standard library"))?;
        }
        // Entropy is a constant while an image is built: whatever uses it is reseeded before user code runs, so that no two runs
        // share random state.
        let wasi = Wasi::new(WasiSpec {
            mounts: mounts(&self.0.guest, environment, RunFolders::default(), limits),
            output: wasi::Output::default(),
            watch: Watch {
                deadline: Instant::now().checked_add(limits.wall_clock),
                cancel: Cancel::new(),
            },
            entropy: Entropy::Constant(43),
            ..WasiSpec::idle()
        });
        let mut store = self.store(wasi, limits, Linkage::new(self.program(), Arc::clone(libraries), None));
        let started = stack::with_room(|| self.start(&mut store, preload));
        let (prepared, memory) = match started {
            Ok(started) => started,
            Err(error) => {
                let refused = store.data().memory.refused_just_now();
                let output = store.into_data().wasi.finish();
                let stderr = String::from_utf8_lossy(&output.stderr.bytes).into_owned();
                let how = offenders::describe(exit(Err(error), None, refused).0, limits);
                return Ok(Err(format!("{how} {stderr}").trim().to_owned()));
            }
        };
        let memory_len = memory.data_size(&store);
        if memory_len > IMAGE_BYTES {
            let (found, limit) = (memory_len >> 20, IMAGE_BYTES >> 20);
            return Ok(Err(format!("took {found} MiB of memory, at most {limit} are accepted")));
        }
        let linkage = link::save(&mut store).map_err(Error::engine("saving the linkage"))?;
        let memory = memory.data(&store).to_vec();
        let mut identity = [0; 16];
        getrandom::fill(&mut identity).map_err(|error| Error::Invalid(format!("no entropy: {error}")))?;
        let record = ImageRecord {
            identity: u128::from_le_bytes(identity).to_string(),
            memory_len: memory.len(),
            linkage,
            prepared,
            libraries: digests.clone(),
            unusable: libraries.unusable.clone(),
        };
        Ok(Ok((record, memory)))
    }

    fn start(&self, store: &mut Store<Host>, preload: &[String]) -> wasmtime::Result<(Prepared, wasmtime::Memory)> {
        let instance = self.0.linker.instantiate(&mut *store, &self.0.program.module)?;
        let memory = link::attach(&mut *store, instance)?;
        for function in [transform::INIT_MEMORY, "_initialize"] {
            instance
                .get_typed_func::<(), ()>(&mut *store, function)?
                .call(&mut *store, ())?;
        }
        let mut seed = [0; 4];
        getrandom::fill(&mut seed).map_err(|error| wasmtime::format_err!("no entropy: {error}"))?;
        // Zero would mean "no randomization" to CPython.
        let config = format!("{{\"hash_seed\": {}}}", u32::from_le_bytes(seed).max(1));
        let status = call(store, instance, memory, "prims_init", config.as_bytes())?;
        wasmtime::ensure!(status == 0, "prims_init returned {status}");
        let request = serde_json::to_vec(&PrepareRequest { op: "prepare", preload })?;
        let status = call(store, instance, memory, "prims_call", &request)?;
        wasmtime::ensure!(status == 0, "prims_call returned {status}");
        let reply = store.data_mut().reply.bytes.take();
        leave_room(store, instance)?;
        tidy(store, instance, "prims_seal")?;
        tidy(store, instance, "prims_wipe")?;
        Ok((serde_json::from_slice(&reply.unwrap_or_default())?, memory))
    }

    fn program(&self) -> Arc<Compiled> {
        Arc::clone(&self.0.program)
    }

    fn store(&self, wasi: Wasi, limits: &Limits, linkage: Linkage) -> Store<Host> {
        let mut store = Store::new(&self.0.engine, Host::new(wasi, limits, linkage));
        store.limiter(|host| &mut host.memory);
        store
    }
}

impl Image {
    /// What every run of this image finds imported.
    pub fn prepared(&self) -> &Prepared {
        &self.0.record.prepared
    }

    /// Bytes of linear memory a run starts with, shared between all runs until written.
    pub fn memory_len(&self) -> usize {
        self.0.mapped.len()
    }

    /// Bytes of linear memory that the run before the last reset had written: what a run costs in private memory. `None` before the
    /// first reset and where memories are not reused.
    pub fn last_written(&self) -> Option<usize> {
        self.0.mapped.last_written()
    }

    /// Resets all idle memories of this image, those of instances that are used again among them, and compares them with it: how
    /// many there are, and in how many bytes they differ, globals included. Anything but zero would mean that one run could see what
    /// another left.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn verify_slots(&self) -> Result<(usize, usize), Error> {
        let (slots, in_slots) = self.0.mapped.verify_clean_slots();
        let (instances, in_instances) = self.verify_ready()?;
        Ok((slots + instances, in_slots + in_instances))
    }

    /// Instances made so far, those of states included. For tests.
    #[doc(hidden)]
    pub fn instances_made(&self) -> usize {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Runs code in an instance that is as the image says, whoever had it before. Blocks until the run ended, by itself or because of a limit; what the code did is in the
    /// outcome, an error is a failure of the host.
    pub fn run(&self, invocation: &Invocation) -> Result<Outcome, Error> {
        stack::with_room(|| self.run_here(invocation, None)).map(|(outcome, _)| outcome)
    }

    /// Runs code, alone or as a call of a session; what is left of its memory is kept for a call only.
    fn run_here(&self, invocation: &Invocation, call: Option<&Call<'_>>) -> Result<(Outcome, Option<Kept>), Error> {
        let began = Instant::now();
        let limits = invocation.limits.within(&Limits::CEILING)?;
        let state = call.and_then(|call| call.from);
        let memory_len = state.map_or(self.memory_len(), |state| state.memory_len());
        if limits.memory < memory_len as u64 {
            let asked = limits.memory;
            let what = if state.is_some() { "session" } else { "image" };
            return Err(Error::Invalid(format!(
                "memory limit is {asked} bytes, this {what} starts with {memory_len}"
            )));
        }
        for (name, folder) in [("workspace", &invocation.workspace), ("mounts", &invocation.mounts)] {
            if let Some(folder) = folder
                && !folder.is_dir()
            {
                return Err(Error::Invalid(format!("{name} `{}` is not a folder", folder.display())));
            }
        }
        let request = serde_json::to_vec(&RunRequest {
            op: "run",
            code: &invocation.code,
            filename: &invocation.filename,
            argv: &invocation.argv,
            env: &invocation.env,
            stdin: invocation.stdin.as_deref(),
            globals: &invocation.globals,
            max_result_bytes: limits.result,
            session: call.is_some(),
        });
        let request = request.map_err(|error| Error::Invalid(error.to_string()))?;

        let mut ready = match state {
            Some(state) => self.ready_from(state)?,
            None => self.take_ready()?,
        };
        let mut wasi = self.wasi(invocation, &limits, began);
        wasi.set_memory(ready.memory);
        // What another run left of its budget is not this one's.
        link::take_budget(&mut ready.store).map_err(Error::engine("setting the budget"))?;
        ready.store.data_mut().begin(wasi, &limits);
        let start = began.elapsed();
        let ended = ready.call("prims_call", &request);
        let wall = began.elapsed();

        let budget = link::budget(&mut ready.store);
        let host = ready.store.data_mut();
        let usage = Usage {
            wall,
            start,
            fuel: host.meter.used_with(budget),
            peak_memory: host.memory.peak.max(memory_len) as u64,
        };
        let (exit, ending) = exit(ended, host.reply.bytes.take(), host.memory.refused_just_now());
        // Closing files and removing temporary folders is part of the run; what is left has no effect anybody could see.
        let output = std::mem::replace(&mut host.wasi, Wasi::new(WasiSpec::idle()))
            .finish()
            .into();
        let kept = call.map(|call| self.keep_state(&mut ready, call, ending)).transpose()?;
        let kept = match kept {
            Some((Kept::State(state), true)) => {
                self.let_wait(&state, ready);
                self.replenish();
                Some(Kept::State(state))
            }
            other => {
                match (call, ending) {
                    (None, Ending::Whole) => self.give_back(ready),
                    _ => self.retire(ready),
                }
                other.map(|(kept, _)| kept)
            }
        };
        Ok((Outcome { exit, output, usage }, kept))
    }

    fn wasi(&self, invocation: &Invocation, limits: &Limits, began: Instant) -> Wasi {
        let folders = RunFolders {
            workspace: invocation.workspace.clone(),
            workspace_quota: invocation.workspace_quota.clone(),
            mounts: invocation.mounts.clone(),
        };
        Wasi::new(WasiSpec {
            mounts: mounts(&self.0.sandbox.0.guest, &self.0.environment, folders, limits),
            output: wasi::Output {
                limit: limits.output,
                overflow: if invocation.stop_at_output_limit {
                    Overflow::Stop
                } else {
                    Overflow::KeepEnds
                },
                sink: invocation.sink.clone(),
            },
            watch: Watch {
                deadline: began.checked_add(limits.wall_clock),
                cancel: invocation.cancel.clone(),
            },
            entropy: Entropy::Os,
            ..WasiSpec::idle()
        })
    }
}

/// How a run ended, from how the call into the guest ended and what it answered, and what that means for its memory.
fn exit(ended: wasmtime::Result<i32>, reply: Option<Vec<u8>>, memory_refused: bool) -> (Exit, Ending) {
    let crashed = |message: String| Exit::Crashed(Crash { message });
    let exit = match ended {
        Ok(0) => match serde_json::from_slice::<Report>(&reply.unwrap_or_default()) {
            Ok(report) => {
                let ending = if report.lost { Ending::Lost } else { Ending::Whole };
                match report.exit() {
                    Ok(exit) => return (exit, ending),
                    Err(missing) => crashed(format!("the interpreter's report has no `{missing}`")),
                }
            }
            Err(error) => crashed(format!("the interpreter's report does not read: {error}")),
        },
        Ok(status) => crashed(format!("the interpreter failed with status {status}")),
        Err(error) => match (error.downcast_ref(), error.downcast_ref()) {
            (Some(Stopped(reason)), _) => Exit::Stopped(*reason),
            (_, Some(wasi::Exit(code))) => Exit::Exited((code & 0xff) as u8),
            _ if memory_refused => Exit::Stopped(StopReason::Memory),
            _ => match error.downcast_ref::<wasmtime::Trap>() {
                Some(trap) => crashed(trap.to_string()),
                None => crashed(error.to_string()),
            },
        },
    };
    (exit, Ending::CutOff)
}

/// Has the allocator keep [`ROOM`] for what runs ask for.
fn leave_room(store: &mut Store<Host>, instance: wasmtime::Instance) -> wasmtime::Result<()> {
    let alloc = instance.get_typed_func::<u32, u32>(&mut *store, "prims_alloc")?;
    let free = instance.get_typed_func::<u32, ()>(&mut *store, "free")?;
    let at = alloc.call(&mut *store, ROOM)?;
    wasmtime::ensure!(at != 0, "no memory left for runs of the image");
    free.call(store, at)
}

/// Calls a function that readies memory for being kept, if the guest has it.
fn tidy(store: &mut Store<Host>, instance: wasmtime::Instance, function: &str) -> wasmtime::Result<()> {
    match instance.get_typed_func::<(), ()>(&mut *store, function) {
        Ok(function) => function.call(store, ()),
        Err(_) => Ok(()),
    }
}

/// Hands `bytes` to a guest function that takes a pointer and a length.
fn call(
    store: &mut Store<Host>,
    instance: wasmtime::Instance,
    memory: wasmtime::Memory,
    function: &str,
    bytes: &[u8],
) -> wasmtime::Result<i32> {
    let len = u32::try_from(bytes.len())?;
    let at = instance
        .get_typed_func::<u32, u32>(&mut *store, "prims_alloc")?
        .call(&mut *store, len)?;
    wasmtime::ensure!(at != 0, "the interpreter has no memory for a request of {len} bytes");
    memory.write(&mut *store, at as usize, bytes)?;
    instance
        .get_typed_func::<(u32, u32), i32>(&mut *store, function)?
        .call(store, (at, len))
}
