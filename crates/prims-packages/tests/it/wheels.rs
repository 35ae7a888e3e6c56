//! A wheel has to be what it says it is.

use crate::support::*;
use prims_cache::Cache;
use prims_packages::{BundledIndex, BundledWheel, Environment, Error, Requirements, WheelProblem, install};
use std::path::Path;

fn files(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn install_draft(cache: &Cache, draft: &Draft) -> Environment {
    install_all(cache, &[draft.wheel()]).unwrap()
}

#[test]
fn record_is_enforced() {
    let content =
        refused_draft(|draft| draft.record = Some(draft.true_record().replace("a/b.py,sha256=", "a/b.py,sha256=x")));
    assert_eq!(content, WheelProblem::Content("a/b.py".into()));
    let size = refused_draft(|draft| draft.record = Some(draft.true_record().replacen(",6\n", ",7\n", 1)));
    assert!(matches!(size, WheelProblem::Content(_)), "{size:?}");
    let weak = refused_draft(|draft| draft.record = Some(draft.true_record().replacen("sha256=", "md5=", 1)));
    assert!(matches!(weak, WheelProblem::Content(_)), "{weak:?}");
    let missing = refused_draft(|draft| {
        let record = draft.true_record();
        draft.record = Some(
            record
                .lines()
                .filter(|line| !line.starts_with("a/b.py"))
                .map(|line| format!("{line}\n"))
                .collect(),
        );
    });
    assert_eq!(missing, WheelProblem::Unrecorded("a/b.py".into()));
    let extra = refused_draft(|draft| draft.record = Some(draft.true_record() + "a/c.py,sha256=x,1\n"));
    assert_eq!(extra, WheelProblem::NotThere("a/c.py".into()));
    for broken in ["a", "a,b\n", "a,,\na,,\n", "\"a,,\n"] {
        let problem = refused_draft(|draft| draft.record = Some(broken.into()));
        assert!(
            matches!(problem, WheelProblem::Description { file: "RECORD", .. }),
            "{broken:?} {problem:?}"
        );
    }
}

#[test]
fn identity_is_enforced() {
    let metadata = |from: &'static str, to: &'static str| {
        refused_draft(|draft| {
            let member = draft.member("a-1.0.dist-info/METADATA");
            member.content = String::from_utf8(member.content.clone())
                .unwrap()
                .replace(from, to)
                .into_bytes();
        })
    };
    assert!(matches!(
        metadata("Name: a", "Name: b"),
        WheelProblem::Identity { what: "name", .. }
    ));
    assert!(matches!(
        metadata("Version: 1.0", "Version: 1.1"),
        WheelProblem::Identity { what: "version", .. }
    ));
    assert!(matches!(
        metadata("Name: a", "Nome: a"),
        WheelProblem::Description { file: "METADATA", .. }
    ));
    assert!(matches!(
        metadata("Metadata-Version: 2.1", "Metadata-Version: 9"),
        WheelProblem::Description { .. }
    ));
    let other_folder = refused_draft(|draft| {
        draft.members.iter_mut().for_each(|member| {
            member.name = String::from_utf8(member.name.clone())
                .unwrap()
                .replace("a-1.0.dist", "b-1.0.dist")
                .into_bytes();
        });
    });
    assert!(
        matches!(other_folder, WheelProblem::Identity { .. }),
        "{other_folder:?}"
    );
    let two = refused_draft(|draft| draft.members.push(Member::new("b-1.0.dist-info/METADATA", b"")));
    assert!(matches!(two, WheelProblem::Identity { .. }), "{two:?}");
    let none = refused(wheel("a-1.0-py3-none-any.whl", archive(&[Member::new("a.py", b"")])));
    assert!(matches!(none, WheelProblem::Missing(_)), "{none:?}");
    for gone in ["METADATA", "WHEEL"] {
        let problem = refused_draft(|draft| draft.members.retain(|member| !member.name.ends_with(gone.as_bytes())));
        assert!(matches!(problem, WheelProblem::Missing(_)), "{problem:?}");
    }
    let future =
        refused_draft(|draft| draft.member("a-1.0.dist-info/WHEEL").content = b"Wheel-Version: 2.0\n".to_vec());
    assert!(
        matches!(future, WheelProblem::Description { file: "WHEEL", .. }),
        "{future:?}"
    );
}

#[test]
fn other_spellings_are_the_same_identity() {
    let (_folder, cache) = cache();
    let mut draft = Draft::of("My_Pkg", "1.0", "", &[("my_pkg.py", "")]);
    draft.filename = "my_pkg-1.0.0-py3-none-any.whl".into();
    let environment = install_draft(&cache, &draft);
    assert_eq!(environment.packages, [("my-pkg".to_owned(), "1.0.0".to_owned())]);
}

#[test]
fn a_digest_that_differs_is_refused_before_anything_is_read() {
    let (_folder, cache) = cache();
    let good = Draft::new(&[("a.py", "")]).wheel();
    let digest = BundledIndex::new(std::slice::from_ref(&good)).unwrap();
    let resolved = digest.resolve(&Requirements::parse(&["a"]).unwrap()).unwrap().unwrap();
    let sha256 = resolved.wheels()[0].sha256().to_owned();
    let first = install(&cache, &resolved).unwrap();
    let known = BundledWheel {
        sha256: Some(sha256.clone().into()),
        ..good.clone()
    };
    assert_eq!(install_all(&cache, &[known]).unwrap().digest, first.digest);
    let wrong = BundledWheel {
        sha256: Some("0".repeat(64).into()),
        ..good
    };
    match install_all(&cache, &[wrong]) {
        Err(Error::DigestMismatch { found, expected, .. }) => assert_eq!((found, expected), (sha256, "0".repeat(64))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn scripts_and_startup_code_are_left_out() {
    let (_folder, cache) = cache();
    let draft = Draft::new(&[
        ("a/__init__.py", ""),
        ("evil.pth", "import os; os.system('x')"),
        ("a-1.0.data/scripts/run", "#!python\n"),
        ("a-1.0.data/headers/a.h", ""),
        ("a-1.0.data/data/share/x", ""),
        ("a-1.0.data/purelib/pure.py", "p = 1\n"),
        ("a-1.0.data/platlib/plat/__init__.py", "q = 1\n"),
        ("a-1.0.data/purelib/worse.pth", "import x"),
        ("a/data.pth", "only a name"),
        ("a/native.cpython-313-wasm32-emscripten.so", ""),
        ("a-1.0.dist-info/RECORD.jws", "{}"),
    ]);
    let mut draft = draft;
    let record = draft.true_record();
    draft.record = Some(
        record
            .lines()
            .filter(|line| !line.contains("RECORD.jws"))
            .map(|line| format!("{line}\n"))
            .collect(),
    );
    let environment = install_draft(&cache, &draft);
    assert_eq!(
        files(&environment.path),
        [
            "a-1.0.dist-info/METADATA",
            "a-1.0.dist-info/RECORD",
            "a-1.0.dist-info/WHEEL",
            "a/__init__.py",
            "a/data.pth",
            "a/native.so",
            "plat/__init__.py",
            "pure.py"
        ]
    );
    assert_eq!(environment.top_level, ["a", "plat", "pure"]);
    // RECORD says what is installed.
    let record = std::fs::read_to_string(environment.path.join("a-1.0.dist-info/RECORD")).unwrap();
    let mut listed: Vec<&str> = record.lines().map(|line| line.split(',').next().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, files(&environment.path));
}

#[test]
fn top_level_names() {
    let (_folder, cache) = cache();
    let names = |files: &[(&str, &str)]| install_draft(&cache, &Draft::new(files)).top_level;
    let files = [
        ("a/__init__.py", ""),
        ("a/b/c.py", ""),
        ("single.py", ""),
        ("native.cpython-313-wasm32-wasi.so", ""),
        ("package.libs/x.so", ""),
        ("not-a-name/x.py", ""),
        ("only_data/x.txt", ""),
        ("namespace/inner/x.py", ""),
        ("readme.txt", ""),
    ];
    assert_eq!(names(&files), ["a", "namespace", "native", "single"]);
    let listed: Vec<_> = files
        .iter()
        .copied()
        .chain([("a-1.0.dist-info/top_level.txt", "a\nsingle\nnot_there\n\n")])
        .collect();
    assert_eq!(names(&listed), ["a", "single"]);
    let useless: Vec<_> = files
        .iter()
        .copied()
        .chain([("a-1.0.dist-info/top_level.txt", "../x\n")])
        .collect();
    assert_eq!(names(&useless), ["a", "namespace", "native", "single"]);
}

#[test]
fn wheels_for_others_and_twins_are_refused() {
    let named = |filename: &str| BundledIndex::new(&[wheel(filename, vec![])]).unwrap_err();
    assert!(matches!(
        named("a-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"),
        Error::BadWheel {
            problem: WheelProblem::Tag { .. },
            ..
        }
    ));
    assert!(matches!(
        named("a.whl"),
        Error::BadWheel {
            problem: WheelProblem::Filename(_),
            ..
        }
    ));
    let twins = [
        Draft::of("a", "1.0", "", &[]).wheel(),
        Draft::of("A", "2.0", "", &[]).wheel(),
    ];
    assert!(BundledIndex::new(&twins).is_err());
}
