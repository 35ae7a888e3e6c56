//! Sessions as a server uses them: handles, bounds, restarts, and processes that are killed.

use prims_interpreter::{Call, CallReport, Error, Memory, NewSession, SessionError, SessionSettings, Sessions};
use prims_sandbox::{Cancel, Discarded, Exit, Invocation};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const DEFAULT: SessionSettings = SessionSettings::DEFAULT;

pub(super) fn open(folder: &Path, settings: SessionSettings) -> Sessions {
    Sessions::open(super::states::interpreter().clone(), folder, settings).expect("the folder is ours")
}

pub(super) fn stateful(sessions: &Sessions) -> String {
    let new = NewSession {
        stateful: true,
        ..NewSession::default()
    };
    sessions.create(&new).expect("there is room").handle.to_string()
}

fn call(code: &str) -> Call {
    Call {
        requirements: vec![],
        invocation: Invocation::new(code),
        patience: None,
    }
}

pub(super) fn run(sessions: &Sessions, handle: &str, code: &str) -> CallReport {
    sessions.run(handle, None, &call(code)).expect("the host does its part")
}

pub(super) fn value(sessions: &Sessions, handle: &str, code: &str) -> String {
    super::value(&run(sessions, handle, code).outcome)
}

/// Runs code that must come to its end.
#[track_caller]
pub(super) fn does(sessions: &Sessions, handle: &str, code: &str) {
    let exit = run(sessions, handle, code).outcome.exit;
    assert!(matches!(exit, Exit::Completed(_)), "{code}: {exit:?}");
}

fn session_error<T: std::fmt::Debug>(result: Result<T, Error>) -> SessionError {
    match result {
        Err(Error::Session(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_keeps_files_and_a_stateful_one_its_names_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let plain = sessions
        .create(&NewSession::default())
        .expect("there is room")
        .handle
        .to_string();
    assert_eq!(
        run(&sessions, &plain, "open('a', 'w').write('x')\nx = 1").memory,
        Memory::NotKept
    );
    assert_eq!(
        value(&sessions, &plain, "(open('a').read(), 'x' in globals())"),
        "('x', False)"
    );

    let handle = stateful(&sessions);
    let report = run(&sessions, &handle, "def f(): return 1 / 0\nopen('b', 'w').write('y')");
    assert!(
        matches!(report.memory, Memory::Kept { bytes } if bytes > 0),
        "{:?}",
        report.memory
    );
    let Exit::Raised(error) = run(&sessions, &handle, "f()").outcome.exit else {
        panic!("it divides by zero")
    };
    assert!(
        error
            .traceback
            .contains("<call 1>\", line 1, in f\n    def f(): return 1 / 0"),
        "{}",
        error.traceback
    );
    // What is cut off is rolled back, and the session goes on; its files are as the call left them.
    let report = run(
        &sessions,
        &handle,
        "f = None\nopen('c', 'w').write('z')\nimport os\nos.abort()",
    );
    assert_eq!(report.memory, Memory::RolledBack(Discarded::CutOff));
    assert_eq!(
        value(&sessions, &handle, "(callable(f), open('b').read(), open('c').read())"),
        "(True, 'y', 'z')"
    );
    assert_eq!(sessions.info(&handle, None).expect("it is there").calls, 3);
    // Neither sees the other's files.
    assert_eq!(value(&sessions, &plain, "import os\nos.listdir()"), "['a']");
}

#[test]
fn a_restart_finds_everything_and_only_one_process_has_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let (kept, closed) = (stateful(&sessions), stateful(&sessions));
    does(&sessions, &kept, "x = [1]\nopen('a', 'w').write('x')");
    does(&sessions, &kept, "x.append(2)");
    does(&sessions, &closed, "x = 1");
    sessions.close(&closed, None).expect("it is there");
    let again = Sessions::open(super::states::interpreter().clone(), folder.path(), DEFAULT);
    assert!(matches!(session_error(again.map(drop)), SessionError::Locked));
    drop(sessions);

    let sessions = open(folder.path(), DEFAULT);
    let report = run(&sessions, &kept, "(x, open('a').read())");
    assert_eq!(
        (super::value(&report.outcome).as_str(), report.started_over),
        ("([1, 2], 'x')", None)
    );
    let Exit::Completed(Some(_)) = run(&sessions, &kept, "x.append(3)\nx").outcome.exit else {
        panic!("it has a value")
    };
    assert_eq!(sessions.list(None).len(), 1);
    assert!(matches!(
        session_error(sessions.info(&closed, None)),
        SessionError::Unknown
    ));
    drop(sessions);

    // A damaged state is noticed; the session goes on without its names, but with its files.
    for entry in std::fs::read_dir(folder.path().join("sessions").join(&kept))
        .expect("it is there")
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with("state-") {
            let mut bytes = std::fs::read(entry.path()).expect("it reads");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(entry.path(), bytes).expect("it is written");
        }
    }
    let sessions = open(folder.path(), DEFAULT);
    let report = run(&sessions, &kept, "('x' in globals(), open('a').read())");
    assert_eq!(super::value(&report.outcome), "(False, 'x')");
    assert!(report.started_over.is_some_and(|reason| reason.contains("damaged")));
}

#[test]
fn copies_of_images_go_with_the_last_session_that_needs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = |spare| SessionSettings {
        spare_images: Duration::from_secs(spare),
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings(0));
    let copies = || {
        let listed = std::fs::read_dir(folder.path().join("images/v1/image"))
            .into_iter()
            .flatten();
        let names = listed.flatten().filter(|entry| entry.path().extension().is_none());
        names.count()
    };
    let handles = [stateful(&sessions), stateful(&sessions)];
    for handle in &handles {
        does(&sessions, handle, "x = 1");
    }
    assert_eq!(copies(), 1);
    sessions.close(&handles[0], None).expect("it is there");
    sessions.expire();
    assert_eq!((copies(), value(&sessions, &handles[1], "x").as_str()), (1, "1"));
    sessions.close(&handles[1], None).expect("it is there");
    sessions.expire();
    assert_eq!(copies(), 0);
    // And another is made when one is needed again.
    let handle = stateful(&sessions);
    does(&sessions, &handle, "x = 2");
    assert_eq!(copies(), 1);
    drop(sessions);
    // The next session may come soon.
    let sessions = open(folder.path(), settings(600));
    let other = stateful(&sessions);
    does(&sessions, &other, "y = 1");
    assert_eq!(value(&sessions, &handle, "x"), "2");
    for handle in [handle, other] {
        sessions.close(&handle, None).expect("it is there");
    }
    sessions.expire();
    assert_eq!(copies(), 1);
}

