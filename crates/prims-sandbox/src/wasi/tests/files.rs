//! Files and directories that behave.

use std::os::unix::fs::PermissionsExt;

use super::harness::*;
use crate::wasi::abi::{Errno, bits};

#[test]
fn what_is_written_can_be_read() {
    let host = Host::new();
    let mut guest = host.guest();
    let file = guest.create(WORK, "file").unwrap();
    assert_eq!(file, 6);
    assert_eq!(guest.write(file, b"hello world"), Ok(11));
    assert_eq!(guest.seek(file, 0, bits::WHENCE_CUR), Ok(11));
    assert_eq!(guest.seek(file, -5, bits::WHENCE_END), Ok(6));
    assert_eq!(guest.read(file, 100), Ok(b"world".to_vec()));
    assert_eq!(guest.read(file, 100), Ok(Vec::new()));
    assert_eq!(guest.pread(file, 5, 0), Ok(b"hello".to_vec()));
    assert_eq!(guest.pwrite(file, b"HELLO", 0), Ok(5));
    assert_eq!(guest.seek(file, 0, bits::WHENCE_CUR), Ok(11));
    assert_eq!(std::fs::read(host.work().join("file")).unwrap(), b"HELLO world");
    assert_eq!(guest.fstat(file).unwrap().size, 11);
    assert_eq!(guest.seek(file, -1, bits::WHENCE_SET), Err(Errno::Inval));
    assert_eq!(guest.seek(file, 0, 3), Err(Errno::Inval));
    guest.ask("fd_tell", &[file.into(), OUT.into()]).unwrap();
    assert_eq!(guest.u64(OUT), 11);
    guest.ask("fd_filestat_set_size", &[file.into(), 5]).unwrap();
    assert_eq!(guest.pread(file, 100, 0), Ok(b"HELLO".to_vec()));
    guest.ask("fd_allocate", &[file.into(), 4, 4]).unwrap();
    assert_eq!(guest.pread(file, 100, 0), Ok(b"HELLO\0\0\0".to_vec()));
    guest.ask("fd_allocate", &[file.into(), 0, 2]).unwrap();
    assert_eq!(guest.fstat(file).unwrap().size, 8);
    for call in ["fd_sync", "fd_datasync"] {
        guest.ask(call, &[file.into()]).unwrap();
    }
    guest.ask("fd_advise", &[file.into(), 0, -1, 3]).unwrap();
    guest.close(file).unwrap();
    assert_eq!(guest.read(file, 1), Err(Errno::Badf));
    let file = guest.open(WORK, "file", bits::O_TRUNC, WRITE).unwrap();
    assert_eq!(guest.fstat(file).unwrap().size, 0);
    assert_eq!(guest.read(file, 1), Err(Errno::Badf));
    let mode = std::fs::metadata(host.work().join("file"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7111, 0, "a guest's file is not executable");
}

#[test]
fn several_buffers_are_one_transfer() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    guest.put(DATA, b"abcdefgh");
    let list = |parts: &[(u32, u32)]| -> Vec<u8> {
        parts
            .iter()
            .flat_map(|(at, len)| [at.to_le_bytes(), len.to_le_bytes()].concat())
            .collect()
    };
    guest.put(IOVEC, &list(&[(DATA, 2), (DATA, 0), (DATA + 6, 2), (DATA + 3, 1)]));
    guest
        .ask("fd_write", &[file.into(), IOVEC.into(), 4, OUT.into()])
        .unwrap();
    assert_eq!(guest.u32(OUT), 5);
    guest.put(IOVEC, &list(&[(DATA + 100, 3), (DATA + 200, 0), (DATA + 300, 10)]));
    guest
        .ask("fd_pread", &[file.into(), IOVEC.into(), 3, 0, OUT.into()])
        .unwrap();
    assert_eq!(guest.u32(OUT), 5);
    assert_eq!(
        (guest.get(DATA + 100, 3), guest.get(DATA + 300, 2)),
        (b"abg".to_vec(), b"hd".to_vec())
    );
    // A list that is overwritten by what is read into it is the guest's own trouble.
    guest.seek(file, 0, 0).unwrap();
    guest.put(IOVEC, &list(&[(IOVEC, 5), (IOVEC, 100)]));
    let _ = guest.ask("fd_read", &[file.into(), IOVEC.into(), 2, OUT.into()]);
}

