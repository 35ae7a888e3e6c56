//! Calls on paths. All of them are resolved by wasmtime-wasi, below the directory they start from; what is added here is
//! what it does not bound or does not tell apart: read-only mounts, quotas, depth, and kinds of files.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fstat, openat};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, HostDescriptor as _, NewTimestamp, OpenFlags, PathFlags,
};

use super::abi::{Errno, Fail, Filestat, Guest, MAX_PATH, Res, bits};
use super::fd::{NewTime, file_times};
use super::files::{Files, Handle, Opened, device, finish, permissions};
use super::quota::{MAX_DEPTH, Tree, Usage, host};
use super::{Access, Mount, Wasi, WasiSpec, fd};

/// One more name in a directory.
const ONE_NAME: Usage = Usage { bytes: 0, files: 1 };

/// A path of the guest: where it starts, and what it says.
struct At {
    mount: usize,
    handle: Handle,
    path: String,
}

impl Wasi {
    /// Reads a path that starts at directory `number`.
    fn at(&mut self, guest: &Guest<'_>, number: u32, ptr: u32, len: u32) -> Res<At> {
        if self.stream(number)?.is_some() {
            return Err(Errno::Notdir.into());
        }
        let (files, spec) = self.files();
        let directory = files.directory(spec, number)?;
        let (mount, handle, mut path) = (directory.mount, directory.handle, guest.path(ptr, len)?);
        if let Some(rest) = files.climbing(handle, &path)? {
            path = rest;
        }
        if let Some((mount, path)) = files.mount_above(spec, number, &path) {
            let handle = files.directory(spec, fd::FIRST + mount as u32)?.handle;
            return Ok(At { mount, handle, path });
        }
        Ok(At { mount, handle, path })
    }

    /// As [`Wasi::at`], for calls that change something there.
    fn at_writable(&mut self, guest: &Guest<'_>, number: u32, ptr: u32, len: u32) -> Res<At> {
        let at = self.at(guest, number, ptr, len)?;
        if !writable(&self.spec, at.mount) {
            return Err(Errno::Rofs.into());
        }
        Ok(at)
    }

    /// Whether this is `/dev/null`, which programs open for writing although nothing around it can be written.
    fn is_null(&self, at: &At) -> bool {
        let in_root = |mount: &Mount| mount.guest_path == "/";
        self.spec.mounts.get(at.mount).is_some_and(in_root) && at.path == "dev/null"
    }

    pub(super) fn path_open(&mut self, guest: &mut Guest<'_>, call: PathOpen) -> Res<()> {
        let PathOpen {
            number,
            lookup,
            ptr,
            len,
            oflags,
            rights,
            fdflags,
            out,
        } = call;
        guest.check(out, 4)?;
        let follow = path_flags(lookup)?;
        if oflags & !bits::O_ALL != 0 || fdflags & !bits::FD_ALL != 0 {
            return Err(Errno::Inval.into());
        }
        let (mut create, mut truncate) = (oflags & bits::O_CREAT != 0, oflags & bits::O_TRUNC != 0);
        if oflags & bits::O_DIRECTORY != 0 && oflags & !bits::O_DIRECTORY != 0 {
            return Err(Errno::Inval.into());
        }
        let (read, write) = (rights & bits::RIGHT_FD_READ != 0, rights & bits::RIGHT_FD_WRITE != 0);
        let at = self.at(guest, number, ptr, len)?;
        // The empty file of that name is opened for reading; what is written to it is dropped before it gets there.
        let null = self.is_null(&at);
        if null {
            (create, truncate) = (false, false);
        } else if (create || truncate || write) && !writable(&self.spec, at.mount) {
            return Err(Errno::Rofs.into());
        }
        let (files, spec) = self.files();
        files.check_room()?;

        // Opening a pipe or a device of the host could wait for ever or do anything at all.
        let exclusive = oflags & bits::O_EXCL != 0;
        let look = if exclusive {
            PathFlags::empty()
        } else {
            follow_directory(&at.path, follow)
        };
        let exists = match finish(files.view().stat_at(at.handle.resource(), look, at.path.clone()))? {
            Ok(DescriptorStat { type_, .. }) => match type_ {
                DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink => true,
                _ => return Err(Errno::Acces.into()),
            },
            Err(error) => match Fail::from(error) {
                Fail::Errno(Errno::Noent) if create => false,
                fail => return Err(fail),
            },
        };
        let writable_mount = writable(spec, at.mount);
        let open_flags = either(create, OpenFlags::CREATE)
            | either(oflags & bits::O_DIRECTORY != 0, OpenFlags::DIRECTORY)
            | either(exclusive, OpenFlags::EXCLUSIVE)
            | either(truncate, OpenFlags::TRUNCATE);
        let flags = either(read || null, DescriptorFlags::READ) | either(write && !null, DescriptorFlags::WRITE);
        // The flags that ask for synchronous writes are left aside, as `fd_sync` is.

        let (quota, root) = match writable_mount {
            true => files
                .quota(spec, at.mount)
                .map(|(quota, root)| (Some(quota), Some(root)))?,
            false => (None, None),
        };
        let reserved = match (quota, &root) {
            (Some(quota), Some(root)) if !exists => Some(quota.reserve(root, ONE_NAME, &spec.watch)?),
            _ => None,
        };
        let view = &mut files.view();
        let opened = finish(view.open_at(at.handle.resource(), follow, at.path, open_flags, flags))??;
        if let Some(reserved) = reserved {
            reserved.used();
        }
        let number = files.insert(
            opened,
            Opened {
                mount: at.mount,
                readable: read,
                writable: write,
                append: fdflags & bits::FD_APPEND != 0,
                nonblock: fdflags & bits::FD_NONBLOCK != 0,
                discards: null,
            },
        )?;
        if let Some(quota) = quota {
            if let Ok(file) = files.file(number) {
                quota.opened(&file.host);
            }
            if truncate && exists {
                quota.freed();
            }
        }
        Ok(guest.write_u32(out, number)?)
    }

