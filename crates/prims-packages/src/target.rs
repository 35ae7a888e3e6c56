//! What packages are chosen for.

use pep440_rs::Version;

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

    /// Whether a wheel with these tags can be imported. Each may be a set such as `py2.py3`.
    pub(crate) fn accepts(&self, python: &str, abi: &str, platform: &str) -> bool {
        python.split('.').any(|python| {
            abi.split('.').any(|abi| {
                platform
                    .split('.')
                    .any(|platform| self.accepts_one(python, abi, platform))
            })
        })
    }

    fn accepts_one(&self, python: &str, abi: &str, platform: &str) -> bool {
        let [major, minor, _] = self.full_version;
        let own = format!("cp{major}{minor}");
        // Wheels for an older CPython import where they keep to what does not change.
        let not_newer = |prefix: &str| {
            let number = python
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix(&major.to_string()));
            number.is_some_and(|rest| rest.is_empty() || rest.parse().is_ok_and(|found: u64| found <= minor))
        };
        let is_native = platform.starts_with("wasi_") && platform.ends_with("_wasm32");
        match abi {
            "none" => (not_newer("py") || not_newer("cp")) && (platform == "any" || is_native),
            "abi3" => not_newer("cp") && is_native,
            abi => abi == own && python == own && is_native,
        }
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
        for (python, abi, platform) in [
            ("py3", "none", "any"),
            ("py2.py3", "none", "any"),
            ("py313", "none", "any"),
            ("py38", "none", "any"),
            ("cp313", "cp313", "wasi_0_1_wasm32"),
            ("cp39", "abi3", "wasi_0_1_wasm32"),
            ("cp313", "none", "any"),
        ] {
            assert!(target.accepts(python, abi, platform), "{python}-{abi}-{platform}");
        }
        for (python, abi, platform) in [
            ("py2", "none", "any"),
            ("py314", "none", "any"),
            ("cp312", "cp312", "wasi_0_1_wasm32"),
            ("cp314", "abi3", "wasi_0_1_wasm32"),
            ("cp313", "cp313", "manylinux_2_17_x86_64"),
            ("cp313", "cp313t", "wasi_0_1_wasm32"),
            ("cp313", "cp313", "emscripten_4_0_9_wasm32"),
            ("pp310", "pypy310_pp73", "any"),
        ] {
            assert!(!target.accepts(python, abi, platform), "{python}-{abi}-{platform}");
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
