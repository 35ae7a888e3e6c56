//! Rows 15 to 17 of the abuse cases: what the guest writes.

use std::sync::{Arc, Mutex};

use super::harness::*;
use crate::stop::{StopReason, Stopped};
use crate::wasi::abi::Errno;
use crate::wasi::{Captured, Output, Overflow, Stream};

fn guest(output: Output) -> Guest {
    let mut spec = Host::new().spec();
    spec.output = output;
    Guest::new(spec)
}

fn texts(captured: &Captured) -> Vec<(Stream, String)> {
    captured
        .in_order()
        .map(|(stream, bytes)| (stream, String::from_utf8_lossy(bytes).into_owned()))
        .collect()
}

#[test]
fn streams_are_kept_in_order_of_arrival() {
    let mut guest = guest(Output::default());
    for (fd, text) in [(1, "a"), (1, "b"), (2, "error"), (1, ""), (2, "!"), (1, "c")] {
        assert_eq!(guest.write(fd, text.as_bytes()), Ok(text.len() as u32));
    }
    let captured = guest.finish();
    assert_eq!(
        (captured.stdout.bytes.as_slice(), captured.stderr.bytes.as_slice()),
        (&b"abc"[..], &b"error!"[..])
    );
    assert!(captured.order_exact && !captured.stdout.truncated() && !captured.stderr.truncated());
    let expected = [
        (Stream::Stdout, "ab"),
        (Stream::Stderr, "error!"),
        (Stream::Stdout, "c"),
    ];
    assert_eq!(
        texts(&captured),
        expected.map(|(stream, text)| (stream, text.to_owned()))
    );
}

#[test]
fn the_middle_of_too_much_is_omitted() {
    let mut guest = guest(Output {
        limit: 8,
        ..Output::default()
    });
    for part in ["01234", "567", "89", "abcdefghij", "k", "lm"] {
        guest.write(1, part.as_bytes()).unwrap();
        guest.write(2, b".").unwrap();
    }
    let captured = guest.finish();
    let stdout = &captured.stdout;
    assert_eq!(
        (stdout.bytes.as_slice(), stdout.gap, stdout.omitted, stdout.total),
        (&b"012345lm"[..], 6, 15, 23)
    );
    assert_eq!(
        (captured.stderr.bytes.as_slice(), captured.stderr.omitted),
        (&b"......"[..], 0)
    );
    let expected = ["01234", ".", "5", "...", ".", "lm", "."];
    let order = texts(&captured);
    let joined: String = order.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(joined, expected.concat(), "{order:?}");
    // Every byte that was kept is in exactly one chunk.
    assert_eq!(
        captured.chunks.iter().map(|chunk| chunk.range.len()).sum::<usize>(),
        8 + 6
    );
    assert!(
        captured
            .chunks
            .iter()
            .all(|chunk| chunk.stream == Stream::Stderr || !(chunk.range.start < 6 && chunk.range.end > 6))
    );
}

#[test]
fn everything_up_to_the_limit_is_kept() {
    for len in 0..20 {
        let mut guest = guest(Output {
            limit: 10,
            ..Output::default()
        });
        let text = &b"0123456789abcdefghij"[..len];
        for byte in text {
            guest.write(1, &[*byte]).unwrap();
        }
        let stdout = guest.finish().stdout;
        assert_eq!(
            (stdout.bytes.len(), stdout.omitted),
            (len.min(10), len.saturating_sub(10) as u64)
        );
        assert_eq!(stdout.bytes[..stdout.gap], text[..stdout.gap]);
        assert_eq!(
            stdout.bytes[stdout.gap..],
            text[len - (stdout.bytes.len() - stdout.gap)..]
        );
    }
}

#[test]
fn ten_gigabytes_of_output_cost_a_megabyte() {
    let mut guest = guest(Output::default());
    // One buffer of half a megabyte, named a thousand times.
    for index in 0..1000 {
        guest.put(0x4000 + index * 8, &DATA.to_le_bytes());
        guest.put(0x4000 + index * 8 + 4, &0x8_0000u32.to_le_bytes());
    }
    guest.put(DATA, &[b'x'; 0x8_0000]);
    for _ in 0..20 {
        guest.ask("fd_write", &[1, 0x4000, 1000, OUT.into()]).unwrap();
        assert_eq!(guest.u32(OUT), 1000 * 0x8_0000);
    }
    let captured = guest.finish();
    assert_eq!(captured.stdout.total, 20 * 1000 * 0x8_0000);
    assert_eq!(captured.stdout.bytes.len(), Output::DEFAULT_LIMIT);
    assert!(captured.stdout.bytes.capacity() <= 2 * Output::DEFAULT_LIMIT);
    assert_eq!(captured.chunks.len(), 2);
}

