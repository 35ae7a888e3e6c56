//! A wheel's inside: checked against its own descriptions, then as a list of files to install.

use crate::archive::{Archive, Member};
use crate::error::WheelProblem;
use crate::filename::WheelFilename;
use crate::metadata::{Metadata, check_wheel};
use crate::name::Name;
use crate::record;
use pep440_rs::Version;
use std::collections::BTreeSet;
use std::str::FromStr;

/// Most that a description in a wheel may have.
pub(crate) const MAX_DESCRIPTION: u64 = 16 << 20;
/// Largest native module, as the sandbox has it.
const MAX_NATIVE: u64 = 64 << 20;

/// A wheel whose structure has been checked; the files themselves are checked when they are read.
pub(crate) struct Wheel<'a> {
    archive: Archive<'a>,
    /// The folder with its descriptions, `name-version.dist-info`.
    info: String,
    /// The folder with files that go elsewhere, `name-version.data`, if there is one.
    data: Option<String>,
}

/// A file to install.
pub(crate) struct File {
    /// Below the folder packages are imported from.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    /// In base64, as `RECORD` writes it.
    pub(crate) sha256: String,
}

impl<'a> Wheel<'a> {
    pub(crate) fn open(filename: &WheelFilename, bytes: &'a [u8]) -> Result<Wheel<'a>, WheelProblem> {
        let archive = Archive::open(bytes)?;
        let (mut infos, mut datas) = (BTreeSet::new(), BTreeSet::new());
        for member in archive.members() {
            let top = member.name.split('/').next().unwrap_or_default();
            if top.ends_with(".dist-info") {
                infos.insert(top);
            } else if top.ends_with(".data") {
                datas.insert(top);
            }
        }
        let own = |folders: &BTreeSet<&str>, ending: &str| match folders.iter().collect::<Vec<_>>()[..] {
            [folder] if is_own(folder, ending, filename) => Ok(Some((*folder).to_owned())),
            [] => Ok(None),
            _ => {
                let found = folders.iter().copied().collect::<Vec<_>>().join(", ");
                let expected = format!("{}-{}{ending}", filename.name, filename.version);
                Err(WheelProblem::Identity {
                    what: "folder",
                    found,
                    expected,
                })
            }
        };
        let info = own(&infos, ".dist-info")?.ok_or_else(|| WheelProblem::Missing("*.dist-info".into()))?;
        let data = own(&datas, ".data")?;
        Ok(Wheel { archive, info, data })
    }

    /// What the wheel says about itself, which has to agree with its file name.
    pub(crate) fn metadata(&self, filename: &WheelFilename) -> Result<Metadata, WheelProblem> {
        Metadata::of(filename, &self.metadata_text()?)
    }

    /// Its `METADATA`.
    pub(crate) fn metadata_text(&self) -> Result<Vec<u8>, WheelProblem> {
        self.description("METADATA")
    }

    /// Its native modules, each with its name, unpacked one after another.
    pub(crate) fn native_modules(&self) -> impl Iterator<Item = Result<(&str, Vec<u8>), WheelProblem>> {
        let is_native = |member: &&Member| !member.is_folder && member.name.ends_with(".so");
        self.archive.members().iter().filter(is_native).map(|member| {
            if member.size > MAX_NATIVE {
                let reason = format!("is {} bytes long, expected at most {MAX_NATIVE}", member.size);
                return Err(WheelProblem::Path {
                    path: member.name.clone(),
                    reason,
                });
            }
            Ok((member.name.as_str(), self.archive.read(member)?))
        })
    }

    /// Bytes and number of its files, as announced.
    pub(crate) fn size(&self) -> (u64, u64) {
        let members = self.archive.members();
        (members.iter().map(|member| member.size).sum(), members.len() as u64)
    }

    /// Unpacks everything, verified against `RECORD`, and gives each file that is installed to `install`. Left out are scripts,
    /// headers and other data that nothing here could use, and `.pth` files, which would run code when Python starts.
    pub(crate) fn unpack<E: From<WheelProblem>>(
        &self,
        mut install: impl FnMut(File) -> Result<(), E>,
    ) -> Result<(), E> {
        check_wheel(&self.description("WHEEL")?)
            .map_err(|reason| WheelProblem::Description { file: "WHEEL", reason })?;
        let record_path = format!("{}/RECORD", self.info);
        let mut record = record::parse(&self.description("RECORD")?)
            .map_err(|reason| WheelProblem::Description { file: "RECORD", reason })?;
        let mut installed = String::new();
        for member in self.archive.members().iter().filter(|member| !member.is_folder) {
            let row = record.remove(&member.name);
            // A signature of RECORD cannot be in it with its digest. Nobody reads them here.
            let ending = member.name.strip_prefix(&record_path);
            if ending.is_some_and(|ending| ["", ".jws", ".p7s"].contains(&ending)) {
                if row.is_some_and(|row| row.has_hash()) {
                    return Err(WheelProblem::Content(member.name.clone()).into());
                }
                continue;
            }
            let row = row.ok_or_else(|| WheelProblem::Unrecorded(member.name.clone()))?;
            let content = self.archive.read(member).map_err(WheelProblem::from)?;
            if !row.matches(&content) {
                return Err(WheelProblem::Content(member.name.clone()).into());
            }
            let Some(path) = self.destination(&member.name) else {
                continue;
            };
            let sha256 = row.sha256(&content);
            installed.push_str(&record::line(&path, &sha256, content.len()));
            install(File { path, content, sha256 })?;
        }
        if let Some(path) = record.into_keys().next() {
            return Err(WheelProblem::NotThere(path).into());
        }
        // As an installer does, RECORD says what is installed.
        installed.push_str(&format!("{},,\n", record::quoted(&record_path)));
        install(File {
            path: record_path,
            content: installed.into_bytes(),
            // No two wheels share it.
            sha256: String::new(),
        })
    }

    /// Names that can be imported: what `top_level.txt` says, as far as it is there, else the packages and modules at the top.
    pub(crate) fn top_level(&self) -> Result<BTreeSet<String>, WheelProblem> {
        let mut found = BTreeSet::new();
        for member in self.archive.members().iter().filter(|member| !member.is_folder) {
            let Some(path) = self.destination(&member.name) else {
                continue;
            };
            let is_module = path.ends_with(".py") || path.ends_with(".so");
            let top = path.split(['/', '.']).next().unwrap_or_default();
            let is_top = path[top.len()..].starts_with('/') || !path.contains('/');
            if is_module && is_top && is_identifier(top) {
                found.insert(top.to_owned());
            }
        }
        let name = format!("{}/top_level.txt", self.info);
        if self.archive.get(&name).is_some() {
            let listed = self.description("top_level.txt")?;
            let listed: BTreeSet<String> = String::from_utf8_lossy(&listed)
                .lines()
                .map(|line| line.trim().to_owned())
                .collect();
            let both: BTreeSet<String> = listed.intersection(&found).cloned().collect();
            if !both.is_empty() {
                return Ok(both);
            }
        }
        Ok(found)
    }

    /// Where a member goes, if it is installed at all.
    fn destination(&self, name: &str) -> Option<String> {
        let below_data = self
            .data
            .as_deref()
            .and_then(|data| name.strip_prefix(data)?.strip_prefix('/'));
        let path = match below_data {
            Some(rest) => ["purelib/", "platlib/"]
                .iter()
                .find_map(|scheme| rest.strip_prefix(scheme))?,
            None => name,
        };
        let is_startup_code = path.ends_with(".pth") && !path.contains('/');
        if is_startup_code {
            return None;
        }
        // A name that only Emscripten's CPython looks for; without its middle every CPython does.
        let module = path
            .strip_suffix("-wasm32-emscripten.so")
            .and_then(|stem| stem.rsplit_once(".cpython-"))
            .filter(|(_, version)| version.bytes().all(|digit| digit.is_ascii_digit()));
        Some(module.map_or_else(|| path.to_owned(), |(stem, _)| format!("{stem}.so")))
    }

    fn description(&self, file: &'static str) -> Result<Vec<u8>, WheelProblem> {
        let name = format!("{}/{file}", self.info);
        let member = self.archive.get(&name).ok_or(WheelProblem::Missing(name))?;
        if member.size > MAX_DESCRIPTION {
            let reason = format!("it is {} bytes long, expected at most {MAX_DESCRIPTION}", member.size);
            return Err(WheelProblem::Description { file, reason });
        }
        Ok(self.archive.read(member)?)
    }
}

/// Whether a folder is called `name-version` and an ending, in any spelling of both.
pub(crate) fn is_own(folder: &str, ending: &str, filename: &WheelFilename) -> bool {
    let stem = folder.strip_suffix(ending).and_then(|stem| stem.split_once('-'));
    stem.is_some_and(|(name, version)| {
        Name::parse(name).as_ref() == Some(&filename.name)
            && Version::from_str(version).as_ref() == Ok(&filename.version)
    })
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    first && characters.all(|character| character.is_alphanumeric() || character == '_')
}
