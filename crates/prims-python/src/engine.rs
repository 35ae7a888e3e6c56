//! One interpreter with its settings, its sessions and its folders.

use crate::ended::Ended;
use crate::errors::Error;
use crate::files::{self, Described, RunFolder, artifacts};
use crate::interrupt;
use crate::reply::{Ran, not_installed, reply};
use crate::request::{Raised, Request};
use crate::sessions::Sessions;
use crate::threads::{Begin, hand_over};
use prims_interpreter::WorkspacePath;
use prims_interpreter::{Call, Interpreter, RunRequest};
use prims_sandbox::{Invocation, Limits, Progress};
use prims_wasm::settings::{IndexUrl, SettingArguments, Settings};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Folders of runs that wrote nothing, kept for the next ones.
const SPARE_FOLDERS: usize = 4;

/// How an engine is set up: attributes of an object. What is left open is as the environment and the settings file say.
#[derive(FromPyObject)]
struct Options {
    cache_dir: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    index_url: Option<String>,
    extra_index_urls: Vec<String>,
    offline: Option<bool>,
    auto_deps: Option<bool>,
    on_progress: Option<Py<PyAny>>,
}

/// An interpreter. Its methods may be called from any number of threads.
#[pyclass(frozen, module = "prims_wasm._native")]
pub(crate) struct Engine(Arc<Shared>);

