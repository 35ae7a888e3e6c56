//! What packages are chosen for.

use pep440_rs::Version;

/// The platform tag of wheels built for Pyodide with the same version of CPython. Such a wheel is taken only after a look inside.
const FOREIGN_PLATFORM: &str = "pyemscripten_2025_0_wasm32";

/// How well a wheel fits; the greatest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fit {
    pub(crate) built_for: BuiltFor,
    interface: Interface,
    /// The minor version of Python that is named, and whether it is CPython's.
    python: (u64, bool),
}

/// The platform a wheel was built for, from the least to the most specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BuiltFor {
    Any,
    Pyodide,
    Guest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Interface {
    None,
    Stable,
    Own,
}

/// The Python that will import the packages: what markers are evaluated against and wheels are matched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    full_version: [u64; 3],
}

impl Target {
    /// CPython for WASI in a version such as `3.13.15`; `None` when it is not of that form.
    pub fn cpython(version: &str) -> Option<Target> {
        let numbers: Vec<u64> = version
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        Some(Target {
            full_version: numbers.try_into().ok()?,
        })
    }

    /// The full version, for example `3.13.15`.
    pub fn full_version(&self) -> String {
        let [major, minor, patch] = self.full_version;
        format!("{major}.{minor}.{patch}")
    }

    /// The version that names the language, for example `3.13`.
    pub fn version(&self) -> String {
        let [major, minor, _] = self.full_version;
        format!("{major}.{minor}")
    }

    pub(crate) fn pep440(&self) -> Version {
        Version::new(self.full_version)
    }

    /// The value of an environment marker; `None` when there is no such marker.
    pub(crate) fn marker(&self, name: &str) -> Option<String> {
        Some(match name {
            "python_version" => self.version(),
            "python_full_version" | "implementation_version" => self.full_version(),
            "os_name" | "os.name" => "posix".into(),
            "sys_platform" | "sys.platform" => "wasi".into(),
            "platform_machine" | "platform.machine" => "wasm32".into(),
            "platform_system" => "wasi".into(),
            "platform_python_implementation" | "platform.python_implementation" | "python_implementation" => {
                "CPython".into()
            }
            "implementation_name" => "cpython".into(),
            // CPython has nothing to say about these on this platform.
            "platform_release" | "platform_version" | "platform.version" => String::new(),
            _ => return None,
        })
    }

    /// How well a wheel with these tags fits, if it can be imported at all. Each tag may be a set such as `py2.py3`; the best
    /// combination counts.
    pub(crate) fn fit(&self, python: &str, abi: &str, platform: &str) -> Option<Fit> {
        let pythons = python.split('.');
        let combinations = pythons.flat_map(|python| {
            abi.split('.')
                .flat_map(move |abi| platform.split('.').map(move |platform| (python, abi, platform)))
        });
        combinations
            .filter_map(|(python, abi, platform)| self.fit_one(python, abi, platform))
            .max()
    }

    /// The one place that says which tags are accepted and which of them are better.
    fn fit_one(&self, python: &str, abi: &str, platform: &str) -> Option<Fit> {
        let built_for = match platform {
            "any" => BuiltFor::Any,
            FOREIGN_PLATFORM => BuiltFor::Pyodide,
            own if own.starts_with("wasi_") && own.ends_with("_wasm32") => BuiltFor::Guest,
            _ => return None,
        };
        let [major, minor, _] = self.full_version;
        let own = format!("cp{major}{minor}");
        // Wheels for an older CPython import where they keep to what does not change. The newer, the closer.
        let not_newer = |prefix: &str| {
            let rest = python.strip_prefix(prefix)?.strip_prefix(&major.to_string())?;
            let found = if rest.is_empty() { 0 } else { rest.parse().ok()? };
            (found <= minor).then_some(found)
        };
        let (interface, python) = match abi {
            "none" => match not_newer("cp") {
                Some(minor) => (Interface::None, (minor, true)),
                None => (Interface::None, (not_newer("py")?, false)),
            },
            "abi3" if built_for != BuiltFor::Any => (Interface::Stable, (not_newer("cp")?, true)),
            abi if abi == own && python == own && built_for != BuiltFor::Any => (Interface::Own, (minor, true)),
            _ => return None,
        };
        Some(Fit {
            built_for,
            interface,
            python,
        })
    }

    /// The target as a marker that holds for it.
    pub(crate) fn environment(&self) -> String {
        format!(
            "sys_platform == 'wasi' and platform_machine == 'wasm32' and implementation_name == 'cpython' and python_version == '{}'",
            self.version()
        )
    }

    /// How the target is called in messages.
    pub(crate) fn describe(&self) -> String {
        format!("CPython {} on wasm32 WASI", self.version())
    }
}

impl Default for Target {
    /// The CPython this program comes with.
    fn default() -> Target {
        Target {
            full_version: [3, 13, 15],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let target = Target::cpython("3.13.15").unwrap();
        // From the best to the worst.
        let accepted = [
            ("cp313", "cp313", "wasi_0_1_wasm32"),
            ("cp313", "abi3", "wasi_0_1_wasm32"),
            ("cp39", "abi3", "wasi_0_1_wasm32"),
            ("py3", "none", "wasi_0_1_wasm32"),
            ("cp313", "cp313", "pyemscripten_2025_0_wasm32"),
            ("cp311", "abi3", "pyemscripten_2025_0_wasm32"),
            ("cp313", "none", "any"),
            ("py313", "none", "any"),
            ("py38", "none", "any"),
            ("py2.py3", "none", "any"),
        ];
        let fits = accepted.map(|(python, abi, platform)| target.fit(python, abi, platform));
        assert!(fits.iter().all(Option::is_some), "{fits:?}");
        assert!(fits.is_sorted_by(|better, worse| better > worse), "{fits:?}");
        for (python, abi, platform) in [
            ("py2", "none", "any"),
            ("py314", "none", "any"),
            ("cp312", "cp312", "wasi_0_1_wasm32"),
            ("cp314", "abi3", "wasi_0_1_wasm32"),
            ("cp313", "cp313", "any"),
            ("cp313", "cp313", "manylinux_2_17_x86_64"),
            ("cp313", "cp313t", "wasi_0_1_wasm32"),
            ("cp313", "cp313", "emscripten_4_0_9_wasm32"),
            ("cp313", "cp313", "pyemscripten_2026_0_wasm32"),
            ("cp312", "cp312", "pyemscripten_2025_0_wasm32"),
            ("pp310", "pypy310_pp73", "any"),
        ] {
            assert_eq!(target.fit(python, abi, platform), None, "{python}-{abi}-{platform}");
        }
    }

    #[test]
    fn versions() {
        assert_eq!(Target::cpython("3.13.15"), Some(Target::default()));
        assert_eq!(Target::default().version(), "3.13");
        for bad in ["", "3", "3.13", "3.13.x", "3.13.15.1"] {
            assert_eq!(Target::cpython(bad), None);
        }
    }
}
