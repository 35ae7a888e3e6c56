//! The folders of a run, always the same ones in the same order, because an image remembers their descriptors.

use crate::image::SITE_PACKAGES;
use crate::limits::Limits;
use crate::sandbox::{Environment, Guest};
use crate::wasi::{Access, Folder, Mount, Quota};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the standard library is.
const STDLIB: &str = "/usr/local/lib/python3.13";

/// What differs between runs: `None` is an empty folder that is removed afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFolders {
    pub(crate) workspace: Option<PathBuf>,
    pub(crate) mounts: Option<PathBuf>,
}

/// The mounts of one run. Temporary folders are made when the guest first looks into them, which most runs never do.
pub(crate) fn mounts(guest: &Guest, environment: &Environment, folders: RunFolders, limits: &Limits) -> Arc<[Mount]> {
    let or_temporary = |path: Option<PathBuf>| path.map_or_else(Folder::temporary, Folder::Given);
    let quota = || Access::Writable(Arc::new(Quota::new(limits.files_bytes, limits.files_count)));
    let mount = |guest_path: &str, host: Folder, access: Access| Mount {
        guest_path: guest_path.into(),
        host,
        access,
    };
    Arc::new([
        mount("/", Folder::Shared(guest.skeleton.clone()), Access::ReadOnly),
        mount(STDLIB, Folder::Shared(guest.stdlib.clone()), Access::ReadOnly),
        mount(SITE_PACKAGES, Folder::Given(environment.path.clone()), Access::ReadOnly),
        mount("/workspace", or_temporary(folders.workspace), quota()),
        mount("/tmp", Folder::temporary(), quota()),
        mount("/mounts", or_temporary(folders.mounts), Access::ReadOnly),
    ])
}
