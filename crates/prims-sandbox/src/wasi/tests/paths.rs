//! Row 25 of the abuse cases: paths that try to leave.

use super::harness::*;
use crate::wasi::abi::{Errno, bits};

/// Everything that takes a path, on one path.
fn try_everything(guest: &mut Guest, fd: u32, path: &str) -> Vec<(&'static str, Answer<()>)> {
    vec![
        ("open", guest.open(fd, path, 0, READ).map(drop)),
        (
            "open without following",
            guest.open_with(fd, path, 0, 0, READ, 0).map(drop),
        ),
        (
            "open directory",
            guest.open(fd, path, bits::O_DIRECTORY, READ).map(drop),
        ),
        ("create", guest.create(fd, path).map(drop)),
        (
            "create new",
            guest.open(fd, path, bits::O_CREAT | bits::O_EXCL, WRITE).map(drop),
        ),
        ("truncate", guest.open(fd, path, bits::O_TRUNC, WRITE).map(drop)),
        ("stat", guest.stat(fd, path, 1).map(drop)),
        ("stat without following", guest.stat(fd, path, 0).map(drop)),
        ("readlink", guest.readlink(fd, path).map(drop)),
        ("mkdir", guest.mkdir(fd, path)),
        ("rmdir", guest.at("path_remove_directory", fd, path)),
        ("unlink", guest.unlink(fd, path)),
        ("rename from", guest.rename(fd, path, fd, "new")),
        ("rename to", guest.rename(fd, "file", fd, path)),
        ("link from", guest.link(fd, path, fd, "new")),
        ("link to", guest.link(fd, "file", fd, path)),
        ("symlink", guest.symlink("file", fd, path)),
        ("set times", {
            let (ptr, len) = guest.path(PATH, path);
            guest.ask("path_filestat_set_times", &[fd.into(), 1, ptr, len, 0, 0, 5])
        }),
    ]
}

#[test]
fn no_path_leads_out() {
    let host = Host::new();
    let mut guest = host.guest();
    let outside = host.folder.path().join("outside/secret");
    let outside = outside.to_str().unwrap();
    guest.create(WORK, "file").unwrap();
    guest.mkdir(WORK, "d").unwrap();
    // Links a host put there, which no guest can make.
    for (target, name) in [
        ("/", "root"),
        ("/etc/passwd", "passwd"),
        ("..", "up"),
        ("../outside", "out"),
        ("../outside/secret", "secret"),
        (outside, "absolute"),
        ("/proc/self/root/etc/passwd", "proc"),
        ("loop", "loop"),
        ("pong", "ping"),
        ("ping", "pong"),
        ("d/../../outside/secret", "winding"),
    ] {
        std::os::unix::fs::symlink(target, host.work().join(name)).unwrap();
    }
    let directory = guest.open(WORK, "d", bits::O_DIRECTORY, READ).unwrap();
    for (fd, path) in [
        (WORK, ".."),
        (WORK, "../"),
        (WORK, "../outside/secret"),
        (WORK, "../work/../outside/secret"),
        (WORK, "d/../../outside/secret"),
        (WORK, "./.././outside/secret"),
        (WORK, "d/../../outside"),
        (WORK, "/"),
        (WORK, "//"),
        (WORK, "/etc/passwd"),
        (WORK, "//etc/passwd"),
        (WORK, "/proc/self/environ"),
        (WORK, "/dev/null"),
        (WORK, outside),
        (directory, "../../outside/secret"),
        (WORK, "root/etc/passwd"),
        (WORK, "root/"),
        (WORK, "up/outside/secret"),
        (WORK, "up/"),
        (WORK, "out/secret"),
        (WORK, "out/"),
        (WORK, "out/."),
        (WORK, "out/../secret"),
        (WORK, "secret/"),
        (WORK, "loop/"),
        (WORK, "ping/pong"),
    ] {
        for (what, answer) in try_everything(&mut guest, fd, path) {
            let error = answer.expect_err(&format!("{what} {path}"));
            let allowed = [
                Errno::Perm,
                Errno::Noent,
                Errno::Loop,
                Errno::Notdir,
                Errno::Isdir,
                Errno::Exist,
                Errno::Inval,
                Errno::Busy,
            ];
            assert!(allowed.contains(&error), "{what} {path}: {error:?}");
        }
    }
    // The links themselves can be looked at, renamed and removed, but not followed, and absolute targets are not told.
    for name in [
        "root", "passwd", "up", "out", "secret", "absolute", "proc", "loop", "ping", "winding",
    ] {
        for (oflags, rights) in [
            (0, READ),
            (bits::O_CREAT, WRITE),
            (bits::O_TRUNC, WRITE),
            (bits::O_DIRECTORY, READ),
        ] {
            guest.open(WORK, name, oflags, rights).unwrap_err();
        }
        guest.stat(WORK, name, 1).unwrap_err();
        assert_eq!(guest.stat(WORK, name, 0).unwrap().filetype, 7, "{name}");
        if let Ok(target) = guest.readlink(WORK, name) {
            assert!(!target.starts_with('/'), "{target}");
        }
        guest.link(WORK, name, WORK, "hard").ok();
        guest.unlink(WORK, "hard").ok();
        guest.open(WORK, "hard", 0, READ).unwrap_err();
        guest.unlink(WORK, name).unwrap();
    }
    assert_eq!(guest.readlink(WORK, "file"), Err(Errno::Inval));
    assert!(outside_is_untouched(host.folder.path()));
}

