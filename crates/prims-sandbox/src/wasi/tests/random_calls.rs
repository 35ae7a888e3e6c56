//! Row 14 of the abuse cases: every function with arguments that make no sense, or almost do.

use super::harness::*;
use crate::stop::Cancel;
use crate::wasi::{Exit, Output};

/// Numbers that look random and are the same every time.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Anything: a small number, an address that is good or nearly so, the edges of what there is.
    fn anything(&mut self) -> i64 {
        match self.below(8) {
            0 | 1 => self.below(12) as i64,
            2 => i64::from(self.pick(&[PATH, PATH2, IOVEC, OUT, DATA])),
            3 => self.below(5000) as i64,
            4 => (1 << 20) - self.below(80) as i64,
            5 => self.pick(&[
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
            6 => 1 << self.below(64),
            _ => self.next() as i64,
        }
    }

    /// Something that could be meant.
    fn sensible(&mut self, role: char, path: &mut usize) -> i64 {
        match role {
            'f' => self.pick(&[3, 4, 4, 4, 4, 5, 6, 6, 7, 8, 9, 10, 12, 15, 1, 2, 0]),
            'p' => {
                *path = self.below(PATHS.len() as u64) as usize;
                i64::from(PATH) + 64 * *path as i64
            }
            'l' => PATHS[*path].len() as i64,
            'v' => i64::from(IOVEC) + 8 * self.below(8) as i64,
            'c' => self.below(4) as i64,
            'o' => i64::from(OUT),
            'd' => i64::from(DATA),
            'r' => self.pick(&[2, 2 | 64, 64, 0]),
            'n' => match self.below(4) {
                0 => self.below(10) as i64,
                1 => self.below(2_000_000) as i64,
                _ => self.below(5000) as i64,
            },
            _ => match self.below(4) {
                0 => self.below(16) as i64,
                _ => self.below(2) as i64,
            },
        }
    }

    fn arguments(&mut self, roles: &str) -> Vec<i64> {
        let mut path = 0;
        // Mostly everything makes sense, or all but one argument.
        let odd = self.below(2 * roles.len() as u64 + 4) as usize;
        let wild = self.below(10) == 0;
        let arguments = roles.chars().enumerate();
        arguments
            .map(|(index, role)| {
                let sensible = self.sensible(role, &mut path);
                if wild || index == odd {
                    self.anything()
                } else {
                    sensible
                }
            })
            .collect()
    }

    fn fill(&mut self, guest: &mut Guest) {
        for (index, path) in PATHS.iter().enumerate() {
            guest.path(PATH + 64 * index as u32, path);
        }
        for index in 0..12 {
            let (at, len) = match self.below(10) {
                0 => (self.anything() as u32, self.anything() as u32),
                _ => (DATA + self.below(100_000) as u32, self.below(20_000) as u32),
            };
            guest.put(IOVEC + 8 * index, &[at.to_le_bytes(), len.to_le_bytes()].concat());
        }
    }
}

const PATHS: [&str; 20] = [
    "file",
    "file",
    "d",
    "d/file",
    "d/e",
    "d/e/f",
    ".",
    "..",
    "../outside/secret",
    "/etc/passwd",
    "link",
    "d/../file",
    "new",
    "new2",
    "",
    "d/",
    "link/x",
    "directory",
    "\u{e9}",
    "a-name-that-is-quite-a-bit-longer-than-all-the-others",
];

/// What the arguments of a function are: descriptor, path and its length, list of buffers and its count, where results go,
/// where data goes, rights, a number, or a few bits.
fn roles(name: &str) -> &'static str {
    match name {
        "args_get" | "args_sizes_get" | "environ_get" | "environ_sizes_get" => "oo",
        "clock_res_get" => "so",
        "clock_time_get" => "sno",
        "fd_advise" => "fnns",
        "fd_allocate" => "fnn",
        "fd_close" | "fd_datasync" | "fd_sync" => "f",
        "fd_dup" => "fno",
        "fd_fdstat_get" | "fd_filestat_get" | "fd_prestat_get" | "fd_tell" => "fo",
        "fd_fdstat_set_flags" | "sock_shutdown" => "fs",
        "fd_fdstat_set_rights" => "fnn",
        "fd_filestat_set_size" => "fn",
        "fd_filestat_set_times" => "fnns",
        "fd_pread" | "fd_pwrite" => "fvcno",
        "fd_prestat_dir_name" => "fdn",
        "fd_read" | "fd_write" => "fvco",
        "fd_readdir" => "fdnno",
        "fd_renumber" | "fd_dup2" => "ff",
        "fd_seek" => "fnso",
        "path_create_directory" | "path_remove_directory" | "path_unlink_file" => "fpl",
        "path_filestat_get" => "fsplo",
        "path_filestat_set_times" => "fsplnns",
        "path_link" => "fsplfpl",
        "path_open" => "fsplsrrso",
        "path_readlink" => "fpldno",
        "path_rename" => "fplfpl",
        "path_symlink" => "plfpl",
        "poll_oneoff" => "vdso",
        "proc_exit" | "proc_raise" => "s",
        "random_get" => "dn",
        "sock_accept" => "fso",
        "sock_recv" => "fvcsoo",
        "sock_send" => "fvcso",
        _ => "",
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
    let mut functions: Vec<_> = TABLE.iter().chain(&EXTENSIONS).map(|(name, ..)| *name).collect();
    // Files and paths matter most.
    let important: Vec<_> = functions
        .iter()
        .copied()
        .filter(|name| name.contains('_') && !name.starts_with("sock"))
        .collect();
    functions.extend(
        important
            .iter()
            .filter(|name| name.starts_with("path_") || name.starts_with("fd_")),
    );
    functions.extend(["path_open"; 12]);
    functions.extend([
        "fd_write",
        "fd_pwrite",
        "fd_filestat_set_size",
        "path_create_directory",
        "path_symlink",
    ]);
    for call in 0..calls {
        if call % 500 == 0 {
            // A new run on the same directory, as a session has them.
            let mut spec = host.spec();
            spec.output = Output {
                limit: 10_000,
                ..Output::default()
            };
            spec.max_descriptors = 20;
            guest = Guest::new(spec);
        }
        if call % 50 == 0 {
            numbers.fill(&mut guest);
        }
        let name = numbers.pick(&functions);
        let arguments = numbers.arguments(roles(name));
        if name == "poll_oneoff" && arguments[2] != 0 {
            // Nobody wants to wait for these.
            let mut spec = host.spec();
            spec.watch.cancel = Cancel::new();
            spec.watch.cancel.cancel();
            let mut cancelled = Guest::new(spec);
            numbers.fill(&mut cancelled);
            let _ = cancelled.call(name, &arguments);
            continue;
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

/// The sizes of all files.
fn walk(folder: &std::path::Path) -> u64 {
    let sizes = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        match metadata.is_dir() {
            true => walk(&path),
            false if metadata.is_file() => metadata.len(),
            false => 0,
        }
    });
    sizes.sum()
}

#[test]
fn twenty_thousand_calls_break_nothing() {
    storm(0x9e37_79b9_7f4a_7c15, 20_000);
}

/// How long to search for trouble: `PRIMS_WASI_STORMS=1000` tries a thousand times as much.
pub(super) fn storms() -> u64 {
    std::env::var("PRIMS_WASI_STORMS").map_or(1, |storms| storms.parse().unwrap())
}

#[test]
fn other_calls_break_nothing_either() {
    for seed in 1..=storms() {
        storm(seed, 5_000);
    }
}
