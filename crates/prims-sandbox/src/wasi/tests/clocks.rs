//! Rows 2 and 32 of the abuse cases: clocks and waiting.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::harness::*;
use crate::stop::{StopReason, Stopped};
use crate::wasi::abi::Errno;

const SUBS: u32 = 0x4000;
const EVENTS: u32 = 0x6000;

impl Guest {
    fn clock(&mut self, id: u32) -> u64 {
        self.ask("clock_time_get", &[id.into(), 0, OUT.into()]).unwrap();
        self.u64(OUT)
    }

    fn clock_subscription(&mut self, index: u32, id: u32, timeout: u64, flags: u16) {
        let mut bytes = [0; 48];
        bytes[0..8].copy_from_slice(&u64::from(index + 100).to_le_bytes());
        bytes[16..20].copy_from_slice(&id.to_le_bytes());
        bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
        bytes[40..42].copy_from_slice(&flags.to_le_bytes());
        self.put(SUBS + index * 48, &bytes);
    }

    fn fd_subscription(&mut self, index: u32, kind: u8, fd: u32) {
        let mut bytes = [0; 48];
        bytes[0..8].copy_from_slice(&u64::from(index + 100).to_le_bytes());
        bytes[8] = kind;
        bytes[16..20].copy_from_slice(&fd.to_le_bytes());
        self.put(SUBS + index * 48, &bytes);
    }

    fn poll(&mut self, n: u32) -> wasmtime::Result<i32> {
        self.call("poll_oneoff", &[SUBS.into(), EVENTS.into(), n.into(), OUT.into()])
    }

    /// What was subscribed to, the error, the kind, the bytes and the flags of each event.
    fn events(&mut self) -> Vec<(u64, u16, u8, u64, u8)> {
        let at = (0..self.u32(OUT)).map(|index| EVENTS + index * 32);
        let event = |at| {
            let bytes = self.get(at, 32);
            (
                self.u64(at),
                u16::from_le_bytes([bytes[8], bytes[9]]),
                bytes[10],
                self.u64(at + 16),
                bytes[24],
            )
        };
        at.map(event).collect()
    }
}

#[test]
fn clocks_are_fresh_coarse_and_never_go_back() {
    let mut spec = Host::new().spec();
    spec.clock_resolution = Duration::from_micros(10);
    let mut guest = Guest::new(spec);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let shown = guest.clock(0);
    assert!(shown + 10_000 >= now && shown < now + 1_000_000_000, "{shown} {now}");
    let mut last = [0; 4];
    for _ in 0..1000 {
        for id in 0..4 {
            let time = guest.clock(id);
            assert_eq!(time % 10_000, 0);
            assert!(id == 0 || time >= last[id as usize]);
            last[id as usize] = time;
        }
    }
    for id in 0..4 {
        guest.ask("clock_res_get", &[id, OUT.into()]).unwrap();
        assert_eq!(guest.u64(OUT), 10_000);
    }
    // The monotonic clock does not tell how long the host has been up.
    assert!(guest.clock(1).abs_diff(guest.clock(0)) < 3_600_000_000_000);
    // Processor time starts with the run.
    assert!(guest.clock(2) < 60_000_000_000 && guest.clock(3) < 60_000_000_000);
    for id in [4, 5, 0xffff_ffff] {
        assert_eq!(guest.ask("clock_time_get", &[id, 0, OUT.into()]), Err(Errno::Inval));
        assert_eq!(guest.ask("clock_res_get", &[id, OUT.into()]), Err(Errno::Inval));
    }
    assert_eq!(guest.ask("clock_time_get", &[0, 0, 0xffff_fff9]), Err(Errno::Fault));
}