#[test]
fn odd_paths_stay_odd_names() {
    let host = Host::new();
    let mut guest = host.guest();
    guest.create(WORK, "file").unwrap();
    guest.mkdir(WORK, "d").unwrap();
    // Composed and decomposed letters, wide dots, spaces, backslashes and controls are just names.
    for name in [
        "\u{e9}",
        "e\u{301}",
        "\u{ff0e}\u{ff0e}",
        "\u{2024}\u{2024}",
        " ",
        "\\..\\..",
        "C:\\x",
        "...",
        "a\nb",
        "\u{202e}x",
    ] {
        guest.create(WORK, name).unwrap();
        assert!(host.work().join(name).is_file(), "{name:?}");
        guest.unlink(WORK, name).unwrap();
    }
    // Ways to say the same.
    for path in ["./file", ".//file", "d/../file", "./d/.././file"] {
        assert_eq!(
            guest.stat(WORK, path, 1).unwrap(),
            guest.stat(WORK, "file", 1).unwrap(),
            "{path}"
        );
    }
    for path in ["file/", "file/.", "file/..", "file/x"] {
        for (what, answer) in try_everything(&mut guest, WORK, path) {
            assert!(answer.is_err(), "{what} {path}");
        }
    }
    assert!(host.work().join("file").is_file());
    for (path, error) in [
        ("", Errno::Noent),
        ("none", Errno::Noent),
        ("a\0b", Errno::Inval),
        ("\0", Errno::Inval),
    ] {
        assert_eq!(guest.open(WORK, path, 0, READ), Err(error), "{path:?}");
        assert_eq!(guest.stat(WORK, path, 1), Err(error), "{path:?}");
    }
    assert!(guest.create(WORK, "").is_err() && guest.mkdir(WORK, "").is_err());
    let long = "x".repeat(256);
    assert_eq!(guest.create(WORK, &long), Err(Errno::Nametoolong));
    let long = "d/".repeat(2048) + "x";
    assert_eq!(guest.create(WORK, &long), Err(Errno::Nametoolong));
    let nested = "./".repeat(2000) + "file";
    guest.stat(WORK, &nested, 1).unwrap();
    guest.put(PATH, &[0xff, 0xfe]);
    for call in ["path_create_directory", "path_unlink_file", "path_remove_directory"] {
        assert_eq!(guest.ask(call, &[WORK.into(), PATH.into(), 2]), Err(Errno::Ilseq));
        assert_eq!(
            guest.ask(call, &[WORK.into(), PATH.into(), 65536]),
            Err(Errno::Nametoolong)
        );
        assert_eq!(guest.ask(call, &[WORK.into(), -2, 4]), Err(Errno::Fault));
        assert_eq!(
            guest.ask(call, &[WORK.into(), PATH.into(), -1]),
            Err(Errno::Nametoolong)
        );
    }
}

/// Links only lead to what is beside or below them, so nobody who follows one on the host leaves the directory, wherever
/// the guest moves it.
#[test]
fn links_only_lead_downwards() {
    let host = Host::new();
    let mut guest = host.guest();
    guest.mkdir(WORK, "d").unwrap();
    let file = guest.create(WORK, "d/file").unwrap();
    guest.write(file, b"text").unwrap();
    for target in [
        "/",
        "/etc/passwd",
        "/work/d",
        "..",
        "../x",
        "d/..",
        "d/../..",
        "d/../file",
        "./..",
        "",
    ] {
        let answer = guest.symlink(target, WORK, "link");
        assert!(
            matches!(answer, Err(Errno::Perm | Errno::Noent)),
            "{target:?}: {answer:?}"
        );
    }
    guest.symlink("d/file", WORK, "link").unwrap();
    guest.symlink("./d", WORK, "to-d").unwrap();
    guest.symlink("nowhere..", WORK, "dangling").unwrap();
    assert_eq!(guest.readlink(WORK, "link"), Ok("d/file".to_owned()));
    let followed = guest.open(WORK, "link", 0, READ).unwrap();
    assert_eq!(guest.read(followed, 10), Ok(b"text".to_vec()));
    let followed = guest.open(WORK, "to-d/file", 0, READ).unwrap();
    assert_eq!(guest.read(followed, 10), Ok(b"text".to_vec()));
    assert_eq!(guest.open_with(WORK, "link", 0, 0, READ, 0), Err(Errno::Loop));
    guest.create(WORK, "dangling").unwrap();
    assert!(host.work().join("nowhere..").is_file());
    // A link and a slash mean the directory, not the link.
    for (what, answer) in try_everything(&mut guest, WORK, "link/") {
        assert!(answer.is_err(), "{what}");
    }
    assert!(guest.unlink(WORK, "to-d/").is_err());
    assert!(guest.rename(WORK, "d/file", WORK, "to-d/").is_err());
    assert_eq!(guest.stat(WORK, "to-d", 0).unwrap().filetype, 7);
    // A buffer that is too small gets the beginning.
    let (ptr, len) = guest.path(PATH, "link");
    guest
        .ask("path_readlink", &[WORK.into(), ptr, len, DATA.into(), 3, OUT.into()])
        .unwrap();
    assert_eq!((guest.u32(OUT), guest.get(DATA, 3)), (3, b"d/f".to_vec()));
}

