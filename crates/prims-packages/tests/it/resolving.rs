//! Which wheels satisfy what was asked for, and what is said when none do.

use crate::support::*;
use prims_packages::{BundledIndex, IndexSettings, Indexes, Inputs, Requirements, Target};

fn world() -> BundledIndex {
    index(&[
        Draft::of("numpy", "2.4.6", "", &[("numpy/__init__.py", "")]),
        Draft::of(
            "plots",
            "1.2",
            "Requires-Dist: numpy>=2\nRequires-Dist: winthing; sys_platform == 'win32'\nRequires-Dist: Colors[rgb]; extra == 'fancy'\n\
             Provides-Extra: Fancy\n",
            &[],
        ),
        Draft::of(
            "colors",
            "0.9",
            "Requires-Dist: plots\nRequires-Dist: shades==3; extra=='rgb'\nProvides-Extra: rgb\n",
            &[],
        ),
        Draft::of("shades", "3", "", &[]),
        Draft::of("needs_old", "1", "Requires-Dist: numpy<2\n", &[]),
        Draft::of("needs_more", "1", "Requires-Dist: scipy\n", &[]),
        Draft::of("modern", "1", "Requires-Python: >=3.14\n", &[]),
        Draft::of("beta", "2.0b1", "", &[]),
    ])
}

/// What is chosen where the bundle is enough.
fn resolve(requirements: &[&str]) -> Option<Vec<String>> {
    let requirements = Requirements::parse(requirements).unwrap();
    let resolved = world().resolve(&requirements).unwrap()?;
    let wheels = resolved.wheels().iter();
    Some(
        wheels
            .map(|wheel| format!("{}=={}", wheel.name(), wheel.version()))
            .collect(),
    )
}

/// Why there is nothing to choose, as the resolver explains it that sees the bundle and no index.
fn explained(bundled: BundledIndex, requirements: &[&str]) -> (String, String) {
    let (_folder, cache) = cache();
    let indexes = Indexes::new(IndexSettings::bundled_only(), bundled, cache).unwrap();
    let inputs = Inputs::from_requirements(requirements).unwrap();
    let error = prims_packages::resolve(&inputs, &Target::default(), &indexes).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn what_fits_is_chosen_with_what_it_needs() {
    assert_eq!(resolve(&[]).unwrap(), Vec::<String>::new());
    for asked in [
        "numpy",
        "NumPy",
        "numpy==2.4.6",
        "numpy>=2,<3",
        "numpy~=2.4",
        "numpy!=2.4.5",
    ] {
        assert_eq!(resolve(&[asked]).unwrap(), ["numpy==2.4.6"], "{asked}");
    }
    assert_eq!(resolve(&["plots"]).unwrap(), ["numpy==2.4.6", "plots==1.2"]);
    // An extra that needs another's extra, and a circle.
    let all = ["colors==0.9", "numpy==2.4.6", "plots==1.2", "shades==3"];
    assert_eq!(resolve(&["plots[fancy]"]).unwrap(), all);
    assert_eq!(resolve(&["plots", "PLOTS[Fancy]", "numpy"]).unwrap(), all);
    assert_eq!(
        resolve(&["numpy; sys_platform == 'win32'"]).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        resolve(&["numpy; sys_platform == 'wasi' and python_version >= '3.13'"]).unwrap(),
        ["numpy==2.4.6"]
    );
    assert_eq!(resolve(&["beta"]).unwrap(), ["beta==2.0b1"]);
}

#[test]
fn what_does_not_fit_is_explained() {
    let said = |requirements: &[&str]| {
        assert_eq!(resolve(requirements), None, "{requirements:?}");
        explained(world(), requirements)
    };
    let (message, hint) = said(&["numpi"]);
    assert_eq!(
        (message.as_str(), hint.as_str()),
        ("package `numpi` is not available", "did you mean `numpy`?")
    );
    let (message, hint) = said(&["requests"]);
    assert_eq!(message, "package `requests` is not available");
    assert!(
        hint.starts_with("no index is set; available: beta==2.0b1, colors==0.9, "),
        "{hint}"
    );
    let (message, hint) = said(&["numpy>=3,<4"]);
    assert_eq!(
        message,
        "package `numpy` is available in version 2.4.6, expected `numpy>=3,<4`"
    );
    assert_eq!(hint, "ask for `numpy` or `numpy==2.4.6`");
    assert_eq!(
        said(&["needs-old"]).1,
        "leave `needs-old` out: what it needs is not available"
    );
    assert_eq!(
        said(&["needs-old"]).0,
        "package `numpy` is available in version 2.4.6, expected `numpy<2` (needed by `needs-old`)"
    );
    assert_eq!(
        said(&["needs-more"]).0,
        "package `scipy` (needed by `needs-more`) is not available"
    );
    assert_eq!(
        said(&["numpy[fast]"]),
        (
            "package `numpy` has no extra `fast`".into(),
            "leave the extra out".into()
        )
    );
    assert_eq!(said(&["plots[fast]"]).1, "extras it has: fancy");
    assert_eq!(
        said(&["modern"]).0,
        "package `modern` needs another Python: >=3.14, this is Python 3.13.15"
    );
    let empty = BundledIndex::new(&[]).unwrap();
    assert_eq!(
        explained(empty, &["numpy"]).1,
        "no packages are available beside the standard library"
    );
}
