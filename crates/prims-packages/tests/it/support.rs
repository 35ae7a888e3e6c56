//! Makes wheels: well-formed ones, and ones with a chosen fault.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use prims_cache::Cache;
use prims_packages::{BundledIndex, BundledWheel, Environment, Error, Requirements, WheelProblem, install};
use sha2::{Digest, Sha256};
use std::io::Write;

/// A member of a zip archive, as it will be written.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) deflated: bool,
    pub(crate) flags: u16,
    pub(crate) mode: u32,
    /// Different values in front of the data, where they differ from the directory's.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) extra: Vec<u8>,
    pub(crate) size: Option<u32>,
    pub(crate) crc: Option<u32>,
    /// Sizes follow the data: with a signature (16 bytes) or without (12).
    pub(crate) descriptor: Option<usize>,
    /// Bytes that are counted as data and are none.
    pub(crate) garbage: Vec<u8>,
}

impl Member {
    pub(crate) fn new(name: &str, content: &[u8]) -> Member {
        Member {
            name: name.into(),
            content: content.into(),
            deflated: true,
            flags: 0,
            mode: 0o100_644,
            local_name: None,
            local_extra: vec![],
            extra: vec![],
            size: None,
            crc: None,
            descriptor: None,
            garbage: vec![],
        }
    }
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(vec![], Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Writes an archive.
pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (vec![], vec![]);
    for member in members {
        let at = bytes.len() as u32;
        let mut data = if member.deflated {
            deflate(&member.content)
        } else {
            member.content.clone()
        };
        data.extend(&member.garbage);
        let mut crc = flate2::Crc::new();
        crc.update(&member.content);
        let crc = member.crc.unwrap_or(crc.sum());
        let size = member.size.unwrap_or(member.content.len() as u32);
        let packed = if member.deflated { data.len() as u32 } else { size };
        let flags = member.flags | if member.descriptor.is_some() { 8 } else { 0 };
        let method: u16 = if member.deflated { 8 } else { 0 };
        let common = |known: bool| -> Vec<u8> {
            let numbers = if known { [crc, packed, size] } else { [0; 3] };
            let mut common = vec![20, 0];
            common.extend(flags.to_le_bytes());
            common.extend(method.to_le_bytes());
            common.extend([0; 4]);
            numbers.iter().for_each(|number| common.extend(number.to_le_bytes()));
            common
        };
        let local_name = member.local_name.as_ref().unwrap_or(&member.name);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(common(member.descriptor.is_none()));
        bytes.extend((local_name.len() as u16).to_le_bytes());
        bytes.extend((member.local_extra.len() as u16).to_le_bytes());
        bytes.extend(local_name);
        bytes.extend(&member.local_extra);
        bytes.extend(&data);
        if let Some(len) = member.descriptor {
            if len == 16 {
                bytes.extend(b"PK\x07\x08");
            }
            [crc, packed, size]
                .iter()
                .for_each(|number| bytes.extend(number.to_le_bytes()));
        }
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(common(true));
        directory.extend((member.name.len() as u16).to_le_bytes());
        directory.extend((member.extra.len() as u16).to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(&member.name);
        directory.extend(&member.extra);
    }
    let (at, count) = (bytes.len() as u32, members.len() as u16);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_'])
        .collect();
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let digit = |bits: &[u8]| {
        (0..6).fold(0, |number, bit| {
            number << 1 | bits.get(bit).copied().unwrap_or(0) as usize
        })
    };
    bits.chunks(6).map(|bits| alphabet[digit(bits)]).collect()
}

/// A wheel of a package `a`, version 1.0, that can be changed before it is written.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) filename: String,
    pub(crate) members: Vec<Member>,
    /// `None`: written from the members.
    pub(crate) record: Option<String>,
}

impl Draft {
    pub(crate) fn new(files: &[(&str, &str)]) -> Draft {
        Draft::of("a", "1.0", "", files)
    }

    /// A wheel with more lines in its METADATA.
    pub(crate) fn of(name: &str, version: &str, metadata: &str, files: &[(&str, &str)]) -> Draft {
        let info = format!("{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n");
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let own = [
            (format!("{info}/METADATA"), metadata),
            (format!("{info}/WHEEL"), wheel.to_owned()),
        ];
        let own = own.iter().map(|(name, content)| (name.as_str(), content.as_str()));
        let members = files
            .iter()
            .copied()
            .chain(own)
            .map(|(name, content)| Member::new(name, content.as_bytes()));
        Draft {
            filename: format!("{name}-{version}-py3-none-any.whl"),
            members: members.collect(),
            record: None,
        }
    }

