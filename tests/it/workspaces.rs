//! The files of a session, as a client sees them.

use super::sessions::{DEFAULT, does, open, run, stateful, value};
use prims_interpreter::{EntryKind, FileError, ListOptions, SessionSettings, WorkspacePath};
use prims_sandbox::Exit;

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::parse(text).expect("it is one")
}

#[test]
fn files_go_in_and_out_and_count_together_with_what_programs_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SessionSettings {
        workspace_bytes: 1 << 20,
        workspace_files: 20,
        ..DEFAULT
    };
    let sessions = open(folder.path(), settings);
    let handle = stateful(&sessions);
    let files = sessions.workspace(&handle, None).expect("it is there");
    let entry = files.write(&path("data/in.csv"), b"a,b\n1,2\n").expect("there is room");
    assert_eq!(
        (entry.size, entry.mime, entry.kind),
        (8, Some("text/csv"), EntryKind::File)
    );
    assert_eq!(
        value(&sessions, &handle, "open('data/in.csv').read()"),
        "'a,b\\n1,2\\n'"
    );
    does(
        &sessions,
        &handle,
        "import os\nos.makedirs('output/plots')\nopen('output/plots/p.png', 'wb').write(bytes(600_000))\n\
         open('output/t.txt', 'w').write('text')\nos.symlink('./plots', 'output/l')",
    );
    let artifacts = files.artifacts(10).expect("it lists");
    let names: Vec<_> = artifacts
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.mime))
        .collect();
    assert_eq!(
        names,
        [
            ("output/plots/p.png", Some("image/png")),
            ("output/t.txt", Some("text/plain"))
        ]
    );
    let part = files.read(&path("/workspace/output/t.txt"), 1, 2).expect("it reads");
    assert_eq!((part.bytes.as_slice(), part.size), (&b"ex"[..], 4));

    // 600,012 bytes are taken: neither side gets more than what is left.
    let full = files
        .write(&path("big"), &vec![0; 500_000])
        .expect_err("there is no room");
    assert!(matches!(full, FileError::Full(_)), "{full}");
    files.write(&path("big"), &vec![0; 400_000]).expect("there is room");
    let report = run(&sessions, &handle, "open('more', 'wb').write(bytes(100_000))");
    assert!(
        matches!(&report.outcome.exit, Exit::Raised(error) if error.kind == "OSError"),
        "{:?}",
        report.outcome.exit
    );
    files.delete(&path("big"), false).expect("it is there");
    does(&sessions, &handle, "open('more', 'wb').write(bytes(100_000))");
    for k in 0..30 {
        if files.write(&path(&format!("many/{k}")), b"").is_err() {
            assert!(k > 5, "{k}");
            break;
        }
        assert!(k < 20, "names are not counted");
    }

    // In order, in pieces.
    let options = ListOptions {
        recursive: true,
        limit: 3,
        ..ListOptions::default()
    };
    let first = files.list(&WorkspacePath::root(), &options).expect("it lists");
    assert!(first.truncated && first.entries.len() == 3);
    let after = Some(first.entries[2].path.clone());
    let all = ListOptions {
        limit: 1000,
        ..options.clone()
    };
    let rest = files
        .list(&WorkspacePath::root(), &ListOptions { after, ..all.clone() })
        .expect("it lists");
    let whole = files.list(&WorkspacePath::root(), &all).expect("it lists");
    assert_eq!([first.entries, rest.entries].concat(), whole.entries);
    assert!(whole.entries.is_sorted_by(|a, b| a.path < b.path) && !whole.truncated);
    assert!(matches!(
        files.delete(&path("output"), false),
        Err(FileError::NotEmpty(_))
    ));
    files.delete(&path("output"), true).expect("it is there");
    assert!(matches!(files.stat(&path("output")), Err(FileError::Missing(_))));
    assert!(matches!(files.read(&path("data"), 0, 1), Err(FileError::Kind { .. })));
    assert!(matches!(files.write(&path("data"), b""), Err(FileError::Kind { .. })));
    assert!(matches!(files.list(&path("more"), &all), Err(FileError::Kind { .. })));
}

