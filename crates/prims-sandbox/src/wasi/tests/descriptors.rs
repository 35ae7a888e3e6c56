//! Rows 18 and 28 of the abuse cases: descriptors.

use super::harness::*;
use crate::wasi::abi::{Errno, bits};

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
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    drop(guest);
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
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