struct Shared {
    interpreter: Interpreter,
    limits: Limits,
    /// What the settings have every run install.
    deps: Vec<String>,
    sessions: Sessions,
    /// Folders nobody has written to.
    spare: Mutex<Vec<RunFolder>>,
    /// Where the folders of runs are, so that none is left at the end, whoever still holds its result.
    runs: Mutex<Option<tempfile::TempDir>>,
    process: u32,
}

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, options: Options) -> PyResult<Engine> {
        Ok(py.detach(|| Engine::open(options))?)
    }

    /// Makes an environment ready; the packages in it.
    fn prepare(&self, py: Python<'_>, deps: Vec<String>, is_main_thread: bool) -> PyResult<Vec<(String, String)>> {
        let shared = self.shared()?;
        let deps = shared.with_own(deps);
        let work = move || Ok(shared.interpreter.prepare(&deps)?.packages);
        Ok(interrupt::run(py, is_main_thread, &prims_sandbox::Cancel::new(), work)?)
    }

    /// Runs code, in a session if the request names one.
    fn run<'py>(&self, py: Python<'py>, request: Request) -> PyResult<Bound<'py, PyDict>> {
        let (shared, job, telling) = self.begin(&request)?;
        let cancel = job.invocation.cancel.clone();
        let ran = interrupt::run(py, request.is_main_thread, &cancel, move || shared.run(job));
        telling.reply(py, ran)
    }

    /// Begins to run code. Its end is told by `ended`, with the future.
    fn start(&self, py: Python<'_>, request: Request, ended: &Ended, future: Py<PyAny>) -> PyResult<()> {
        let (shared, job, telling) = self.begin(&request)?;
        let tell = ended.telling(future);
        let work = move || shared.run(job);
        let tell = move |ran| tell(Box::new(move |py| telling.reply(py, ran)));
        Ok(py.detach(|| hand_over(Begin::InTurn, work, tell))?)
    }

    /// Makes a session; its handle.
    #[pyo3(signature = (deps, stateful, idle, lifetime))]
    fn create_session(
        &self,
        py: Python<'_>,
        deps: Vec<String>,
        stateful: bool,
        idle: Option<f64>,
        lifetime: Option<f64>,
    ) -> PyResult<String> {
        let shared = self.shared()?;
        let deps = shared.with_own(deps);
        Ok(py.detach(|| {
            shared
                .sessions
                .create(&shared.interpreter, deps, stateful, idle, lifetime)
        })?)
    }

    /// Whether there is a session, and whether it is stateful.
    fn find_session(&self, py: Python<'_>, handle: &str) -> PyResult<bool> {
        let shared = self.shared()?;
        Ok(py.detach(|| shared.sessions.is_stateful(&shared.interpreter, handle))?)
    }

    /// Makes a session that goes on where this one stands; its handle.
    fn fork_session(&self, py: Python<'_>, handle: &str) -> PyResult<String> {
        let shared = self.shared()?;
        Ok(py.detach(|| shared.sessions.fork(&shared.interpreter, handle))?)
    }

    /// Lets a session begin anew.
    fn reset_session(&self, py: Python<'_>, handle: &str, files: bool) -> PyResult<()> {
        let shared = self.shared()?;
        Ok(py.detach(|| shared.sessions.reset(&shared.interpreter, handle, files))?)
    }

    /// Ends a session. One that is gone already is fine.
    fn close_session(&self, py: Python<'_>, handle: &str) -> PyResult<()> {
        let shared = self.shared()?;
        Ok(py.detach(|| shared.sessions.close(handle))?)
    }

    /// The bytes of a session's file.
    fn read_file<'py>(&self, py: Python<'py>, handle: &str, path: &str) -> PyResult<Bound<'py, pyo3::types::PyBytes>> {
        let shared = self.shared()?;
        let bytes = py.detach(|| files::read(&shared.sessions.workspace(&shared.interpreter, handle)?, path))?;
        Ok(pyo3::types::PyBytes::new(py, &bytes))
    }

    /// Writes a session's file.
    fn write_file(&self, py: Python<'_>, handle: &str, path: &str, bytes: PyBackedBytes) -> PyResult<()> {
        let shared = self.shared()?;
        let write = || {
            let path = WorkspacePath::parse(path)?;
            shared
                .sessions
                .workspace(&shared.interpreter, handle)?
                .write(&path, &bytes)?;
            Ok::<(), Error>(())
        };
        Ok(py.detach(write)?)
    }

    /// Removes a session's file, or a folder with what is in it.
    fn delete_file(&self, py: Python<'_>, handle: &str, path: &str) -> PyResult<()> {
        let shared = self.shared()?;
        let delete = || {
            let path = WorkspacePath::parse(path)?;
            shared
                .sessions
                .workspace(&shared.interpreter, handle)?
                .delete(&path, true)?;
            Ok::<(), Error>(())
        };
        Ok(py.detach(delete)?)
    }

    /// The files of a session below a folder.
    fn list_files(&self, py: Python<'_>, handle: &str, path: &str) -> PyResult<Vec<Described>> {
        let shared = self.shared()?;
        Ok(py.detach(|| files::list(&shared.sessions.workspace(&shared.interpreter, handle)?, path))?)
    }

    /// Ends the sessions that are not kept in a folder of the caller's, and removes what lies in temporary folders.
    fn close(&self, py: Python<'_>) {
        let Ok(shared) = self.shared() else { return };
        py.detach(|| {
            shared.sessions.end();
            shared.spare.lock().unwrap_or_else(PoisonError::into_inner).clear();
            shared.runs.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A fork has neither the threads that would be told to end, nor any right to the files.
        if self.shared().is_err() {
            std::mem::forget(Arc::clone(&self.0));
        }
    }
}

/// A run that can be carried out.
struct Job {
    deps: Vec<String>,
    files: Vec<(WorkspacePath, PyBackedBytes)>,
    session: Option<String>,
    invocation: Invocation,
}

/// What else goes into the reply.
struct Telling {
    raised: Raised,
    lines: bool,
}

impl Telling {
    fn reply(self, py: Python<'_>, ran: Result<Ran, Error>) -> PyResult<Bound<'_, PyDict>> {
        if let Some(error) = raised_by(&self.raised) {
            return Err(error);
        }
        match ran {
            Ok(ran) => reply(py, ran, self.lines),
            Err(error) if error.is_about_packages() => not_installed(py, &error),
            Err(error) => Err(error.into()),
        }
    }
}

impl Engine {
    fn begin(&self, request: &Request) -> Result<(Arc<Shared>, Job, Telling), Error> {
        let shared = self.shared()?;
        let (invocation, raised) = request.invocation(shared.limits)?;
        // A session has its own, and takes none for these.
        let of_session = request.session.is_some() && request.deps.is_empty();
        let job = Job {
            deps: if of_session {
                vec![]
            } else {
                shared.with_own(request.deps.clone())
            },
            files: request.workspace_files()?,
            session: request.session.clone(),
            invocation,
        };
        let lines = request.lines;
        Ok((shared, job, Telling { raised, lines }))
    }

    fn open(options: Options) -> Result<Engine, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let mut settings =
            Settings::load_with(&SettingArguments::default(), &variable).map_err(prims_wasm::Error::Settings)?;
        let packages = &mut settings.packages;
        packages.offline = options.offline.unwrap_or(packages.offline);
        packages.auto_deps = options.auto_deps.unwrap_or(packages.auto_deps);
        if let Some(url) = options.index_url {
            packages.index_url = Some(index("index_url", &url)?);
        }
        if !options.extra_index_urls.is_empty() {
            let urls = options
                .extra_index_urls
                .iter()
                .map(|url| index("extra_index_urls", url));
            packages.extra_index_url = urls.collect::<Result<_, Error>>()?;
        }
        let progress = options.on_progress.map(telling);
        let interpreter = prims_wasm::interpreter_for(options.cache_dir.as_deref(), &settings, progress)?;
        Ok(Engine(Arc::new(Shared {
            interpreter,
            limits: settings.limits(),
            deps: settings.packages.deps.clone(),
            sessions: Sessions::new(options.data_dir),
            spare: Mutex::default(),
            runs: Mutex::default(),
            process: std::process::id(),
        })))
    }

    /// What is shared, unless this process is a fork of the one that made it: threads it relies on are not in a fork.
    fn shared(&self) -> Result<Arc<Shared>, Error> {
        if self.0.process == std::process::id() {
            Ok(Arc::clone(&self.0))
        } else {
            Err(Error::Forked)
        }
    }
}

impl Shared {
    fn with_own(&self, deps: Vec<String>) -> Vec<String> {
        let mut all = self.deps.clone();
        all.extend(deps.into_iter().filter(|dependency| !self.deps.contains(dependency)));
        all
    }

    fn run(&self, job: Job) -> Result<Ran, Error> {
        match job.session.clone() {
            Some(handle) => self.run_in_session(&handle, job),
            None => self.run_alone(job),
        }
    }

    fn run_alone(&self, job: Job) -> Result<Ran, Error> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let folder = match spare {
            Some(folder) => folder,
            None => self.make_folder().map_err(Error::io("make a folder for a run"))?,
        };
        if !job.files.is_empty() {
            let workspace = folder.open()?;
            for (path, bytes) in &job.files {
                workspace.write(path, bytes)?;
            }
        }
        let report = self.interpreter.run(&RunRequest {
            requirements: job.deps,
            lock: None,
            invocation: Invocation {
                workspace: Some(folder.workspace()),
                workspace_quota: Some(folder.quota()),
                ..job.invocation
            },
        })?;
        let mut ran = Ran {
            outcome: report.outcome,
            packages: report.packages,
            notes: report.notes,
            prepare: report.prepare,
            artifacts: vec![],
            folder: None,
        };
        if folder.is_pristine() {
            let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < SPARE_FOLDERS {
                spare.push(folder);
            }
            return Ok(ran);
        }
        ran.artifacts = artifacts(&folder.open()?)?;
        ran.folder = (!ran.artifacts.is_empty()).then_some(folder);
        Ok(ran)
    }

    fn make_folder(&self) -> std::io::Result<RunFolder> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let parent = match runs.take() {
            Some(parent) => parent,
            None => tempfile::Builder::new().prefix("prims-wasm-runs-").tempdir()?,
        };
        RunFolder::make(runs.insert(parent).path(), &self.limits)
    }

    fn run_in_session(&self, handle: &str, job: Job) -> Result<Ran, Error> {
        let sessions = self.sessions.open(&self.interpreter)?;
        if !job.files.is_empty() {
            let workspace = sessions.workspace(handle, None)?;
            for (path, bytes) in &job.files {
                workspace.write(path, bytes)?;
            }
        }
        let call = Call {
            requirements: job.deps,
            invocation: job.invocation,
            patience: None,
        };
        let report = sessions.run(handle, None, &call)?;
        let notes = report
            .started_over
            .map(|reason| format!("the session began anew: {reason}"));
        Ok(Ran {
            outcome: report.outcome,
            packages: report.packages,
            notes: notes.into_iter().collect(),
            prepare: report.prepare,
            artifacts: artifacts(&sessions.workspace(handle, None)?)?,
            folder: None,
        })
    }
}

fn index(name: &'static str, text: &str) -> Result<IndexUrl, Error> {
    let read = prims_packages::index_url(name, text);
    read.map(IndexUrl).map_err(|error| Error::Argument(error.to_string()))
}

fn raised_by(raised: &Raised) -> Option<PyErr> {
    raised.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Tells Python about slow steps. What the callback raises is nobody's to handle, so it is shown as such.
fn telling(callback: Py<PyAny>) -> prims_sandbox::ProgressSink {
    Arc::new(move |progress| {
        let text = match progress {
            Progress::CompilingInterpreter => "compiling the interpreter, once per version".to_owned(),
            Progress::CompilingModule { name, done, total } => format!("compiling {name} ({} of {total})", done + 1),
            Progress::BuildingImage => {
                "starting the interpreter and importing packages, once per environment".to_owned()
            }
            Progress::Ready => "ready".to_owned(),
            _ => return,
        };
        Python::attach(|py| {
            if let Err(error) = callback.call1(py, (text,)) {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        });
    })
}