#[test]
fn appending_goes_to_the_end() {
    let host = Host::new();
    let mut guest = host.guest();
    std::fs::write(host.work().join("log"), "one ").unwrap();
    let file = guest
        .open_with(WORK, "log", 1, 0, READ | WRITE, bits::FD_APPEND)
        .unwrap();
    guest.write(file, b"two ").unwrap();
    guest.seek(file, 0, 0).unwrap();
    guest.write(file, b"three").unwrap();
    assert_eq!(guest.seek(file, 0, bits::WHENCE_CUR), Ok(13));
    assert_eq!(
        std::fs::read_to_string(host.work().join("log")).unwrap(),
        "one two three"
    );
    guest.ask("fd_fdstat_get", &[file.into(), OUT.into()]).unwrap();
    assert_eq!(guest.get(OUT + 2, 2), [1, 0]);
    guest.ask("fd_fdstat_set_flags", &[file.into(), 0]).unwrap();
    guest.seek(file, 0, 0).unwrap();
    guest.write(file, b"ONE").unwrap();
    assert_eq!(
        std::fs::read_to_string(host.work().join("log")).unwrap(),
        "ONE two three"
    );
    assert_eq!(guest.ask("fd_fdstat_set_flags", &[file.into(), 2]), Err(Errno::Inval));
}

#[test]
fn files_have_one_identity() {
    let mut guest = Guest::on_its_own();
    guest.mkdir(WORK, "d").unwrap();
    let file = guest.create(WORK, "d/file").unwrap();
    guest.link(WORK, "d/file", WORK, "d/other").unwrap();
    let directory = guest.open(WORK, "d", bits::O_DIRECTORY, READ).unwrap();
    let by_path = guest.stat(WORK, "d/file", 1).unwrap();
    assert_eq!(guest.fstat(file).unwrap(), by_path);
    assert_eq!((by_path.filetype, by_path.nlink, by_path.size), (4, 2, 0));
    assert_eq!(guest.stat(directory, "other", 0).unwrap(), by_path);
    assert_eq!(guest.fstat(directory).unwrap(), guest.stat(WORK, "d", 1).unwrap());
    assert_eq!(guest.fstat(WORK).unwrap(), guest.stat(WORK, ".", 1).unwrap());
    for entry in guest.list(directory, 4096).unwrap() {
        let expected = match entry.name.as_str() {
            "." => guest.fstat(directory).unwrap().ino,
            ".." => 1,
            _ => by_path.ino,
        };
        assert_eq!(entry.ino, expected, "{}", entry.name);
    }
    // Every mount is a device, and none has the host's number.
    let devices: Vec<_> = [RO, WORK, OTHER].map(|fd| guest.fstat(fd).unwrap().dev).to_vec();
    assert_eq!(devices, [1, 2, 3]);
    assert_eq!(guest.stat(WORK, "d/none", 1), Err(Errno::Noent));
}

