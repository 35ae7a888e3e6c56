//! How requests and the server end: panics, readiness, signals, few descriptors.

use super::*;
use std::process::{Child, Command, Stdio};

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = start(&[]).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&post("", r#"{"do": "panic"}"#)).await.unwrap();
    let failed = reply(&mut stream).await;
    assert_eq!(failed.status, 500);
    let incident = failed.header("x-request-id").unwrap();
    assert_eq!(
        failed.json()["error"]["message"],
        format!("internal error, incident {incident}")
    );
    // The connection goes on.
    stream.write_all(&post("", "{}")).await.unwrap();
    assert_eq!(reply(&mut stream).await.status, 200);
}

#[tokio::test]
async fn readiness_follows_the_interpreter() {
    let server = start(&[]).await;
    let ready = async || {
        let reply = exchange(server.address, b"GET /readyz HTTP/1.1\r\nhost: 10.1.2.3:8000\r\n\r\n").await;
        (reply.status, reply.body)
    };
    assert_eq!(ready().await, (503, "starting\n".to_owned()));
    server.readiness.ready();
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
    assert!(server.readiness.is_ready());
    let head = exchange(
        server.address,
        b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn requests_end_before_the_server_does() {
    let server = start(&[]).await;
    server.readiness.ready();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(&post("", "{}")).await.unwrap();
    reply(&mut idle).await;
    let mut working = TcpStream::connect(server.address).await.unwrap();
    working.write_all(&post("", r#"{"do": "wait"}"#)).await.unwrap();
    until(|| server.seen.started() == 2).await;
    server.stop.cancel();
    until(|| !server.readiness.is_ready()).await;
    let done = reply(&mut working).await;
    assert_eq!((done.status, done.header("connection")), (200, Some("close")));
    assert_eq!(reply(&mut idle).await.status, 0);
    tokio::time::timeout(PATIENCE, server.served).await.unwrap().unwrap();
    assert!(!server.abandon.is_cancelled());
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn requests_that_do_not_end_are_cancelled() {
    let server = start(&[("drain-timeout", "200ms")]).await;
    let mut hanging = TcpStream::connect(server.address).await.unwrap();
    hanging.write_all(&post("", r#"{"do": "hang"}"#)).await.unwrap();
    until(|| server.seen.started() == 1).await;
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.served).await.unwrap().unwrap();
    assert!(server.abandon.is_cancelled());
    server.seen.until_dropped(1).await;
    assert_eq!(reply(&mut hanging).await.status, 0);
}

/// The variable that makes this test program a server.
const CHILD: &str = "PRIMS_TEST_SERVER";

/// Serves until it gets a signal, if the variable is set: it then is a file in which to say where. Else it is not a server and
/// what is tested is that nothing is bound without being asked.
#[tokio::test]
async fn a_server_in_a_process_of_its_own() {
    let Some(file) = std::env::var_os(CHILD) else {
        let settings = settings(&[]);
        assert!(settings.server.host.is_loopback() && !settings.server.allow_unauthenticated);
        return;
    };
    let server = start(&[("drain-timeout", "10s")]).await;
    let signal = super::super::stop_signal();
    let (file, new) = (
        std::path::PathBuf::from(&file),
        std::path::PathBuf::from(file).with_extension("new"),
    );
    std::fs::write(&new, server.address.to_string()).unwrap();
    std::fs::rename(new, file).unwrap();
    signal.await;
    server.stop.cancel();
    server.served.await.unwrap();
}

struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts the server through a shell that says first what `prelude` does.
    async fn start(folder: &std::path::Path, prelude: &str) -> Process {
        let file = folder.join("address");
        let program = std::env::current_exe().unwrap();
        let child = Command::new("sh")
            .args([
                "-c",
                &format!("{prelude} exec \"$0\" --exact http::tests::ending::a_server_in_a_process_of_its_own"),
            ])
            .arg(program)
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until(|| file.exists()).await;
        let address = std::fs::read_to_string(file).unwrap().parse().unwrap();
        Process { child, address }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    async fn status(&mut self) -> Option<i32> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(tokio::time::Instant::now() < deadline, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_signal_drains_and_the_status_is_zero() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(folder.path(), "").await;
        let address = process.address;
        let working: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn(async move {
                    exchange(address, &post("", r#"{"do": "wait", "ms": 2000}"#))
                        .await
                        .status
                })
            })
            .collect();
        // All of them are under way when the signal comes.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut probes = 0;
        loop {
            probes += 1;
            let counted = exchange(address, &post("", r#"{"do": "count"}"#)).await;
            if counted.json()["started"] == json!(20 + probes) {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "the requests do not begin");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.signal(signal);
        for request in working {
            assert_eq!(request.await.unwrap(), 200);
        }
        assert_eq!(process.status().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn with_few_descriptors_the_server_stays() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), "ulimit -n 80;").await;
    let mut open = vec![];
    for _ in 0..300 {
        open.push(TcpStream::connect(process.address).await.unwrap());
    }
    for _ in 0..10 {
        assert_eq!(exchange(process.address, &post("", "{}")).await.status, 200);
    }
    drop(open);
    assert_eq!(get(process.address, "/healthz", "").await.status, 200);
}
