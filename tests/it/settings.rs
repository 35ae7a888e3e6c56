//! `prims-wasm config`: settings from every place, through the command.

use std::path::Path;
use std::process::{Command, Output};

fn config(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prims-wasm"));
    command.arg("config").args(arguments).env_clear();
    command.env("HOME", home).envs(variables.iter().copied());
    command.output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_effective_settings_are_printed_with_their_origins() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/prims-wasm");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("config.toml");
    std::fs::write(&file, "[limits]\ntimeout = '7s'\n[packages]\ndeps = ['numpy']\n").expect("a file");
    let arguments = [
        "--port",
        "4000",
        "--index-url",
        "https://me:secret@index.example/simple",
    ];
    let arguments = [&arguments[..], &["--cache-dir", "/nowhere"]].concat();
    let output = config(home.path(), &arguments, &[("PRIMS_MEMORY", "200m")]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let line = |start: &str| out.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    assert!(
        line("timeout = \"7s\"").is_some_and(|line| line.ends_with("config.toml")),
        "{out}"
    );
    assert!(
        line("memory = \"200m\"").is_some_and(|line| line.ends_with("# PRIMS_MEMORY")),
        "{out}"
    );
    assert!(
        line("port = 4000").is_some_and(|line| line.ends_with("# --port")),
        "{out}"
    );
    assert!(line("deps = [\"numpy\"]").is_some(), "{out}");
    assert!(
        line("host = \"127.0.0.1\"").is_some_and(|line| line.ends_with("# default")),
        "{out}"
    );
    assert!(
        line("dir = \"/nowhere\"").is_some_and(|line| line.ends_with("# --cache-dir")),
        "{out}"
    );
    assert!(!out.contains("secret"), "{out}");
    let output = config(home.path(), &[], &[("PRIMS_CACHE_DIR", "/nowhere")]);
    let from_environment = "dir = \"/nowhere\"                         # PRIMS_CACHE_DIR\n";
    assert!(
        text(&output.stdout).contains(from_environment),
        "{}",
        text(&output.stdout)
    );
    // What was printed is a file of settings.
    std::fs::write(&file, &out).expect("a file");
    let again = config(home.path(), &["--json"], &[]);
    let json: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(json["server.port"]["value"], 4000);
    assert_eq!(json["limits.memory"]["value"], "200m");
}

#[test]
fn mistakes_are_named_with_what_was_probably_meant() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("my.toml");
    std::fs::write(&file, "[limits]\ntimout = '7s'\n").expect("a file");
    let output = config(home.path(), &[], &[("PRIMS_CONFIG", file.to_str().expect("UTF-8"))]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("unknown setting `limits.timout`"), "{err}");
    assert!(err.contains("hint: did you mean `limits.timeout`?"), "{err}");
    let output = config(home.path(), &["--memory", "3g"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--memory is 3g, at most 2g is possible (--max-memory)"));
}

#[test]
fn the_cache_that_is_looked_after_is_the_one_that_is_used() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path().canonicalize().expect("it is there");
    let file = home.join("my.toml");
    let cache = |name: &str| home.join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(&file, format!("[cache]\ndir = '{}'\n", cache("file"))).expect("a file");
    let named = ("PRIMS_CONFIG", file.to_str().expect("UTF-8"));
    let info = |arguments: &[&str], variable: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prims-wasm"));
        command.args(["cache", "info"]).args(arguments).env_clear();
        command.env("HOME", &home).envs([named, ("PRIMS_CACHE_DIR", variable)]);
        let output = command.output().expect("the command starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).lines().next().unwrap_or_default().to_owned()
    };
    // An empty variable is one that is not set.
    assert_eq!(info(&[], ""), cache("file"));
    assert_eq!(info(&[], &cache("variable")), cache("variable"));
    let flag = cache("flag");
    assert_eq!(info(&["--cache-dir", &flag], &cache("variable")), flag);
}
