//! When an entry was used last: the modification time of its file or folder, which nothing else needs.

use crate::sys;
use std::fs::File;
use std::time::{Duration, SystemTime};

/// Times are only this exact, so that most uses write nothing.
const STEP: Duration = Duration::from_secs(15 * 60);

/// Notes that an open entry is used now. Where that cannot be written the entry only seems older.
pub(crate) fn touch(entry: &File) {
    let now = SystemTime::now();
    let noted = entry.metadata().and_then(|found| found.modified());
    // A time in the future is as wrong as one long past.
    let is_recent = noted.is_ok_and(|noted| now.duration_since(noted).is_ok_and(|ago| ago < STEP));
    if !is_recent {
        let _ = sys::set_modified(entry, now);
    }
}