    pub(super) fn path_filestat_get(
        &mut self,
        guest: &mut Guest<'_>,
        number: u32,
        lookup: u32,
        ptr: u32,
        len: u32,
        out: u32,
    ) -> Res<()> {
        guest.check(out, Filestat::SIZE)?;
        let follow = path_flags(lookup)?;
        let at = self.at(guest, number, ptr, len)?;
        let (null, writable) = (self.is_null(&at), writable(&self.spec, at.mount));
        let At { mount, handle, path } = at;
        let follow = follow_directory(&path, follow);
        let view = &mut self.files().0.view();
        let stat = finish(view.stat_at(handle.resource(), follow, path.clone()))??;
        let hash = finish(view.metadata_hash_at(handle.resource(), follow, path))??;
        let time = |time: Option<Datetime>| {
            let time = time.map(|time| u128::from(time.seconds) * 1_000_000_000 + u128::from(time.nanoseconds));
            time.map_or(0, |nanos| u64::try_from(nanos).unwrap_or(0))
        };
        let filetype = match stat.type_ {
            _ if null => bits::TYPE_CHARACTER_DEVICE,
            DescriptorType::Directory => bits::TYPE_DIRECTORY,
            DescriptorType::RegularFile => bits::TYPE_REGULAR_FILE,
            DescriptorType::SymbolicLink => bits::TYPE_SYMBOLIC_LINK,
            DescriptorType::CharacterDevice => bits::TYPE_CHARACTER_DEVICE,
            DescriptorType::BlockDevice => bits::TYPE_BLOCK_DEVICE,
            _ => bits::TYPE_UNKNOWN,
        };
        let stat = Filestat {
            dev: device(mount),
            ino: hash.lower,
            filetype,
            permissions: permissions(writable, filetype),
            nlink: stat.link_count,
            size: stat.size,
            atim: time(stat.data_access_timestamp),
            mtim: time(stat.data_modification_timestamp),
            ctim: time(stat.status_change_timestamp),
        };
        Ok(guest.write(out, &stat.to_bytes())?)
    }

    pub(super) fn path_filestat_set_times(&mut self, guest: &Guest<'_>, call: PathTimes) -> Res<()> {
        let PathTimes {
            number,
            lookup,
            ptr,
            len,
            atim,
            mtim,
            flags,
        } = call;
        let (atim, mtim) = file_times(atim, mtim, flags)?;
        let follow = path_flags(lookup)?;
        let At { handle, path, .. } = self.at_writable(guest, number, ptr, len)?;
        let follow = follow_directory(&path, follow);
        let view = &mut self.files().0.view();
        Ok(finish(view.set_times_at(
            handle.resource(),
            follow,
            path,
            timestamp(atim),
            timestamp(mtim),
        ))??)
    }

