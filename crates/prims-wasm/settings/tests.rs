//! Settings from every place, together, and on paper.

use super::{Error, Origin, SettingArguments, Settings, TABLE, document};
use clap::{Args, Command, FromArgMatches};
use prims_sandbox::Limits;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Flags as they are typed.
fn flags(words: &[&str]) -> SettingArguments {
    let command = SettingArguments::augment_args(Command::new("test"));
    let matches = command.get_matches_from(std::iter::once("test").chain(words.iter().copied()));
    SettingArguments::from_arg_matches(&matches).unwrap()
}

fn load(words: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Error> {
    let environment = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::load_with(&flags(words), &environment)
}

/// The settings of a file of this text.
fn load_file(text: &str) -> Result<Settings, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    load(&["--config", path.to_str().unwrap()], &[])
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let settings = load(&[], &[]).unwrap();
    assert_eq!(settings.limits(), Limits::DEFAULT);
    assert_eq!(settings.limits().within(&settings.ceilings()), Ok(Limits::DEFAULT));
    assert!(settings.ceilings().within(&Limits::CEILING).is_ok());
    assert!(settings.server.host.is_loopback());
    assert!(settings.origins.values().all(|origin| *origin == Origin::Default));
    assert_eq!(settings.origins.len(), TABLE.len());
}

#[test]
fn names_are_unique_and_follow_from_the_flag() {
    let flags: BTreeSet<&str> = TABLE.iter().map(|row| row.flag).collect();
    let paths: BTreeSet<String> = TABLE.iter().map(|row| row.path()).collect();
    assert_eq!((flags.len(), paths.len()), (TABLE.len(), TABLE.len()));
    let row = TABLE.iter().find(|row| row.flag == "max-body").unwrap();
    assert_eq!(
        (row.variable().as_str(), row.path().as_str()),
        ("PRIMS_MAX_BODY", "server.max-body")
    );
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(".config/prims-wasm");
    std::fs::create_dir_all(&home).unwrap();
    let file = home.join("config.toml");
    std::fs::write(&file, "[limits]\ntimeout = '1s'\nmemory = '101m'\nfuel = 7\n").unwrap();
    let variables = [
        ("HOME", folder.path().to_str().unwrap()),
        ("PRIMS_TIMEOUT", "2s"),
        ("PRIMS_MEMORY", "102m"),
        ("PRIMS_OUTPUT", " "),
    ];
    let settings = load(&["--timeout", "3s"], &variables).unwrap();
    assert_eq!(settings.limits.timeout, Duration::from_secs(3));
    assert_eq!(settings.limits.memory.0, 102 << 20);
    assert_eq!(settings.limits.fuel, 7);
    assert_eq!(settings.origins["timeout"], Origin::Flag("timeout"));
    assert_eq!(settings.origins["memory"], Origin::Environment("PRIMS_MEMORY".into()));
    assert_eq!(settings.origins["fuel"], Origin::File(file.clone()));
    // An empty variable is one that is not set.
    assert_eq!(settings.origins["output"], Origin::Default);
    // Another folder, and another file.
    for nowhere in ["/nonexistent", "/dev/null"] {
        let elsewhere = [variables[0], ("XDG_CONFIG_HOME", nowhere)];
        assert_eq!(load(&[], &elsewhere).unwrap().limits.fuel, Limits::DEFAULT.fuel);
    }
    let named = [("PRIMS_CONFIG", file.to_str().unwrap())];
    assert_eq!(load(&[], &named).unwrap().limits.fuel, 7);
}

#[test]
fn lists_and_switches() {
    let words = [
        "--deps",
        "numpy>=2,<3, pandas[excel,parquet] ,six",
        "--deps=attrs",
        "--offline",
        "--require-hashes=false",
    ];
    let settings = load(&words, &[("PRIMS_ALLOWED_HOSTS", "a.example,b.example")]).unwrap();
    assert_eq!(
        settings.packages.deps,
        ["numpy>=2,<3", "pandas[excel,parquet]", "six", "attrs"]
    );
    assert_eq!(settings.server.allowed_hosts, ["a.example", "b.example"]);
    assert!(settings.packages.offline && !settings.packages.require_hashes);
    let settings = load_file("[packages]\ndeps = ['numpy>=2,<3', 'six']\noffline = true\n").unwrap();
    assert_eq!(settings.packages.deps, ["numpy>=2,<3", "six"]);
    assert!(settings.packages.offline);
}

#[test]
fn what_is_unknown_in_the_file_is_named_with_the_nearest_known() {
    for (text, key, nearest) in [
        ("[limits]\ntimout = '1s'", "limits.timout", Some("limits.timeout")),
        ("[server]\nmax_body = '1m'", "server.max_body", Some("server.max-body")),
        ("[limit]\nmemory = '1m'", "limit.memory", Some("limits.memory")),
        ("[server]\nzzzzzzzzzzz = 1", "server.zzzzzzzzzzz", None),
        ("timeout = '1s'", "timeout", None),
        ("[nothing]", "nothing", None),
    ] {
        let error = load_file(text).unwrap_err();
        let hint = error.hint().unwrap();
        let Error::UnknownKey {
            key: found,
            nearest: near,
            ..
        } = error
        else {
            panic!("{text}: {error}")
        };
        assert_eq!((found.as_str(), near.as_deref()), (key, nearest), "{text}");
        assert!(nearest.is_none_or(|nearest| hint.contains(nearest)));
    }
}

