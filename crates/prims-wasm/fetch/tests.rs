//! The fetcher against servers on real sockets and names that lead wherever a test wants.

use super::{FetchError, Fetched, Fetcher, Lookup, Pace};
use crate::settings::Settings;
use axum::body::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Names and the addresses they have, one list after the other; the last stays.
type Names = Vec<(&'static str, Vec<Vec<&'static str>>)>;

fn lookup(names: Names) -> Lookup {
    let names = Arc::new(Mutex::new(names));
    Arc::new(move |host| {
        let mut names = names.lock().unwrap();
        let found = names.iter_mut().find(|(name, _)| *name == host).map(|(_, answers)| {
            if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0].clone()
            }
        });
        let found = found.map(|answer| answer.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect());
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("no such name")) })
    })
}

fn fetcher_with(flags: &[(&'static str, &str)], names: Names) -> Fetcher {
    fetcher_at(Pace::DEFAULT, flags, names)
}

/// One that soon gives up on servers that send nothing.
fn impatient(flags: &[(&'static str, &str)]) -> Fetcher {
    let pace = Pace {
        bytes: 1000,
        window: Duration::from_millis(400),
    };
    let flags = [&[("fetch-allow", "127.0.0.2")], flags].concat();
    fetcher_at(pace, &flags, vec![])
}

fn fetcher_at(pace: Pace, flags: &[(&'static str, &str)], names: Names) -> Fetcher {
    Fetcher::with(&Settings::of(flags).fetch, lookup(names), pace).unwrap()
}

/// One that may reach 127.0.0.2, which plays the part of the internet, unencrypted.
fn fetcher(names: Names) -> Fetcher {
    fetcher_with(&[("allow-http-fetch", "true"), ("fetch-allow", "127.0.0.2")], names)
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A server that answers each request, given up to the end of its head, with some bytes and closes.
async fn serve<F, T>(host: &str, answer: F) -> Server
where
    F: Fn(String, TcpStream) -> T + Clone + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        connections: Arc::default(),
        requests: Arc::default(),
    };
    let (connections, requests) = (server.connections.clone(), server.requests.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (answer, requests) = (answer.clone(), requests.clone());
            tokio::spawn(async move {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                requests.lock().unwrap().push(head.clone());
                answer(head, stream).await;
            });
        }
    });
    server
}

/// A server with one answer.
async fn fixed(host: &str, answer: impl Into<String>) -> Server {
    let answer: Arc<str> = answer.into().into();
    serve(host, move |_, mut stream| {
        let answer = answer.clone();
        async move { drop(stream.write_all(answer.as_bytes()).await) }
    })
    .await
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: Text/CSV; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_file_is_fetched() {
    let server = fixed("127.0.0.2", ok("a,b\n")).await;
    let Fetched { bytes, mime } = fetcher(vec![]).get(&server.url("/x.csv?y"), 100).await.unwrap();
    assert_eq!((&bytes[..], mime.as_deref()), (&b"a,b\n"[..], Some("text/csv")));
    let head = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(
        head.contains("accept-encoding: identity") && head.contains("get /x.csv?y"),
        "{head}"
    );
    let by_name = fetcher(vec![("files.example", vec![vec!["127.0.0.2"]])]);
    let url = format!("http://files.example:{}/", server.address.port());
    assert_eq!(by_name.get(&url, 100).await.unwrap().bytes, "a,b\n");
}

#[tokio::test]
async fn addresses_that_are_not_public_are_denied_before_connecting() {
    let server = fixed("127.0.0.1", ok("secret")).await;
    let port = server.address.port();
    let names: Names = vec![
        ("localhost", vec![vec!["127.0.0.1", "::1"]]),
        ("localhost.", vec![vec!["127.0.0.1"]]),
        ("private.example", vec![vec!["10.0.0.1"]]),
        ("mixed.example", vec![vec!["127.0.0.2", "127.0.0.1"]]),
        ("mapped.example", vec![vec!["::ffff:127.0.0.1"]]),
        ("metadata.google.internal", vec![vec!["169.254.169.254"]]),
    ];
    let fetcher = fetcher(names);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0x7f000001",
        "１２７.0.0.1",
        "127。0。0。1",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "224.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "user:pass@localhost",
        "private.example",
        "mixed.example",
        "mapped.example",
        "metadata.google.internal",
    ] {
        let error = fetcher.get(&format!("http://{host}:{port}/"), 100).await.unwrap_err();
        assert!(matches!(error, FetchError::Denied { .. }), "{host}: {error:?}");
        let error = fetcher.put(&format!("http://{host}:{port}/"), Bytes::from("x")).await;
        assert!(matches!(error, Err(FetchError::Denied { .. })), "{host}: {error:?}");
    }
    assert_eq!(server.connections(), 0);
    let error = fetcher.get("http://unknown.example/", 100).await.unwrap_err();
    assert!(matches!(error, FetchError::UnknownHost { .. }), "{error:?}");
}

#[tokio::test]
async fn only_https_unless_the_operator_says_otherwise() {
    let server = fixed("127.0.0.2", ok("x")).await;
    let strict = impatient(&[]);
    let error = strict.get(&server.url("/"), 100).await.unwrap_err();
    assert!(matches!(error, FetchError::Scheme { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--allow-http-fetch")));
    for url in [
        "file:///etc/passwd",
        "ftp://127.0.0.2/",
        "gopher://127.0.0.2/",
        "data:,x",
        "unix:/x",
        "javascript:1",
    ] {
        let error = fetcher(vec![]).get(url, 100).await.unwrap_err();
        assert!(matches!(error, FetchError::Scheme { .. }), "{url}: {error:?}");
    }
    for url in [
        "",
        "/etc/passwd",
        "http://",
        "https://exa mple/",
        "http://[::1",
        "http://a:99999/",
    ] {
        let error = fetcher(vec![]).get(url, 100).await.unwrap_err();
        assert!(matches!(error, FetchError::NotAUrl), "{url}: {error:?}");
    }
    let long = format!("http://127.0.0.2/{}", "a".repeat(9000));
    assert!(matches!(
        fetcher(vec![]).get(&long, 100).await,
        Err(FetchError::NotAUrl)
    ));
    assert_eq!(server.connections(), 0);
    // Encrypted it is reached, although nobody speaks TLS there.
    let url = format!("https://{}/", server.address);
    assert!(strict.get(&url, 100).await.is_err());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let private = fixed("127.0.0.1", ok("secret")).await;
    let port = private.address.port();
    // The same name on the same port, first public, then not: the second look-up is the one of the redirect.
    let public = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let answer = redirect(&format!("http://rebind.example:{port}/again"));
    let seen = tokio::spawn(async move {
        let (mut stream, _) = public.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let fetcher = fetcher(vec![("rebind.example", vec![vec!["127.0.0.2"], vec!["127.0.0.1"]])]);
    let error = fetcher
        .get(&format!("http://rebind.example:{port}/"), 100)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Denied { .. }), "{error:?}");
    seen.await.unwrap();
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn one_look_up_decides_and_its_address_is_the_one_used() {
    // Whoever looks a name up twice, once to check and once to connect, would reach the private server here.
    let private = fixed("127.0.0.1", ok("secret")).await;
    let port = private.address.port();
    let public = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = public.accept().await {
            // It answers as many requests on one connection as come.
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(ok("public").as_bytes()).await;
                }
            });
        }
    });
    let fetcher = fetcher(vec![("rebind.example", vec![vec!["127.0.0.2"], vec!["127.0.0.1"]])]);
    let url = format!("http://rebind.example:{port}/");
    assert_eq!(fetcher.get(&url, 100).await.unwrap().bytes, "public");
    // The connection is not kept either: the next fetch looks again.
    assert!(matches!(fetcher.get(&url, 100).await, Err(FetchError::Denied { .. })));
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn redirects_are_checked_counted_and_lose_credentials() {
    let private = fixed("127.0.0.1", ok("secret")).await;
    for to in [
        private.url("/"),
        format!("http://localhost:{}/", private.address.port()),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://[::ffff:127.0.0.1]/".into(),
    ] {
        let server = fixed("127.0.0.2", redirect(&to)).await;
        let fetcher = fetcher(vec![("localhost", vec![vec!["127.0.0.1"]])]);
        let error = fetcher.get(&server.url("/"), 100).await.unwrap_err();
        assert!(matches!(error, FetchError::Denied { .. }), "{to}: {error:?}");
    }
    assert_eq!(private.connections(), 0);
    for to in ["file:///etc/passwd", "gopher://127.0.0.2/", "data:,x"] {
        let server = fixed("127.0.0.2", redirect(to)).await;
        let error = fetcher(vec![]).get(&server.url("/"), 100).await.unwrap_err();
        assert!(matches!(error, FetchError::Scheme { .. }), "{to}: {error:?}");
    }
    let endless = fixed("127.0.0.2", redirect("/again")).await;
    let error = fetcher(vec![]).get(&endless.url("/"), 100).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooManyRedirects { most: 5, .. }),
        "{error:?}"
    );
    assert_eq!(endless.connections(), 6);
    let nowhere = fixed("127.0.0.2", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n").await;
    let error = fetcher(vec![]).get(&nowhere.url("/"), 100).await.unwrap_err();
    assert!(matches!(error, FetchError::BadRedirect { .. }), "{error:?}");

    let last = fixed("127.0.0.2", ok("x")).await;
    let first = fixed("127.0.0.2", redirect(&format!("http://me:too@{}/", last.address))).await;
    let url = format!("http://user:secret@{}/", first.address);
    fetcher(vec![]).get(&url, 100).await.unwrap();
    let authorized = |server: &Server| {
        server.requests.lock().unwrap()[0]
            .to_ascii_lowercase()
            .contains("authorization")
    };
    assert!(authorized(&first) && !authorized(&last));
    assert!(
        !last.requests.lock().unwrap()[0]
            .to_ascii_lowercase()
            .contains("referer")
    );
}

#[tokio::test]
async fn sizes_are_bounded_whatever_the_server_says() {
    let announced = fixed("127.0.0.2", "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\nx").await;
    let error = fetcher(vec![]).get(&announced.url("/"), 1 << 20).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooLarge { most: 1_048_576, .. }),
        "{error:?}"
    );
    // Chunks without end.
    let endless = serve("127.0.0.2", |_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let error = fetcher(vec![]).get(&endless.url("/"), 1 << 20).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
    // The operator's bound counts where it is lower.
    let small = fetcher_with(
        &[
            ("allow-http-fetch", "true"),
            ("fetch-allow", "127.0.0.2"),
            ("fetch-max", "3"),
        ],
        vec![],
    );
    let four = fixed("127.0.0.2", ok("four")).await;
    assert!(matches!(
        small.get(&four.url("/"), 100).await,
        Err(FetchError::TooLarge { most: 3, .. })
    ));
    assert_eq!(fetcher(vec![]).get(&four.url("/"), 4).await.unwrap().bytes, "four");
    // Less than announced.
    let short = fixed("127.0.0.2", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await;
    let error = fetcher(vec![]).get(&short.url("/"), 1000).await.unwrap_err();
    assert!(matches!(error, FetchError::Truncated { .. }), "{error:?}");
    // A bomb would have to be compressed.
    let bomb = fixed(
        "127.0.0.2",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx",
    )
    .await;
    let error = fetcher(vec![]).get(&bomb.url("/"), 1000).await.unwrap_err();
    assert!(matches!(error, FetchError::Encoded { .. }), "{error:?}");
    let missing = fixed("127.0.0.2", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let error = fetcher(vec![]).get(&missing.url("/"), 1000).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn slow_servers_are_left() {
    let silent = serve("127.0.0.2", |_, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let error = impatient(&[("allow-http-fetch", "true")])
        .get(&silent.url("/"), 1000)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error:?}");
    let dripping = serve("127.0.0.2", |_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
            .await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let error = impatient(&[("allow-http-fetch", "true")])
        .get(&dripping.url("/"), 1 << 20)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error:?}");
    // Fast enough for the pace and still without end.
    let steady = serve("127.0.0.2", |_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000000\r\n\r\n")
            .await;
        while stream.write_all(&[b'x'; 5000]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let limited = impatient(&[("allow-http-fetch", "true"), ("fetch-timeout", "1s")]);
    let error = limited.get(&steady.url("/"), 1 << 30).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn uploads() {
    let server = serve("127.0.0.2", |head, mut stream| async move {
        let mut body = [0; 5];
        let _ = stream.read_exact(&mut body).await;
        let status = if head.contains("no-store") {
            "403 Forbidden"
        } else {
            "200 OK"
        };
        assert_eq!(&body, b"bytes");
        let _ = stream
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .await;
    })
    .await;
    let body = || Bytes::from("bytes");
    fetcher(vec![])
        .put(&server.url("/object?signature=secret"), body())
        .await
        .unwrap();
    let head = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(
        head.starts_with("put /object?signature=secret") && !head.contains("content-type"),
        "{head}"
    );
    assert!(head.contains("content-length: 5"), "{head}");
    let error = fetcher(vec![])
        .put(&server.url("/no-store?signature=secret"), body())
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 403, .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    let elsewhere = fixed("127.0.0.2", redirect(&server.url("/"))).await;
    let error = fetcher(vec![]).put(&elsewhere.url("/"), body()).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 302, .. }), "{error:?}");
    let flags = [
        ("allow-http-fetch", "true"),
        ("fetch-allow", "127.0.0.2"),
        ("upload-max", "4"),
    ];
    let error = fetcher_with(&flags, vec![])
        .put(&server.url("/"), body())
        .await
        .unwrap_err();
    assert!(
        matches!(error, FetchError::UploadTooLarge { length: 5, most: 4 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn errors_keep_what_is_secret() {
    let server = fixed("127.0.0.2", "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    let port = server.address.port();
    for url in [
        format!("http://user:secret@127.0.0.2:{port}/x?signature=secret#secret"),
        "http://user:secret@127.0.0.1/x?signature=secret".into(),
        "http://user:secret@unknown.example/x?signature=secret".into(),
        "gopher://user:secret@unknown.example/x?signature=secret".into(),
        "http://user:secret@127.0.0.2:1/x?signature=secret".into(),
    ] {
        let error = fetcher(vec![]).get(&url, 100).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret") && !text.contains("user"), "{text}");
    }
}

#[tokio::test]
async fn the_operator_may_allow_hosts_and_networks() {
    let server = fixed("127.0.0.1", ok("x")).await;
    let port = server.address.port();
    let names = || -> Names {
        vec![
            ("inner.example", vec![vec!["127.0.0.1"]]),
            ("other.example", vec![vec!["127.0.0.1"]]),
        ]
    };
    let allowed = fetcher_with(
        &[("allow-http-fetch", "true"), ("fetch-allow", "Inner.Example")],
        names(),
    );
    assert!(allowed.get(&format!("http://inner.example:{port}/"), 9).await.is_ok());
    // The name is allowed, not the address.
    for host in ["other.example", "127.0.0.1"] {
        let error = allowed.get(&format!("http://{host}:{port}/"), 9).await.unwrap_err();
        assert!(matches!(error, FetchError::Denied { .. }), "{host}: {error:?}");
    }
    let allowed = fetcher_with(&[("allow-http-fetch", "true"), ("fetch-allow", "127.0.0.0/8")], names());
    assert!(allowed.get(&format!("http://other.example:{port}/"), 9).await.is_ok());
    for bad in ["10.0.0.0/99", "http://x.example", "a b"] {
        let settings = Settings::of(&[("fetch-allow", bad)]).fetch;
        assert!(matches!(Fetcher::new(&settings), Err(FetchError::Allow(_))), "{bad}");
    }
}

#[tokio::test]
async fn only_so_many_at_a_time() {
    let silent = serve("127.0.0.2", |_, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let flags = [("allow-http-fetch", "true"), ("fetch-allow", "127.0.0.2")];
    let fetcher = fetcher_at(Pace::DEFAULT, &flags, vec![]);
    let url = silent.url("/");
    let waiting: Vec<_> = (0..super::MAX_CONCURRENT)
        .map(|_| {
            let (fetcher, url) = (fetcher.clone(), url.clone());
            tokio::spawn(async move { fetcher.get(&url, 1).await })
        })
        .collect();
    while fetcher.running.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(fetcher.get(&url, 1).await, Err(FetchError::Busy)));
    for task in waiting {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(fetcher.running.available_permits(), super::MAX_CONCURRENT);
}