    pub(super) fn path_create_directory(&mut self, guest: &Guest<'_>, number: u32, ptr: u32, len: u32) -> Res<()> {
        let At { mount, handle, path } = self.at_writable(guest, number, ptr, len)?;
        let (files, spec) = self.files();
        let depth = files.depth_of_parent(spec, mount, handle, &path)?;
        if depth >= MAX_DEPTH {
            return Err(Errno::Mlink.into());
        }
        let (quota, root) = files.quota(spec, mount)?;
        let reserved = quota.reserve(&root, ONE_NAME, &spec.watch)?;
        finish(files.view().create_directory_at(handle.resource(), path))??;
        reserved.used();
        Ok(())
    }

    pub(super) fn path_unlink_file(&mut self, guest: &Guest<'_>, number: u32, ptr: u32, len: u32) -> Res<()> {
        let At { mount, handle, path } = self.at_writable(guest, number, ptr, len)?;
        let (files, spec) = self.files();
        finish(files.view().unlink_file_at(handle.resource(), path))??;
        files.quota(spec, mount)?.0.freed();
        Ok(())
    }

    pub(super) fn path_remove_directory(&mut self, guest: &Guest<'_>, number: u32, ptr: u32, len: u32) -> Res<()> {
        let At { mount, handle, path } = self.at_writable(guest, number, ptr, len)?;
        let (files, spec) = self.files();
        finish(files.view().remove_directory_at(handle.resource(), path))??;
        files.quota(spec, mount)?.0.freed();
        Ok(())
    }

    pub(super) fn path_rename(
        &mut self,
        guest: &Guest<'_>,
        (old_number, old_ptr, old_len): (u32, u32, u32),
        (new_number, new_ptr, new_len): (u32, u32, u32),
    ) -> Res<()> {
        let old = self.at_writable(guest, old_number, old_ptr, old_len)?;
        let new = self.at_writable(guest, new_number, new_ptr, new_len)?;
        if old.mount != new.mount {
            return Err(Errno::Xdev.into());
        }
        let (files, spec) = self.files();
        let view = &mut files.view();
        let stat = finish(view.stat_at(old.handle.resource(), PathFlags::empty(), old.path.clone()))??;
        if matches!(stat.type_, DescriptorType::Directory) {
            let depth = files.depth_of_parent(spec, new.mount, new.handle, &new.path)?;
            let moved = files.open_below(old.handle, old.path.clone())?;
            if depth + 1 + Tree::height(&moved, &spec.watch)? > MAX_DEPTH {
                return Err(Errno::Mlink.into());
            }
        }
        let view = &mut files.view();
        finish(view.rename_at(old.handle.resource(), old.path, new.handle.resource(), new.path))??;
        files.quota(spec, new.mount)?.0.freed();
        Ok(())
    }

    pub(super) fn path_link(
        &mut self,
        guest: &Guest<'_>,
        lookup: u32,
        (old_number, old_ptr, old_len): (u32, u32, u32),
        (new_number, new_ptr, new_len): (u32, u32, u32),
    ) -> Res<()> {
        let follow = path_flags(lookup)?;
        let old = self.at_writable(guest, old_number, old_ptr, old_len)?;
        let new = self.at_writable(guest, new_number, new_ptr, new_len)?;
        if old.mount != new.mount {
            return Err(Errno::Xdev.into());
        }
        let (files, spec) = self.files();
        let stat = finish(
            files
                .view()
                .stat_at(old.handle.resource(), PathFlags::empty(), old.path.clone()),
        )??;
        let bytes = match stat.type_ {
            DescriptorType::RegularFile => stat.size,
            _ => 0,
        };
        let (quota, root) = files.quota(spec, new.mount)?;
        let reserved = quota.reserve(&root, Usage { bytes, files: 1 }, &spec.watch)?;
        let view = &mut files.view();
        finish(view.link_at(old.handle.resource(), follow, old.path, new.handle.resource(), new.path))??;
        reserved.used();
        Ok(())
    }