#[test]
fn a_session_outlives_the_cache() {
    let (folder, cache) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    // A copy of compiled code would do as well; compiling it again takes long.
    let handle = {
        let sessions = open(folder.path(), DEFAULT);
        let handle = stateful(&sessions);
        does(&sessions, &handle, "x = 'outlived'");
        handle
    };
    // The image of the usual cache is another one from here on, for this interpreter at least.
    let usual = prims_cache::Cache::open(None).expect("the usual cache");
    let private = prims_cache::Cache::open(Some(cache.path())).expect("a private cache");
    copy_kind(usual.location().path(), private.location().path(), "code");
    let index = prims_packages::BundledIndex::new(&prims_wasm::guest::wheels()).expect("the wheels' names read");
    let guest = super::states::guest(&private);
    let interpreter = prims_interpreter::Interpreter::new(guest, index, private, prims_sandbox::Options::default());
    let interpreter = interpreter.expect("the guest is compiled");
    let sessions = Sessions::open(interpreter.clone(), folder.path(), DEFAULT).expect("the folder is ours");
    let built = interpreter.prepare(&[]).expect("nothing is asked for");
    let usual = super::states::interpreter().prepare(&[]).expect("nothing is asked for");
    assert_ne!(built.image.identity(), usual.image.identity());
    let report = run(&sessions, &handle, "x");
    assert_eq!(
        (super::value(&report.outcome).as_str(), report.started_over),
        ("'outlived'", None)
    );
}

fn copy_kind(from: &Path, to: &Path, kind: &str) {
    let (from, to) = (from.join("v1").join(kind), to.join("v1").join(kind));
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("it is there").flatten() {
        if entry.path().extension().is_none() {
            let _ = std::fs::copy(entry.path(), to.join(entry.file_name()));
        }
    }
}

