//! Rules of the repository that a test can check: the documents say what the code does, and nothing is said that must not be.

#![allow(clippy::unwrap_used)]

use crate::arguments::{Arguments, Command};
use crate::settings::{SettingArguments, Settings, TABLE};
use clap::{CommandFactory, Parser};
use prims_sandbox::Limits;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The words of a command line as a shell would split it, up to a redirection; it knows single and double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(end), _) if c == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '<' | '>' | '|' | '#') => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The commands of a document: lines of code blocks that begin with `prims-wasm` or `cargo`, maybe after a prompt.
fn commands(document: &str, program: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut found = vec![];
    for line in document.lines() {
        if line.starts_with("```") {
            inside = !inside;
            continue;
        }
        let command = line.strip_prefix("$ ").unwrap_or(line);
        if inside && command.starts_with(program) && command[program.len()..].starts_with(' ') {
            found.push(words(command));
        }
    }
    found
}

#[test]
fn every_command_of_the_readme_parses() {
    let readme = read("README.md");
    let mut found = commands(&readme, "prims-wasm");
    for command in commands(&readme, "cargo") {
        if let Some(at) = command.iter().position(|word| word == "--") {
            let arguments = command[at + 1..].iter().cloned();
            found.push(std::iter::once("prims-wasm".to_owned()).chain(arguments).collect());
        }
    }
    assert!(found.len() > 10, "only {} commands", found.len());
    for command in found {
        if let Err(error) = Arguments::try_parse_from(&command) {
            panic!("README.md: {command:?}: {error}");
        }
    }
    // The two commands a reader tries first.
    for command in ["cargo run --release -- example --deps numpy", "cargo test"] {
        assert!(
            readme.lines().any(|line| line == command),
            "README.md lacks `{command}`"
        );
    }
}

#[test]
fn every_way_clients_start_the_server_parses() {
    let document = read("docs/clients.md");
    let mut found: Vec<Vec<String>> = commands(&document, "prims-wasm");
    for command in commands(&document, "claude") {
        let at = command.iter().position(|word| word == "--").unwrap();
        found.push(command[at + 1..].to_vec());
    }
    for block in document.split("```json\n").skip(1) {
        let json: serde_json::Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
        let servers = json.as_object().unwrap().values().next().unwrap();
        let server = &servers["python"];
        if server["command"] == "prims-wasm" {
            let arguments = server["args"].as_array().unwrap().iter();
            let arguments = arguments.map(|argument| argument.as_str().unwrap().to_owned());
            found.push(std::iter::once("prims-wasm".to_owned()).chain(arguments).collect());
        } else {
            assert!(server["url"].as_str().unwrap().ends_with("/mcp"), "{server}");
        }
    }
    assert!(found.len() >= 5, "only {} ways", found.len());
    for command in found {
        if let Err(error) = Arguments::try_parse_from(&command) {
            panic!("docs/clients.md: {command:?}: {error}");
        }
    }
}

#[test]
fn every_flag_a_document_names_exists() {
    let mut flags: Vec<String> = vec!["--help".into(), "--version".into()];
    for command in std::iter::once(&Arguments::command()).chain(Arguments::command().get_subcommands()) {
        let arguments = command.get_arguments().filter_map(|argument| argument.get_long());
        flags.extend(arguments.map(|flag| format!("--{flag}")));
    }
    for name in ["README.md", "SECURITY.md", "docs/limits.md"] {
        for piece in read(name).split('`').skip(1).step_by(2) {
            let words = piece
                .split_whitespace()
                .filter(|word| word.starts_with("--") && word.len() > 2);
            for word in
                words.filter(|_| !piece.starts_with("cargo") && !piece.contains('\n') && !piece.contains("/build"))
            {
                assert!(flags.iter().any(|flag| flag == word), "{name} names `{word}`");
            }
        }
    }
}