    /// Creates a link that points to what is beside or below it. A link that goes up could be moved, or what holds it
    /// could be, until it leads out of the directory for whoever reads it on the host; one that only goes down cannot.
    pub(super) fn path_symlink(
        &mut self,
        guest: &Guest<'_>,
        (target_ptr, target_len): (u32, u32),
        number: u32,
        ptr: u32,
        len: u32,
    ) -> Res<()> {
        let target = guest.path(target_ptr, target_len)?;
        let At { mount, handle, path } = self.at_writable(guest, number, ptr, len)?;
        if target.starts_with('/') || target.split('/').any(|part| part == "..") {
            return Err(Errno::Perm.into());
        }
        let (files, spec) = self.files();
        let (quota, root) = files.quota(spec, mount)?;
        let reserved = quota.reserve(&root, ONE_NAME, &spec.watch)?;
        finish(files.view().symlink_at(handle.resource(), target, path))??;
        reserved.used();
        Ok(())
    }

    pub(super) fn path_readlink(
        &mut self,
        guest: &mut Guest<'_>,
        number: u32,
        (ptr, len): (u32, u32),
        (buf, buf_len): (u32, u32),
        out: u32,
    ) -> Res<()> {
        guest.check(buf, buf_len)?;
        guest.check(out, 4)?;
        let At { handle, path, .. } = self.at(guest, number, ptr, len)?;
        // wasmtime-wasi refuses to tell about absolute links, which could name the host's folders.
        let target = finish(self.files().0.view().readlink_at(handle.resource(), path))??;
        let fits = target.len().min(buf_len as usize);
        guest.write(buf, &target.as_bytes()[..fits])?;
        Ok(guest.write_u32(out, fits as u32)?)
    }
}

/// The arguments of `path_open`.
pub(super) struct PathOpen {
    pub(super) number: u32,
    pub(super) lookup: u32,
    pub(super) ptr: u32,
    pub(super) len: u32,
    pub(super) oflags: u32,
    pub(super) rights: u64,
    pub(super) fdflags: u32,
    pub(super) out: u32,
}

/// The arguments of `path_filestat_set_times`.
pub(super) struct PathTimes {
    pub(super) number: u32,
    pub(super) lookup: u32,
    pub(super) ptr: u32,
    pub(super) len: u32,
    pub(super) atim: u64,
    pub(super) mtim: u64,
    pub(super) flags: u32,
}

impl Files {
    /// Where a path leads that goes up from a mount, as far as mounts can tell: the C library passes `/workspace/../tmp/x`
    /// as `../tmp/x` below `/workspace`. `None` if it does not go up, or not to any mount; below the mount that is found,
    /// what is left of the path is resolved like any other.
    fn mount_above(&self, spec: &WasiSpec, number: u32, path: &str) -> Option<(usize, String)> {
        let mut mount = number.checked_sub(fd::FIRST)? as usize;
        if path.starts_with('/') || !self.is_mount(mount) || parts(path).next() != Some("..") {
            return None;
        }
        let mut rest: Vec<&str> = parts(path).collect();
        while rest.first() == Some(&"..") {
            let ups = rest.iter().take_while(|part| **part == "..").count();
            let mut place: Vec<&str> = parts(&spec.mounts.get(mount)?.guest_path).collect();
            place.truncate(place.len().saturating_sub(ups));
            place.extend(&rest[ups..]);
            let mounts = spec.mounts.iter().enumerate();
            let around = mounts.filter_map(|(index, mount)| {
                let count = parts(&mount.guest_path).count();
                place
                    .iter()
                    .copied()
                    .take(count)
                    .eq(parts(&mount.guest_path))
                    .then_some((count, index))
            });
            let (count, index) = around.max()?;
            mount = index;
            rest = place.split_off(count);
        }
        let directory = names_directory(path);
        let mut path = if rest.is_empty() {
            ".".to_owned()
        } else {
            rest.join("/")
        };
        if directory {
            path.push('/');
        }
        Some((mount, path))
    }

