//! `pylock.toml`: what is written is what is read, and of what others write only what can be used here is taken.

use crate::random::Random;
use crate::shelf::{Listed, Shelf};
use prims_packages::{Error, Inputs, Lock, LockProblem, Place, Target, resolve};
use std::path::Path;

fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    let bundled = Listed {
        tags: Some("cp313-cp313-wasi_0_1_wasm32".into()),
        is_bundled: true,
        ..Listed::default()
    };
    shelf.add("numpy", "2.4.6", "", bundled);
    let python = "Requires-Dist: numpy>=2\nRequires-Dist: Colors[rgb]\nRequires-Python: >=3.9\n";
    shelf.add("plots", "1.2", python, Listed::default());
    shelf.add(
        "colors",
        "0.9",
        "Requires-Dist: shades; extra=='rgb'\nProvides-Extra: rgb\n",
        Listed::default(),
    );
    shelf.add("shades", "3", "", Listed::default());
    shelf
}

fn lock(asked: &[&str]) -> Lock {
    resolve(&Inputs::from_requirements(asked).unwrap(), &Target::default(), &shelf()).unwrap()
}

fn read(text: &str) -> Result<Lock, LockProblem> {
    match Lock::from_pylock(text, &Target::default(), None) {
        Err(Error::LockFile(problem)) => Err(problem),
        other => Ok(other.unwrap()),
    }
}