#[test]
fn unknown_foreign_and_expired_handles_are_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let mine = NewSession {
        owner: Some("alice".into()),
        ..NewSession::default()
    };
    let short = NewSession {
        idle: Some(Duration::from_millis(50)),
        ..mine.clone()
    };
    let mine = sessions.create(&mine).expect("there is room").handle.to_string();
    let short = sessions.create(&short).expect("there is room").handle.to_string();
    std::thread::sleep(Duration::from_millis(80));
    let unknown = "a".repeat(32);
    for (handle, owner) in [
        (mine.as_str(), None),
        (&mine, Some("bob")),
        (&mine.to_uppercase(), Some("alice")),
        (&unknown, Some("alice")),
        (&short, Some("alice")),
        ("../x", None),
        ("", Some("alice")),
    ] {
        let errors = [
            session_error(sessions.run(handle, owner, &call("1"))),
            session_error(sessions.info(handle, owner)),
            session_error(sessions.fork(handle, owner)),
            session_error(sessions.reset(handle, owner, true)),
            session_error(sessions.close(handle, owner)),
            session_error(sessions.workspace(handle, owner)),
        ];
        assert!(
            errors.iter().all(|error| matches!(error, SessionError::Unknown)),
            "{handle} {owner:?}"
        );
    }
    assert_eq!(sessions.list(Some("alice")).len(), 1);
    assert_eq!((sessions.list(None).len(), sessions.list(Some("bob")).len()), (0, 0));
    assert!(sessions.run(&mine, Some("alice"), &call("1")).is_ok());
    let left = std::fs::read_dir(folder.path().join("sessions"))
        .expect("it is there")
        .count();
    assert_eq!(left, 1, "what expired is removed");
}

#[test]
fn counts_and_lifetimes_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        per_owner: 2,
        total: 3,
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let new = |owner: &str| NewSession {
        owner: Some(owner.into()),
        ..NewSession::default()
    };
    for _ in 0..2 {
        sessions.create(&new("alice")).expect("there is room");
    }
    let error = session_error(sessions.create(&new("alice")));
    assert!(matches!(error, SessionError::TooMany { limit: 2, .. }), "{error}");
    sessions.create(&new("bob")).expect("there is room");
    let error = session_error(sessions.create(&new("carol")));
    assert!(matches!(error, SessionError::TooMany { limit: 3, .. }), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        total: 1,
        lifetime: Duration::from_millis(100),
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let long = NewSession {
        // Longer than allowed: it is cut.
        lifetime: Some(Duration::from_secs(3600)),
        ..new("carol")
    };
    sessions.create(&long).expect("there is room");
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(sessions.expire(), 1);
    sessions.create(&new("carol")).expect("there is room again");
}

#[test]
fn calls_of_one_session_wait_for_each_other_and_sessions_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let (handle, other) = (stateful(&sessions), stateful(&sessions));
    does(&sessions, &handle, "n = 0");
    let cancel = Cancel::new();
    let endless = Call {
        invocation: Invocation {
            cancel: cancel.clone(),
            ..Invocation::new("n = 100\nwhile True: pass")
        },
        ..call("")
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sessions.run(&handle, None, &endless));
        let impatient = Call {
            patience: Some(Duration::from_millis(50)),
            ..call("n")
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        let busy = loop {
            match sessions.run(&handle, None, &impatient) {
                Err(Error::Session(busy)) => break busy,
                _ => assert!(Instant::now() < deadline, "nobody was busy"),
            }
        };
        assert!(matches!(busy, SessionError::Busy { waited } if waited >= Duration::from_millis(50)));
        assert_eq!(value(&sessions, &other, "1 + 1"), "2");
        cancel.cancel();
        let report = running.join().expect("no panic").expect("the host does its part");
        assert_eq!(report.memory, Memory::RolledBack(Discarded::CutOff));
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    does(&sessions, &handle, "n += 1");
                }
            });
        }
    });
    assert_eq!(value(&sessions, &handle, "n"), "20");
}

#[test]
fn a_session_that_is_closed_in_use_goes_when_its_call_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        idle: Duration::from_secs(2),
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let handle = stateful(&sessions);
    let left = || {
        std::fs::read_dir(folder.path().join("sessions"))
            .expect("it is there")
            .count()
    };
    let cancel = Cancel::new();
    let long = Call {
        invocation: Invocation {
            cancel: cancel.clone(),
            ..Invocation::new("open('started', 'w').close()\nwhile True: pass")
        },
        ..call("")
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sessions.run(&handle, None, &long));
        let started = folder.path().join("sessions").join(&handle).join("workspace/started");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !started.exists() {
            assert!(Instant::now() < deadline, "it does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        // A call that takes longer than a session may be idle is no idleness.
        std::thread::sleep(Duration::from_millis(2200));
        assert_eq!((sessions.expire(), left()), (0, 1));
        sessions.close(&handle, None).expect("it is there");
        assert!(matches!(
            session_error(sessions.info(&handle, None)),
            SessionError::Unknown
        ));
        cancel.cancel();
        let report = running.join().expect("no panic").expect("the host does its part");
        assert_eq!(report.memory, Memory::RolledBack(Discarded::CutOff));
    });
    assert_eq!(left(), 0);
}

