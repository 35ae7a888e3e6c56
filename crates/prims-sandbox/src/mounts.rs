//! The folders of a run, always the same ones in the same order, because an image remembers their descriptors.

use crate::image::SITE_PACKAGES;
use crate::limits::Limits;
use crate::sandbox::{Environment, Guest};
use crate::stop::{Cancel, Watch};
use crate::wasi::{Access, Folder, Mount, Quota, Reservation};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the standard library is.
const STDLIB: &str = "/usr/local/lib/python3.13";

/// What differs between runs: `None` is an empty folder that is removed afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFolders {
    pub(crate) workspace: Option<PathBuf>,
    pub(crate) workspace_quota: Option<FolderQuota>,
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
        mount(
            "/workspace",
            or_temporary(folders.workspace),
            folders
                .workspace_quota
                .map_or_else(quota, |shared| Access::Writable(shared.0)),
        ),
        mount("/tmp", Folder::temporary(), quota()),
        mount("/mounts", or_temporary(folders.mounts), Access::ReadOnly),
    ])
}

/// What a folder may hold, counted together for all runs that write to it and for the host. Clones are the same quota.
#[derive(Clone, Debug)]
pub struct FolderQuota(Arc<Quota>);

impl FolderQuota {
    /// At most `bytes` in files, and `files` names of files, folders and links.
    pub fn new(bytes: u64, files: u64) -> FolderQuota {
        FolderQuota(Arc::new(Quota::new(bytes, files)))
    }

    /// Takes room for something the host is about to write below `folder`, the folder the quota is about. It is given back when the
    /// claim is dropped, unless [`Claim::used`] said that it is taken up.
    ///
    /// # Errors
    /// [`std::io::ErrorKind::StorageFull`] when there is not enough left, or what the system says while the folder is measured.
    pub fn claim(&self, folder: &File, bytes: u64, files: u64) -> std::io::Result<Claim<'_>> {
        let nobody = Watch {
            deadline: None,
            cancel: Cancel::new(),
        };
        self.0.claim(folder, bytes, files, &nobody).map(Claim)
    }

    /// Notes that something was removed, replaced or cut.
    pub fn freed(&self) {
        self.0.freed();
    }
}

/// Room taken out of a [`FolderQuota`].
#[must_use]
pub struct Claim<'a>(Reservation<'a>);

impl Claim<'_> {
    /// What was claimed is taken up now.
    pub fn used(self) {
        self.0.used();
    }
}