#[test]
fn what_is_written_is_read_and_always_the_same() {
    let lock = lock(&["plots", "numpy"]);
    let text = lock.to_pylock(&Target::default()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pylock.toml");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
    assert_eq!(read(&text).unwrap(), lock);
    // The order in which wheels come makes no difference.
    let mut turned = lock.clone();
    turned.wheels.reverse();
    assert_eq!(turned.to_pylock(&Target::default()).unwrap(), text);
    let other_python = Target::cpython("3.14.0").unwrap();
    match Lock::from_pylock(&text, &other_python, None) {
        Err(Error::LockFile(LockProblem::Target { found, .. })) => assert_eq!(found, "Python ==3.13.*"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lock_without_a_hash_is_not_written() {
    let mut lock = lock(&["shades"]);
    lock.wheels[0].sha256.clear();
    let error = lock.to_pylock(&Target::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lock file is wrong about package `shades`: its wheel has no hash"
    );
}

const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn file(packages: &str) -> String {
    format!(
        "lock-version = \"1.0\"\ncreated-by = \"other\"\n{}",
        packages.replace("HASH", HASH)
    )
}

#[test]
fn locks_of_other_tools_are_read() {
    let text = file(
        r#"
        requires-python = ">=3.9"
        environments = ["sys_platform == 'linux'", "python_version >= '3.9'"]
        [[packages]]
        name = "markupsafe"
        version = "3.0.2"
        index = "https://index.invalid/simple"
        dependencies = [{ name = "absent", marker = "sys_platform == 'win32'" }, { name = "six", version = "1.16.0" }]
        sdist = { url = "https://index.invalid/markupsafe-3.0.2.tar.gz", hashes = { sha256 = "HASH" } }
        wheels = [
            { url = "https://index.invalid/MarkupSafe-3.0.2-cp313-cp313-manylinux_2_17_x86_64.whl", hashes = { sha256 = "HASH" } },
            { url = "https://index.invalid/MarkupSafe-3.0.2-cp313-cp313-pyemscripten_2025_0_wasm32.whl", hashes = { sha256 = "HASH" } },
            { url = "https://index.invalid/MarkupSafe-3.0.2-py3-none-any.whl", size = 1, hashes = { sha256 = "HASH" } },
            { url = "https://index.invalid/MarkupSafe-3.0.2-2-py3-none-any.whl", size = 2, hashes = { md5 = "x", sha256 = "HASH" } },
        ]
        [[packages]]
        name = "colorama"
        version = "0.4.6"
        marker = "sys_platform == 'win32'"
        directory = { path = "../x" }
        [[packages]]
        name = "six"
        version = "1.16.0"
        wheels = [{ name = "six-1.16.0-py2.py3-none-any.whl", url = "https://index.invalid/x?y#z", hashes = { sha256 = "HASH" } }]
        [tool.other]
        anything = 1
        "#,
    );
    let lock = read(&text).unwrap();
    let [markupsafe, six] = &lock.wheels[..] else {
        panic!("{lock:?}")
    };
    assert_eq!(
        (markupsafe.filename.as_str(), markupsafe.size),
        ("MarkupSafe-3.0.2-2-py3-none-any.whl", Some(2))
    );
    assert_eq!(markupsafe.dependencies, std::slice::from_ref(&six.name));
    assert_eq!(lock.roots, std::slice::from_ref(&markupsafe.name));
}

#[test]
fn locks_that_uv_and_pip_wrote_are_read() {
    // As the tools wrote them, but for the host of the URLs.
    let pins = |text: &str| -> Vec<String> {
        let lock = read(text).unwrap();
        lock.wheels.iter().map(|wheel| wheel.filename.clone()).collect()
    };
    let rich = [
        "markdown_it_py-4.3.0-py3-none-any.whl",
        "mdurl-0.1.2-py3-none-any.whl",
        "pygments-2.21.0-py3-none-any.whl",
        "rich-15.0.0-py3-none-any.whl",
    ];
    assert_eq!(pins(include_str!("../pylock-pip.toml")), rich);
    let more = [
        "attrs-26.1.0-py3-none-any.whl",
        "charset_normalizer-3.5.2-py3-none-any.whl",
    ];
    assert_eq!(pins(include_str!("../pylock-uv.toml")), [&more[..], &rich[..]].concat());
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let wheel = |place: &str| {
        file(&format!(
            "[[packages]]\nname = \"a\"\nversion = \"1.0\"\nwheels = [{{ {place}, hashes = {{ sha256 = \"HASH\" }} }}]\n"
        ))
    };
    let package = |entry: &str| file(&format!("[[packages]]\nname = \"a\"\n{entry}\n"));
    for (text, message) in [
        ("lock-version = \"2.0\"".into(), "has version `2.0`, expected 1.x"),
        (
            package("vcs = { type = \"git\", url = \"https://host/a\", commit-id = \"0\" }"),
            "locks package `a` to a repository, expected wheels",
        ),
        (
            package("directory = { path = \".\" }"),
            "locks package `a` to a folder, expected wheels",
        ),
        (
            package("archive = { url = \"https://host/a.zip\" }"),
            "locks package `a` to an archive, expected wheels",
        ),
        (
            package("sdist = { url = \"https://host/a.tar.gz\" }"),
            "locks package `a` to a source archive, expected wheels",
        ),
        (package(""), "locks package `a` to nothing, expected wheels"),
        (
            package("marker = \"nonsense\""),
            "is wrong about package `a`: expected a marker variable or a quoted text, found `nonsense`",
        ),
        (
            wheel("url = \"ftp://host/a-1.0-py3-none-any.whl\""),
            "is wrong about package `a`: its URL starts with `ftp`, expected `https` or `http`",
        ),
        (
            wheel("url = \"file:///a-1.0-py3-none-any.whl\""),
            "is wrong about package `a`: its URL starts with `file`, expected `https` or `http`",
        ),
        (
            wheel("path = \"a-1.0-py3-none-any.whl\""),
            "is wrong about package `a`: its wheel is a local file, expected a URL",
        ),
        (
            wheel("name = \"a-1.0-py3-none-any.whl\""),
            "is wrong about package `a`: its wheel has neither `url` nor `path`",
        ),
        (
            wheel("url = \"https://host/b-1.0-py3-none-any.whl\""),
            "is wrong about package `a`: wheel `b-1.0-py3-none-any.whl` is not of `a==1.0`",
        ),
        (
            wheel("url = \"https://host/a-1.1-py3-none-any.whl\""),
            "is wrong about package `a`: wheel `a-1.1-py3-none-any.whl` is not of `a==1.0`",
        ),
        (
            wheel("url = \"https://host/a-1.0.zip\""),
            "is wrong about package `a`: wheel `a-1.0.zip` is not named as wheels are: expected it to end in `.whl`",
        ),
        (
            wheel("url = \"https://host/a-1.0-cp313-cp313-win_amd64.whl\""),
            "has no wheel of package `a` that can be used here",
        ),
        (
            wheel("url = \"https://host/a-1.0-py3-none-any.whl\"").replace(HASH, "x"),
            "is wrong about package `a`: its wheel has no `sha256`",
        ),
        (
            format!(
                "{0}{1}",
                wheel("url = \"https://host/a-1.0-py3-none-any.whl\""),
                &wheel("url = \"https://host/a-1.0-py3-none-any.whl\"")[41..]
            ),
            "has package `a` twice",
        ),
        (
            file("environments = [\"sys_platform == 'linux'\"]"),
            "is for sys_platform == 'linux', this is CPython 3.13 on wasm32 WASI",
        ),
        (
            file("requires-python = \">=3.14\""),
            "is for Python >=3.14, this is CPython 3.13 on wasm32 WASI",
        ),
        (
            file(&"[[packages]]\nname = \"a\"\n".repeat(1_001)),
            "has 1001 packages, expected at most 1000",
        ),
        (
            " ".repeat((8 << 20) + 1),
            "is 8388609 bytes long, expected at most 8388608",
        ),
    ] {
        assert_eq!(
            read(&text).unwrap_err().to_string(),
            message,
            "{}",
            &text[..text.len().min(300)]
        );
    }
    for text in [
        "",
        "x",
        "lock-version = 1",
        "[[packages]]",
        "lock-version = \"1.0\"\npackages = 3",
        &file("[[packages]]\nname = \"a b\""),
    ] {
        assert!(matches!(read(text), Err(LockProblem::Toml(_))), "{text:?}");
    }
}

#[test]
fn local_wheels_are_found_beside_the_file() {
    let text = file(
        "[[packages]]\nname = \"a\"\nversion = \"1.0\"\nwheels = [{ path = \"w/a-1.0-py3-none-any.whl\", hashes = { sha256 = \"HASH\" } }]\n",
    );
    let lock = Lock::from_pylock(&text, &Target::default(), Some(Path::new("/locks"))).unwrap();
    assert_eq!(
        lock.wheels[0].place,
        Place::File("/locks/w/a-1.0-py3-none-any.whl".into())
    );
}

#[test]
fn damaged_locks_are_refused_or_read_and_nothing_else() {
    let texts = [
        include_str!("../pylock.toml"),
        include_str!("../pylock-uv.toml"),
        include_str!("../pylock-pip.toml"),
    ];
    let mut random = Random::new(1);
    let mut below = |end: usize| random.below(end as u64) as usize;
    let (mut refused, mut taken) = (0, 0);
    for round in 0..3_000 {
        let mut bytes = texts[round % texts.len()].as_bytes().to_vec();
        for _ in 0..=below(3) {
            let (at, length) = (below(bytes.len()), below(12));
            let end = (at + length).min(bytes.len());
            match below(3) {
                0 => bytes[at] = below(128) as u8,
                1 => drop(bytes.drain(at..end)),
                _ => {
                    let copied = bytes[at..end].to_vec();
                    let to = below(bytes.len());
                    bytes.splice(to..to, copied);
                }
            }
        }
        match read(&String::from_utf8_lossy(&bytes)) {
            Ok(lock) => {
                taken += 1;
                let again = lock.to_pylock(&Target::default()).unwrap();
                assert_eq!(read(&again).unwrap().wheels.len(), lock.wheels.len());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500 && taken > 100, "{refused} refused, {taken} taken");
}