#[test]
fn directories_are_listed_whatever_the_buffer() {
    let host = Host::with_quota(1 << 20, 1000);
    let mut guest = host.guest();
    let mut expected: Vec<String> = (0..300)
        .map(|index| format!("file-{index:0width$}", width = 3 + index % 50))
        .collect();
    for name in &expected {
        std::fs::write(host.work().join(name), "").unwrap();
    }
    // Names a guest could not open are not shown.
    use std::os::unix::ffi::OsStrExt;
    std::fs::write(host.work().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
    expected.extend([".".to_owned(), "..".to_owned()]);
    expected.sort();
    for size in [81, 82, 127, 128, 4096, 0x4_0000] {
        assert_eq!(guest.names(WORK, size), expected, "{size}");
    }
    // Any cookie continues after the entry it came with.
    let entries = guest.list(WORK, 4096).unwrap();
    for index in [299, 0, 150, 301, 7] {
        guest
            .ask(
                "fd_readdir",
                &[WORK.into(), DATA.into(), 4096, entries[index].cookie as i64, OUT.into()],
            )
            .unwrap();
        match entries.get(index + 1) {
            Some(next) => assert_eq!(guest.u64(DATA), next.cookie),
            None => assert_eq!(guest.u32(OUT), 0),
        }
    }
    guest
        .ask("fd_readdir", &[WORK.into(), DATA.into(), 4096, -1, OUT.into()])
        .unwrap();
    assert_eq!(guest.u32(OUT), 0);
    guest
        .ask("fd_readdir", &[WORK.into(), DATA.into(), 0, 0, OUT.into()])
        .unwrap();
    assert_eq!(guest.u32(OUT), 0);
    // A listing from the start shows what has changed, one that goes on does not repeat anything.
    guest.unlink(WORK, &expected[5]).unwrap();
    guest.create(WORK, "new").unwrap();
    let names = guest.names(WORK, 4096);
    assert!(names.contains(&"new".to_owned()) && !names.contains(&expected[5]));
    let file = guest.create(WORK, "new").unwrap();
    assert_eq!(guest.list(file, 4096), Err(Errno::Notdir));
    assert_eq!(guest.list(1, 4096), Err(Errno::Notdir));
}

#[test]
fn names_are_moved_and_removed() {
    let host = Host::new();
    let mut guest = host.guest();
    guest.mkdir(WORK, "a").unwrap();
    assert_eq!(guest.mkdir(WORK, "a"), Err(Errno::Exist));
    guest.mkdir(WORK, "a/b/").unwrap();
    assert_eq!(guest.mkdir(WORK, "x/y"), Err(Errno::Noent));
    guest.create(WORK, "a/b/file").unwrap();
    assert_eq!(guest.at("path_remove_directory", WORK, "a/b"), Err(Errno::Notempty));
    assert_eq!(guest.at("path_remove_directory", WORK, "a/b/file"), Err(Errno::Notdir));
    guest.rename(WORK, "a/b/file", WORK, "moved").unwrap();
    guest.rename(WORK, "a", WORK, "z").unwrap();
    guest.at("path_remove_directory", WORK, "z/b").unwrap();
    guest.at("path_remove_directory", WORK, "z").unwrap();
    assert!(guest.unlink(WORK, ".").is_err());
    guest.unlink(WORK, "moved").unwrap();
    assert_eq!(guest.unlink(WORK, "moved"), Err(Errno::Noent));
    assert_eq!(std::fs::read_dir(host.work()).unwrap().count(), 0);
    // Moving and linking from one mount to another is for the guest to do, by copying.
    guest.create(WORK, "file").unwrap();
    assert_eq!(guest.rename(WORK, "file", OTHER, "file"), Err(Errno::Xdev));
    assert_eq!(guest.link(WORK, "file", OTHER, "file"), Err(Errno::Xdev));
}

#[test]
fn times_are_set_or_refused() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    let (ptr, len) = guest.path(PATH, "file");
    let (both, now) = (
        i64::from(bits::ATIM | bits::MTIM),
        i64::from(bits::ATIM_NOW | bits::MTIM_NOW),
    );
    let second = 1_000_000_000;
    guest
        .ask(
            "fd_filestat_set_times",
            &[file.into(), 5 * second, 7 * second + 1, both],
        )
        .unwrap();
    let stat = guest.fstat(file).unwrap();
    assert_eq!((stat.atim, stat.mtim), (5_000_000_000, 7_000_000_001));
    guest
        .ask(
            "path_filestat_set_times",
            &[WORK.into(), 1, ptr, len, 1, 9 * second, i64::from(bits::MTIM)],
        )
        .unwrap();
    let stat = guest.stat(WORK, "file", 1).unwrap();
    assert_eq!((stat.atim, stat.mtim), (5_000_000_000, 9_000_000_000));
    guest.ask("fd_filestat_set_times", &[file.into(), 0, 0, now]).unwrap();
    assert!(guest.fstat(file).unwrap().mtim > 1_500_000_000 * second as u64);
    guest
        .ask("fd_filestat_set_times", &[WORK.into(), 0, second, both])
        .unwrap();
    // The latest time there is must not break anything, whatever the host's file system makes of it.
    guest
        .ask("fd_filestat_set_times", &[file.into(), i64::MAX, i64::MAX, both])
        .unwrap();
    guest.fstat(file).unwrap();
    guest.stat(WORK, "file", 1).unwrap();
    guest.ask("fd_filestat_set_times", &[file.into(), 0, 0, 0]).unwrap();
    // Row 24: before 1970, too large, contradictory, unknown.
    let bad = [
        (-1, 0, both),
        (0, i64::MIN, both),
        (0, -second, both),
        (0, 0, 3),
        (0, 0, 12),
        (0, 0, 16),
        (0, 0, -1),
    ];
    for (atim, mtim, flags) in bad {
        assert_eq!(
            guest.ask("fd_filestat_set_times", &[file.into(), atim, mtim, flags]),
            Err(Errno::Inval)
        );
        let arguments = [WORK.into(), 1, ptr, len, atim, mtim, flags];
        assert_eq!(guest.ask("path_filestat_set_times", &arguments), Err(Errno::Inval));
    }
}

