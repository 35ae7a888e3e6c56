//! The official conformance suites, the stable one and the next one: every check and how it ended, since some scenarios pass without
//! testing anything.
//!
//! `conformance.txt` is about the product: what fails there asks for tools, resources and prompts that only a fixture has, or for
//! extensions this server does not declare. `conformance-fixtures.txt` is about the same server with the fixtures.

use super::Http;
use super::clients::{must, node, root};
use super::fixture;
use super::service::state;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

const STABLE: &str = "@modelcontextprotocol/conformance";
const NEXT: &str = "conformance-next";

/// Runs a suite against a server: `NAME SCENARIO CHECK STATUS` for every check.
fn checks(name: &str, suite: &str, url: &str, arguments: &[&str]) -> Vec<String> {
    let (node, folder) = node();
    let results = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(node);
    command
        .arg(folder.join("node_modules").join(suite).join("dist/index.js"))
        .args(["server", "--url", url])
        .args(arguments)
        .arg("-o")
        .arg(results.path());
    // Its status says that scenarios failed, which some do.
    let ran = command.output().expect("the suite starts");
    let mut said = vec![];
    for run in std::fs::read_dir(results.path()).expect("results").flatten() {
        let run_name = run.file_name().to_string_lossy().into_owned();
        // `server-NAME-2026-07-28T01-02-03-004Z`
        let scenario = run_name.strip_prefix("server-").unwrap_or(&run_name);
        let scenario = &scenario[..scenario.len().saturating_sub("-2026-07-28T01-02-03-004Z".len())];
        let text = std::fs::read_to_string(run.path().join("checks.json")).expect("checks");
        let checks: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        for check in checks.iter().filter(|check| check["status"] != "INFO") {
            let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
            said.push(format!("{name} {scenario} {} {}", text("id"), text("status")));
        }
    }
    let output = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.len() > 20, "{suite} checked next to nothing\n{output}");
    said
}

#[track_caller]
fn compare(mut said: Vec<String>, with: &str) {
    said.sort();
    let text = said.join("\n") + "\n";
    let path = root().join("tests/clients").join(with);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the list is there");
    let (missing, new) = (lines_without(&expected, &text), lines_without(&text, &expected));
    assert!(
        missing.is_empty() && new.is_empty(),
        "no longer: {missing:#?}\nnew: {new:#?}"
    );
}

fn lines_without<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let known = |line: &str| other.lines().any(|known| known == line);
    text.lines().filter(|line| !known(line)).collect()
}

#[test]
fn the_conformance_suites_say_what_they_said() {
    let server = Http::start(&[]);
    let mut said = vec![];
    for suite in [STABLE, NEXT] {
        said.extend(checks(suite, suite, &server.url(), &["--suite", "all"]));
    }
    compare(said, "conformance.txt");
}

/// The scenarios a revision requires of a server, as the suite lists them.
fn required(revision: &str) -> Vec<String> {
    let (node, folder) = node();
    let program = folder.join("node_modules").join(NEXT).join("dist/index.js");
    let arguments = ["list", "--server", "--requirements", revision];
    let listed = must(Command::new(node).arg(program).args(arguments), "the list");
    let server = listed.split("Client scenarios").next().unwrap_or_default();
    let names = server.lines().filter_map(|line| line.trim().strip_prefix("- "));
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_fixtures_every_required_scenario_passes() {
    let stop = CancellationToken::new();
    let mut said = vec![];
    for (revision, sessions) in [("2025-11-25", true), ("2026-07-28", false)] {
        let address = fixture::serve(state(Arc::new(())), sessions, stop.clone()).await;
        let url = format!("http://{address}/mcp");
        let found = block_in_place(|| checks(revision, NEXT, &url, &["--requirements", revision]));
        let scenarios = block_in_place(|| required(revision));
        assert!(scenarios.len() >= 30, "{scenarios:?}");
        for scenario in scenarios {
            // What is not required is run and reported, too.
            let prefix = format!("{revision} {scenario} ");
            let of: Vec<String> = found.iter().filter(|line| line.starts_with(&prefix)).cloned().collect();
            assert!(of.iter().any(|line| line.ends_with(" SUCCESS")), "{prefix}{of:?}");
            said.extend(of);
        }
        if sessions {
            said.extend(block_in_place(|| {
                checks("stable", STABLE, &url, &["--suite", "active"])
            }));
        }
    }
    stop.cancel();
    let failed: Vec<&String> = said.iter().filter(|line| line.ends_with(" FAILURE")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    compare(said, "conformance-fixtures.txt");
}

/// Of what is required, the product fails what calls for a fixture, and nothing else.
#[test]
fn what_the_product_fails_calls_for_a_fixture() {
    let read = |name: &str| std::fs::read_to_string(root().join("tests/clients").join(name)).expect("it is there");
    let fixtures: serde_json::Value = serde_json::from_str(&read("fixtures.json")).expect("JSON");
    let (product, with_fixtures) = (read("conformance.txt"), read("conformance-fixtures.txt"));
    let scenario = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
    let required: BTreeSet<String> = with_fixtures.lines().map(scenario).collect();
    let failed = product.lines().filter(|line| line.ends_with(" FAILURE")).map(scenario);
    let failed: BTreeSet<String> = failed.filter(|scenario| required.contains(scenario)).collect();
    let baseline = read("conformance-baseline.yaml");
    let listed = baseline.lines().filter_map(|line| line.strip_prefix("  - "));
    let listed: BTreeSet<String> = listed
        .map(|line| {
            let [scenario, "#", kind, name] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            // The one template is computed.
            let exists = name.contains('{') || !fixtures[kind][name].is_null();
            assert!(exists, "{line}");
            scenario.to_owned()
        })
        .collect();
    assert_eq!(failed, listed);
}