#[test]
fn values_that_cannot_be_read_are_named_with_their_place() {
    let message = |result: Result<Settings, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(load(&["--timeout", "soon"], &[])),
        "--timeout is `soon`, expected a time such as 500ms, 10s or 2m"
    );
    assert_eq!(
        message(load(&[], &[("PRIMS_PORT", "65536")])),
        "PRIMS_PORT is `65536`, expected a number up to 65535"
    );
    assert_eq!(
        message(load(&["--log-format", "xml"], &[])),
        "--log-format is `xml`, expected `text` or `json`"
    );
    assert!(message(load_file("[server]\nport = [1, 2]\n")).starts_with("server.port in "));
    assert!(message(load_file("[server]\nport = { a = 1 }\n")).contains("is `table`"));
    assert!(message(load_file("[server\n")).ends_with("is not valid TOML"));
    assert!(message(load_file(&"#".repeat(2 << 20))).starts_with("cannot read the settings"));
    assert!(message(load(&["--config", "/nonexistent"], &[])).contains("/nonexistent"));
    // A password does not get into a message.
    let message = message(load(
        &["--public-url", "://u:secret@x"],
        &[("PRIMS_INDEX_URL", "http://u:secret@[x/")],
    ));
    assert!(!message.contains("--index-url"), "{message}");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let message = |words: &[&str]| load(words, &[]).unwrap_err().to_string();
    assert_eq!(
        message(&["--timeout", "10m", "--max-timeout", "5m"]),
        "--timeout is 10m, at most 5m is possible (--max-timeout)"
    );
    assert_eq!(
        message(&["--max-memory", "5g"]),
        "--max-memory is 5g, at most 4g is possible (what the program can do)"
    );
    for (words, high) in [
        (&["--max-memory", "256m", "--memory", "512m"][..], "--memory"),
        (&["--max-fuel", "9", "--fuel", "10"], "--fuel"),
        (&["--output", "65m"], "--output"),
        (&["--result", "65m"], "--result"),
        (&["--files", "17g"], "--files"),
        (&["--file-count", "1000001"], "--file-count"),
        (&["--session-lifetime", "1m", "--session-idle", "2m"], "--session-idle"),
        (
            &["--max-sessions", "9", "--max-sessions-per-caller", "10"],
            "--max-sessions-per-caller",
        ),
        (&["--max-body", "1g"], "--max-body"),
        (&["--concurrency", "5000"], "--concurrency"),
    ] {
        assert!(
            message(words).starts_with(&format!("{high} is ")),
            "{words:?}: {}",
            message(words)
        );
    }
    assert_eq!(
        message(&["--oauth-scopes", "run"]),
        "--oauth-scopes needs --oauth-issuer"
    );
    assert!(message(&["--oauth-issuer", "issuer"]).contains("expected the URL"));
}

#[test]
fn a_default_nobody_gave_is_lowered_to_its_bound() {
    let words = [
        "--max-memory",
        "256m",
        "--max-timeout",
        "10s",
        "--max-fuel",
        "9",
        "--session-lifetime",
        "10m",
        "--max-sessions",
        "50",
    ];
    let settings = load(&words, &[]).unwrap();
    assert_eq!(settings.limits.memory.0, 256 << 20);
    assert_eq!(settings.limits.timeout, Duration::from_secs(10));
    assert_eq!(settings.limits.fuel, 9);
    assert_eq!(settings.sessions.idle, Duration::from_secs(600));
    assert_eq!(settings.sessions.per_caller, 50);
    assert!(settings.limits().within(&settings.ceilings()).is_ok());
    // Whoever gave it, in whatever way, is told.
    let given = load(&["--max-memory", "256m"], &[("PRIMS_MEMORY", "512m")]);
    assert!(
        matches!(given, Err(Error::TooLarge { flag: "memory", .. })),
        "{given:?}"
    );
}

#[test]
fn what_is_printed_can_be_read_again() {
    let words = [
        "--timeout",
        "1500ms",
        "--memory",
        "1000000",
        "--deps",
        "numpy,a\"b",
        "--index-url",
        "https://me:secret@index.example/simple?token=secret",
        "--fetch-allow",
        "10.0.0.0/8",
        "--log-level",
        "debug",
    ];
    let settings = load(&words, &[]).unwrap();
    let text = settings.to_toml();
    assert!(
        !text.contains("secret") && text.contains("redacted@index.example"),
        "{text}"
    );
    assert!(text.contains("# --timeout") && text.contains("# default"), "{text}");
    assert!(!settings.to_json().to_string().contains("secret"));
    let again = load_file(&text).unwrap();
    assert_eq!(again.limits, settings.limits);
    assert_eq!(again.packages.deps, settings.packages.deps);
    assert_eq!(
        (again.fetch, again.log, again.server),
        (settings.fetch.clone(), settings.log.clone(), settings.server.clone())
    );
    let json = settings.to_json();
    assert_eq!(json["limits.timeout"]["value"], "1500ms");
    assert_eq!(json["limits.timeout"]["source"], "--timeout");
    assert_eq!(json["server.port"]["value"], 3001);
}

#[test]
fn the_page_about_settings_is_the_table() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == document(), "docs/settings.md differs; BLESS=1 writes it");
}