/// The rows both tables of limits must begin with.
fn rows() -> Vec<String> {
    let (default, ceiling) = (Limits::DEFAULT, Limits::CEILING);
    let time = |limit: std::time::Duration| match limit.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds => format!("{seconds} s"),
    };
    let bytes = |limit: u64| match limit {
        limit if limit % (1 << 30) == 0 => format!("{} GiB", limit >> 30),
        limit => format!("{} MiB", limit >> 20),
    };
    let row = |name: &str, default: String, ceiling: String| format!("| {name} | FLAG | {default} | {ceiling} |");
    vec![
        row("wall clock", time(default.wall_clock), time(ceiling.wall_clock)),
        row(
            "instructions",
            format!("{} units", default.fuel),
            format!("{} units", ceiling.fuel),
        ),
        row("memory", bytes(default.memory), bytes(ceiling.memory)),
        row(
            "output, each stream",
            bytes(default.output as u64),
            bytes(ceiling.output as u64),
        ),
        row(
            "value and error report",
            bytes(default.result as u64),
            bytes(ceiling.result as u64),
        ),
        row(
            "bytes in `/workspace`, and in `/tmp`",
            bytes(default.files_bytes),
            bytes(ceiling.files_bytes),
        ),
        row(
            "names in `/workspace`, and in `/tmp`",
            default.files_count.to_string(),
            ceiling.files_count.to_string(),
        ),
    ]
}

#[test]
fn the_tables_of_limits_say_what_the_code_says() {
    for name in ["README.md", "docs/limits.md"] {
        let document = read(name);
        for row in rows() {
            let (before, after) = row.split_once("FLAG").unwrap();
            let found = document
                .lines()
                .find(|line| line.starts_with(before))
                .map(|line| &line[before.len()..]);
            let (flag, rest) = found.and_then(|line| line.split_once(" |")).unzip();
            let is_flag = |cell: &str| {
                let name = cell.split('`').nth(1).and_then(|flag| flag.strip_prefix("--"));
                TABLE.iter().any(|row| name == Some(row.flag))
            };
            assert!(flag.is_some_and(is_flag), "{name}: `{row}` has {flag:?}");
            let expected = after.strip_prefix(" |").unwrap();
            assert!(
                rest.is_some_and(|rest| rest.starts_with(expected)),
                "{name}: expected `{row}`, found {found:?}"
            );
        }
    }
}

#[test]
fn the_flags_have_the_defaults_of_the_library() {
    let settings = Settings::load_with(&SettingArguments::default(), &|_| None).unwrap();
    assert_eq!(settings.limits(), Limits::DEFAULT);
    assert_eq!(settings.of_sessions(), prims_interpreter::SessionSettings::DEFAULT);
    let arguments = Arguments::parse_from(["prims-wasm", "run", "--fuel", "7", "-c", "1"]);
    let Command::Run(run) = arguments.command else {
        panic!("not a run")
    };
    let settings = Settings::load_with(&run.settings.0, &|_| None).unwrap();
    assert_eq!(
        settings.limits(),
        Limits {
            fuel: 7,
            ..Limits::DEFAULT
        }
    );
}

#[test]
fn the_tests_that_documents_name_exist() {
    let mut count = 0;
    for piece in read("docs/limits.md").split('`').skip(1).step_by(2) {
        if !piece.starts_with("tests/") && !piece.starts_with("crates/") {
            continue;
        }
        let (file, test) = piece
            .split_once("::")
            .map_or((piece, None), |(file, test)| (file, Some(test)));
        let text = read(file);
        if let Some(test) = test {
            assert!(text.contains(&format!("fn {test}()")), "docs/limits.md names `{piece}`");
        } else if let Some(program) = file.strip_suffix(".py") {
            // A program is a test only with the outcome it must have.
            read(&format!("{program}.out"));
        }
        count += 1;
    }
    assert!(count > 15, "docs/limits.md names only {count} tests");
    // These name tests by their names alone.
    let sources: String = tracked()
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs" || e == "py"))
        .map(|p| text(p))
        .collect();
    let architecture = read("ARCHITECTURE.md");
    let invariants = architecture
        .split("## Invariants")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .unwrap();
    let compatibility = read("docs/compatibility.md");
    for (document, text) in [
        ("ARCHITECTURE.md", invariants),
        ("docs/compatibility.md", &compatibility),
    ] {
        let names = text.split('`').skip(1).step_by(2);
        for name in names
            .filter(|name| !name.starts_with('_'))
            .filter(|name| name.matches('_').count() > 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        {
            let known = sources.contains(&format!("fn {name}()"))
                || sources.contains(&format!("def {name}(self)"))
                || read("Cargo.toml").contains(&format!("{name} ="));
            assert!(known, "{document} names `{name}`");
        }
    }
}

#[test]
fn the_documents_of_the_root_link_to_files_that_exist() {
    let generated: [&str; 0] = [];
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/limits.md",
        "docs/clients.md",
    ] {
        let folder = root().join(name).parent().unwrap().to_owned();
        for link in read(name).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') || generated.iter().any(|file| file.ends_with(link)) {
                continue;
            }
            assert!(folder.join(link).exists(), "{name} links to `{link}`");
        }
    }
}

