//! What files do is what they do in wasmtime-wasi's own preview 1, but for what is different on purpose.

use std::collections::BTreeMap;

use wasmtime::Linker;
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::harness::*;
use super::random_calls::{Numbers, storms};
use crate::wasi::abi::{Errno, bits};

fn theirs(host: &Host) -> Guest<WasiP1Ctx> {
    let mut linker = Linker::new(&MODULE.0);
    add_to_linker_sync(&mut linker, |context| context).unwrap();
    linker.define_unknown_imports_as_traps(&MODULE.1).unwrap();
    let mut context = WasiCtxBuilder::new();
    context.allow_blocking_current_thread(true);
    for (name, permissions) in [
        ("ro", FsPerms::ReadOnly),
        ("work", FsPerms::ReadWrite),
        ("other", FsPerms::ReadWrite),
    ] {
        context
            .preopened_dir(host.folder.path().join(name), format!("/{name}"), permissions)
            .unwrap();
    }
    Guest::with(&linker, context.build_p1())
}

/// What is written into files.
static TEXT: [u8; 600] = {
    let mut text = [0; 600];
    let mut index = 0;
    while index < text.len() {
        text[index] = (index * 7 + index / 256) as u8;
        index += 1;
    }
    text
};

/// One thing a guest does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(u32, &'static str, u32, u32, u64, u32),
    Close(u32),
    Read(u32, u32),
    ReadAt(u32, u32, u64),
    Write(u32, usize),
    WriteAt(u32, usize, u64),
    Seek(u32, i64, u32),
    Resize(u32, u64),
    Renumber(u32, u32),
    Status(u32),
    Stat(u32, &'static str, u32),
    List(u32),
    CreateDirectory(u32, &'static str),
    RemoveDirectory(u32, &'static str),
    Unlink(u32, &'static str),
    Rename(u32, &'static str, u32, &'static str),
    Link(u32, &'static str, u32, &'static str),
    Symlink(&'static str, u32, &'static str),
    ReadLink(u32, &'static str),
}

const PATHS: [&str; 17] = [
    "a", "b", "d", "d/a", "d/e", "d/e/f", ".", "d/", "d/.", "d/../a", "a/", "link", "link/", "link/a", "none/a", "/a",
    "",
];

fn step(numbers: &mut Numbers) -> Step {
    let choice = numbers.below(26);
    let in_file = (5..=15).contains(&choice);
    let mut fd = || match in_file {
        true => numbers.pick(&[6, 6, 6, 7, 7, 8, 9, 10, WORK]),
        false => numbers.pick(&[WORK, WORK, WORK, WORK, WORK, WORK, RO, 6, 7, 8]),
    };
    let (fd, other_fd) = (fd(), fd());
    let (path, other) = (numbers.pick(&PATHS), numbers.pick(&PATHS));
    // Writing nothing moves their position to the end of a file opened for appending.
    let len = 1 + numbers.below(299) as usize;
    let lookup = numbers.below(2) as u32;
    match choice {
        0..=4 => {
            let oflags = numbers.pick(&[
                0,
                0,
                bits::O_CREAT,
                bits::O_CREAT,
                bits::O_DIRECTORY,
                bits::O_TRUNC,
                5,
                9,
            ]);
            let fdflags = numbers.pick(&[0, 0, bits::FD_APPEND, bits::FD_NONBLOCK]);
            let mut rights = numbers.pick(&[READ, WRITE, READ | WRITE]);
            if oflags & (bits::O_CREAT | bits::O_TRUNC) != 0 {
                // Theirs can be written to whatever was asked for.
                rights |= WRITE;
            }
            Step::Open(fd, path, lookup, oflags, rights, fdflags)
        }
        5 => Step::Close(6 + numbers.below(6) as u32),
        6 | 7 => Step::Read(fd, numbers.below(500) as u32),
        8 => Step::ReadAt(fd, numbers.below(500) as u32, numbers.below(2000)),
        9 | 10 => Step::Write(fd, len),
        11 => Step::WriteAt(fd, len, numbers.below(2000)),
        12 => Step::Seek(fd, numbers.below(1000) as i64 - 300, numbers.below(3) as u32),
        13 => Step::Resize(fd, numbers.below(3000)),
        14 => Step::Renumber(6 + numbers.below(6) as u32, 6 + numbers.below(6) as u32),
        15 => Step::Status(fd),
        16 => Step::Stat(fd, path, lookup),
        17 => Step::List(fd),
        18 | 19 => Step::CreateDirectory(fd, path),
        20 => Step::RemoveDirectory(fd, path),
        21 => Step::Unlink(fd, path),
        22 => Step::Rename(fd, path, other_fd, other),
        23 => Step::Link(fd, path, other_fd, other),
        24 => Step::Symlink(numbers.pick(&["a", "d", "d/a", "link", "none"]), fd, path),
        _ => Step::ReadLink(fd, path),
    }
}

impl Step {
    /// The same with other descriptors.
    fn with(self, fd: impl Fn(u32) -> u32) -> Step {
        match self {
            Step::Open(at, path, lookup, oflags, rights, fdflags) => {
                Step::Open(fd(at), path, lookup, oflags, rights, fdflags)
            }
            Step::Close(it) => Step::Close(fd(it)),
            Step::Read(it, len) => Step::Read(fd(it), len),
            Step::ReadAt(it, len, at) => Step::ReadAt(fd(it), len, at),
            Step::Write(it, len) => Step::Write(fd(it), len),
            Step::WriteAt(it, len, at) => Step::WriteAt(fd(it), len, at),
            Step::Seek(it, delta, whence) => Step::Seek(fd(it), delta, whence),
            Step::Resize(it, size) => Step::Resize(fd(it), size),
            Step::Renumber(from, to) => Step::Renumber(fd(from), fd(to)),
            Step::Status(it) => Step::Status(fd(it)),
            Step::Stat(at, path, lookup) => Step::Stat(fd(at), path, lookup),
            Step::List(it) => Step::List(fd(it)),
            Step::CreateDirectory(at, path) => Step::CreateDirectory(fd(at), path),
            Step::RemoveDirectory(at, path) => Step::RemoveDirectory(fd(at), path),
            Step::Unlink(at, path) => Step::Unlink(fd(at), path),
            Step::Rename(at, path, to, other) => Step::Rename(fd(at), path, fd(to), other),
            Step::Link(at, path, to, other) => Step::Link(fd(at), path, fd(to), other),
            Step::Symlink(target, at, path) => Step::Symlink(target, fd(at), path),
            Step::ReadLink(at, path) => Step::ReadLink(fd(at), path),
        }
    }
}

/// What came of a step, as text; times and device numbers are left out.
fn take<T>(guest: &mut Guest<T>, step: &Step) -> Answer<String> {
    let stat = |stat: Stat| {
        format!(
            "{} {} {}",
            stat.filetype,
            stat.nlink,
            if stat.filetype == 3 { 0 } else { stat.size }
        )
    };
    match step {
        Step::Open(fd, path, lookup, oflags, rights, fdflags) => guest
            .open_with(*fd, path, *lookup, *oflags, *rights, *fdflags)
            .map(|fd| fd.to_string()),
        Step::Close(fd) => guest.close(*fd).map(|()| String::new()),
        Step::Read(fd, len) => guest.read(*fd, *len).map(|bytes| format!("{bytes:?}")),
        Step::ReadAt(fd, len, at) => guest.pread(*fd, *len, *at).map(|bytes| format!("{bytes:?}")),
        Step::Write(fd, len) => guest.write(*fd, &TEXT[..*len]).map(|len| len.to_string()),
        Step::WriteAt(fd, len, at) => guest.pwrite(*fd, &TEXT[*len..2 * *len], *at).map(|len| len.to_string()),
        Step::Seek(fd, delta, whence) => guest.seek(*fd, *delta, *whence).map(|at| at.to_string()),
        Step::Resize(fd, size) => guest
            .ask("fd_filestat_set_size", &[(*fd).into(), *size as i64])
            .map(|()| String::new()),
        Step::Renumber(from, to) => guest
            .ask("fd_renumber", &[(*from).into(), (*to).into()])
            .map(|()| String::new()),
        Step::Status(fd) => guest.fstat(*fd).map(stat),
        Step::Stat(fd, path, lookup) => guest.stat(*fd, path, *lookup).map(stat),
        Step::List(fd) => guest.list(*fd, 1000).map(|entries| {
            let mut names: Vec<_> = entries.into_iter().map(|entry| (entry.name, entry.filetype)).collect();
            names.sort();
            format!("{names:?}")
        }),
        Step::CreateDirectory(fd, path) => guest.mkdir(*fd, path).map(|()| String::new()),
        Step::RemoveDirectory(fd, path) => guest.at("path_remove_directory", *fd, path).map(|()| String::new()),
        Step::Unlink(fd, path) => guest.unlink(*fd, path).map(|()| String::new()),
        Step::Rename(fd, path, to, other) => guest.rename(*fd, path, *to, other).map(|()| String::new()),
        Step::Link(fd, path, to, other) => guest.link(*fd, path, *to, other).map(|()| String::new()),
        Step::Symlink(target, fd, path) => guest.symlink(target, *fd, path).map(|()| String::new()),
        Step::ReadLink(fd, path) => guest.readlink(*fd, path),
    }
}

/// Whether both answers are as they should be: the same, or two errors that differ for a reason.
fn agree(step: &Step, ours: &Answer<String>, theirs: &Answer<String>) -> bool {
    use Errno::{Badf, Inval, Isdir, Loop, Noent, Notdir, Rofs};
    if matches!(step, Step::Stat(_, path, 0) if path.ends_with('/') || path.ends_with("/.")) {
        // Theirs looks at the link itself, which no system does.
        return true;
    }
    if matches!((step, ours), (Step::List(_), Ok(names)) if names == "[]") {
        // A directory that was removed while it was open has no entries at all. They make up two.
        return true;
    }
    match (ours, theirs) {
        // They give out the highest free number, where systems give out the lowest.
        (Ok(ours), Ok(theirs)) => ours == theirs || matches!(step, Step::Open(..)),
        (Err(ours), Err(theirs)) if ours == theirs => true,
        // A read-only mount says that it is one, before anything else is looked at.
        (Err(Rofs), Err(_)) => true,
        // Where two paths are wrong, either can be complained of.
        (Err(_), Err(_)) if matches!(step, Step::Rename(..) | Step::Link(..)) => true,
        // Creating a file with the name of a directory is wrong in more than one way.
        (Err(Notdir | Loop | Noent), Err(Isdir)) => matches!(step, Step::Open(..)),
        // What is done to a directory, or in a file, says so.
        (Err(Isdir | Notdir), Err(Badf)) => true,
        // Files know what they were opened for before the host is asked.
        (Err(Badf), Err(Inval)) => matches!(step, Step::Resize(..)),
        _ => false,
    }
}

#[test]
fn files_do_what_they_do_elsewhere() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let mut succeeded = 0;
    for round in 0..40 * storms() {
        let (our_host, their_host) = (Host::new(), Host::new());
        let (mut ours, mut theirs) = (our_host.guest(), theirs(&their_host));
        let mut history = Vec::new();
        let mut numbering = BTreeMap::from([RO, WORK, OTHER].map(|fd| (fd, fd)));
        for host in [&our_host, &their_host] {
            std::fs::create_dir_all(host.work().join("d/e")).unwrap();
            std::fs::write(host.work().join("a"), &TEXT[..]).unwrap();
            std::fs::write(host.work().join("d/a"), &TEXT[..100]).unwrap();
        }
        for _ in 0..250 {
            let step = step(&mut numbers);
            // Numbers that are not open are not open to them either.
            let their_step = step.with(|fd| numbering.get(&fd).copied().unwrap_or(fd + 1000));
            let (our_answer, their_answer) = (take(&mut ours, &step), take(&mut theirs, &their_step));
            match (&step, &our_answer, &their_answer) {
                (Step::Open(..), Ok(ours), Ok(theirs)) => {
                    numbering.insert(ours.parse().unwrap(), theirs.parse().unwrap());
                }
                (Step::Close(fd), Ok(_), _) => {
                    numbering.remove(fd);
                }
                (Step::Renumber(from, to), Ok(_), _) if from != to => {
                    numbering.remove(from);
                }
                _ => {}
            }
            succeeded += u32::from(our_answer.is_ok());
            let agreed = agree(&step, &our_answer, &their_answer);
            history.push(format!("{step:?} {our_answer:?}"));
            assert!(
                agreed,
                "round {round}: {}\ntheirs: {their_answer:?}",
                history.join("\n")
            );
        }
    }
    assert!(succeeded > 1000, "{succeeded}");
}
