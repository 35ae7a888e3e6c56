//! Downloads.

use super::*;

const SESSION: &str = "mcp-session-id: s3ss10n\r\n";

#[tokio::test]
async fn a_file_is_downloaded_and_never_shown() {
    let server = start(&[]).await;
    let reply = get(server.address, "/artifacts/folder/page.html", SESSION).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "<script>alert(1)</script>"));
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-length", "25"),
        ("content-disposition", "attachment; filename=\"page.html\""),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-store"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{reply:?}");
    }
    let large = get(server.address, "/artifacts/large.bin?session_id=s3ss10n", "").await;
    assert_eq!((large.status, large.body.len()), (200, 300_000));
    let both = get(server.address, "/artifacts/large.bin?session_id=s3ss10n", SESSION).await;
    assert_eq!(both.status, 200);
}

#[tokio::test]
async fn what_cannot_be_downloaded() {
    let server = start(&[]).await;
    for (path, headers, status, message) in [
        ("/artifacts/large.bin", "", 400, "Missing mcp-session-id header"),
        ("/artifacts/large.bin?session_id=", "", 400, "Invalid mcp-session-id"),
        (
            "/artifacts/large.bin?session_id=other",
            SESSION,
            400,
            "Invalid mcp-session-id",
        ),
        (
            "/artifacts/large.bin?session_id=a%20b",
            "",
            400,
            "Invalid mcp-session-id",
        ),
        ("/artifacts/", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/../secret", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/%2e%2e/secret", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/%2e%2e%2fsecret", SESSION, 400, "Invalid artifact path"),
        ("/artifacts//etc/passwd", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/%2fetc%2fpasswd", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/a%00", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/a%0d%0aset-cookie:x", SESSION, 400, "Invalid artifact path"),
        ("/artifacts/forbidden", SESSION, 403, "Forbidden"),
        ("/artifacts/missing", SESSION, 404, "File not found"),
        ("/artifacts/large.bin?session_id=unknown", "", 404, "File not found"),
        ("/artifacts/folder", SESSION, 404, "Not a file"),
    ] {
        let reply = get(server.address, path, headers).await;
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert_eq!(reply.json()["error"]["message"], message, "{path}");
    }
    let long = format!("/artifacts/{}", "a".repeat(2000));
    assert_eq!(get(server.address, &long, SESSION).await.status, 400);
    let written = format!("POST /artifacts/x HTTP/1.1\r\nhost: localhost\r\n{SESSION}content-length: 0\r\n\r\n");
    assert_eq!(exchange(server.address, written.as_bytes()).await.status, 405);
}

#[tokio::test]
async fn a_part_of_a_file_is_downloaded() {
    let server = start(&[]).await;
    let page = |headers: String| async move {
        let headers = format!("{SESSION}{headers}");
        get(server.address, "/artifacts/folder/page.html", &headers).await
    };
    let whole = page(String::new()).await;
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = whole.header("etag").expect("a tag").to_owned();
    let reply = page("range: bytes=8-12\r\n".into()).await;
    assert_eq!((reply.status, reply.body.as_str()), (206, "alert"));
    assert_eq!(reply.header("content-range"), Some("bytes 8-12/25"));
    assert_eq!(reply.header("content-length"), Some("5"));
    assert_eq!(reply.header("etag"), Some(&*tag));
    assert_eq!(reply.header("content-disposition"), whole.header("content-disposition"));
    assert_eq!(
        reply.header("content-security-policy"),
        Some("sandbox; default-src 'none'")
    );
    let reply = page("range: bytes=-9\r\n".into()).await;
    assert_eq!((reply.status, reply.body.as_str()), (206, "</script>"));
    let reply = page("range: bytes=25-\r\n".into()).await;
    assert_eq!((reply.status, reply.header("content-range")), (416, Some("bytes */25")));
    assert_eq!((reply.header("content-length"), reply.body.as_str()), (Some("0"), ""));
    let reply = page(format!("range: bytes=0-0\r\nif-range: {tag}\r\n")).await;
    assert_eq!((reply.status, reply.body.as_str()), (206, "<"));
    let reply = page("range: bytes=0-0\r\nif-range: \"other\"\r\n".into()).await;
    assert_eq!((reply.status, reply.body.len()), (200, 25));
    let large = "/artifacts/large.bin?session_id=s3ss10n";
    let reply = get(server.address, large, "range: bytes=100000-299999\r\n").await;
    assert_eq!((reply.status, reply.body.len()), (206, 200_000));
}