#[test]
fn a_guest_that_changes_streams_all_the_time_costs_little() {
    let mut guest = guest(Output::default());
    for _ in 0..20_000 {
        guest.write(1, b"o").unwrap();
        guest.write(2, b"e").unwrap();
    }
    let captured = guest.finish();
    assert!(!captured.order_exact);
    assert!(captured.chunks.len() <= 8192);
    let kept: usize = captured.chunks.iter().map(|chunk| chunk.range.len()).sum();
    assert_eq!(kept, 40_000);
    // Each stream reads in order.
    for stream in [Stream::Stdout, Stream::Stderr] {
        let mut at = 0;
        for chunk in captured.chunks.iter().filter(|chunk| chunk.stream == stream) {
            assert_eq!(chunk.range.start, at);
            at = chunk.range.end;
        }
        assert_eq!(at, 20_000);
    }
}

#[test]
fn a_run_can_be_stopped_at_the_limit() {
    let mut guest = guest(Output {
        limit: 10,
        overflow: Overflow::Stop,
        sink: None,
    });
    guest.write(1, b"0123456789").unwrap();
    guest.write(2, b"error").unwrap();
    guest.put(DATA, b"abc");
    guest.put(IOVEC, &[DATA.to_le_bytes(), 3u32.to_le_bytes()].concat());
    let trap = guest.call("fd_write", &[1, IOVEC.into(), 1, OUT.into()]).unwrap_err();
    assert!(matches!(trap.downcast_ref(), Some(Stopped(StopReason::Output))));
    let captured = guest.finish();
    assert_eq!(
        (captured.stdout.bytes.as_slice(), captured.stdout.omitted),
        (&b"0123456789"[..], 0)
    );
    assert_eq!(captured.stderr.bytes, b"error");
}

#[test]
fn a_sink_gets_everything_in_small_pieces() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let mut guest = guest(Output {
        limit: 10,
        sink: Some(Arc::new(move |stream, bytes: &[u8]| {
            sink.lock().unwrap().push((stream, bytes.to_vec()))
        })),
        ..Output::default()
    });
    guest.write(2, b"error").unwrap();
    guest.write(1, &vec![b'x'; 200_000]).unwrap();
    guest.write(1, b"").unwrap();
    drop(guest);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (Stream::Stderr, b"error".to_vec()));
    assert!(
        seen[1..]
            .iter()
            .all(|(stream, bytes)| *stream == Stream::Stdout && bytes.len() <= 64 << 10)
    );
    assert_eq!(seen[1..].iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), 200_000);
}

#[test]
fn bytes_arrive_as_they_are() {
    let mut guest = guest(Output::default());
    let bytes: Vec<u8> = (0..=255).chain("\u{202e}\u{1b}]0;title\u{7}".bytes()).collect();
    guest.write(1, &bytes).unwrap();
    assert_eq!(guest.finish().stdout.bytes, bytes);
}

#[test]
fn bad_buffers_write_nothing() {
    let mut guest = guest(Output::default());
    guest.put(
        IOVEC,
        &[
            DATA.to_le_bytes(),
            4u32.to_le_bytes(),
            0xffff_fff0u32.to_le_bytes(),
            32u32.to_le_bytes(),
        ]
        .concat(),
    );
    for (iovs, count, out, expected) in [
        (IOVEC, 2, OUT, Errno::Fault),
        (IOVEC, 1, 0xffff_fffe, Errno::Fault),
        (IOVEC, 1025, OUT, Errno::Inval),
        (IOVEC, u32::MAX, OUT, Errno::Inval),
        (0xffff_fffc, 1, OUT, Errno::Fault),
    ] {
        let arguments = [1, iovs.into(), count.into(), out.into()];
        assert_eq!(guest.ask("fd_write", &arguments), Err(expected), "{arguments:?}");
    }
    assert_eq!(guest.finish().stdout.total, 0);
}
