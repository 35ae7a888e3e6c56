//! Rows 18 and 28 of the abuse cases: descriptors.

use super::harness::*;
use crate::wasi::abi::{Errno, bits};

/// Descriptors of this process below a folder. Tests beside this one open files too: theirs do not count.
fn open_below(folder: &std::path::Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    targets.filter(|target| target.starts_with(folder)).count()
}

#[test]
fn there_are_only_so_many() {
    let host = Host::with_quota(1 << 20, 1000);
    let mut guest = host.guest();
    let mut open = Vec::new();
    let error = loop {
        match guest.create(WORK, "file") {
            Ok(fd) => open.push(fd),
            Err(error) => break error,
        }
    };
    assert_eq!((error, open.len()), (Errno::Mfile, 256 - 6));
    assert_eq!(open, (6..256).collect::<Vec<_>>());
    for _ in 0..10_000 {
        assert_eq!(guest.open(WORK, "file", 0, READ), Err(Errno::Mfile));
    }
    // Nothing was made for those that were refused.
    assert_eq!(guest.open(WORK, "another", bits::O_CREAT, READ), Err(Errno::Mfile));
    assert!(!host.work().join("another").exists());
    // The lowest free number comes next.
    for fd in [200, 7, 30] {
        guest.close(fd).unwrap();
    }
    assert_eq!(
        [(); 3].map(|()| guest.open(WORK, "file", 0, READ).unwrap()),
        [7, 30, 200]
    );
    assert_eq!(guest.wasi().open_descriptors(), 250);
    let before = open_below(&host.work());
    drop(guest);
    let after = open_below(&host.work());
    assert!(
        after + 200 < before,
        "{after} of {before} descriptors are left open on the host"
    );
}

#[test]
fn renumbering_moves_what_the_guest_opened() {
    let mut guest = Guest::on_its_own();
    let [a, b] = ["a", "b"].map(|name| guest.create(WORK, name).unwrap());
    guest.write(a, b"aaa").unwrap();
    guest.ask("fd_renumber", &[a.into(), b.into()]).unwrap();
    assert_eq!(guest.pread(b, 10, 0), Ok(b"aaa".to_vec()));
    assert_eq!(guest.read(a, 10), Err(Errno::Badf));
    guest.ask("fd_renumber", &[b.into(), b.into()]).unwrap();
    assert_eq!(guest.create(WORK, "c"), Ok(a));
    // Not onto the standard streams or the mounts, nor away from there, nor to a number that is not open.
    for (from, to) in [(a, 1), (a, 0), (1, a), (a, RO), (WORK, a), (WORK, RO)] {
        assert_eq!(
            guest.ask("fd_renumber", &[from.into(), to.into()]),
            Err(Errno::Notsup),
            "{from} {to}"
        );
    }
    for (from, to) in [(a, 99), (99, a), (a, u32::MAX), (u32::MAX, a), (a, 1 << 31), (255, 255)] {
        assert_eq!(
            guest.ask("fd_renumber", &[from.into(), to.into()]),
            Err(Errno::Badf),
            "{from} {to}"
        );
    }
    for round in 0..20_000u32 {
        let (from, to) = (6 + round % 7, 6 + (round / 7) % 5);
        let _ = guest.ask("fd_renumber", &[from.into(), to.into()]);
        let _ = guest.close(6 + round % 11);
        let _ = guest.create(WORK, "c");
    }
    assert!(guest.wasi().open_descriptors() <= 16);
}

#[test]
fn mounts_stay_where_they_are() {
    let mut guest = Guest::on_its_own();
    for fd in [RO, WORK, OTHER] {
        assert_eq!(guest.close(fd), Err(Errno::Notsup));
        guest.fstat(fd).unwrap();
    }
    for fd in [6, 255, 256, 1 << 31, u32::MAX] {
        assert_eq!(guest.close(fd), Err(Errno::Badf));
        assert_eq!(guest.fstat(fd), Err(Errno::Badf));
    }
}