    /// For a path like `a/../../tmp/x`, which goes down before it leaves its mount: what is left of it when the part that cancels
    /// itself out is taken away. That part must be there and go through no link. wasmtime-wasi refuses all such paths, but where
    /// nothing is there a program expects to be told so.
    fn climbing(&mut self, handle: Handle, path: &str) -> Res<Option<String>> {
        /// Each of them is looked up.
        const MAX_PARTS: usize = 64;
        let parts: Vec<&str> = parts(path).collect();
        let depths = parts.iter().scan(0i32, |depth, part| {
            *depth += if *part == ".." { -1 } else { 1 };
            Some(*depth)
        });
        let leaves = depths.enumerate().find(|(_, depth)| *depth < 0);
        let Some(leaves) = leaves
            .map(|(index, _)| index)
            .filter(|index| (1..MAX_PARTS).contains(index))
        else {
            return Ok(None);
        };
        if path.starts_with('/') {
            return Ok(None);
        }
        for end in 1..=leaves {
            if parts[end - 1] == ".." {
                continue;
            }
            let name = parts[..end].join("/");
            let stat = finish(self.view().stat_at(handle.resource(), PathFlags::empty(), name))??;
            match stat.type_ {
                DescriptorType::Directory => {}
                DescriptorType::SymbolicLink => return Ok(None),
                _ => return Err(Errno::Notdir.into()),
            }
        }
        let slash = if names_directory(path) { "/" } else { "" };
        Ok(Some(parts[leaves..].join("/") + slash))
    }

    /// Opens the directory `path` below `handle`, for a moment.
    fn open_below(&mut self, handle: Handle, path: String) -> Res<Arc<File>> {
        let view = &mut self.view();
        let flags = PathFlags::SYMLINK_FOLLOW;
        let opened = finish(view.open_at(
            handle.resource(),
            flags,
            path,
            OpenFlags::DIRECTORY,
            DescriptorFlags::READ,
        ))??;
        self.take(opened)
    }

    fn take(&mut self, opened: Resource<Descriptor>) -> Res<Arc<File>> {
        match self.view().table.delete(opened).map_err(|_| Errno::Io)? {
            Descriptor::Dir(directory) => Ok(directory.dir),
            Descriptor::File(_) => Err(Errno::Notdir.into()),
        }
    }

    /// How many directories below the mount the directory is that `path` would add a name to.
    fn depth_of_parent(&mut self, spec: &WasiSpec, mount: usize, handle: Handle, path: &str) -> Res<usize> {
        let parent = match path.trim_end_matches('/').rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => parent,
            Some(_) => return Err(Errno::Perm.into()),
            None => ".",
        };
        debug_assert!(parent.len() <= MAX_PATH as usize);
        let parent = self.open_below(handle, parent.to_owned())?;
        let root = fstat(&*self.quota(spec, mount)?.1).map_err(host)?;
        let mut here = fstat(&*parent).map_err(host)?;
        let mut above: Option<OwnedFd> = None;
        let mut depth = 0;
        while (here.st_dev, here.st_ino) != (root.st_dev, root.st_ino) {
            depth += 1;
            if depth > MAX_DEPTH {
                break;
            }
            // This leaves the sandbox upwards for no other purpose than to count, and ends at the mount.
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let next = match &above {
                Some(above) => openat(above, c"..", flags, Mode::empty()),
                None => openat(&*parent, c"..", flags, Mode::empty()),
            };
            let next = next.map_err(host)?;
            here = fstat(&next).map_err(host)?;
            above = Some(next);
        }
        Ok(depth)
    }
}

/// The names in a path.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// `flag`, or no flag at all.
fn either<F: Default>(given: bool, flag: F) -> F {
    if given { flag } else { F::default() }
}

pub(super) fn writable(spec: &WasiSpec, mount: usize) -> bool {
    matches!(
        spec.mounts.get(mount).map(|mount| &mount.access),
        Some(Access::Writable(_))
    )
}

fn path_flags(lookup: u32) -> Result<PathFlags, Errno> {
    match lookup {
        0 => Ok(PathFlags::empty()),
        bits::LOOKUP_FOLLOW => Ok(PathFlags::SYMLINK_FOLLOW),
        _ => Err(Errno::Inval),
    }
}

/// A path that says it is a directory is about what a link points to, and nothing else than a directory will do. Some
/// operations of wasmtime-wasi look at the name only.
fn follow_directory(path: &str, follow: PathFlags) -> PathFlags {
    if names_directory(path) {
        PathFlags::SYMLINK_FOLLOW
    } else {
        follow
    }
}

fn names_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}

fn timestamp(time: NewTime) -> NewTimestamp {
    match time {
        NewTime::Keep => NewTimestamp::NoChange,
        NewTime::Now => NewTimestamp::Now,
        NewTime::At(since) => NewTimestamp::Timestamp(Datetime {
            seconds: since.as_secs(),
            nanoseconds: since.subsec_nanos(),
        }),
    }
}