/// Row 26: whatever changes something on a read-only mount.
#[test]
fn read_only_mounts_say_so() {
    let host = Host::new();
    let mut guest = host.guest();
    for (path, oflags, rights) in [
        ("file", bits::O_TRUNC, READ),
        ("file", bits::O_CREAT, READ),
        ("file", 0, WRITE),
        ("file", 0, READ | WRITE),
        ("new", bits::O_CREAT, READ),
        ("new", bits::O_CREAT | bits::O_EXCL, WRITE),
    ] {
        assert_eq!(
            guest.open(RO, path, oflags, rights),
            Err(Errno::Rofs),
            "{path} {oflags}"
        );
    }
    assert_eq!(guest.mkdir(RO, "new"), Err(Errno::Rofs));
    assert_eq!(guest.unlink(RO, "file"), Err(Errno::Rofs));
    assert_eq!(guest.at("path_remove_directory", RO, "directory"), Err(Errno::Rofs));
    guest.create(WORK, "mine").unwrap();
    for (from, to) in [(RO, RO), (RO, WORK), (WORK, RO)] {
        assert_eq!(guest.rename(from, "file", to, "new"), Err(Errno::Rofs));
        assert_eq!(guest.link(from, "file", to, "new"), Err(Errno::Rofs));
    }
    assert_eq!(guest.symlink("file", RO, "new"), Err(Errno::Rofs));
    let (ptr, len) = guest.path(PATH, "file");
    assert_eq!(
        guest.ask("path_filestat_set_times", &[RO.into(), 1, ptr, len, 0, 0, 5]),
        Err(Errno::Rofs)
    );
    // The same through descriptors, and through directories below.
    let file = guest.open(RO, "file", 0, READ).unwrap();
    assert_eq!(guest.read(file, 100), Ok(b"read only".to_vec()));
    assert_eq!(guest.write(file, b"x"), Err(Errno::Badf));
    assert_eq!(guest.pwrite(file, b"x", 0), Err(Errno::Badf));
    assert_eq!(guest.ask("fd_filestat_set_size", &[file.into(), 0]), Err(Errno::Rofs));
    assert_eq!(guest.ask("fd_allocate", &[file.into(), 0, 100]), Err(Errno::Rofs));
    assert_eq!(
        guest.ask("fd_filestat_set_times", &[file.into(), 0, 0, 5]),
        Err(Errno::Rofs)
    );
    let directory = guest.open(RO, "directory", bits::O_DIRECTORY, READ).unwrap();
    assert_eq!(guest.create(directory, "new"), Err(Errno::Rofs));
    assert_eq!(guest.mkdir(directory, "new"), Err(Errno::Rofs));
    assert_eq!(
        guest.ask("fd_filestat_set_times", &[directory.into(), 0, 0, 5]),
        Err(Errno::Rofs)
    );
    assert!(outside_is_untouched(host.folder.path()));
}

