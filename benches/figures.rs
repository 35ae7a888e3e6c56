//! Prints every figure this project claims, each beside a baseline taken in the same run.
//!
//! ```sh
//! cargo bench                      # everything, some minutes
//! cargo bench -- fresh numpy       # only these
//! ```
//!
//! `PRIMS_BENCH_PYTHON` names the native Python that is the baseline, `python3` if it is not set; for the CPU-bound set it
//! should be the same version built with `-O3` from the same source, which `python-wasm/build native` makes.
//!
//! The machine is assumed to be noisy: what is printed are medians of interleaved rounds, and ratios.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use prims_interpreter::{Call, CallReport, Interpreter, Memory, NewSession, Prepared, SessionSettings, Sessions};
use prims_sandbox::{Exit, Invocation, Metering, Options, Outcome};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Figure = fn(&Bench);

/// Name on the command line, what it measures, how.
const FIGURES: &[(&str, &str, Figure)] = &[
    ("fresh", "a fresh isolated run of `1+1` through the library", fresh),
    ("numpy", "the same with numpy imported", numpy),
    ("start", "process start to first result, caches warm", start),
    ("cpu", "CPU-bound Python, metering on", cpu),
    ("throughput", "runs per second on all cores", throughput),
    ("memory", "private memory a finished `1+1` run had touched", memory),
    ("slots", "bytes in which reset slots differ from their image", slots),
    ("session", "ten calls in one session, forks, idle sessions", session),
    ("deadline", "how late a deadline of 200 ms is noticed", deadline),
    ("growth", "what 100,000 runs leave behind", growth),
];

struct Bench {
    interpreter: Interpreter,
    python: String,
}