#[test]
fn forks_have_their_own_names_and_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    does(
        &sessions,
        &handle,
        "import os\nx = [1]\nos.makedirs('d/e')\nopen('d/e/a', 'w').write('x')\nos.symlink('d/e/a', 'link')",
    );
    let fork = sessions.fork(&handle, None).expect("there is room").handle.to_string();
    does(
        &sessions,
        &handle,
        "x.append('parent')\nopen('d/e/a', 'w').write('parent')",
    );
    assert_eq!(
        value(
            &sessions,
            &fork,
            "x.append('fork')\n(x, open('d/e/a').read(), open('link').read())"
        ),
        "([1, 'fork'], 'x', 'x')"
    );
    assert_eq!(
        value(&sessions, &handle, "(x, open('d/e/a').read())"),
        "([1, 'parent'], 'parent')"
    );
    // The fork has what it needs, also after a restart without its parent.
    let again = sessions.fork(&fork, None).expect("there is room").handle.to_string();
    sessions.close(&handle, None).expect("it is there");
    sessions.close(&fork, None).expect("it is there");
    drop(sessions);
    let sessions = open(folder.path(), DEFAULT);
    assert_eq!(
        value(&sessions, &again, "(x, open('d/e/a').read())"),
        "([1, 'fork'], 'x')"
    );
}

/// The numbers of files with this prefix in a session's folder.
fn numbers(folder: &Path, handle: &str, prefix: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(folder.join("sessions").join(handle)).expect("it is there");
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok();
    let mut numbers: Vec<u64> = entries.flatten().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn calls_append_to_a_log_that_is_written_whole_now_and_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    value(&sessions, &handle, "x = []");
    let (mut logs, mut bases) = (0, std::collections::BTreeSet::new());
    for k in 0..40 {
        value(&sessions, &handle, &format!("x.append(bytes([{k}]) * 50_000)"));
        logs += usize::from(!numbers(folder.path(), &handle, "log-").is_empty());
        bases.extend(numbers(folder.path(), &handle, "state-").last().copied());
    }
    assert!(
        logs > 20 && (2..20).contains(&bases.len()),
        "{logs} logs, states {bases:?}"
    );
    assert_eq!(sessions.info(&handle, None).expect("it is there").calls, 41);
    drop(sessions);
    let sessions = open(folder.path(), DEFAULT);
    assert_eq!(sessions.info(&handle, None).expect("it is there").calls, 41);
    let report = run(&sessions, &handle, "(len(x), {len(set(b)) for b in x}, x[-1][0])");
    assert_eq!(
        (super::value(&report.outcome).as_str(), report.started_over),
        ("(40, {1}, 39)", None)
    );
    // What is not the last state's is gone when that has reached the disk.
    let deadline = Instant::now() + Duration::from_secs(60);
    while numbers(folder.path(), &handle, "state-") != [42] || !numbers(folder.path(), &handle, "log-").is_empty() {
        assert!(Instant::now() < deadline, "older states stay");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_log_that_is_cut_or_damaged_costs_what_came_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let handle = {
        let sessions = open(folder.path(), DEFAULT);
        let handle = stateful(&sessions);
        for k in 0..4 {
            value(&sessions, &handle, &format!("x = {k}"));
        }
        handle
    };
    assert_eq!(numbers(folder.path(), &handle, "log-"), [1]);
    let path = folder.path().join("sessions").join(&handle).join("log-1");
    let log = std::fs::read(&path).expect("it is there");
    // As a process leaves it that is killed while it writes.
    std::fs::write(&path, &log[..log.len() - 1]).expect("it is written");
    {
        let sessions = open(folder.path(), DEFAULT);
        let report = run(&sessions, &handle, "x");
        assert_eq!(
            (super::value(&report.outcome).as_str(), report.started_over),
            ("2", None)
        );
        assert_eq!(sessions.info(&handle, None).expect("it is there").calls, 4);
        value(&sessions, &handle, "x = 'again'\ny = 1");
        value(&sessions, &handle, "y = 2");
    }
    let path = folder.path().join("sessions").join(&handle).join("log-4");
    let mut log = std::fs::read(&path).expect("it is there");
    let last = log.len() - 1;
    log[last] ^= 1;
    std::fs::write(&path, log).expect("it is written");
    let sessions = open(folder.path(), DEFAULT);
    let report = run(&sessions, &handle, "(x, y)");
    assert_eq!(super::value(&report.outcome), "('again', 1)");
    let reason = report.started_over.expect("something was lost");
    assert!(
        reason.contains("damaged") && reason.contains("an earlier one was found"),
        "{reason}"
    );
    // It goes on from there.
    assert_eq!(value(&sessions, &handle, "y += 1\ny"), "2");
}

#[test]
fn forks_made_between_and_during_calls_share_what_was_and_nothing_that_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    value(&sessions, &handle, "n = 0\nblob = b''");
    let mut forks = vec![];
    std::thread::scope(|scope| {
        let calls = scope.spawn(|| {
            for _ in 0..30 {
                value(&sessions, &handle, "n += 1\nblob = bytes([n]) * 40_000\nlast = n");
            }
        });
        while forks.len() < 15 {
            let fork = sessions.fork(&handle, None).expect("there is room").handle.to_string();
            let before: u64 = value(&sessions, &fork, "assert n == 0 or (set(blob) == {n} and last == n)\nn")
                .parse()
                .expect("a number");
            value(&sessions, &fork, "own = n\nn += 1000");
            forks.push((fork, before));
        }
        calls.join().expect("no panic");
    });
    assert_eq!(value(&sessions, &handle, "(n, 'own' in globals())"), "(30, False)");
    drop(sessions);
    let sessions = open(folder.path(), DEFAULT);
    for (fork, before) in &forks {
        let report = run(&sessions, fork, "(own, n)");
        assert_eq!(super::value(&report.outcome), format!("({before}, {})", before + 1000));
        assert_eq!(report.started_over, None);
    }
    assert_eq!(value(&sessions, &handle, "(n, set(blob))"), "(30, {30})");
    // A fork of a session whose state and log are older than the process.
    sessions.close(&handle, None).expect("it is there");
    let again = sessions
        .fork(&forks[0].0, None)
        .expect("there is room")
        .handle
        .to_string();
    assert_eq!(value(&sessions, &again, "n - own"), "1000");
}

