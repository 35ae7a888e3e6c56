//! Packages from a folder of wheels, as a user asks for them: flags, scripts, imports, locks.

use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A wheel with one module and what it needs.
pub(super) fn wheel(folder: &Path, name: &str, version: &str, code: &str, needs: &[&str]) {
    let info = format!("{name}-{version}.dist-info");
    let needs: String = needs
        .iter()
        .map(|needed| format!("Requires-Dist: {needed}\n"))
        .collect();
    let files = [
        (format!("{name}.py"), code.to_owned()),
        (
            format!("{info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"),
        ),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
    ];
    let mut record: String = files
        .iter()
        .map(|(path, content)| format!("{path},sha256={},{}\n", digest(content.as_bytes()), content.len()))
        .collect();
    record.push_str(&format!("{info}/RECORD,,\n"));
    let path = folder.join(format!("{name}-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for (path, content) in files.iter().chain([&(format!("{info}/RECORD"), record)]) {
        archive.start_file(path, options).expect("a member");
        archive.write_all(content.as_bytes()).expect("its content");
    }
    archive.finish().expect("an archive");
}

/// URL-safe base64 without padding, as `RECORD` has it.
fn digest(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// A folder of wheels, and the command with it as its only index.
struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Shelf {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        wheel(at, "greeting", "1.0", "def greet(who): return f'hello {who}'\n", &[]);
        wheel(at, "greeting", "2.0", "def greet(who): return f'good day {who}'\n", &[]);
        wheel(
            at,
            "party",
            "1.0",
            "import greeting\nguests = [greeting.greet(x) for x in 'ab']\n",
            &["greeting<2"],
        );
        Shelf(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = super::program(self.0.path());
        command.stdin(Stdio::null()).args(arguments);
        command.output().expect("the command runs")
    }
}

fn text(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn requirements_come_from_flags_scripts_and_imports() {
    let shelf = Shelf::new();
    let (out, err, status) = text(&shelf.run(&["run", "--deps", "party", "-c", "import party; party.guests"]));
    assert_eq!((out.as_str(), status), ("['hello a', 'hello b']\n", Some(0)), "{err}");

    let script = shelf.path("script.py");
    let code = "# /// script\n# dependencies = [\"greeting>1\"]\n# ///\nimport greeting\nprint(greeting.greet('c'))\n";
    std::fs::write(&script, code).expect("a script");
    let script = script.to_str().expect("a path of text");
    let (out, err, status) = text(&shelf.run(&["run", script]));
    assert_eq!((out.as_str(), status), ("good day c\n", Some(0)), "{err}");

    let code = "import json, greeting, nobody_has_this";
    let (_, err, status) = text(&shelf.run(&["run", "--auto-deps", "-c", code]));
    assert_eq!(status, Some(1), "{err}");
    assert!(err.contains("No module named 'nobody_has_this'"), "{err}");
    assert!(err.contains("package `nobody-has-this` does not exist"), "{err}");
    let (out, err, _) = text(&shelf.run(&["run", "--auto-deps", "-c", "import greeting; greeting.greet('d')"]));
    assert_eq!(out, "'good day d'\n", "{err}");
    // Without being asked to, nothing is installed.
    let (_, err, status) = text(&shelf.run(&["run", "-c", "import greeting"]));
    assert_eq!(status, Some(1), "{err}");
}

#[test]
fn a_lock_is_written_explained_and_run() {
    let shelf = Shelf::new();
    let lock = shelf.path("pylock.toml");
    let lock = lock.to_str().expect("a path of text");
    let (out, err, status) = text(&shelf.run(&["deps", "lock", "party", "-o", lock]));
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains("2 packages"), "{out}");
    let first = std::fs::read(lock).expect("the lock");
    shelf.run(&["deps", "lock", "party", "-o", lock]);
    assert_eq!(
        first,
        std::fs::read(lock).expect("the lock"),
        "the same inputs, the same bytes"
    );

    let (out, err, _) = text(&shelf.run(&["run", "--lock", lock, "-c", "import greeting; greeting.greet('e')"]));
    assert_eq!(out, "'hello e'\n", "{err}");
    let (out, err, _) = text(&shelf.run(&["deps", "tree", "party"]));
    assert_eq!(out, "party v1.0\n└── greeting v1.0\n", "{err}");
    let (out, err, _) = text(&shelf.run(&["deps", "why", "greeting", "party"]));
    assert_eq!(out, "party v1.0 → greeting v1.0\n", "{err}");
    let wheels = shelf.path("wheels");
    let folder = wheels.to_str().expect("a path of text");
    let (out, err, status) = text(&shelf.run(&["deps", "download", "party", "-d", folder]));
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(out, "greeting-1.0-py3-none-any.whl\nparty-1.0-py3-none-any.whl\n");
    assert!(wheels.join("party-1.0-py3-none-any.whl").is_file());
}

#[test]
fn what_cannot_be_had_is_explained() {
    let shelf = Shelf::new();
    for (deps, said, hint) in [
        (
            "greting",
            "package `greting` does not exist",
            "did you mean `greeting`?",
        ),
        (
            "greeting==3",
            "no version of package `greeting` fits `greeting==3`",
            "`greeting==2.0`",
        ),
        ("party,greeting>1", "party", "hint: "),
        ("git+https://host/x", "names a URL or a repository", "hint: "),
    ] {
        let (_, err, status) = text(&shelf.run(&["run", "--deps", deps, "-c", "1"]));
        assert_eq!(status, Some(2), "{deps}: {err}");
        assert!(err.contains(said) && err.contains(hint), "{deps}: {err}");
    }
    let (_, err, status) = text(&shelf.run(&["run", "--deps", "party", "--exclude", "greeting", "-c", "1"]));
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("`greeting`") && err.contains("excluded"), "{err}");
}

#[test]
fn the_cache_can_be_looked_after() {
    let shelf = Shelf::new();
    let cache = shelf.path("cache");
    let cache = cache.to_str().expect("a path of text");
    let resolved = shelf.run(&["cache", "info", "--cache-dir", cache]);
    assert_eq!(text(&resolved).2, Some(0), "{resolved:?}");
    let (out, err, status) = text(&shelf.run(&["cache", "verify", "--cache-dir", cache]));
    assert_eq!((out.as_str(), status), ("0 intact, 0 broken\n", Some(0)), "{err}");
    let (out, err, status) = text(&shelf.run(&["cache", "clean", "--older-than", "30d", "--cache-dir", cache]));
    assert_eq!((out.as_str(), status), ("removed 0 entries, 0 B\n", Some(0)), "{err}");
}