#[test]
fn the_changelog_has_this_version() {
    let changelog = read("CHANGELOG.md");
    let headings: Vec<&str> = changelog.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(headings.first(), Some(&"## [Unreleased]"));
    let version = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(
        headings.iter().any(|heading| heading.starts_with(&version)),
        "CHANGELOG.md lacks `{version}`"
    );
    const KINDS: [&str; 7] = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
        "Known limitations",
    ];
    for kind in changelog.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(KINDS.contains(&kind), "CHANGELOG.md has a section `{kind}`");
    }
}

/// The text files of the repository that are ours.
fn tracked() -> Vec<PathBuf> {
    const SKIPPED: [&str; 6] = [".git", "target", "dist", "licenses", "__pycache__", "Cargo.lock"];
    let (mut found, mut folders) = (vec![], vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            if SKIPPED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// The content, empty if it is not text.
fn text(path: &Path) -> String {
    std::fs::read(path)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

#[test]
fn nothing_names_what_belongs_to_one_machine_or_registry() {
    // Put together here, so that this file may be looked at too.
    let forbidden = [
        ["/wo", "rk/main"].concat(),
        ["/wo", "rk/shared"].concat(),
        ["/wo", "rk/scratch"].concat(),
        ["crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["python", "hosted.org"].concat(),
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let files = tracked();
    assert!(files.len() > 100, "only {} files", files.len());
    let mut problems = vec![];
    for path in &files {
        // Texts of other people.
        if path.ends_with("THIRD_PARTY_NOTICES") || path.components().any(|part| part.as_os_str() == "patches") {
            continue;
        }
        for (number, line) in text(path).lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| line.contains(word.as_str())) {
                problems.push(format!(
                    "{}:{}: {word}",
                    path.strip_prefix(root()).unwrap().display(),
                    number + 1
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_crate_takes_the_lints_version_and_licence_of_the_workspace() {
    let workspace = read("Cargo.toml");
    for lint in [
        "unsafe_code = \"deny\"",
        "missing_docs = \"warn\"",
        "undocumented_unsafe_blocks",
        "unwrap_used",
        "print_stdout",
    ] {
        assert!(workspace.contains(lint), "Cargo.toml lacks the lint `{lint}`");
    }
    for name in [
        "prims-cache",
        "prims-interpreter",
        "prims-packages",
        "prims-python",
        "prims-sandbox",
    ] {
        let manifest = read(&format!("crates/{name}/Cargo.toml"));
        for line in [
            "[lints]\nworkspace = true",
            "version.workspace = true",
            "license.workspace = true",
        ] {
            assert!(manifest.contains(line), "crates/{name}/Cargo.toml lacks `{line}`");
        }
        let library = read(&format!("crates/{name}/src/lib.rs"));
        assert!(
            library.starts_with("//! "),
            "crates/{name}/src/lib.rs begins without documentation"
        );
        let allowed: Vec<&str> = library.lines().filter(|line| line.starts_with("#![allow")).collect();
        assert!(
            allowed.is_empty(),
            "crates/{name}/src/lib.rs switches lints off: {allowed:?}"
        );
    }
    assert!(workspace.contains("[lints]\nworkspace = true"));
    // What ARCHITECTURE.md says about `unsafe`.
    for path in tracked()
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
    {
        let code = text(path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if code.contains(concat!("allow(uns", "afe_code)")) {
            assert!(
                ["memory.rs", "engine.rs", "stack.rs"].contains(&&*name),
                "{} allows unsafe code",
                path.display()
            );
        }
    }
}

#[test]
fn what_is_built_from_is_named_in_the_notices() {
    let notices = read("THIRD_PARTY_NOTICES");
    for line in read("python-wasm/licenses/NOTICES.md")
        .lines()
        .filter(|line| line.contains("]("))
    {
        let mut cells = line.trim_matches(['|', ' ']).split(" | ");
        let (component, version) = (cells.next().unwrap(), cells.next().unwrap());
        assert!(
            notices.contains(&format!("\n{component}, {version}: ")),
            "THIRD_PARTY_NOTICES lacks {component} {version}"
        );
    }
    for line in ["\nwasmtime ", "\nclap ", "\nthe Rust standard library"] {
        assert!(notices.contains(line), "THIRD_PARTY_NOTICES lacks{line}");
    }
}