#[test]
fn a_file_opened_for_one_thing_does_not_do_the_other() {
    let mut guest = Guest::on_its_own();
    let file = guest.create(WORK, "file").unwrap();
    guest.write(file, b"text").unwrap();
    let reader = guest.open(WORK, "file", 0, READ).unwrap();
    let writer = guest.open(WORK, "file", 0, WRITE).unwrap();
    let creator = guest.open(WORK, "file", bits::O_CREAT, READ).unwrap();
    for reader in [reader, creator] {
        assert_eq!(guest.read(reader, 100), Ok(b"text".to_vec()));
        assert_eq!(guest.write(reader, b"x"), Err(Errno::Badf));
        assert_eq!(guest.ask("fd_filestat_set_size", &[reader.into(), 0]), Err(Errno::Badf));
    }
    assert_eq!(guest.read(writer, 1), Err(Errno::Badf));
    assert_eq!(guest.write(writer, b"TE"), Ok(2));
    for (fd, rights) in [(reader, [true, false]), (writer, [false, true]), (file, [true, true])] {
        guest.ask("fd_fdstat_get", &[fd.into(), OUT.into()]).unwrap();
        let base = guest.u64(OUT + 8);
        assert_eq!([base & READ != 0, base & WRITE != 0], rights);
    }
    assert_eq!(guest.read(WORK, 1), Err(Errno::Isdir));
    assert_eq!(guest.write(WORK, b"x"), Err(Errno::Isdir));
    assert_eq!(guest.open(WORK, "file", bits::O_DIRECTORY, READ), Err(Errno::Notdir));
    assert_eq!(
        guest.open(WORK, "file", bits::O_CREAT | bits::O_EXCL, WRITE),
        Err(Errno::Exist)
    );
    assert_eq!(
        guest.open(WORK, "file", bits::O_CREAT | bits::O_DIRECTORY, READ),
        Err(Errno::Inval)
    );
    assert_eq!(guest.open(WORK, ".", 0, WRITE), Err(Errno::Isdir));
    assert_eq!(guest.open(WORK, "file", 16, READ), Err(Errno::Inval));
    assert_eq!(guest.open_with(WORK, "file", 2, 0, READ, 0), Err(Errno::Inval));
    assert_eq!(guest.open_with(WORK, "file", 1, 0, READ, 32), Err(Errno::Inval));
    assert_eq!(guest.open(file, "file", 0, READ), Err(Errno::Notdir));
}

/// Files work with an asynchronous runtime around the guest as they do without one.
#[test]
fn a_surrounding_runtime_makes_no_difference() {
    wasmtime_wasi::runtime::with_ambient_tokio_runtime(|| {
        let mut guest = Guest::on_its_own();
        let file = guest.create(WORK, "file").unwrap();
        guest.write(file, b"text").unwrap();
        assert_eq!(guest.stat(WORK, "file", 1).unwrap().size, 4);
        assert_eq!(guest.names(WORK, 4096), [".", "..", "file"]);
    });
}

#[test]
fn mounts_are_opened_when_they_are_used() {
    let host = Host::new();
    std::fs::remove_dir(host.work()).unwrap();
    let mut guest = host.guest();
    guest.ask("fd_prestat_get", &[WORK.into(), OUT.into()]).unwrap();
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 5));
    guest
        .ask("fd_prestat_dir_name", &[WORK.into(), DATA.into(), 5])
        .unwrap();
    assert_eq!(guest.get(DATA, 5), b"/work");
    assert_eq!(
        guest.ask("fd_prestat_dir_name", &[WORK.into(), DATA.into(), 4]),
        Err(Errno::Nametoolong)
    );
    for fd in [0, 2, 6, 0xffff_ffff] {
        assert_eq!(guest.ask("fd_prestat_get", &[fd, OUT.into()]), Err(Errno::Badf));
        assert_eq!(
            guest.ask("fd_prestat_dir_name", &[fd, DATA.into(), 100]),
            Err(Errno::Badf)
        );
    }
    guest.ask("fd_fdstat_get", &[WORK.into(), OUT.into()]).unwrap();
    assert_eq!(guest.get(OUT, 1), [3]);
    assert_eq!(guest.create(WORK, "file"), Err(Errno::Noent));
    std::fs::create_dir(host.work()).unwrap();
    guest.create(WORK, "file").unwrap();
}