#[test]
fn no_path_leads_out_of_a_workspace() {
    for bad in [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a\0b",
        "a\nb",
        "/workspace/../x",
        "/workspacex/a",
    ] {
        assert!(
            matches!(WorkspacePath::parse(bad), Err(FileError::Path { .. })),
            "{bad:?}"
        );
    }
    let (long, deep) = ("x".repeat(256), ["d"; 65].join("/"));
    assert!(WorkspacePath::parse(&long).is_err() && WorkspacePath::parse(&deep).is_err());
    for (text, meant) in [
        ("./a//b/", "a/b"),
        ("/workspace/a", "a"),
        ("/workspace", ""),
        ("", ""),
        ("a b/é", "a b/é"),
    ] {
        let once = path(text);
        assert_eq!((once.as_str(), &path(once.as_str())), (meant, &once), "{text:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("secret"), "secret").expect("a file");
    let sessions = open(&folder.path().join("data"), DEFAULT);
    let handle = stateful(&sessions);
    does(
        &sessions,
        &handle,
        "import os\nos.mkdir('d')\nopen('d/f', 'w').write('inside')\nos.symlink('d/f', 'in')",
    );
    // The guest cannot make such links; should anything else, they lead nowhere.
    let workspace = folder.path().join("data/sessions").join(&handle).join("workspace");
    for (name, target) in [
        ("abs", outside.clone()),
        ("rel", "../../../../outside".into()),
        ("root", "/".into()),
    ] {
        std::os::unix::fs::symlink(target, workspace.join(name)).expect("a link");
    }
    let files = sessions.workspace(&handle, None).expect("it is there");
    assert_eq!(
        files.read(&path("in"), 0, 100).expect("it leads inside").bytes,
        b"inside"
    );
    for link in ["abs", "rel", "root"] {
        let below = path(&format!("{link}/secret"));
        assert!(files.read(&below, 0, 100).is_err(), "{link}");
        assert!(files.write(&below, b"x").is_err() && files.write(&path(&format!("{link}/new/x")), b"x").is_err());
        assert!(files.list(&path(link), &ListOptions::default()).is_err(), "{link}");
        assert!(files.delete(&below, true).is_err(), "{link}");
        assert_eq!(files.stat(&path(link)).expect("the link itself").kind, EntryKind::Link);
        files.delete(&path(link), true).expect("the link itself");
    }
    assert_eq!(std::fs::read(outside.join("secret")).expect("it is there"), b"secret");
    assert_eq!(std::fs::read_dir(&outside).expect("it is there").count(), 1);
}

#[test]
fn more_names_and_folders_than_a_listing_shows_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = open(folder.path(), DEFAULT);
    let handle = stateful(&sessions);
    let workspace = folder.path().join("sessions").join(&handle).join("workspace");
    // More folders than a process usually may have open, and more files than are listed.
    for k in 0..1100 {
        let below = workspace.join(format!("{k}"));
        std::fs::create_dir(&below).expect("a folder");
        for name in 0..19 {
            std::fs::write(below.join(format!("{name}")), "x").expect("a file");
        }
    }
    let files = sessions.workspace(&handle, None).expect("it is there");
    assert_eq!(files.bytes().expect("it can be measured"), 1100 * 19);
    let options = ListOptions {
        recursive: true,
        limit: 20_000,
        ..ListOptions::default()
    };
    let listing = files.list(&WorkspacePath::root(), &options).expect("it lists");
    assert!(listing.truncated && listing.entries.len() == 20_000);
    let whole = ListOptions {
        limit: 30_000,
        ..options
    };
    let listing = files.list(&WorkspacePath::root(), &whole).expect("it lists");
    assert_eq!((listing.truncated, listing.entries.len()), (false, 1100 * 20));
}
