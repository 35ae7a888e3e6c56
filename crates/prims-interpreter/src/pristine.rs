//! Whether a run left its workspace as it was made, so that another run can have it.

use std::fs::{read_dir, symlink_metadata};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a workspace without files was like before anybody could use it.
pub struct Pristine {
    /// The names in it.
    folders: &'static [&'static str],
    /// When it and they were changed last.
    made: Vec<Stamp>,
}

/// Times of a folder, of its content and of everything about it: seconds and nanoseconds. The second nobody can set.
type Stamp = [(i64, i64); 2];

impl Pristine {
    /// Remembers a workspace in which there are these empty folders and nothing else.
    ///
    /// # Errors
    /// One of them is not there, or no folder.
    pub fn of(workspace: &Path, folders: &'static [&'static str]) -> Result<Pristine> {
        let made = stamps(workspace, folders)?;
        Ok(Pristine { folders, made })
    }

    /// Whether nobody wrote anything: the folders are folders, have the times they had, and are empty. Looking into them is no change.
    pub fn still(&self, workspace: &Path) -> bool {
        let names = |path: PathBuf| read_dir(path).map(Iterator::count).ok();
        stamps(workspace, self.folders).is_ok_and(|stamps| stamps == self.made)
            && names(workspace.to_owned()) == Some(self.folders.len())
            && self.folders.iter().all(|name| names(workspace.join(name)) == Some(0))
    }
}

/// When the folders were changed last; an error if one of them is something else.
fn stamps(workspace: &Path, folders: &[&str]) -> Result<Vec<Stamp>> {
    let paths = folders.iter().map(|name| workspace.join(name));
    let stamp = |folder: PathBuf| {
        // Not what a link leads to.
        let found = symlink_metadata(folder)?;
        match found.is_dir() {
            true => Ok([(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())]),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    };
    std::iter::once(workspace.to_owned()).chain(paths).map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, remove_dir, remove_file, write};
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    const FOLDERS: &[&str] = &["output", "mounts"];

    #[test]
    fn a_workspace_is_used_again_only_as_it_was_made() {
        type Change = fn(&Path) -> Result<()>;
        let changes: [(&str, Change); 8] = [
            ("a file", |path| write(path.join("output/a"), "")),
            ("a file that went", |path| {
                write(path.join("a"), "").and_then(|()| remove_file(path.join("a")))
            }),
            ("a link", |path| {
                remove_dir(path.join("output")).and_then(|()| symlink("./././mounts", path.join("output")))
            }),
            ("a folder less", |path| remove_dir(path.join("output"))),
            ("another folder", |path| {
                remove_dir(path.join("output")).and_then(|()| create_dir(path.join("output")))
            }),
            ("a time", |path| set_time(path, SystemTime::UNIX_EPOCH)),
            ("a time below", |path| {
                set_time(&path.join("mounts"), SystemTime::UNIX_EPOCH)
            }),
            // As it was, but somebody was there.
            ("the same time", |path| set_time(path, path.metadata()?.modified()?)),
        ];
        for (name, change) in changes {
            let workspace = tempfile::tempdir().unwrap();
            let path = workspace.path();
            for folder in FOLDERS {
                create_dir(path.join(folder)).unwrap();
            }
            let pristine = Pristine::of(path, FOLDERS).unwrap();
            read_dir(path).unwrap().for_each(drop);
            assert!(pristine.still(path) && pristine.still(path), "{name}");
            // Where times are coarse a change at once may have the time of the making.
            std::thread::sleep(Duration::from_millis(20));
            change(path).unwrap();
            assert!(!pristine.still(path), "{name}");
        }
    }

    fn set_time(folder: &Path, time: SystemTime) -> Result<()> {
        std::fs::File::open(folder)?.set_modified(time)
    }
}