/// What is neither a file nor a directory is not opened: it could block, or do anything.
#[test]
fn pipes_and_devices_are_not_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let host = Host::new();
    mknodat(CWD, host.work().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(host.work().join("socket")).unwrap();
    std::os::unix::fs::symlink("pipe", host.work().join("link")).unwrap();
    let mut guest = host.guest();
    for name in ["pipe", "socket", "link"] {
        for (oflags, rights) in [
            (0, READ),
            (0, WRITE),
            (bits::O_CREAT, READ | WRITE),
            (bits::O_TRUNC, WRITE),
        ] {
            assert_eq!(guest.open(WORK, name, oflags, rights), Err(Errno::Acces), "{name}");
        }
    }
    assert_eq!(guest.stat(WORK, "pipe", 1).unwrap().filetype, 0);
    assert_eq!(
        guest
            .list(WORK, 4096)
            .unwrap()
            .iter()
            .filter(|entry| entry.filetype == 0)
            .count(),
        2
    );
    assert_eq!(guest.stat(WORK, "socket", 1).unwrap().filetype, 0);
}

/// A path that goes up from a mount is about the mount above, or the one beside it.
#[test]
fn paths_lead_from_mount_to_mount() {
    let host = Host::new();
    let mut guest = host.guest();
    let there = guest.stat(RO, "file", 1).unwrap();
    for path in [
        "../ro/file",
        "./.././ro//file",
        "../../../ro/file",
        "../work/../ro/file",
        "../ro/directory/../file",
    ] {
        assert_eq!(guest.stat(WORK, path, 1), Ok(there), "{path}");
    }
    guest.stat(WORK, "../ro/directory/", 1).unwrap();
    assert_eq!(guest.stat(WORK, "../ro/file/", 1), Err(Errno::Notdir));
    assert_eq!(guest.stat(WORK, "../work", 1), guest.stat(WORK, ".", 1));
    assert_eq!(guest.create(WORK, "../ro/new"), Err(Errno::Rofs));
    guest.create(WORK, "../other/new").unwrap();
    assert!(host.folder.path().join("other/new").is_file());
    assert_eq!(guest.rename(WORK, "../other/new", WORK, "new"), Err(Errno::Xdev));
    guest.rename(WORK, "../other/new", OTHER, "old").unwrap();
    guest.unlink(RO, "../other/old").unwrap();
    // Mounts themselves stay where they are.
    for path in ["../other", "../work", "../ro", "../other/"] {
        assert!(guest.at("path_remove_directory", WORK, path).is_err(), "{path}");
        assert!(guest.rename(WORK, path, WORK, "new").is_err(), "{path}");
    }
    // Where no mount is, nothing is; and only mounts are left upwards.
    for path in [
        "..",
        "../outside",
        "../outside/secret",
        "../wor",
        "../workx",
        "../ro/../outside/secret",
    ] {
        assert_eq!(guest.stat(WORK, path, 1), Err(Errno::Perm), "{path}");
    }
    guest.mkdir(WORK, "d").unwrap();
    let directory = guest.open(WORK, "d", bits::O_DIRECTORY, READ).unwrap();
    assert_eq!(guest.stat(directory, "../../ro/file", 1), Err(Errno::Perm));

    // With a mount at the root, as runs have one.
    let mut spec = host.spec();
    let mut mounts = spec.mounts.to_vec();
    let names = ["/", "/usr/lib", "/usr/lib/site"];
    for (mount, name) in mounts.iter_mut().zip(names) {
        mount.guest_path = name.to_owned();
    }
    spec.mounts = mounts.into();
    let mut guest = Guest::new(spec);
    assert_eq!(guest.stat(OTHER, "../../../../file", 1), Ok(there));
    assert_eq!(guest.stat(WORK, "../../usr/../file", 1), Err(Errno::Noent));
    assert_eq!(guest.stat(OTHER, "../d", 1), guest.stat(WORK, "d", 1));
    assert_eq!(guest.stat(OTHER, "..", 1), guest.stat(WORK, ".", 1));
    assert_eq!(guest.stat(WORK, "../..", 1), guest.stat(RO, ".", 1));
    assert_eq!(guest.stat(RO, "../..", 1), guest.stat(RO, ".", 1));
    assert_eq!(guest.stat(RO, "../usr/lib/site/.", 1), guest.stat(OTHER, ".", 1));
    assert!(outside_is_untouched(host.folder.path()));
}
