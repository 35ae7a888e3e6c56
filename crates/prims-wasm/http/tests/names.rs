//! By which names, from which pages, and on which addresses.

use super::super::Error;
use super::*;

#[tokio::test]
async fn other_names_and_other_pages_reach_nothing() {
    let server = start(&[]).await;
    let address = server.address;
    for headers in [
        "host: evil.example\r\n",
        "host: evil@127.0.0.1\r\n",
        "host: localhost.\r\n",
        "host: 2130706433\r\n",
        "host: [::ffff:127.0.0.1]\r\n",
        "host: \r\n",
        "host: localhost\r\nhost: localhost\r\n",
        "host: localhost\r\norigin: http://evil.example\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost\r\norigin: http://localhost.evil.example\r\n",
        "host: localhost\r\norigin: http://localhost:9\r\n",
        "host: localhost\r\norigin: http://localhost\r\norigin: http://evil.example\r\n",
        "host: evil.example\r\norigin: http://evil.example\r\n",
    ] {
        let reply = exchange(address, &post(headers, "{}")).await;
        assert_eq!(reply.status, 403, "{headers}: {reply:?}");
        assert!(reply.json()["error"]["message"].is_string(), "{reply:?}");
        let reply = exchange(address, format!("GET /metrics HTTP/1.1\r\n{headers}\r\n").as_bytes()).await;
        assert_eq!(reply.status, 403, "{headers}: {reply:?}");
    }
    let without = exchange(
        address,
        b"POST /mcp HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    )
    .await;
    assert_eq!(without.status, 403);
    let proxied = "GET http://evil.example/metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(exchange(address, proxied.as_bytes()).await.status, 403);
    assert_eq!(server.seen.started(), 0);
    for headers in [
        format!("host: {address}\r\n"),
        "host: localhost:1\r\norigin: http://localhost:1\r\n".into(),
        "host: [::1]\r\n".into(),
    ] {
        assert_eq!(exchange(address, &post(&headers, "{}")).await.status, 200, "{headers}");
    }
    assert_eq!(server.seen.started(), 3);
}

#[tokio::test]
async fn browsers_get_no_permission_and_simple_requests_nothing() {
    let server = start(&[]).await;
    let address = server.address;
    let preflight = |origin: &str| {
        format!("OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\n{origin}access-control-request-method: POST\r\n\r\n")
    };
    for (request, status) in [
        (preflight("origin: http://evil.example\r\n").into_bytes(), 403),
        (preflight("origin: http://localhost\r\n").into_bytes(), 403),
        (preflight("").into_bytes(), 405),
        (post("content-type: text/plain\r\n", "{}"), 415),
        (post("content-type: application/x-www-form-urlencoded\r\n", "a=b"), 415),
        (post("content-type: multipart/form-data; boundary=x\r\n", "--x--"), 415),
        (
            post("content-type: application/json\r\ncontent-type: text/plain\r\n", "{}"),
            415,
        ),
        (post("content-encoding: gzip\r\n", "{}"), 415),
        (
            b"GET /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
            400,
        ),
        (
            b"GET /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
            400,
        ),
        (b"PUT /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 405),
        (b"TRACE /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 405),
        (
            b"POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".to_vec(),
            405,
        ),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 404),
        (b"GET /mcp/../metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 404),
    ] {
        let reply = exchange(address, &request).await;
        assert_eq!(reply.status, status, "{}: {reply:?}", String::from_utf8_lossy(&request));
        assert!(!reply.head.to_ascii_lowercase().contains("access-control"), "{reply:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(server.seen.started(), 0);
}

#[tokio::test]
async fn pages_the_operator_names_may_call() {
    let server = start(&[("allowed-origins", "https://app.example")]).await;
    let origin = "origin: https://app.example\r\n";
    let asked =
        format!("OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\n{origin}access-control-request-method: POST\r\n\r\n");
    let reply = exchange(server.address, asked.as_bytes()).await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (204, Some("https://app.example"))
    );
    assert!(
        reply
            .header("access-control-allow-headers")
            .is_some_and(|names| names.contains("authorization"))
    );
    let reply = exchange(server.address, &post(origin, "{}")).await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (200, Some("https://app.example"))
    );
    assert!(reply.header("access-control-allow-credentials").is_none());
}

#[tokio::test]
async fn other_machines_are_served_only_if_callers_are_known_or_the_operator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = callers::token_file(folder.path());
    let bind = async |flags: &[(&'static str, &str)]| {
        let service = Service {
            refusals: Default::default(),
            mcp: Some(Router::new()),
            rest: None,
            grpc: None,
            artifacts: None,
            gauges: Arc::new(Seen::default()),
            metrics: Metrics::new().unwrap(),
            readiness: Readiness::starting(),
            abandon: CancellationToken::new(),
        };
        Server::bind(&settings(flags), service)
            .await
            .map(|server| server.address())
    };
    for host in ["0.0.0.0", "::", "192.0.2.1", "::ffff:0.0.0.0"] {
        let error = bind(&[("host", host)]).await.unwrap_err();
        assert!(matches!(error, Error::Exposed { .. }), "{host}: {error}");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("--allow-unauthenticated"))
        );
    }
    assert!(
        bind(&[("host", "0.0.0.0"), ("allow-unauthenticated", "true")])
            .await
            .is_ok()
    );
    assert!(bind(&[("host", "0.0.0.0"), ("auth-token-file", &tokens)]).await.is_ok());
    assert!(bind(&[]).await.unwrap().ip().is_loopback());
    let taken = start(&[]).await.address.port().to_string();
    assert!(matches!(bind(&[("port", &taken)]).await, Err(Error::Bind { .. })));
    assert!(matches!(bind(&[("allowed-hosts", "a b")]).await, Err(Error::Host(_))));
    assert!(matches!(
        bind(&[("allowed-origins", "app.example")]).await,
        Err(Error::Origin(_))
    ));
    assert!(matches!(
        bind(&[("public-url", "file:///x")]).await,
        Err(Error::PublicUrl(_))
    ));
}