impl Bench {
    fn prepared(&self, packages: &[&str]) -> Prepared {
        let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
        self.interpreter.prepare(&packages).expect("the packages are bundled")
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let unknown = wanted
        .iter()
        .find(|name| !FIGURES.iter().any(|(figure, ..)| figure == name));
    if let Some(name) = unknown {
        let names: Vec<&str> = FIGURES.iter().map(|(name, ..)| *name).collect();
        eprintln!("no figure is called `{name}`, there are: {}", names.join(", "));
        return;
    }
    let bench = Bench {
        interpreter: prims_wasm::interpreter(None, None).expect("the guest compiles"),
        python: std::env::var("PRIMS_BENCH_PYTHON").unwrap_or_else(|_| "python3".into()),
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine: {cores} cores, {}", processor());
    println!(
        "baseline: {}\n",
        output_of(Command::new(&bench.python).arg("-VV"))
            .trim()
            .replace('\n', " ")
    );
    for (name, what, figure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            println!("## {name}: {what}\n");
            figure(&bench);
            println!();
        }
    }
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn output_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn run(prepared: &Prepared, code: &str) -> Outcome {
    let outcome = prepared
        .image
        .run(&Invocation::new(code))
        .expect("the host does its part");
    assert!(matches!(outcome.exit, Exit::Completed(_)), "{code}: {:?}", outcome.exit);
    outcome
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Our runs and native interpreter starts, in alternating rounds: medians of both, and all of ours.
fn beside_native(bench: &Bench, mut ours: impl FnMut() -> Duration) -> (Duration, Duration, Vec<Duration>) {
    let (mut runs, mut native) = (vec![], vec![]);
    for _ in 0..200 {
        ours();
    }
    for _ in 0..20 {
        for _ in 0..5 {
            native.push(timed(|| {
                output_of(Command::new(&bench.python).args(["-I", "-S", "-c", "pass"]));
            }));
        }
        for _ in 0..100 {
            runs.push(ours());
        }
    }
    (median(runs.clone()), median(native), runs)
}

fn fresh(bench: &Bench) {
    let prepared = bench.prepared(&[]);
    let (ours, native, mut all) = beside_native(bench, || timed(|| drop(run(&prepared, "1+1"))));
    println!("| what | median | p99 | ratio |\n|---|---|---|---|");
    println!("| `python3 -I -S -c pass` as a process | {:.2} ms | | 1 |", ms(native));
    println!(
        "| fresh run of `1+1` | {:.3} ms | {:.3} ms | 1/{:.0} |",
        ms(ours),
        ms(percentile(&mut all, 99)),
        native.as_secs_f64() / ours.as_secs_f64()
    );
}

fn numpy(bench: &Bench) {
    let prepared = bench.prepared(&["numpy"]);
    let mut starts = vec![];
    let (ours, native, _) = beside_native(bench, || {
        let outcome = run(&prepared, "1+1");
        starts.push(outcome.usage.start);
        outcome.usage.wall
    });
    println!("| what | median | p99 |\n|---|---|---|");
    println!(
        "| `python3 -I -S -c pass` as a process (no numpy) | {:.2} ms | |",
        ms(native)
    );
    println!(
        "| time before user code starts, numpy imported | {:.3} ms | {:.3} ms |",
        ms(median(starts.clone())),
        ms(percentile(&mut starts, 99))
    );
    println!("| whole fresh run of `1+1` in that image | {:.3} ms | |", ms(ours));
}

fn start(bench: &Bench) {
    bench.prepared(&[]);
    let program = env!("CARGO_BIN_EXE_prims-wasm");
    let once = || timed(|| drop(output_of(Command::new(program).args(["run", "-c", "1+1"]))));
    let (mut ours, mut native) = (vec![], vec![]);
    for _ in 0..40 {
        ours.push(once());
        native.push(timed(|| {
            drop(output_of(Command::new(&bench.python).args(["-c", "print(1+1)"])))
        }));
    }
    let (ours, native) = (median(ours), median(native));
    println!("| what | median | ratio |\n|---|---|---|");
    println!("| `python3 -c 'print(1+1)'` | {:.1} ms | 1 |", ms(native));
    println!(
        "| `prims-wasm run -c 1+1` | {:.1} ms | {:.1} |",
        ms(ours),
        ours.as_secs_f64() / native.as_secs_f64()
    );
}

/// The program prints one line per part, name and milliseconds, for guest and native alike.
const CPU: &str = include_str!("cpu.py");

fn cpu(bench: &Bench) {
    let metered = bench.prepared(&[]);
    let options = Options {
        metering: Metering::OffForMeasuring,
        ..Options::default()
    };
    let unmetered = prims_wasm::interpreter_with(None, options).expect("the guest compiles");
    let unmetered = unmetered.prepare(&[]).expect("nothing is asked for");
    let parse = |text: &str| -> Vec<(String, f64)> {
        let part = |line: &str| {
            line.split_once(' ')
                .and_then(|(name, ms)| Some((name.to_owned(), ms.trim().parse().ok()?)))
        };
        text.lines().filter_map(part).collect()
    };
    // One column each: native, unmetered, metered; in interleaved rounds.
    let mut columns: [Vec<Vec<(String, f64)>>; 3] = Default::default();
    for _ in 0..5 {
        columns[0].push(parse(&output_of(
            Command::new(&bench.python).args(["-I", "-S", "-c", CPU]),
        )));
        columns[1].push(parse(&run(&unmetered, CPU).output.stdout.text()));
        columns[2].push(parse(&run(&metered, CPU).output.stdout.text()));
    }
    println!("| part | native ms | unmetered ms | ratio | metered ms | ratio |\n|---|---|---|---|---|---|");
    let (mut products, mut parts) = ([1.0f64; 2], 0);
    for (k, (name, _)) in columns[0][0].iter().enumerate() {
        let [native, unmetered, metered] = [0, 1, 2].map(|column| {
            let rounds: &Vec<Vec<(String, f64)>> = &columns[column];
            let mut times: Vec<f64> = rounds.iter().filter_map(|round| Some(round.get(k)?.1)).collect();
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        });
        let ratios = [unmetered / native, metered / native];
        println!(
            "| {name} | {native:.1} | {unmetered:.1} | {:.2} | {metered:.1} | {:.2} |",
            ratios[0], ratios[1]
        );
        if name != "sha256" {
            products = [products[0] * ratios[0], products[1] * ratios[1]];
            parts += 1;
        }
    }
    let [unmetered, metered] = products.map(|product| product.powf(1.0 / f64::from(parts)));
    println!("| geometric mean without sha256 | | | {unmetered:.2} | | {metered:.2} |");
    println!("\nMetering costs {:.1} %.", (metered / unmetered - 1.0) * 100.0);
}

fn throughput(bench: &Bench) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("| image | runs per second on {cores} cores |\n|---|---|");
    for (name, packages) in [("base", &[][..]), ("numpy", &["numpy"][..])] {
        let prepared = bench.prepared(packages);
        let (count, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let seconds = 4.0;
        std::thread::scope(|scope| {
            for _ in 0..cores {
                // Room for a guest's stack, so that every run stays on its thread.
                let worker = std::thread::Builder::new().stack_size(16 << 20);
                let work = || {
                    while !stop.load(Ordering::Relaxed) {
                        run(&prepared, "1+1");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                };
                worker.spawn_scoped(scope, work).expect("a thread starts");
            }
            std::thread::sleep(Duration::from_secs_f64(seconds));
            stop.store(true, Ordering::Relaxed);
        });
        println!("| {name} | {:.0} |", count.load(Ordering::Relaxed) as f64 / seconds);
    }
}

fn memory(bench: &Bench) {
    println!("| image | image size | private memory touched by `1+1` |\n|---|---|---|");
    for (name, packages) in [("base", &[][..]), ("numpy", &["numpy"][..])] {
        let prepared = bench.prepared(packages);
        for _ in 0..20 {
            run(&prepared, "1+1");
        }
        prepared.image.verify_slots().expect("slots are verified");
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        let written = prepared
            .image
            .last_written()
            .map_or("unknown on this system".into(), |bytes| {
                format!("{:.2} MiB", mib(bytes))
            });
        println!("| {name} | {:.1} MiB | {written} |", mib(prepared.image.memory_len()));
    }
}

/// Programs that leave memory in as many states as possible.
const ADVERSARIAL: &[&str] = &[
    "x = [bytearray(5000) for _ in range(4000)]\nfor b in x[::7]: b[0] = 255",
    "b = bytearray(60 << 20)\nfor i in range(0, len(b), 1 << 16): b[i] = 1",
    "import builtins, sys, json\nbuiltins.leak = 1; sys.modules['leak'] = sys; json.dumps = len",
    "raise SystemExit(3)",
    "import os\nos.abort()",
    "def f(): return f()\nf()",
    "while True: pass",
    "x = 'x'\nwhile True: x += x",
    "1+1",
];

fn slots(bench: &Bench) {
    let prepared = bench.prepared(&[]);
    let (mut checked, mut differing) = (0, 0);
    for k in 0..10_000 {
        let mut invocation = Invocation::new(ADVERSARIAL[k % ADVERSARIAL.len()]);
        invocation.limits.wall_clock = Duration::from_millis(20);
        invocation.limits.memory = 128 << 20;
        prepared.image.run(&invocation).expect("the host does its part");
        if k % 100 == 99 {
            let (slots, bytes) = prepared.image.verify_slots().expect("slots are verified");
            checked += slots;
            differing += bytes;
        }
    }
    println!(
        "10,000 adversarial runs, {checked} slots compared with their image byte by byte, {differing} bytes differ"
    );
}

/// What an agent does: look, define, compute, keep, ask again.
const STEPS: [&str; 10] = [
    "import json, statistics\nrows = [{'name': f'n{i}', 'value': i * 7 % 13} for i in range(200)]\nlen(rows)",
    "rows[:3]",
    "def by_value(rows):\n    groups = {}\n    for row in rows:\n        groups.setdefault(row['value'], []).append(row['name'])\n    return groups",
    "groups = by_value(rows)\nsorted(groups)",
    "statistics.mean(row['value'] for row in rows)",
    "rows[0]['missing']",
    "rows[0].get('missing', 'none')",
    "import re\nmatches = [row for row in rows if re.fullmatch('n[0-9]0', row['name'])]\nlen(matches)",
    "print(json.dumps(matches[0]))",
    "{value: len(names) for value, names in groups.items()}",
];

/// The guest with its package as it lies in the repository, and sessions on it in a folder that goes away.
fn sessions() -> (tempfile::TempDir, Sessions) {
    let cache = prims_cache::Cache::open(None).expect("the usual cache");
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python-wasm/prims_runtime");
    let guest = prims_wasm::overlaid_guest(&cache, &package).expect("the package is there");
    let index = prims_packages::BundledIndex::new(&prims_wasm::guest::wheels()).expect("the wheels' names read");
    let interpreter = Interpreter::new(guest, index, cache, Options::default()).expect("the guest compiles");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        per_owner: 100_000,
        total: 100_000,
        resident_bytes: u64::MAX,
        ..SessionSettings::DEFAULT
    };
    let sessions = Sessions::open(interpreter, folder.path(), settings).expect("the folder is ours");
    (folder, sessions)
}

fn stateful(sessions: &Sessions, packages: &[&str]) -> String {
    let new = NewSession {
        requirements: packages.iter().map(|name| (*name).to_owned()).collect(),
        stateful: true,
        ..NewSession::default()
    };
    sessions.create(&new).expect("there is room").handle.to_string()
}

fn call(sessions: &Sessions, handle: &str, code: &str) -> CallReport {
    let call = Call {
        requirements: vec![],
        invocation: Invocation::new(code),
        patience: None,
    };
    let report = sessions.run(handle, None, &call).expect("the host does its part");
    assert!(
        matches!(report.memory, Memory::Kept { .. }),
        "{code}: {:?}",
        report.memory
    );
    report
}

/// The same with arrays, of which every call leaves one more.
const NUMPY_STEPS: [&str; 10] = [
    "import numpy as np\nrng = np.random.default_rng(1)\ndata = rng.normal(size=(500, 4))\ndata.shape",
    "data[:3]",
    "means = data.mean(axis=0)\nmeans",
    "centred = data - means\nfloat(abs(centred.mean()))",
    "covariance = centred.T @ centred / (len(data) - 1)\ncovariance.round(2)",
    "values, vectors = np.linalg.eigh(covariance)\nvalues",
    "data[0, 7]",
    "projected = centred @ vectors[:, -2:]\nprojected.shape",
    "print(projected.std(axis=0))",
    "np.histogram(projected[:, 0], bins=5)[0].tolist()",
];

fn session(bench: &Bench) {
    let (folder, sessions) = sessions();
    println!("| what | median | p99 | ratio |\n|---|---|---|---|");
    let native = ten_calls(bench, &sessions, "base", &[], &STEPS);
    ten_calls(bench, &sessions, "numpy", &["numpy"], &NUMPY_STEPS);
    forks(&sessions, native);
    idle_sessions(folder.path(), &sessions);
}

/// One row: how long it took, and how that compares with as many native processes as it has calls.
fn row(what: &str, mut times: Vec<Duration>, native: Duration) {
    let (middle, p99) = (median(times.clone()), percentile(&mut times, 99));
    let ratio = middle.as_secs_f64() / native.as_secs_f64();
    println!("| {what} | {:.3} ms | {:.3} ms | {ratio:.3} |", ms(middle), ms(p99));
}

/// Sessions of ten calls and native processes in alternation; gives the time of one process.
fn ten_calls(bench: &Bench, sessions: &Sessions, name: &str, packages: &[&str], steps: &[&str; 10]) -> Duration {
    let parts = [
        "finding the session and its image",
        "restoring",
        "in the interpreter",
        "keeping",
        "writing",
    ];
    let (mut whole, mut calls, mut native, mut spent, mut bytes) = (vec![], vec![], vec![], [const { vec![] }; 5], 0);
    for round in 0..120 {
        let began = Instant::now();
        let handle = stateful(sessions, packages);
        let mut sums = [Duration::ZERO; 5];
        let created = Instant::now();
        for step in steps {
            let report = call(sessions, &handle, step);
            let usage = report.outcome.usage;
            let run = usage.wall.saturating_sub(usage.start);
            let write = report.commit.saturating_sub(report.keep);
            let parts = [report.prepare, usage.start, run, report.keep, write];
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            if let Memory::Kept { bytes: kept } = report.memory {
                bytes = kept;
            }
        }
        let of_calls = created.elapsed();
        sessions.close(&handle, None).expect("it is there");
        let took = began.elapsed();
        // The first rounds fill caches.
        if round >= 20 {
            whole.push(took);
            calls.push(of_calls);
            spent.iter_mut().zip(sums).for_each(|(all, sum)| all.push(sum));
            native.push(timed(|| {
                drop(output_of(Command::new(&bench.python).args(["-c", "1+1"])))
            }));
        }
    }
    let one = median(native.clone());
    row("`python3 -c 1+1`, one process", native, one);
    row(&format!("{name}: session created, ten calls, closed"), whole, one * 10);
    row(&format!("{name}: the ten calls"), calls, one * 10);
    for (part, times) in parts.into_iter().zip(spent) {
        row(&format!("{name}: of it {part}"), times, one * 10);
    }
    println!("| {name}: beyond the image | {:.2} MiB | | |", mib(bytes));
    one
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn forks(sessions: &Sessions, native: Duration) {
    let parent = stateful(sessions, &["numpy"]);
    call(sessions, &parent, "import numpy as np\na = np.arange(1000)");
    let (mut forks, mut firsts, mut handles) = (vec![], vec![], vec![]);
    for _ in 0..300 {
        let began = Instant::now();
        let handle = sessions.fork(&parent, None).expect("there is room").handle.to_string();
        forks.push(began.elapsed());
        firsts.push(timed(|| drop(call(sessions, &handle, "a += 1"))));
        handles.push(handle);
    }
    row("fork of a session that holds numpy", forks, native);
    row("first call of such a fork", firsts, native);
    for handle in handles {
        sessions.close(&handle, None).expect("it is there");
    }
}

fn idle_sessions(folder: &std::path::Path, sessions: &Sessions) {
    let anonymous = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .unwrap_or(0)
            << 10
    };
    println!("\n| 1,000 idle sessions | memory of each | disk of each |\n|---|---|---|");
    for (name, packages, code) in [
        ("base, `x = 1`", &[][..], "x = 1"),
        (
            "`import numpy`, a small array",
            &["numpy"][..],
            "import numpy as np\na = np.arange(1000)",
        ),
    ] {
        let (before, mut disk) = (anonymous(), 0);
        let handles: Vec<String> = (0..1000).map(|_| stateful(sessions, packages)).collect();
        for handle in &handles {
            call(sessions, handle, code);
        }
        let each = anonymous().saturating_sub(before) / 1000;
        for handle in &handles {
            let session = folder.join("sessions").join(handle);
            let files = std::fs::read_dir(session).into_iter().flatten().flatten();
            disk += files.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>();
        }
        println!("| {name} | {:.2} MiB | {:.2} MiB |", mib(each), mib(disk / 1000));
        for handle in handles {
            sessions.close(&handle, None).expect("it is there");
        }
    }
}

fn deadline(bench: &Bench) {
    let prepared = bench.prepared(&[]);
    println!("| program | median overshoot | worst of 7 |\n|---|---|---|");
    for (name, code) in [
        ("a Python loop", "while True: pass"),
        ("a regex bomb", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')"),
        ("`sum(range(10**12))`", "sum(range(10**12))"),
        ("`time.sleep(1e9)`", "import time\ntime.sleep(1e9)"),
        ("`10**10**8`", "10**10**8"),
        (
            "copying 200 MiB over and over",
            "b = bytearray(200 << 20)\nwhile True: c = bytes(b)",
        ),
    ] {
        let limit = Duration::from_millis(200);
        let mut late: Vec<Duration> = (0..7)
            .map(|_| {
                let mut invocation = Invocation::new(code);
                invocation.limits.wall_clock = limit;
                let took = timed(|| {
                    let outcome = prepared.image.run(&invocation).expect("the host does its part");
                    assert!(matches!(outcome.exit, Exit::Stopped(_)), "{name}: {:?}", outcome.exit);
                });
                took.saturating_sub(limit)
            })
            .collect();
        println!(
            "| {name} | {:.1} ms | {:.1} ms |",
            ms(median(late.clone())),
            ms(percentile(&mut late, 100))
        );
    }
}

fn growth(bench: &Bench) {
    let prepared = bench.prepared(&[]);
    let count = |folder: &str| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let temporary = std::env::temp_dir();
    let state = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: u64 = line
            .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0);
        (
            kib,
            count("/proc/self/fd"),
            count("/proc/self/task"),
            count(temporary.to_str().unwrap_or("/tmp")),
        )
    };
    for _ in 0..2000 {
        run(&prepared, "open('/tmp/x', 'w').write('x')");
    }
    prepared.image.verify_slots().expect("slots are verified");
    let before = state();
    for k in 0..100_000 {
        run(
            &prepared,
            if k % 10 == 0 {
                "open('/tmp/x', 'w').write('x')"
            } else {
                "1+1"
            },
        );
    }
    prepared.image.verify_slots().expect("slots are verified");
    let after = state();
    println!("| | before | after 100,000 runs |\n|---|---|---|");
    println!("| private memory, KiB | {} | {} |", before.0, after.0);
    println!("| descriptors | {} | {} |", before.1, after.1);
    println!("| threads | {} | {} |", before.2, after.2);
    println!("| temporary files | {} | {} |", before.3, after.3);
}