#[test]
fn the_standard_streams_are_what_they_should_be() {
    let mut guest = Guest::on_its_own();
    assert_eq!(guest.read(0, 100), Ok(Vec::new()));
    assert_eq!(guest.read(1, 100), Err(Errno::Badf));
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    for fd in 0..3 {
        guest.ask("fd_fdstat_get", &[fd.into(), OUT.into()]).unwrap();
        // Not a character device, so not a terminal.
        assert_eq!(guest.get(OUT, 1), [0]);
        assert_eq!(guest.u64(OUT + 8), if fd == 0 { READ } else { WRITE });
        let stat = guest.fstat(fd).unwrap();
        assert_eq!((stat.size, stat.ino, stat.filetype), (0, 0, 0));
        assert_eq!(guest.seek(fd, 0, 1), Err(Errno::Spipe));
        assert_eq!(guest.ask("fd_tell", &[fd.into(), OUT.into()]), Err(Errno::Spipe));
        assert_eq!(guest.pread(fd, 1, 0), Err(Errno::Spipe));
        assert_eq!(guest.pwrite(fd, b"x", 0), Err(Errno::Spipe));
        assert_eq!(guest.ask("fd_filestat_set_size", &[fd.into(), 0]), Err(Errno::Spipe));
        assert_eq!(guest.open(fd, "file", 0, READ), Err(Errno::Notdir));
        guest.ask("fd_fdstat_set_flags", &[fd.into(), 4]).unwrap();
        guest.ask("fd_sync", &[fd.into()]).unwrap();
    }
    for fd in 0..3 {
        guest.close(fd).unwrap();
        assert_eq!(guest.close(fd), Err(Errno::Badf));
        assert_eq!(guest.fstat(fd), Err(Errno::Badf));
        assert_eq!(guest.ask("fd_fdstat_get", &[fd.into(), OUT.into()]), Err(Errno::Badf));
    }
    assert_eq!(guest.write(1, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(0, 1), Err(Errno::Badf));
    // A closed stream is never replaced by a file.
    assert_eq!(guest.create(WORK, "file"), Ok(6));
}

#[test]
fn there_are_no_sockets() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    for fd in [0, 1, WORK, file] {
        let fd = i64::from(fd);
        assert_eq!(guest.ask("sock_accept", &[fd, 0, OUT.into()]), Err(Errno::Notsock));
        assert_eq!(
            guest.ask("sock_recv", &[fd, IOVEC.into(), 1, 0, OUT.into(), OUT.into()]),
            Err(Errno::Notsock)
        );
        assert_eq!(
            guest.ask("sock_send", &[fd, IOVEC.into(), 1, 0, OUT.into()]),
            Err(Errno::Notsock)
        );
        assert_eq!(guest.ask("sock_shutdown", &[fd, 3]), Err(Errno::Notsock));
    }
    assert_eq!(guest.ask("sock_accept", &[99, 0, OUT.into()]), Err(Errno::Badf));
}

#[test]
fn a_duplicate_is_the_same_open_file() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    let other = guest.dup(file, 0).unwrap();
    assert_eq!((file, other), (6, 7));
    guest.write(file, b"abc").unwrap();
    guest.write(other, b"def").unwrap();
    assert_eq!(guest.seek(file, 0, 1), Ok(6));
    guest.seek(other, 1, 0).unwrap();
    assert_eq!(guest.read(file, 100), Ok(b"bcdef".to_vec()));
    // Flags are shared too.
    guest.seek(file, 0, 0).unwrap();
    guest
        .ask("fd_fdstat_set_flags", &[file.into(), bits::FD_APPEND.into()])
        .unwrap();
    guest.write(other, b"g").unwrap();
    assert_eq!(guest.pread(file, 100, 0), Ok(b"abcdefg".to_vec()));
    // Whichever is closed first, the other goes on.
    guest.close(file).unwrap();
    assert_eq!(guest.read(file, 1), Err(Errno::Badf));
    assert_eq!(guest.pread(other, 3, 0), Ok(b"abc".to_vec()));
    assert_eq!(guest.dup(other, 0), Ok(6));
    guest.close(other).unwrap();
    assert_eq!(guest.pread(6, 3, 0), Ok(b"abc".to_vec()));
    // A file that is opened twice is two.
    let again = guest.open(WORK, "file", 0, READ).unwrap();
    guest.seek(again, 2, 0).unwrap();
    assert_eq!(guest.seek(6, 0, 0), Ok(0));
    assert_eq!(guest.read(again, 1), Ok(b"c".to_vec()));
}

#[test]
fn a_duplicate_gets_the_number_that_was_asked_for() {
    let host = Host::with_quota(1 << 20, 1000);
    let mut guest = host.guest();
    let file = guest.create(WORK, "file").unwrap();
    assert_eq!(guest.dup(file, 20), Ok(20));
    assert_eq!(guest.dup(file, 20), Ok(21));
    assert_eq!(guest.dup(file, 7), Ok(7));
    assert_eq!(guest.dup(file, 255), Ok(255));
    assert_eq!(guest.dup(file, 255), Err(Errno::Mfile));
    for least in [256, 1 << 31, u32::MAX] {
        assert_eq!(guest.dup(file, least), Err(Errno::Inval));
    }
    guest.dup2(file, 30).unwrap();
    guest.dup2(30, 20).unwrap();
    guest.dup2(file, file).unwrap();
    assert_eq!(guest.create(WORK, "another"), Ok(8));
    guest.dup2(8, 30).unwrap();
    guest.write(30, b"there").unwrap();
    assert_eq!(std::fs::read(host.work().join("another")).unwrap(), b"there");
    for (from, to) in [(99, 6), (6, 256), (6, u32::MAX), (99, 99), (u32::MAX, 6), (256, 0)] {
        assert_eq!(guest.dup2(from, to), Err(Errno::Badf), "{from} {to}");
    }
    for mount in [RO, WORK, OTHER] {
        assert_eq!(guest.dup2(file, mount), Err(Errno::Notsup));
    }
    assert_eq!(guest.dup(99, 0), Err(Errno::Badf));
    // Every descriptor counts, and those that are refused leave nothing behind.
    let mut count = guest.wasi().open_descriptors();
    while guest.dup(file, 0).is_ok() {
        count += 1;
    }
    assert_eq!((count, guest.wasi().open_descriptors()), (250, 250));
    for _ in 0..10_000 {
        assert_eq!(guest.dup(file, 0), Err(Errno::Mfile));
        assert_eq!(guest.dup(WORK, 0), Err(Errno::Mfile));
    }
    let open = open_below(&host.work());
    for fd in 6..256 {
        guest.close(fd).unwrap();
    }
    assert_eq!(guest.wasi().open_descriptors(), 0);
    let left = open_below(&host.work());
    assert!(left < open, "{left} of {open} descriptors are left open on the host");
}

