//! Bodies of every bad kind.

use super::*;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

#[tokio::test]
async fn large_bodies_are_refused_unread() {
    let server = start(&[("max-body", "100k")]).await;
    let address = server.address;
    assert_eq!(exchange(address, &post("", &" ".repeat(100 << 10))).await.status, 200);
    let announced =
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 102401\r\n\r\n";
    // The answer does not wait for the body.
    assert_eq!(exchange(address, announced).await.status, 413);
    // A client that sends all of it first gets the answer too, and the connection can be used again.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&post("", &" ".repeat(10 << 20))).await.unwrap();
    assert_eq!(super::reply(&mut stream).await.status, 413);
    stream.write_all(&post("", "{}")).await.unwrap();
    assert_eq!(super::reply(&mut stream).await.status, 200);
    let head =
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("{head}{}", format!("1000\r\n{}\r\n", " ".repeat(0x1000)).repeat(50));
    assert_eq!(exchange(address, chunks.as_bytes()).await.status, 413);
    // A chunk that says it is as large as it gets, and lengths that contradict each other.
    for lie in [
        format!("{head}ffffffffffffffff\r\n"),
        format!("{head}fffffffffffffffff\r\n"),
        format!("{head}-1\r\n"),
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".into(),
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n{}".into(),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(lie.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = super::reply(&mut stream).await;
        assert!(matches!(answer.status, 0 | 400 | 413 | 415), "{lie}: {answer:?}");
    }
    assert_eq!(server.seen.started(), 2);
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = start(&[]).await;
    let many: String = (0..100).map(|number| format!("x-{number}: y\r\n")).collect();
    assert_eq!(exchange(server.address, &post(&many, "{}")).await.status, 431);
    let long = format!("x: {}\r\n", "y".repeat(40_000));
    assert_eq!(exchange(server.address, &post(&long, "{}")).await.status, 431);
    let path = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(70_000));
    assert!(matches!(
        exchange(server.address, path.as_bytes()).await.status,
        414 | 431
    ));
    assert_eq!(server.seen.started(), 0);
}

#[tokio::test]
async fn bodies_that_are_small_to_send_and_large_to_parse() {
    let server = start(&[]).await;
    for body in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("[{}1]", "1,".repeat(1_000_000)),
    ] {
        let reply = exchange(server.address, &post("", &body)).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert_eq!(server.seen.started(), 0);
}

#[tokio::test]
async fn bodies_together_have_a_budget() {
    use super::super::body::Kind;
    let most = 1 << 20;
    let bodies = super::super::body::Bodies {
        budget: Arc::new(tokio::sync::Semaphore::new(1000)),
        ..super::super::body::Bodies::new(most, PATIENCE)
    };
    let body = || Body::from(vec![b' '; 600 << 10]);
    let first = bodies
        .take(Kind::Json, body())
        .await
        .unwrap_or_else(|problem| panic!("{problem:?}"));
    assert_eq!(first.bytes.len(), 600 << 10);
    assert!(bodies.take(Kind::Json, body()).await.is_err());
    drop(first);
    assert!(bodies.take(Kind::Json, body()).await.is_ok());
    assert_eq!(bodies.budget.available_permits(), 1000);
}

/// The library's own service, with nothing behind it.
#[derive(Clone)]
struct Nothing;

impl ServerHandler for Nothing {}

pub(super) async fn start_protocol(flags: &[(&'static str, &str)]) -> Running {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let service = StreamableHttpService::new(|| Ok(Nothing), Arc::new(NeverSessionManager::default()), config);
    start_with(flags, Router::new().route_service("/mcp", service), Seen::default()).await
}

#[tokio::test]
async fn messages_the_protocol_does_not_have() {
    let server = start_protocol(&[]).await;
    let accept = "accept: application/json, text/event-stream\r\n";
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let reply = exchange(server.address, &post(accept, ping)).await;
    assert_eq!((reply.status, &reply.json()["result"]), (200, &json!({})), "{reply:?}");
    let depth = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{}1{}}}",
        "[".repeat(99),
        "]".repeat(99)
    );
    for body in [
        format!("[{ping}]"),
        "[]".into(),
        format!("\u{feff}{ping}"),
        depth.replacen("[", "[[[[[[[[[[", 1),
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.into(),
        r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}"#.into(),
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.into(),
        "nonsense".into(),
        "".into(),
        "\u{0}".into(),
        format!("{ping}{ping}"),
    ] {
        let reply = exchange(server.address, &post(accept, &body)).await;
        assert!((400..500).contains(&reply.status), "{body}: {reply:?}");
    }
    // What is merely odd does no harm.
    for body in [
        depth,
        format!("{ping}\n\n"),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":1e308}}"#.into(),
    ] {
        let reply = exchange(server.address, &post(accept, &body)).await;
        assert!(reply.status != 0 && reply.status < 500, "{body}: {reply:?}");
    }
}

#[tokio::test]
async fn headers_that_contradict_their_body() {
    let server = start_protocol(&[]).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run", "arguments": {}, "_meta": meta}});
    let base = "accept: application/json, text/event-stream\r\n";
    let version = "mcp-protocol-version: 2026-07-28\r\n";
    let (method, name) = ("mcp-method: tools/call\r\n", "mcp-name: run\r\n");
    let send = async |headers: String| {
        let reply = exchange(server.address, &post(&format!("{base}{headers}"), &call.to_string())).await;
        (reply.status, reply.json()["error"]["code"].as_i64())
    };
    for headers in [
        format!("{version}mcp-method: tools/list\r\n{name}"),
        format!("{version}{method}mcp-name: other\r\n"),
        format!("{version}{method}mcp-name: =?base64?b3RoZXI=?=\r\n"),
        format!("{version}{method}mcp-name: =?base64?not base64?=\r\n"),
        format!("mcp-protocol-version: 2025-06-18\r\n{method}{name}"),
        format!("mcp-protocol-version: 1999-01-01\r\n{method}{name}"),
        format!("{version}{name}"),
    ] {
        assert_eq!(send(headers.clone()).await, (400, Some(-32020)), "{headers}");
    }
    for twice in [version, method, name, "mcp-session-id: a\r\nmcp-session-id: b\r\n"] {
        let headers = format!("{version}{method}{name}{twice}");
        assert_eq!(send(headers).await, (400, Some(-32600)), "{twice}");
    }
    // What agrees reaches the service, which has no such tool.
    assert_eq!(send(format!("{version}{method}{name}")).await, (404, Some(-32601)));
}
