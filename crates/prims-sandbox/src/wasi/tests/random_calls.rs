//! Row 14 of the abuse cases: every function with arguments that make no sense, or almost do.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::stop::Cancel;
use crate::wasi::{Exit, Output};

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// An argument: often a small number, an address that is good or nearly so, sometimes anything.
    fn argument(&mut self) -> i64 {
        match self.below(16) {
            0..=4 => self.below(12) as i64,
            5..=8 => i64::from(self.pick(&[PATH, PATH2, IOVEC, OUT, DATA])),
            9 | 10 => self.below(64) as i64,
            11 => self.below(5000) as i64,
            12 => (1 << 20) - self.below(80) as i64,
            13 => self.pick(&[
                i64::MAX,
                i64::MIN,
                -1,
                -2,
                -8,
                1 << 31,
                (1 << 31) - 1,
                1 << 32,
                1 << 62,
                0xffff_fff8,
            ]),
            14 => 1 << self.below(64),
            _ => self.next() as i64,
        }
    }

    fn fill(&mut self, guest: &mut Guest) {
        const PATHS: [&str; 14] = [
            "file",
            "d",
            "d/file",
            ".",
            "..",
            "../outside/secret",
            "/etc/passwd",
            "link",
            "d/../file",
            "new",
            "",
            "d/",
            "link/x",
            "\u{e9}",
        ];
        for at in [PATH, PATH2] {
            guest.put(at, &[0; 64]);
            guest.path(at, self.pick(&PATHS));
        }
        for at in (IOVEC..IOVEC + 64).step_by(4) {
            let value = if self.below(3) == 0 {
                self.argument() as u32
            } else {
                self.pick(&[DATA, 16, 1, 0, 4096])
            };
            guest.put(at, &value.to_le_bytes());
        }
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn storm(seed: u64, calls: u32) {
    let host = Host::with_quota(1 << 20, 50);
    let mut numbers = Numbers(seed);
    let mut guest = host.guest();
    let before = resident();
    let mut functions: Vec<_> = TABLE
        .iter()
        .map(|(name, parameters, _)| (*name, parameters.len()))
        .collect();
    // Files and paths matter most.
    functions.extend(
        functions
            .clone()
            .into_iter()
            .filter(|(name, _)| name.starts_with("path_") || name.starts_with("fd_")),
    );
    for call in 0..calls {
        if call % 500 == 0 {
            // A new run on the same directory, as a session has them. Some runs end early.
            let mut spec = host.spec();
            spec.output = Output {
                limit: 10_000,
                ..Output::default()
            };
            spec.max_descriptors = 20;
            spec.watch.deadline = Some(Instant::now() + Duration::from_secs(20));
            guest = Guest::new(spec);
            let _ = guest.create(WORK, "file");
            let _ = guest.mkdir(WORK, "d");
        }
        if call % 3 == 0 {
            numbers.fill(&mut guest);
        }
        let (name, count) = numbers.pick(&functions);
        let mut arguments: Vec<_> = (0..count).map(|_| numbers.argument()).collect();
        match name {
            // Nobody wants to wait for these.
            "poll_oneoff" if numbers.below(8) != 0 => arguments[2] = 0,
            "poll_oneoff" => {
                let mut spec = host.spec();
                spec.watch.cancel = Cancel::new();
                spec.watch.cancel.cancel();
                let _ = Guest::new(spec).call(name, &arguments);
                continue;
            }
            // Most paths should be whole.
            name if name.starts_with("path_") && numbers.below(4) != 0 => {
                let position = if name == "path_symlink" { 0 } else { 1 };
                if count > position + 1
                    && !matches!(
                        name,
                        "path_open" | "path_filestat_get" | "path_filestat_set_times" | "path_link"
                    )
                {
                    (arguments[position], arguments[position + 1]) = (PATH.into(), numbers.below(10) as i64);
                } else {
                    (arguments[2], arguments[3]) = (PATH.into(), numbers.below(10) as i64);
                }
                arguments[if name == "path_symlink" { 2 } else { 0 }] = numbers.below(8) as i64;
            }
            _ => {}
        }
        match guest.call(name, &arguments) {
            Ok(number) => {
                errno(number);
            }
            Err(trap) => assert!(trap.downcast_ref::<Exit>().is_some(), "{name}: {trap:?}"),
        }
    }
    let used: u64 = walk(&host.work());
    assert!(used <= 1 << 20, "{used} bytes are in a directory for a million");
    let captured = guest.finish();
    assert!(captured.stdout.bytes.len() <= 10_000 && captured.stderr.bytes.len() <= 10_000);
    assert!(
        resident() < before + (64 << 20),
        "{} bytes more are in use",
        resident() - before
    );
    assert!(outside_is_untouched(host.folder.path()));
}

fn walk(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = std::fs::symlink_metadata(entry.path()).unwrap();
            if metadata.is_dir() {
                walk(&entry.path())
            } else {
                metadata.len()
            }
        })
        .sum()
}

#[test]
fn twenty_thousand_calls_break_nothing() {
    storm(0x9e37_79b9_7f4a_7c15, 20_000);
}

#[test]
fn other_calls_break_nothing_either() {
    let seed = SEED_OVERRIDE.map_or(1, |seed| seed.parse().unwrap());
    storm(seed, 5_000);
}

/// Lets a longer search run with seeds of its own.
const SEED_OVERRIDE: Option<&str> = option_env!("PRIMS_WASI_SEED");
