//! Rows 22 and 29 of the abuse cases, exits, and what a run costs.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::stop::{StopReason, Stopped};
use crate::wasi::abi::Errno;
use crate::wasi::{Entropy, Exit, Wasi};

#[test]
fn randomness_is_fresh_or_constant() {
    let host = Host::new();
    let mut guest = host.guest();
    guest.ask("random_get", &[DATA.into(), 300_000]).unwrap();
    let first = guest.get(DATA, 300_000);
    guest.ask("random_get", &[DATA.into(), 300_000]).unwrap();
    assert_ne!(first, guest.get(DATA, 300_000));
    // Every piece of it was filled.
    assert!(first.chunks(1000).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    guest.ask("random_get", &[DATA.into(), 0]).unwrap();
    for (at, len) in [(0, -1), (DATA.into(), 1 << 20), (-1, 2)] {
        assert_eq!(guest.ask("random_get", &[at, len]), Err(Errno::Fault));
    }
    let mut spec = host.spec();
    spec.entropy = Entropy::Constant(43);
    let mut guest = Guest::new(spec);
    guest.ask("random_get", &[DATA.into(), 100_000]).unwrap();
    assert_eq!(guest.get(DATA, 100_000), [43; 100_000]);
}

#[test]
fn endless_randomness_ends_with_the_run() {
    let mut spec = Host::new().spec();
    spec.watch.deadline = Some(Instant::now() + Duration::from_millis(50));
    let mut guest = Guest::new(spec);
    let began = Instant::now();
    let trap = loop {
        if let Err(trap) = guest.call("random_get", &[0, 1 << 20]) {
            break trap;
        }
    };
    assert!(matches!(trap.downcast_ref(), Some(Stopped(StopReason::WallClock))));
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
}

#[test]
fn exits_carry_their_code() {
    let mut guest = Guest::on_its_own();
    for code in [0, 3, 125, 126, 255, -1] {
        let trap = guest.call("proc_exit", &[code]).unwrap_err();
        assert_eq!(trap.downcast_ref(), Some(&Exit(code as u32)));
    }
    assert_eq!(guest.ask("proc_raise", &[9]), Err(Errno::Nosys));
}

#[test]
fn the_guest_is_told_nothing_about_the_host() {
    let mut guest = Guest::on_its_own();
    for call in ["args_sizes_get", "environ_sizes_get"] {
        guest.put(OUT, &[0xff; 8]);
        guest.ask(call, &[OUT.into(), (OUT + 4).into()]).unwrap();
        assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 0));
        assert_eq!(guest.ask(call, &[OUT.into(), -1]), Err(Errno::Fault));
    }
    for call in ["args_get", "environ_get"] {
        guest.ask(call, &[OUT.into(), DATA.into()]).unwrap();
    }
}

/// Most runs use no file: what they pay for this surface must not show.
#[test]
fn a_run_that_uses_no_file_costs_next_to_nothing() {
    let host = Host::new();
    let spec = host.spec();
    let rounds = 10_000;
    let began = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(Wasi::new(std::hint::black_box(spec.clone())).finish());
    }
    let each = began.elapsed() / rounds;
    assert!(each < Duration::from_micros(20), "{each:?}");
    assert!(size_of::<Wasi>() < 1024, "{}", size_of::<Wasi>());
}
