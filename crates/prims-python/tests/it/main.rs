//! The Python package, from Python: its unit tests beside this file, its types, and the examples of the repository.
//!
//! The package is put together as a wheel would install it: its Python files, the shared library that cargo built for this test, and compiled code of the guest.
//! `scripts/python-wheel` makes the wheel itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Compiled code of an interpreter and images have more bytes than this, compiled code of any other module less.
const INTERPRETER: u64 = 16 << 20;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

/// Runs a command and returns what it wrote; anything but success is a failure of the test that shows all of it.
#[track_caller]
fn must(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    format!("{out}{err}")
}

/// The folder to import the package from.
fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| assemble().expect("the package can be put together"))
}

fn assemble() -> std::io::Result<PathBuf> {
    let folder = root().join("target/python-package");
    let package = folder.join("prims_wasm");
    let _ = std::fs::remove_dir_all(&package);
    std::fs::create_dir_all(&package)?;
    for file in std::fs::read_dir(root().join("crates/prims-python/python/prims_wasm"))? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), package.join(file.file_name()))?;
        }
    }
    // Cargo puts what a test depends on beside it.
    let test = std::env::current_exe()?;
    let name = if cfg!(target_os = "macos") {
        "libprims_python.dylib"
    } else {
        "libprims_python.so"
    };
    std::fs::copy(test.with_file_name(name), package.join("_native.abi3.so"))?;
    must(
        python3()
            .args([
                "-c",
                "import prims_wasm; s = prims_wasm.Sandbox(offline=True); s.prepare(); s.prepare(['numpy'])",
            ])
            .env("PYTHONPATH", &folder),
    );
    for kind in ["code", "image"] {
        seed(kind, &package.join("seed").join(kind))?;
    }
    Ok(folder)
}

/// Puts compiled code of the guest, or images, into the package, from the cache that has them by now.
fn seed(kind: &str, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let cache = prims_cache::Cache::open(None).expect("the usual cache");
    for entry in std::fs::read_dir(cache.location().path().join("v1").join(kind))? {
        let entry = entry?;
        // Others build in the same cache: what is not finished has another name, and may go at any time.
        let name = entry.file_name();
        let is_key = name.len() == 64 && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit);
        let Ok(found) = entry.metadata() else { continue };
        if is_key && found.len() > INTERPRETER {
            let to = to.join(name);
            std::fs::hard_link(entry.path(), &to).or_else(|_| std::fs::copy(entry.path(), &to).map(drop))?;
        }
    }
    Ok(())
}

fn python3() -> Command {
    Command::new("python3")
}

/// A Python with what a list of `tests/clients` asks for, installed once into `target/clients`.
fn python(list: &str, name: &str) -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = root().join("target/clients").join(name);
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    let list = root().join("tests/clients").join(list);
    let wanted = std::fs::read_to_string(&list).expect("the list is there");
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return with_path(&folder, python);
    }
    must(python3().arg("-m").arg("venv").arg(&folder));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    must(Command::new(&python).args(install).arg(list));
    std::fs::write(stamp, wanted).expect("it can be written");
    with_path(&folder, python)
}

/// Lets a Python find the package in processes that it starts, too: official clients give them no variables of their own.
fn with_path(folder: &Path, python: PathBuf) -> PathBuf {
    for version in std::fs::read_dir(folder.join("lib")).expect("its libraries").flatten() {
        let packages = version.path().join("site-packages");
        if packages.is_dir() {
            let path = format!("{}\n", package().display());
            std::fs::write(packages.join("prims-wasm-under-test.pth"), path).expect("it can be written");
        }
    }
    python
}

/// Runs Python with the package.
fn with_package(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env("PYTHONPATH", package()).env("PRIMS_DATA_DIR", "");
    command
}

#[test]
fn the_package_does_what_it_says() {
    let tests = root().join("crates/prims-python/tests");
    let said = must(
        with_package(Path::new("python3"))
            .args(["-m", "unittest", "discover", "--start-directory"])
            .arg(tests),
    );
    assert!(said.contains("\nRan ") && !said.contains("skipped"), "{said}");
}

#[test]
fn the_types_are_what_the_documents_say() {
    let folder = root().join("crates/prims-python");
    let mut command = with_package(&python("types.txt", "types"));
    command
        .args(["-m", "mypy", "--config-file"])
        .arg(folder.join("pyproject.toml"));
    command.arg("--cache-dir").arg(root().join("target/mypy"));
    command.args(["-p", "prims_wasm"]).current_dir(folder.join("python"));
    must(&mut command);
    let mut command = with_package(&python("types.txt", "types"));
    command
        .args(["-m", "mypy", "--config-file"])
        .arg(folder.join("pyproject.toml"));
    command.arg("--cache-dir").arg(root().join("target/mypy"));
    must(command.arg(folder.join("tests/types/usage.py")));
}

#[test]
fn the_examples_run() {
    let (official, frameworks) = (
        python("requirements.txt", "python"),
        python("frameworks.txt", "frameworks"),
    );
    let plain = PathBuf::from("python3");
    for (python, example, says) in [
        (
            &plain,
            "migrate_from_mcp_run_python.py",
            "ZeroDivisionError: division by zero",
        ),
        (&official, "plain_mcp_client.py", "mean: 7.5\nendless loop: timeout"),
        (&frameworks, "pydantic_ai_agent.py", "in process: There are 9208"),
        (&frameworks, "openai_tool_loop.py", "The sum is 328."),
    ] {
        let said = must(with_package(python).arg(root().join("examples").join(example)));
        assert!(said.contains(says), "{example}\n{said}");
    }
}