#[test]
fn a_reset_session_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    does(&sessions, &handle, "x = 1\nopen('a', 'w').write('x')");
    sessions.reset(&handle, None, false).expect("it is there");
    assert_eq!(
        value(&sessions, &handle, "('x' in globals(), open('a').read())"),
        "(False, 'x')"
    );
    does(&sessions, &handle, "x = 2");
    // What an earlier reset could not remove is not in the way of this one.
    let of_session = folder.path().join("sessions").join(&handle);
    std::fs::create_dir_all(of_session.join("spool/old/left")).expect("it is made");
    sessions.reset(&handle, None, true).expect("it is there");
    drop(sessions);
    // A process that was killed between removing a state and its log leaves the log.
    std::fs::write(of_session.join("log-7"), "of no state").expect("it is written");
    let sessions = open(folder.path(), DEFAULT);
    assert!(!of_session.join("log-7").exists() && !of_session.join("spool/old").exists());
    assert_eq!(
        value(&sessions, &handle, "import os\n('x' in globals(), os.listdir())"),
        "(False, [])"
    );
}

#[test]
fn a_session_keeps_its_packages_until_it_is_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    let with_numpy = |code: &str| Call {
        requirements: vec!["numpy".into()],
        ..call(code)
    };
    let report = sessions.run(&handle, None, &with_numpy("import numpy as np\na = np.arange(3)"));
    assert_eq!(report.expect("it runs").packages.len(), 1);
    assert_eq!(value(&sessions, &handle, "int(a.sum())"), "3");
    assert!(sessions.run(&handle, None, &with_numpy("a")).is_ok());
    let other = Call {
        requirements: vec!["numpy>=2".into()],
        ..call("a")
    };
    let error = session_error(sessions.run(&handle, None, &other));
    assert!(matches!(error, SessionError::Environment { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "the session runs with `numpy`, the call asks for `numpy>=2`"
    );
    sessions.reset(&handle, None, false).expect("it is there");
    assert!(sessions.run(&handle, None, &other).is_ok());
}

#[test]
fn a_state_that_is_too_large_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        state_bytes: 8 << 20,
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let handle = stateful(&sessions);
    does(&sessions, &handle, "x = 1");
    let report = run(&sessions, &handle, "x = bytes(range(256)) * (64 << 10)\nlen(x)");
    assert_eq!(super::value(&report.outcome), "16777216");
    assert!(
        matches!(report.memory, Memory::RolledBack(Discarded::TooLarge { bytes, limit: 8388608 }) if bytes > 16 << 20),
        "{:?}",
        report.memory
    );
    assert_eq!(value(&sessions, &handle, "x"), "1");
}