    pub(crate) fn member(&mut self, name: &str) -> &mut Member {
        self.members
            .iter_mut()
            .find(|member| member.name == name.as_bytes())
            .unwrap()
    }

    fn record_path(&self) -> String {
        let info = self
            .members
            .iter()
            .map(|member| String::from_utf8_lossy(&member.name).into_owned());
        let info = info
            .filter_map(|name| Some(name.split_once(".dist-info/")?.0.to_owned()))
            .next();
        format!("{}.dist-info/RECORD", info.unwrap_or("a-1.0".into()))
    }

    /// What RECORD should say.
    pub(crate) fn true_record(&self) -> String {
        let files = self.members.iter().filter(|member| !member.name.ends_with(b"/"));
        let line = |member: &Member| {
            let (name, size) = (String::from_utf8_lossy(&member.name).into_owned(), member.content.len());
            format!("{name},sha256={},{size}\n", base64(&Sha256::digest(&member.content)))
        };
        files.map(line).collect::<String>() + &format!("{},,\n", self.record_path())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let record = self.record.clone().unwrap_or_else(|| self.true_record());
        let mut members = self.members.clone();
        members.push(Member::new(&self.record_path(), record.as_bytes()));
        archive(&members)
    }

    pub(crate) fn wheel(&self) -> BundledWheel {
        wheel(&self.filename, self.bytes())
    }
}

pub(crate) fn wheel(filename: &str, bytes: Vec<u8>) -> BundledWheel {
    BundledWheel {
        filename: filename.to_owned().into(),
        bytes: bytes.into(),
        sha256: None,
    }
}

pub(crate) fn cache() -> (tempfile::TempDir, Cache) {
    // In memory where that can be had: nothing here is about the disk.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let cache = Cache::open(Some(folder.path())).unwrap();
    (folder, cache)
}

pub(crate) fn index(drafts: &[Draft]) -> BundledIndex {
    BundledIndex::new(&drafts.iter().map(Draft::wheel).collect::<Vec<_>>()).unwrap()
}

pub(crate) fn install_all(cache: &Cache, wheels: &[BundledWheel]) -> Result<Environment, Error> {
    let index = BundledIndex::new(wheels)?;
    let names: Vec<String> = index.packages().into_iter().map(|(name, _)| name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    install(cache, &index.resolve(&Requirements::parse(&names)?)?.unwrap())
}

/// Why a wheel is not installed; nothing of it may be left.
pub(crate) fn refused(wheel: BundledWheel) -> WheelProblem {
    let (folder, cache) = cache();
    match install_all(&cache, &[wheel]) {
        Err(Error::BadWheel { problem, .. }) => {
            assert_eq!(cache.info().unwrap().kinds, []);
            let kind = folder.path().join("v1/environment");
            let names = std::fs::read_dir(kind)
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().file_name());
            assert!(names.into_iter().all(|name| name.to_str().unwrap().ends_with(".lock")));
            problem
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn refused_draft(change: impl FnOnce(&mut Draft)) -> WheelProblem {
    let mut draft = Draft::new(&[("a/__init__.py", "x = 1\n"), ("a/b.py", "y = 2\n")]);
    change(&mut draft);
    refused(draft.wheel())
}

/// Fails if anything but entries and locks stays in a cache's folder, however often it is cleaned: a process that a test beside this
/// one is starting holds copies of our descriptors, and with them their locks, for a moment.
pub(crate) fn nothing_left(folder: &std::path::Path, cache: &Cache) {
    let mut left = leftovers(folder);
    for _ in 0..100 {
        if left.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        cache.clean().unwrap();
        left = leftovers(folder);
    }
    panic!("{left:?} stays");
}

/// Everything in a cache's folder that is not an entry or a lock: nothing may be left behind.
pub(crate) fn leftovers(folder: &std::path::Path) -> Vec<String> {
    let mut found = vec![];
    for kind in std::fs::read_dir(folder.join("v1")).unwrap() {
        for entry in std::fs::read_dir(kind.unwrap().path()).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_ours = name.len() == 64 || (name.len() == 69 && name.ends_with(".lock"));
            if !is_ours {
                found.push(name);
            }
        }
    }
    found
}
