//! Clients that send or take too little, and too many of them.

use super::*;

#[tokio::test]
async fn heads_bodies_and_idleness_have_times() {
    let flags = [
        ("header-timeout", "300ms"),
        ("body-timeout", "300ms"),
        ("idle-timeout", "2s"),
    ];
    let server = start(&flags).await;
    // Nothing at all, a beginning, and one byte after the other.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(reply(&mut silent).await.status, 0);
    let mut beginning = TcpStream::connect(server.address).await.unwrap();
    beginning.write_all(b"POST /mcp HTTP/1.1\r\nhost: loc").await.unwrap();
    assert!(matches!(reply(&mut beginning).await.status, 0 | 408));
    let dripping = TcpStream::connect(server.address).await.unwrap();
    let (mut read, mut write) = dripping.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await
        }
    });
    let ended = tokio::time::timeout(PATIENCE, read.read_to_end(&mut vec![])).await;
    assert!(ended.is_ok());
    drip.abort();
    // A body that stops, and one that comes too slowly.
    let mut body = TcpStream::connect(server.address).await.unwrap();
    body.write_all(
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    )
    .await
    .unwrap();
    assert_eq!(reply(&mut body).await.status, 408);
    assert_eq!(server.seen.started(), 0);
    // After an answer the connection may be used again, and is closed if it is not.
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        kept.write_all(&post("", "{}")).await.unwrap();
        assert_eq!(reply(&mut kept).await.status, 200);
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    assert_eq!(reply(&mut kept).await.status, 0);
    // In a head that follows an answer, the time of heads counts.
    let server = start(&[("header-timeout", "300ms"), ("idle-timeout", "1h")]).await;
    let mut again = TcpStream::connect(server.address).await.unwrap();
    again.write_all(&post("", "{}")).await.unwrap();
    assert_eq!(reply(&mut again).await.status, 200);
    tokio::time::sleep(Duration::from_millis(400)).await;
    again.write_all(b"POST /mcp").await.unwrap();
    assert!(matches!(reply(&mut again).await.status, 0 | 408));
}

#[tokio::test]
async fn a_request_may_take_longer_than_all_of_these_times() {
    let flags = [
        ("header-timeout", "200ms"),
        ("body-timeout", "200ms"),
        ("idle-timeout", "200ms"),
        ("write-timeout", "200ms"),
    ];
    let server = start(&flags).await;
    let reply = exchange(server.address, &post("", r#"{"do": "wait", "ms": 800}"#)).await;
    assert_eq!((reply.status, &reply.json()["waited"]), (200, &json!(true)));
}

#[tokio::test]
async fn an_answer_nobody_takes_ends() {
    let server = start(&[("write-timeout", "300ms")]).await;
    let mut stalled = TcpStream::connect(server.address).await.unwrap();
    stalled.write_all(&post("", r#"{"do": "flood"}"#)).await.unwrap();
    stalled.read_exact(&mut [0; 100]).await.unwrap();
    // The client neither reads on nor goes away.
    server.seen.until_dropped(1).await;
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_slow_clients_hold_up_nobody() {
    let server = start(&[("max-connections", "100")]).await;
    let mut slow = vec![];
    for _ in 0..500 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream
            .write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
            .await;
        slow.push(stream);
        if slow.len() % 50 == 0 {
            assert_eq!(exchange(server.address, &post("", "{}")).await.status, 200);
        }
    }
    assert_eq!(server.seen.started(), 10);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_sockets_that_say_nothing_hold_up_nobody() {
    let server = start(&[]).await;
    // A request in progress is not pushed out by them.
    let mut working = TcpStream::connect(server.address).await.unwrap();
    working.write_all(&post("", r#"{"do": "hang"}"#)).await.unwrap();
    until(|| server.seen.started() == 1).await;
    let mut open = vec![];
    for _ in 0..2000 {
        open.push(TcpStream::connect(server.address).await.unwrap());
    }
    for _ in 0..20 {
        assert_eq!(exchange(server.address, &post("", "{}")).await.status, 200);
    }
    let fetched = get(server.address, "/healthz", "").await;
    assert_eq!((fetched.status, fetched.body.as_str()), (200, "ok\n"));
    assert_eq!(server.seen.started(), 21);
    assert_eq!(server.seen.dropped.load(Ordering::SeqCst), 20);
    drop(open);
}

#[tokio::test]
async fn requests_in_progress_are_not_pushed_out() {
    let server = start(&[("max-connections", "2")]).await;
    let mut hanging = vec![];
    for count in 1..=2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&post("", r#"{"do": "hang"}"#)).await.unwrap();
        until(|| server.seen.started() == count).await;
        hanging.push(stream);
    }
    // The third is closed at once.
    assert_eq!(exchange(server.address, &post("", "{}")).await.status, 0);
    assert_eq!(server.seen.dropped.load(Ordering::SeqCst), 0);
    drop(hanging);
    server.seen.until_dropped(2).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while exchange(server.address, &post("", "{}")).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let server = start(&[]).await;
    // Before the first byte of the answer.
    for count in 1..=20 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&post("", r#"{"do": "hang"}"#)).await.unwrap();
        until(|| server.seen.started() == count).await;
        drop(stream);
        server.seen.until_dropped(count).await;
    }
    // In its middle.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&post("", r#"{"do": "flood"}"#)).await.unwrap();
    stream.read_exact(&mut [0; 10_000]).await.unwrap();
    drop(stream);
    server.seen.until_dropped(21).await;
}
