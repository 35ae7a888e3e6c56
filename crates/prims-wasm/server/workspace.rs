//! Files of a workspace, reached through one path type and one folder handle, so that neither a client's path nor a link that a guest
//! made leads out of it.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where code puts what it made for others.
pub(crate) const OUTPUT: &str = "output";
/// Where files that were given by `mountPath` lie.
pub(crate) const MOUNTS: &str = "mounts";

/// Folders inside each other; what a guest can make is bounded as well.
const MAX_DEPTH: usize = 64;
/// Bytes of a path.
const MAX_PATH: usize = 1024;
/// Entries that a listing looks at; a workspace holds at most 10,000 names unless the operator says otherwise.
const MAX_ENTRIES: usize = 20_000;

/// Why a file of a workspace cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The path is not one that names something inside.
    #[error("path `{}` {reason}, expected a relative path such as `output/plot.png`", path.escape_debug())]
    Path {
        /// The path, cut if it is long.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is nothing there, or nothing that can be reached from inside.
    #[error("no file or folder at `{0}`")]
    NotFound(String),
    /// It is a folder, or something else without bytes.
    #[error("`{0}` is not a file")]
    NotAFile(String),
    /// It is a file.
    #[error("`{0}` is not a folder")]
    NotAFolder(String),
    /// There would be more in the workspace than it may hold.
    #[error("the workspace would hold {found} {unit}, at most {limit} are allowed")]
    Full {
        /// What it would hold.
        found: u64,
        /// What it may hold.
        limit: u64,
        /// Bytes or files.
        unit: &'static str,
    },
    /// The file is larger than the operation takes.
    #[error("`{path}` has {found} bytes, at most {limit} are allowed here")]
    TooLarge {
        /// Its path.
        path: String,
        /// Its size.
        found: u64,
        /// The most it may have.
        limit: u64,
    },
    /// The host failed.
    #[error("cannot use the workspace")]
    Io(#[from] std::io::Error),
}

/// A path inside a workspace: relative, with `/`, without `.` and `..`; empty for the workspace itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WorkspacePath(String);

impl WorkspacePath {
    /// Reads a path as a client gives it. `/workspace/x` is what the code calls it, and means `x`.
    pub(crate) fn parse(text: &str) -> Result<WorkspacePath, Error> {
        let bad = |reason| {
            let path = text.chars().take(80).collect();
            Err(Error::Path { path, reason })
        };
        if text.len() > MAX_PATH {
            return bad("is longer than 1024 bytes");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return bad("contains a control character or a backslash");
        }
        let inside = match text.strip_prefix("/workspace") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ if text.starts_with('/') => return bad("is absolute"),
            _ => text,
        };
        let mut parts = vec![];
        for part in inside.split('/') {
            match part {
                "" | "." => {}
                ".." => return bad("leads upwards"),
                _ => parts.push(part),
            }
        }
        if parts.len() > MAX_DEPTH {
            return bad("has more than 64 folders");
        }
        Ok(WorkspacePath(parts.join("/")))
    }

    /// The same for a file: not the workspace itself.
    pub(crate) fn file(text: &str) -> Result<WorkspacePath, Error> {
        let path = WorkspacePath::parse(text)?;
        if path.0.is_empty() {
            return Err(Error::NotAFile(text.chars().take(80).collect()));
        }
        Ok(path)
    }

    /// This path below a folder.
    pub(crate) fn below(&self, folder: &str) -> WorkspacePath {
        WorkspacePath(format!("{folder}/{}", self.0))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    fn is_below(&self, folder: &str) -> bool {
        self.0.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// What is known about a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) is_folder: bool,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

/// A part of a file.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// Size of the whole file.
    pub(crate) size: u64,
}

/// What a workspace may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

/// A folder of files.
pub(crate) struct Workspace {
    folder: PathBuf,
    dir: Dir,
}

impl Workspace {
    /// Makes the folder, with the folders people expect in it, or opens what is there.
    pub(crate) fn open(folder: PathBuf) -> Result<Workspace, Error> {
        for part in [OUTPUT, MOUNTS] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        let dir = Dir::open_ambient_dir(&folder, ambient_authority())?;
        Ok(Workspace { folder, dir })
    }

    /// The host's folder, for the guest to see.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn open_dir(&self, path: &WorkspacePath) -> Result<Dir, Error> {
        if path.0.is_empty() {
            return Ok(self.dir.try_clone()?);
        }
        let is_file = || self.dir.metadata(&path.0).is_ok_and(|found| !found.is_dir());
        self.dir.open_dir(&path.0).map_err(|_| match is_file() {
            true => Error::NotAFolder(path.0.clone()),
            false => Error::NotFound(path.0.clone()),
        })
    }

    /// What lies in a folder, sorted by name.
    pub(crate) fn list(&self, path: &WorkspacePath) -> Result<Vec<Entry>, Error> {
        let mut entries = vec![];
        for entry in self.open_dir(path)?.entries()?.take(MAX_ENTRIES) {
            let entry = entry?;
            // Names that are not text were made by a guest to be awkward; there is no way to say them in JSON.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let Ok(metadata) = entry.metadata() else { continue };
            let path = match path.0.as_str() {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            entries.push(Entry {
                path,
                is_folder: metadata.is_dir(),
                size: if metadata.is_file() { metadata.len() } else { 0 },
                modified: metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
            });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Every file below a folder, sorted by path; links are not followed.
    pub(crate) fn files_below(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let (mut found, mut folders) = (vec![], vec![(WorkspacePath(folder.to_owned()), 0)]);
        while let Some((folder, depth)) = folders.pop() {
            let entries = match self.list(&folder) {
                Ok(entries) => entries,
                // The code may have removed or replaced it.
                Err(Error::NotFound(_) | Error::NotAFolder(_)) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                if entry.is_folder && depth < MAX_DEPTH {
                    folders.push((WorkspacePath(entry.path), depth + 1));
                } else if !entry.is_folder && found.len() < MAX_ENTRIES {
                    found.push(entry);
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// What code made for others: the files below `output`.
    pub(crate) fn artifacts(&self) -> Result<Vec<Entry>, Error> {
        self.files_below(OUTPUT)
    }

    /// Whether there is nothing but the folders every workspace begins with.
    pub(crate) fn is_pristine(&self) -> Result<bool, Error> {
        let root = self.list(&WorkspacePath(String::new()))?;
        let as_made = |entry: &Entry| entry.is_folder && [OUTPUT, MOUNTS].contains(&entry.path.as_str());
        if root.len() != 2 || !root.iter().all(as_made) {
            return Ok(false);
        }
        for folder in [OUTPUT, MOUNTS] {
            if !self.list(&WorkspacePath(folder.to_owned()))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Bytes and files that it holds.
    pub(crate) fn held(&self) -> Result<(u64, u64), Error> {
        let files = self.files_below("")?;
        Ok((files.iter().map(|file| file.size).sum(), files.len() as u64))
    }

    /// What is known about a file.
    pub(crate) fn stat(&self, path: &WorkspacePath) -> Result<Entry, Error> {
        let metadata = self
            .dir
            .metadata(&path.0)
            .map_err(|_| Error::NotFound(path.0.clone()))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile(path.0.clone()));
        }
        Ok(Entry {
            path: path.0.clone(),
            is_folder: false,
            size: metadata.len(),
            modified: metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
        })
    }

    /// At most `limit` bytes from `offset` on.
    pub(crate) fn read(&self, path: &WorkspacePath, offset: u64, limit: u64) -> Result<Piece, Error> {
        let size = self.stat(path)?.size;
        let mut file = self.dir.open(&path.0).map_err(|_| Error::NotFound(path.0.clone()))?;
        let mut bytes = Vec::with_capacity(usize::try_from(size.saturating_sub(offset).min(limit)).unwrap_or(0));
        if offset < size {
            file.seek(SeekFrom::Start(offset))?;
            file.take(limit).read_to_end(&mut bytes)?;
        }
        Ok(Piece { bytes, size })
    }

    /// The whole file, if it has at most `limit` bytes.
    pub(crate) fn read_whole(&self, path: &WorkspacePath, limit: u64) -> Result<Vec<u8>, Error> {
        let piece = self.read(path, 0, limit.saturating_add(1))?;
        let found = piece.bytes.len() as u64;
        if found > limit {
            return Err(Error::TooLarge {
                path: path.0.clone(),
                found: piece.size.max(found),
                limit,
            });
        }
        Ok(piece.bytes)
    }

    /// Writes a file, the folders above it included. What was there is replaced.
    pub(crate) fn write(&self, path: &WorkspacePath, bytes: &[u8], append: bool, quota: Quota) -> Result<u64, Error> {
        let (held, files) = self.held()?;
        let existing = self.stat(path).ok().map(|entry| entry.size);
        let replaced = if append { 0 } else { existing.unwrap_or(0) };
        let full = |found, limit, unit| Err(Error::Full { found, limit, unit });
        let bytes_then = held - replaced.min(held) + bytes.len() as u64;
        if bytes_then > quota.bytes {
            return full(bytes_then, quota.bytes, "bytes");
        }
        if existing.is_none() && files + 1 > quota.files {
            return full(files + 1, quota.files, "files");
        }
        if let Some((folder, _)) = path.0.rsplit_once('/') {
            self.dir
                .create_dir_all(folder)
                .map_err(|_| Error::NotAFolder(folder.to_owned()))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        let refused = |_| Error::NotAFile(path.0.clone());
        let mut file = self.dir.open_with(&path.0, &options).map_err(refused)?;
        if !file.metadata()?.is_file() {
            return Err(Error::NotAFile(path.0.clone()));
        }
        file.write_all(bytes)?;
        Ok(file.metadata()?.len())
    }

    /// Removes a file, or a folder with all that is in it; the folders every workspace begins with are only emptied.
    pub(crate) fn delete(&self, path: &WorkspacePath) -> Result<(), Error> {
        let metadata = self
            .dir
            .symlink_metadata(&path.0)
            .map_err(|_| Error::NotFound(path.0.clone()))?;
        if metadata.is_dir() {
            self.dir.remove_dir_all(&path.0)?;
        } else {
            self.dir.remove_file(&path.0)?;
        }
        if [OUTPUT, MOUNTS].contains(&path.as_str()) {
            self.dir.create_dir(&path.0)?;
        }
        Ok(())
    }
}

/// Whether a path names something the code made for others.
pub(crate) fn is_artifact(path: &WorkspacePath) -> bool {
    path.is_below(OUTPUT)
}

/// A media type by the name's ending, as servers guess it.
pub(crate) fn mime(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending)
        .to_ascii_lowercase();
    match ending.as_str() {
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "text/javascript",
        "py" => "text/x-python",
        "json" => "application/json",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "tar" => "application/x-tar",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "parquet" => "application/vnd.apache.parquet",
        "sqlite" | "db" => "application/vnd.sqlite3",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// Whether files of this type are given as text where they are text.
pub(crate) fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || matches!(
            mime,
            "application/json" | "application/xml" | "application/yaml" | "application/toml" | "image/svg+xml"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { bytes: 100, files: 4 };

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path().join("w")).unwrap();
        (folder, workspace)
    }

    fn path(text: &str) -> WorkspacePath {
        WorkspacePath::parse(text).unwrap()
    }

    #[test]
    fn paths_stay_inside() {
        for (given, meant) in [
            ("a/b", "a/b"),
            ("./a//b/.", "a/b"),
            ("/workspace/output/x", "output/x"),
            ("/workspace", ""),
            ("workspace/x", "workspace/x"),
        ] {
            assert_eq!(path(given).as_str(), meant, "{given}");
        }
        let deep = "a/".repeat(65) + "b";
        let long = "x".repeat(1025);
        for bad in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "/workspaces/x",
            "a\\b",
            "a\0b",
            "a\nb",
            "..",
            &deep,
            &long,
        ] {
            assert!(matches!(WorkspacePath::parse(bad), Err(Error::Path { .. })), "{bad:?}");
        }
        assert!(WorkspacePath::file("/workspace").is_err() && WorkspacePath::file("").is_err());
    }

    #[test]
    fn links_do_not_lead_out() {
        let (folder, workspace) = workspace();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, workspace.folder().join(name)).unwrap();
        link("../secret", "out");
        link("..", "up");
        link("/etc", "etc");
        for name in ["out", "up/secret", "etc/passwd", "up", "etc"] {
            assert!(workspace.read(&path(name), 0, 10).is_err(), "{name}");
            assert!(workspace.write(&path(name), b"x", false, QUOTA).is_err(), "{name}");
            assert!(workspace.list(&path(name)).is_err(), "{name}");
        }
        assert!(workspace.write(&path("up/new"), b"x", false, QUOTA).is_err());
        workspace.delete(&path("out")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("secret")).unwrap(), b"s");
        assert!(
            workspace
                .files_below("")
                .unwrap()
                .iter()
                .all(|entry| entry.path != "up/secret")
        );
    }

    #[test]
    fn quotas_hold() {
        let (_folder, workspace) = workspace();
        workspace.write(&path("a/b"), &[1; 60], false, QUOTA).unwrap();
        let full = workspace.write(&path("c"), &[1; 41], false, QUOTA);
        assert!(matches!(
            full,
            Err(Error::Full {
                found: 101,
                limit: 100,
                ..
            })
        ));
        // What is replaced no longer counts, what is appended to does.
        workspace.write(&path("a/b"), &[1; 100], false, QUOTA).unwrap();
        assert!(workspace.write(&path("a/b"), &[1; 1], true, QUOTA).is_err());
        workspace.write(&path("a/b"), &[], false, QUOTA).unwrap();
        for name in ["c", "d", "e"] {
            workspace.write(&path(name), b"", false, QUOTA).unwrap();
        }
        assert!(matches!(
            workspace.write(&path("f"), b"", false, QUOTA),
            Err(Error::Full { unit: "files", .. })
        ));
    }

    #[test]
    fn files_are_listed_read_and_deleted() {
        let (_folder, workspace) = workspace();
        assert!(workspace.is_pristine().unwrap());
        workspace
            .write(&path("output/b.txt"), b"0123456789", false, QUOTA)
            .unwrap();
        workspace.write(&path("output/a/c.bin"), b"x", false, QUOTA).unwrap();
        assert!(!workspace.is_pristine().unwrap());
        let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.path).collect::<Vec<_>>();
        assert_eq!(
            names(workspace.list(&path("output")).unwrap()),
            ["output/a", "output/b.txt"]
        );
        assert_eq!(
            names(workspace.artifacts().unwrap()),
            ["output/a/c.bin", "output/b.txt"]
        );
        let piece = workspace.read(&path("output/b.txt"), 8, 100).unwrap();
        assert_eq!((piece.bytes.as_slice(), piece.size), (&b"89"[..], 10));
        assert!(workspace.read(&path("output/b.txt"), 11, 1).unwrap().bytes.is_empty());
        assert!(matches!(
            workspace.read_whole(&path("output/b.txt"), 9),
            Err(Error::TooLarge {
                found: 10,
                limit: 9,
                ..
            })
        ));
        assert!(matches!(workspace.read(&path("output"), 0, 1), Err(Error::NotAFile(_))));
        assert!(matches!(
            workspace.list(&path("output/b.txt")),
            Err(Error::NotAFolder(_))
        ));
        workspace.delete(&path("output")).unwrap();
        assert!(workspace.is_pristine().unwrap());
        assert!(matches!(workspace.delete(&path("nothing")), Err(Error::NotFound(_))));
    }
}