#[test]
fn a_directory_can_be_duplicated() {
    let mut guest = Guest::on_its_own();
    guest.create(WORK, "file").unwrap();
    for directory in [WORK, RO] {
        let copy = guest.dup(directory, 0).unwrap();
        assert_eq!(guest.fstat(copy), guest.fstat(directory));
        assert_eq!(guest.list(copy, 1000), guest.list(directory, 1000));
        guest.open(copy, "file", 0, READ).unwrap();
        // It is no mount.
        assert_eq!(
            guest.ask("fd_prestat_get", &[copy.into(), OUT.into()]),
            Err(Errno::Badf)
        );
        assert_eq!(guest.open(copy, "../outside/secret", 0, READ), Err(Errno::Perm));
        guest.dup2(copy, 0).unwrap();
        assert_eq!(guest.stat(0, "file", 1), guest.stat(directory, "file", 1));
        assert_eq!(guest.open(0, "../outside/secret", 0, READ), Err(Errno::Perm));
        assert!(guest.create(copy, "../ro/new").is_err());
        guest.close(copy).unwrap();
    }
    assert_eq!(guest.create(0, "new"), Err(Errno::Rofs));
}

#[test]
fn standard_streams_can_be_redirected_and_restored() {
    let host = Host::with_quota(1 << 20, 1000);
    let mut guest = host.guest();
    guest.write(1, b"before ").unwrap();
    let saved = guest.dup(1, 0).unwrap();
    let file = guest.create(WORK, "file").unwrap();
    guest.dup2(file, 1).unwrap();
    guest.close(file).unwrap();
    guest.write(1, b"into the file").unwrap();
    guest.write(saved, b"during ").unwrap();
    assert_eq!(guest.seek(1, 0, 1), Ok(13));
    assert_eq!(guest.fstat(1).unwrap().size, 13);
    guest.dup2(saved, 1).unwrap();
    guest.close(saved).unwrap();
    assert_eq!(guest.seek(1, 0, 1), Err(Errno::Spipe));
    guest.write(1, b"after").unwrap();
    // Standard error into standard output, and a file for standard input.
    guest.dup2(1, 2).unwrap();
    guest.write(2, b" error").unwrap();
    let input = guest.open(WORK, "file", 0, READ).unwrap();
    guest.dup2(input, 0).unwrap();
    assert_eq!(guest.read(0, 4), Ok(b"into".to_vec()));
    assert_eq!(guest.read(input, 4), Ok(b" the".to_vec()));
    // Closed, they are closed; and another dup2 opens them again.
    for fd in [0, 2] {
        guest.close(fd).unwrap();
        assert_eq!(guest.close(fd), Err(Errno::Badf));
        assert_eq!(guest.dup(fd, 0), Err(Errno::Badf));
    }
    guest.dup2(1, 2).unwrap();
    guest.write(2, b"!").unwrap();
    assert_eq!(std::fs::read(host.work().join("file")).unwrap(), b"into the file");
    let captured = guest.finish();
    assert_eq!(captured.stdout.bytes, b"before during after error!");
    assert_eq!(captured.stderr.bytes, b"");
}

#[test]
fn a_storm_of_duplicates_leaves_nothing_behind() {
    let mut guest = Guest::on_its_own();
    guest.create(WORK, "file").unwrap();
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for round in 0..20_000u32 {
        let (from, to) = (round % 13, (round / 13) % 17);
        let _ = guest.dup2(from, to);
        let _ = guest.dup(to, from);
        let _ = guest.close((round / 7) % 31);
        let _ = guest.ask("fd_renumber", &[from.into(), to.into()]);
        let _ = guest.create(WORK, "file");
    }
    for fd in 0..256 {
        let _ = guest.close(fd);
    }
    assert_eq!(guest.wasi().open_descriptors(), 0);
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    // Tests beside this one open some hundreds; a leak would be thousands.
    assert!(
        after <= before + 800,
        "{after} descriptors of the host, {before} before"
    );
}
