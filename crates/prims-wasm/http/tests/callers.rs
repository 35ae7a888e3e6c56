//! Who calls, and how often.

use super::*;
use crate::settings::{Choice, LogFormat, LogLevel, LogSettings};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

const ALICE: &str = "alice-0123456789abcdef0123456789";
const BOB: &str = "bob-fedcba9876543210fedcba9876543210";

pub(super) fn token_file(folder: &Path) -> String {
    let path = folder.join("tokens");
    std::fs::write(&path, format!("alice:{ALICE}\nbob:{BOB}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn a_token_is_asked_for_before_the_body_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&[("auth-token-file", &token_file(folder.path()))]).await;
    let address = server.address;
    let reply = exchange(address, &post(&bearer(ALICE), "{}")).await;
    assert_eq!((reply.status, &reply.json()["caller"]), (200, &json!("token:alice")));
    assert_eq!(server.seen.started(), 1);
    for headers in [
        "",
        "authorization: Basic YTpi\r\n",
        &bearer("wrong-0123456789abcdef0123456789"),
    ] {
        let reply = exchange(address, &post(headers, "{}")).await;
        assert_eq!(reply.status, 401, "{headers}");
        assert!(
            reply
                .header("www-authenticate")
                .is_some_and(|value| value.starts_with("Bearer "))
        );
    }
    let in_query = format!(
        "POST /mcp?access_token={ALICE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    assert_eq!(exchange(address, in_query.as_bytes()).await.status, 401);
    // A client that waits for a word before it sends its body is answered without one. Neither is the type looked at.
    let waiting = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
    let reply = exchange(address, waiting).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert_eq!(
        get(address, "/artifacts/large.bin?session_id=s3ss10n", "").await.status,
        401
    );
    assert_eq!(server.seen.started(), 1);
    // Without an authorization server there is nothing to be found about one.
    assert_eq!(
        get(address, "/.well-known/oauth-protected-resource", "").await.status,
        404
    );
    // Health and figures are for everybody who reaches the server.
    assert_eq!(get(address, "/healthz", "").await.status, 200);
    assert_eq!(get(address, "/metrics", "").await.status, 200);
}

#[tokio::test]
async fn clients_find_the_authorization_server() {
    let flags = [
        ("oauth-issuer", "https://issuer.invalid/tenant"),
        ("oauth-scopes", "run"),
        ("public-url", "https://prims.example/base/"),
    ];
    let server = start(&flags).await;
    let reply = exchange(server.address, &post("host: prims.example\r\n", "{}")).await;
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.header("www-authenticate"),
        Some(
            "Bearer resource_metadata=\"https://prims.example/.well-known/oauth-protected-resource/base/mcp\", scope=\"run\""
        )
    );
    for path in ["", "/mcp", "/base/mcp"] {
        let reply = get(
            server.address,
            &format!("/.well-known/oauth-protected-resource{path}"),
            "",
        )
        .await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["resource"], "https://prims.example/base/mcp");
        assert_eq!(
            reply.json()["authorization_servers"],
            json!(["https://issuer.invalid/tenant"])
        );
    }
    let reply = exchange(server.address, &post(&bearer("a.b.c"), "{}")).await;
    assert_eq!(reply.status, 401);
    assert!(
        reply
            .header("www-authenticate")
            .is_some_and(|value| value.contains("error=\"invalid_token\""))
    );
}

#[tokio::test]
async fn each_caller_has_a_rate_and_a_number_of_requests() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = token_file(folder.path());
    let flags = [
        ("auth-token-file", tokens.as_str()),
        ("caller-rate", "1"),
        ("caller-burst", "3"),
    ];
    let server = start(&flags).await;
    let mut statuses = vec![];
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while statuses.last() != Some(&429) {
        assert!(tokio::time::Instant::now() < deadline, "{statuses:?}");
        let reply = exchange(server.address, &post(&bearer(ALICE), "{}")).await;
        if reply.status == 429 {
            assert!(
                reply
                    .header("retry-after")
                    .is_some_and(|value| value.parse::<u64>().is_ok_and(|wait| wait >= 1))
            );
        }
        statuses.push(reply.status);
    }
    // On a slow machine there may be more of them meanwhile.
    assert!(statuses.len() > 3 && statuses[..3] == [200, 200, 200], "{statuses:?}");
    assert_eq!(exchange(server.address, &post(&bearer(BOB), "{}")).await.status, 200);

    let flags = [
        ("auth-token-file", tokens.as_str()),
        ("caller-rate", "0"),
        ("caller-concurrency", "1"),
    ];
    let server = start(&flags).await;
    let mut hanging = TcpStream::connect(server.address).await.unwrap();
    hanging
        .write_all(&post(&bearer(ALICE), r#"{"do": "hang"}"#))
        .await
        .unwrap();
    until(|| server.seen.started() == 1).await;
    assert_eq!(exchange(server.address, &post(&bearer(ALICE), "{}")).await.status, 429);
    assert_eq!(exchange(server.address, &post(&bearer(BOB), "{}")).await.status, 200);
    // A request that is given up makes room, and so does an answer that is given up in its middle.
    drop(hanging);
    server.seen.until_dropped(2).await;
    let mut flooded = TcpStream::connect(server.address).await.unwrap();
    until_status(server.address, 200).await;
    flooded
        .write_all(&post(&bearer(ALICE), r#"{"do": "flood"}"#))
        .await
        .unwrap();
    flooded.read_exact(&mut [0; 100]).await.unwrap();
    assert_eq!(exchange(server.address, &post(&bearer(ALICE), "{}")).await.status, 429);
    drop(flooded);
    until_status(server.address, 200).await;
}

async fn until_status(address: SocketAddr, status: u16) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while exchange(address, &post(&bearer(ALICE), "{}")).await.status != status {
        assert!(tokio::time::Instant::now() < deadline, "the status is not {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_have_requests_and_no_secrets() {
    let lines = Lines::default();
    let sink = lines.clone();
    let settings = LogSettings {
        format: Choice(LogFormat::Json),
        level: Choice(LogLevel::Trace),
    };
    let subscriber = super::super::log::subscriber(&settings, move || sink.clone());
    // With one subscriber only, places that log would be judged once and for all by whichever thread comes by first, and other tests
    // have none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let server = start(&[("auth-token-file", &token_file(folder.path()))]).await;
    let reply = exchange(server.address, &post(&bearer(ALICE), r#"{"code": "print('c0de')"}"#)).await;
    let id = reply.header("x-request-id").unwrap().to_owned();
    exchange(server.address, &post(&bearer("wr0ng-0123456789abcdef0123456789"), "{}")).await;
    exchange(server.address, &post(&bearer(ALICE), r#"{"do": "panic"}"#)).await;
    get(
        server.address,
        "/artifacts/f1le?session_id=s3ss10n&signature=s1gnature",
        &bearer(ALICE),
    )
    .await;
    let protocol = bodies::start_protocol(&[]).await;
    for method in ["tools/call", "c0de"] {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "c0de", "arguments": {"a": "c0de"}}});
        let accept = "accept: application/json, text/event-stream\r\n";
        exchange(protocol.address, &post(accept, &message.to_string())).await;
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for secret in [ALICE, "alice-", "wr0ng", "c0de", "f1le", "s3ss10n", "s1gnature"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let parsed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = |line: &&Value| line["message"] == "answered" && line["span"]["id"] == json!(id);
    let line = parsed.iter().find(answered).unwrap_or_else(|| panic!("{text}"));
    assert_eq!((&line["status"], &line["span"]["route"]), (&json!(200), &json!("mcp")));
}

#[tokio::test]
async fn figures_say_nothing_about_callers() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&[("auth-token-file", &token_file(folder.path()))]).await;
    exchange(server.address, &post(&bearer(ALICE), "{}")).await;
    exchange(server.address, &post("", "{}")).await;
    let times = [
        (Phase::Queue, Duration::from_millis(1)),
        (Phase::Run, Duration::from_millis(20)),
    ];
    server.metrics.run_ended("success", &times);
    server.metrics.run_ended("something alice said", &times);
    let text = get(server.address, "/metrics", "").await.body;
    for line in [
        "prims_runs_total{outcome=\"success\"} 1",
        "prims_runs_total{outcome=\"timeout\"} 0",
        "prims_runs_total{outcome=\"other\"} 1",
        "prims_run_phase_seconds_count{phase=\"run\"} 2",
        "prims_run_phase_seconds_bucket{phase=\"run\",le=\"0.025\"} 2",
        "prims_run_phase_seconds_count{phase=\"prepare\"} 0",
        "prims_runs_queued 1",
        "prims_runs_running 2",
        "prims_sessions 3",
        "prims_cache_bytes 4",
        "prims_http_requests_total{status=\"200\"} 1",
        "prims_http_requests_total{status=\"401\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in {text}");
    }
    for gauge in ["process_resident_memory_bytes ", "process_open_fds "] {
        let value = text.lines().find_map(|line| line.strip_prefix(gauge)).unwrap();
        assert!(value.parse::<u64>().unwrap() > 0, "{gauge}{value}");
    }
    assert!(!text.contains("alice"));
}
