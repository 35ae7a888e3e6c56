//! Every way of stopping a run works, in time, and with what was written until then.

use prims_sandbox::{Cancel, Exit, Invocation, Outcome, StopReason};
use std::time::{Duration, Instant};

/// Generous, because the machine may be busy with other tests; how close it really is stands in the benchmarks.
const PATIENCE: Duration = Duration::from_secs(5);

fn run_for(code: &str, limit: Duration) -> (Outcome, Duration) {
    let mut invocation = Invocation::new(code);
    invocation.limits.wall_clock = limit;
    let began = Instant::now();
    let outcome = super::run_with(invocation);
    (outcome, began.elapsed())
}

#[test]
fn the_deadline_stops_whatever_it_is() {
    super::prepared(&[]);
    for code in [
        "while True: pass",
        "import time\ntime.sleep(1e9)",
        "import select\nselect.select([], [], [], 1e9)",
        "import threading\nthreading.Event().wait(1e9)",
        "import asyncio\nasyncio.run(asyncio.sleep(1e9))",
        "sum(range(10**12))",
        "10**10**8",
        "int('9' * 10**7) if __import__('sys').set_int_max_str_digits(0) is None else 0",
        "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
        "b = bytearray(100 << 20)\nwhile True: c = bytes(b)",
        "def f():\n while True: yield\nlist(f())",
        "while True:\n try: 1/0\n except ZeroDivisionError: pass",
        "import atexit\n@atexit.register\ndef loop():\n while True: pass",
        "class A:\n def __del__(self):\n  while True: pass\nA()",
        "class A:\n def __repr__(self):\n  while True: pass\nA()",
        "while True: sorted(range(10**5), key=lambda x: -x)",
        "'x' * 1000 in ('x' * 999 + 'y') * 10**5\nwhile True: [0] * 10**6 == [0] * 10**6",
    ] {
        let (outcome, took) = run_for(code, Duration::from_millis(300));
        assert!(
            matches!(outcome.exit, Exit::Stopped(StopReason::WallClock)),
            "{code}: {:?}",
            outcome.exit
        );
        assert!(took < PATIENCE, "{code}: took {took:?}");
    }
}

#[test]
fn output_before_a_stop_is_kept() {
    let (outcome, _) = run_for("print('before', end='')\nwhile True: pass", Duration::from_millis(300));
    assert_eq!(outcome.output.stdout.text(), "before");
}

#[test]
fn cancel_stops_a_loop_and_a_sleep() {
    super::prepared(&[]);
    for code in ["while True: pass", "import time\ntime.sleep(1e9)", "sum(range(10**12))"] {
        let cancel = Cancel::new();
        let invocation = Invocation {
            cancel: cancel.clone(),
            ..Invocation::new(code)
        };
        let (outcome, late) = std::thread::scope(|scope| {
            let run = scope.spawn(|| super::run_with(invocation));
            std::thread::sleep(Duration::from_millis(200));
            let cancelled = Instant::now();
            cancel.cancel();
            (run.join().expect("a run does not panic"), cancelled.elapsed())
        });
        assert!(
            matches!(outcome.exit, Exit::Stopped(StopReason::Cancelled)),
            "{code}: {:?}",
            outcome.exit
        );
        assert!(late < PATIENCE, "{code}: stopped {late:?} after the cancel");
    }
}

#[test]
fn fuel_stops_at_the_same_place_every_time() {
    let used = |code: &str, fuel: u64| {
        let mut invocation = Invocation::new(code);
        invocation.limits.fuel = fuel;
        super::run_with(invocation)
    };
    let endless = used("while True: pass", 5_000_000);
    assert!(
        matches!(endless.exit, Exit::Stopped(StopReason::Fuel)),
        "{:?}",
        endless.exit
    );
    assert!(
        endless.usage.fuel >= 5_000_000 && endless.usage.fuel < 6_000_000,
        "{}",
        endless.usage.fuel
    );
    let work = "sum(i * i for i in range(100_000))";
    let (small, large) = (
        used("1+1", u64::MAX / 8).usage.fuel,
        used(work, u64::MAX / 8).usage.fuel,
    );
    assert!(large > small + 1_000_000, "{small} {large}");
}

#[test]
fn deep_recursion_in_c_never_reaches_the_host() {
    super::prepared(&[]);
    for code in [
        "x = []\nfor _ in range(100_000): x = [x]\nrepr(x)",
        "import json\njson.loads('[' * 100_000)",
        "eval('(' * 10**6)",
        "eval('-' * 100_000 + '1')",
        "eval('(' * 5000 + ')' * 5000)",
        "exec('a.' * 100_000 + 'b')",
        "g = (i for i in ())\nfor _ in range(100_000): g = (i for i in g)\nlist(g)",
        "class A:\n def __getattr__(self, name): return getattr(self, name + 'x')\nA().a",
        "import pickle\nx = []\nfor _ in range(100_000): x = [x]\npickle.dumps(x)",
        "import copy\nx = []\nfor _ in range(100_000): x = [x]\ncopy.deepcopy(x)",
        "x = None\nfor _ in range(1_000_000): x = (x,)\ndel x",
        "import re\nre.compile('(' * 10_000 + ')' * 10_000)",
        "import ast\nast.literal_eval('[' * 10_000 + ']' * 10_000)",
        "def f(): f()\nf()",
        "type('A', (), {'__call__': None})\nclass B: pass\nb = B()\nB.__call__ = b\nb()",
        "a = lambda: 0\nfor _ in range(100_000): a = __import__('functools').partial(a)\na()",
    ] {
        let (outcome, _) = run_for(code, Duration::from_secs(20));
        let expected = match &outcome.exit {
            Exit::Raised(error) => matches!(
                error.kind.as_str(),
                "RecursionError" | "MemoryError" | "SyntaxError" | "error" | "PatternError" | "TypeError"
            ),
            Exit::Crashed(_) | Exit::Completed(_) => true,
            Exit::Stopped(reason) => *reason == StopReason::Memory,
            Exit::Exited(_) => false,
        };
        assert!(expected, "{code}: {:?}", outcome.exit);
        assert_eq!(super::value(&super::run("1+1")), "2", "after {code}");
    }
}

#[test]
fn a_thread_with_a_small_stack_can_run_a_guest() {
    super::prepared(&[]);
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let deep = "def f(n): return n and f(n - 1)\nf(900)";
    let outcome = thread
        .spawn(move || super::run(deep))
        .expect("a thread starts")
        .join()
        .expect("no overflow");
    assert_eq!(super::value(&outcome), "0");
}
