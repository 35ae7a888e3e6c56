//! Reads the list of the guest's files, verifies them, and writes the table that embeds them. Part of the build script; the library
//! has it for its tests only.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;

/// Where the guest's files are, below the root of the repository.
pub(crate) const DIST: &str = "python-wasm/dist";
/// The list of them.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The version of the list this program reads.
const VERSION: u64 = 1;
/// No file is larger, packed or unpacked: a mistake in the list must not make the program reserve memory without end.
const MAX_SIZE: u64 = 1 << 30;

/// The list of the guest's files.
pub(crate) struct Manifest {
    python: String,
    tag: String,
    pub(crate) files: Vec<File>,
}

/// One of the guest's files.
pub(crate) struct File {
    pub(crate) name: String,
    kind: String,
    sha256: String,
    size: u64,
    unpacked_sha256: String,
    unpacked_size: u64,
}

impl Manifest {
    pub(crate) fn read(dist: &Path) -> Result<Manifest, String> {
        let text = std::fs::read_to_string(dist.join(MANIFEST)).map_err(|error| {
            format!(
                "cannot read {DIST}/{MANIFEST}: {error}; it is made by python-wasm/build and kept in the repository"
            )
        })?;
        Manifest::parse(&text).map_err(|reason| format!("{DIST}/{MANIFEST}: {reason}"))
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match json["version"].as_u64() {
            Some(VERSION) => {}
            _ => return Err(format!("its version is {}, expected {VERSION}", json["version"])),
        }
        let files = json["files"].as_array().ok_or("`files` is not a list")?;
        let files = files.iter().map(File::parse).collect::<Result<Vec<File>, String>>()?;
        for kind in ["module", "stdlib"] {
            let count = files.iter().filter(|file| file.kind == kind).count();
            if count != 1 {
                return Err(format!("it lists {count} files of kind `{kind}`, expected 1"));
            }
        }
        Ok(Manifest {
            python: string(&json, "python")?,
            tag: string(&json["target"], "tag")?,
            files,
        })
    }

    /// Compares every file with what the list says.
    pub(crate) fn verify(&self, dist: &Path) -> Result<(), String> {
        for file in &self.files {
            let path = format!("{DIST}/{}", file.name);
            let bytes = std::fs::read(dist.join(&file.name)).map_err(|error| format!("cannot read {path}: {error}"))?;
            if bytes.len() as u64 != file.size {
                return Err(format!(
                    "{path} is {} bytes long, {MANIFEST} says {}",
                    bytes.len(),
                    file.size
                ));
            }
            let found = hex(&Sha256::digest(&bytes));
            if found != file.sha256 {
                return Err(format!("{path} has sha256 {found}, {MANIFEST} says {}", file.sha256));
            }
        }
        Ok(())
    }

    /// The source text of the table. Wheels that are for tests only are left out: the program has no use for them.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("// Written by build.rs.\n");
        let _ = writeln!(text, "pub(super) const PYTHON: &str = {:?};", self.python);
        let _ = writeln!(text, "pub(super) const TAG: &str = {:?};", self.tag);
        let _ = writeln!(text, "pub(super) static FILES: &[GuestFile] = &[");
        for file in &self.files {
            let kind = match file.kind.as_str() {
                "module" => "Module",
                "stdlib" => "Stdlib",
                "wheel" => "Wheel",
                _ => continue,
            };
            let path = format!("/{DIST}/{}", file.name);
            let _ = writeln!(text, "    GuestFile {{");
            let _ = writeln!(text, "        name: {:?},", file.name);
            let _ = writeln!(text, "        kind: GuestKind::{kind},");
            let _ = writeln!(
                text,
                "        bytes: include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?})),"
            );
            let _ = writeln!(text, "        sha256: {:?},", file.sha256);
            let _ = writeln!(text, "        unpacked_sha256: {:?},", file.unpacked_sha256);
            let _ = writeln!(text, "        unpacked_size: {},", file.unpacked_size);
            let _ = writeln!(text, "    }},");
        }
        text + "];\n"
    }
}

impl File {
    fn parse(json: &Value) -> Result<File, String> {
        let name = string(json, "name")?;
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
        if !is_plain || name.is_empty() || name.starts_with('.') {
            return Err(format!("`{name}` is not the name of a file beside it"));
        }
        let about = |reason: String| format!("`{name}`: {reason}");
        let kind = string(json, "kind").map_err(about)?;
        if !["module", "stdlib", "wheel", "test-wheel"].contains(&kind.as_str()) {
            return Err(format!(
                "`{name}` has kind `{kind}`, expected module, stdlib, wheel or test-wheel"
            ));
        }
        let digest = |key| {
            let digest = string(json, key).map_err(about)?;
            let is_hex = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if is_hex {
                Ok(digest)
            } else {
                Err(about(format!("`{key}` is not 64 hexadecimal digits")))
            }
        };
        let size = |key| match json[key].as_u64() {
            Some(size) if size <= MAX_SIZE => Ok(size),
            _ => Err(about(format!(
                "`{key}` is {}, expected a number up to {MAX_SIZE}",
                json[key]
            ))),
        };
        let (sha256, unpacked_sha256) = (digest("sha256")?, digest("unpacked_sha256")?);
        let (size, unpacked_size) = (size("size")?, size("unpacked_size")?);
        Ok(File {
            name,
            kind,
            sha256,
            size,
            unpacked_sha256,
            unpacked_size,
        })
    }
}

fn string(json: &Value, key: &str) -> Result<String, String> {
    json[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("`{key}` is not a text"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