#[test]
fn states_leave_memory_when_there_are_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        resident_bytes: 4 << 20,
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let handles: Vec<String> = (0..12).map(|_| stateful(&sessions)).collect();
    for (k, handle) in handles.iter().enumerate() {
        does(&sessions, handle, &format!("x = {k}"));
    }
    let (count, resident) = sessions.usage();
    assert!(count == 12 && resident <= 4 << 20, "{resident} bytes");
    for (k, handle) in handles.iter().enumerate() {
        assert_eq!(value(&sessions, handle, "x"), k.to_string());
    }
}

#[test]
fn a_thousand_idle_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        per_owner: DEFAULT.total,
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let handle = stateful(&sessions);
    does(&sessions, &handle, "x = [0]");
    let handles: Vec<String> = (1..1000)
        .map(|_| sessions.fork(&handle, None).expect("there is room").handle.to_string())
        .collect();
    for (k, handle) in handles.iter().enumerate().step_by(111) {
        does(&sessions, handle, &format!("x.append({k})"));
    }
    for (k, handle) in handles.iter().enumerate().step_by(111) {
        assert_eq!(value(&sessions, handle, "x"), format!("[0, {k}]"));
    }
    let error = session_error(sessions.fork(&handle, None));
    assert!(matches!(error, SessionError::TooMany { limit: 1000, .. }), "{error}");
}

#[test]
fn data_folders_others_can_write_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let open = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(), permissions).expect("it is ours");
        Sessions::open(super::states::interpreter().clone(), folder.path(), DEFAULT).map(drop)
    };
    assert!(matches!(session_error(open(0o777)), SessionError::Folder(_)));
    assert!(matches!(session_error(open(0o770)), SessionError::Folder(_)));
    open(0o755).expect("nobody else can write it");
}

const ROLE: &str = "PRIMS_SESSIONS_TEST_FOLDER";

/// Not a test of its own: a process that counts in a session, says each answer, and is killed. Without a role it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(ROLE) else { return };
    let sessions = open(Path::new(&folder), DEFAULT);
    let handle = match sessions.list(None).first() {
        Some(info) => info.handle.to_string(),
        None => stateful(&sessions),
    };
    let mut out = std::io::stdout().lock();
    loop {
        let n = value(
            &sessions,
            &handle,
            "n = globals().get('n', 0) + 1\nblob = bytes([n % 256]) * 3_000_000\nn",
        );
        writeln!(out, "answered {n}").expect("the parent listens");
    }
}

fn start_child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "sessions::child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

#[test]
fn a_process_that_is_killed_loses_nothing_it_had_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut answered = 0u64;
    for round in 0..30u64 {
        let mut child = start_child(folder.path());
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // At a different point each time: after some answers, and then some part of the time a call takes.
        let mut told = 0;
        while told < 1 + round % 3 {
            let line = lines.next().expect("the child goes on").expect("it is text");
            if let Some(number) = line.split("answered ").nth(1) {
                let number: u64 = number.parse().unwrap_or_else(|_| panic!("round {round}: {line}"));
                assert!(number > answered, "round {round}: {number} after {answered}");
                (answered, told) = (number, told + 1);
            }
        }
        std::thread::sleep(Duration::from_micros(round * 397 % 12_000));
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        // What it had said before the kill was seen.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let last = rest
            .iter()
            .filter_map(|line| line.split("answered ").nth(1)?.parse().ok())
            .next_back();
        answered = last.unwrap_or(answered);
        let sessions = open(folder.path(), DEFAULT);
        let handle = sessions.list(None).first().expect("it is there").handle.to_string();
        let report = run(
            &sessions,
            &handle,
            "assert set(blob) == {n % 256} and len(blob) == 3_000_000\nn",
        );
        let n: u64 = super::value(&report.outcome).parse().expect("a number");
        assert_eq!(report.started_over, None);
        assert!(
            n == answered || n == answered + 1,
            "round {round}: {n}, answered was {answered}"
        );
        answered = n;
    }
}