#[test]
fn sleeping_takes_the_time_it_takes() {
    let mut guest = Guest::on_its_own();
    for (id, absolute) in [(0, false), (0, true), (1, false), (1, true), (2, false), (3, true)] {
        let began = Instant::now();
        let start = guest.clock(id);
        let timeout = if absolute { start + 20_000_000 } else { 20_000_000 };
        guest.clock_subscription(0, id, timeout, u16::from(absolute));
        assert_eq!(guest.poll(1).unwrap(), 0);
        assert_eq!(guest.events(), [(100, 0, 0, 0, 0)]);
        let slept = began.elapsed();
        assert!(
            slept >= Duration::from_millis(19) && slept < Duration::from_millis(500),
            "{id} {absolute} {slept:?}"
        );
        assert!(guest.clock(id) >= start + 20_000_000 || !absolute);
    }
    // The first of several ends the wait, and only it is reported.
    let began = Instant::now();
    guest.clock_subscription(0, 1, 10_000_000_000, 0);
    guest.clock_subscription(1, 1, 5_000_000, 0);
    guest.clock_subscription(2, 1, u64::MAX, 1);
    assert_eq!(guest.poll(3).unwrap(), 0);
    assert_eq!(guest.events(), [(101, 0, 0, 0, 0)]);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_sleep_ends_with_the_deadline() {
    for (timeout, flags) in [(u64::MAX, 0), (u64::MAX, 1), (1_000_000_000_000_000_000, 0)] {
        let mut spec = Host::new().spec();
        spec.watch.deadline = Some(Instant::now() + Duration::from_millis(50));
        let mut guest = Guest::new(spec);
        guest.clock_subscription(0, 1, timeout, flags);
        let began = Instant::now();
        let trap = guest.poll(1).unwrap_err();
        assert!(
            matches!(trap.downcast_ref(), Some(Stopped(StopReason::WallClock))),
            "{trap:?}"
        );
        assert!(began.elapsed() < Duration::from_millis(150), "{:?}", began.elapsed());
    }
}

#[test]
fn a_sleep_ends_when_the_run_is_cancelled() {
    let mut spec = Host::new().spec();
    spec.watch.deadline = None;
    let cancel = spec.watch.cancel.clone();
    let mut guest = Guest::new(spec);
    guest.clock_subscription(0, 0, u64::MAX, 0);
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        cancel.cancel();
        Instant::now()
    });
    let trap = guest.poll(1).unwrap_err();
    let late = canceller.join().unwrap().elapsed();
    assert!(matches!(trap.downcast_ref(), Some(Stopped(StopReason::Cancelled))));
    assert!(late < Duration::from_millis(100), "{late:?}");
    let trap = guest.call("sched_yield", &[]).unwrap_err();
    assert!(matches!(trap.downcast_ref(), Some(Stopped(StopReason::Cancelled))));
}

#[test]
fn descriptors_are_ready_at_once() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    guest.write(file, b"12345").unwrap();
    guest.seek(file, 2, 0).unwrap();
    guest.clock_subscription(0, 1, u64::MAX, 0);
    for (index, (kind, fd)) in [(1, 0), (2, 1), (2, 2), (1, file), (2, file), (1, 99), (1, RO)]
        .into_iter()
        .enumerate()
    {
        guest.fd_subscription(index as u32 + 1, kind, fd);
    }
    assert_eq!(guest.poll(8).unwrap(), 0);
    let (bad, directory) = (Errno::Badf as u16, Errno::Isdir as u16);
    let expected = [
        (101, 0, 1, 0, 1),
        (102, 0, 2, 1, 0),
        (103, 0, 2, 1, 0),
        (104, 0, 1, 3, 0),
        (105, 0, 2, 1, 0),
        (106, bad, 1, 0, 0),
        (107, directory, 1, 0, 0),
    ];
    assert_eq!(guest.events(), expected);
}

#[test]
fn nonsense_is_refused() {
    let mut guest = Guest::on_its_own();
    for n in [0, 1025, u32::MAX] {
        assert_eq!(guest.poll(n).unwrap(), Errno::Inval as i32);
    }
    guest.clock_subscription(0, 1, 0, 2);
    assert_eq!(guest.poll(1).unwrap(), Errno::Inval as i32);
    guest.fd_subscription(0, 3, 0);
    assert_eq!(guest.poll(1).unwrap(), Errno::Inval as i32);
    guest.clock_subscription(0, 9, 0, 0);
    assert_eq!(guest.poll(1).unwrap(), 0);
    assert_eq!(guest.events(), [(100, Errno::Inval as u16, 0, 0, 0)]);
    for arguments in [
        [-4, EVENTS.into(), 1, OUT.into()],
        [SUBS.into(), -4, 1, OUT.into()],
        [SUBS.into(), EVENTS.into(), 1, -2],
    ] {
        assert_eq!(guest.ask("poll_oneoff", &arguments), Err(Errno::Fault));
    }
}
