//! The descriptor table and what is behind its entries.
//!
//! The table is ours: its size, its numbers and the positions in files. What a path means is decided by wasmtime-wasi:
//! every directory the guest has is one of its [`Dir`]s, and every path is resolved by it, below that directory.

use std::fs::File;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, open};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::{FsPerms, OpenMode, ResourceTable, WasiCtxBuilder};

use super::abi::{Errno, Filestat, Res, bits};
use super::descriptors::Standard;
use super::quota::{Quota, host};
use super::readdir::Listing;
use super::{Access, WasiSpec, fd};

/// The context every run uses: no preopened directories of its own, and file operations on the calling thread.
static CONTEXT: LazyLock<WasiFilesystemCtx> = LazyLock::new(|| {
    let mut context = WasiCtxBuilder::new().allow_blocking_current_thread(true).build();
    context.filesystem().clone()
});

/// Everything that is open in a run, beside the standard streams.
pub(super) struct Files {
    context: WasiFilesystemCtx,
    /// The directories.
    table: ResourceTable,
    /// What is open, from descriptor [`fd::FIRST`] on. The mounts come first and stay.
    open: Vec<Option<Entry>>,
    /// What took the place of the standard streams.
    replaced: [Option<Entry>; fd::FIRST as usize],
    /// The files; several descriptors may be one of them.
    files: Vec<Option<Description>>,
    mounts: usize,
    /// The most entries `open` may have.
    capacity: usize,
    /// No entry before this one is free.
    lowest_free: usize,
}

enum Entry {
    /// A mount nobody has looked into yet.
    Unopened,
    Directory(OpenDir),
    /// An index of `Files::files`.
    File(usize),
    /// A standard stream under another number.
    Stream(Standard),
}

/// An open file and how many descriptors it has.
struct Description {
    file: OpenFile,
    descriptors: u32,
}

/// An open directory.
pub(super) struct OpenDir {
    /// Which mount it is in.
    pub(super) mount: usize,
    /// Its entry in the table of wasmtime-wasi.
    pub(super) handle: Handle,
    pub(super) host: Arc<File>,
    pub(super) listing: Option<Box<Listing>>,
}

/// A directory as wasmtime-wasi knows it.
#[derive(Clone, Copy)]
pub(super) struct Handle(u32);

impl Handle {
    pub(super) fn resource(self) -> Resource<Descriptor> {
        Resource::new_borrow(self.0)
    }
}

/// An open file.
pub(super) struct OpenFile {
    /// Which mount it is in.
    pub(super) mount: usize,
    pub(super) host: Arc<File>,
    pub(super) position: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) append: bool,
    pub(super) nonblock: bool,
    /// What is written goes nowhere: this is `/dev/null`.
    pub(super) discards: bool,
}

impl OpenFile {
    pub(super) fn size(&self) -> Res<u64> {
        Ok(self.host.metadata()?.len())
    }
}

/// Runs an operation of wasmtime-wasi. They are asynchronous functions, but with blocking allowed on the current thread
/// none of them ever waits.
pub(super) fn finish<F: Future>(operation: F) -> Result<F::Output, Errno> {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(Errno::Io),
    }
}

impl Files {
    pub(super) fn new(spec: &WasiSpec) -> Files {
        let mut open = Vec::new();
        open.resize_with(spec.mounts.len(), || Some(Entry::Unopened));
        Files {
            context: CONTEXT.clone(),
            table: ResourceTable::new(),
            mounts: open.len(),
            lowest_free: open.len(),
            open,
            replaced: Default::default(),
            files: Vec::new(),
            capacity: spec.max_descriptors.saturating_sub(fd::FIRST) as usize,
        }
    }

    fn index(number: u32) -> Result<usize, Errno> {
        Ok(number.checked_sub(fd::FIRST).ok_or(Errno::Badf)? as usize)
    }

    /// What `number` is; it may lie beyond what was ever open.
    fn place(&mut self, number: u32) -> Option<&mut Option<Entry>> {
        match Files::index(number) {
            Ok(index) => self.open.get_mut(index),
            Err(_) => self.replaced.get_mut(number as usize),
        }
    }

    fn entry(&mut self, number: u32) -> Result<&mut Entry, Errno> {
        self.place(number).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The standard stream that was given this number.
    pub(super) fn stream(&self, number: u32) -> Option<Standard> {
        match self.open.get(Files::index(number).ok()?) {
            Some(Some(Entry::Stream(stream))) => Some(*stream),
            _ => None,
        }
    }

    fn description(&mut self, index: usize) -> Result<&mut Description, Errno> {
        self.files.get_mut(index).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// Whether `number` is open, and as a directory. Nothing is opened for that.
    pub(super) fn kind(&mut self, number: u32) -> Result<Kind<'_>, Errno> {
        match *self.entry(number)? {
            Entry::Unopened | Entry::Directory(_) => Ok(Kind::Directory),
            Entry::File(index) => Ok(Kind::File(&mut self.description(index)?.file)),
            // Who asks has taken care of streams before.
            Entry::Stream(_) => Err(Errno::Badf),
        }
    }

    /// The open file `number`.
    pub(super) fn file(&mut self, number: u32) -> Result<&mut OpenFile, Errno> {
        match self.kind(number)? {
            Kind::File(file) => Ok(file),
            Kind::Directory => Err(Errno::Isdir),
        }
    }

    /// The open directory `number`. A mount is opened now if it was not yet.
    pub(super) fn directory(&mut self, spec: &WasiSpec, number: u32) -> Res<&mut OpenDir> {
        if let Entry::Unopened = self.entry(number)? {
            let opened = self.open_mount(spec, Files::index(number)?)?;
            *self.entry(number)? = Entry::Directory(opened);
        }
        match self.entry(number)? {
            Entry::Directory(directory) => Ok(directory),
            Entry::Unopened | Entry::Stream(_) => Err(Errno::Badf.into()),
            Entry::File(_) => Err(Errno::Notdir.into()),
        }
    }

    fn open_mount(&mut self, spec: &WasiSpec, index: usize) -> Res<OpenDir> {
        let mount = spec.mounts.get(index).ok_or(Errno::Badf)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = mount.host.path().map_err(|_| Errno::Io)?;
        let directory = File::from(open(path, flags, Mode::empty()).map_err(host)?);
        let (permissions, mode) = match mount.access {
            Access::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
            Access::Writable(_) => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
        };
        self.add_directory(index, Dir::new(directory, permissions, mode, true))
    }

    fn add_directory(&mut self, mount: usize, directory: Dir) -> Res<OpenDir> {
        let host = Arc::clone(&directory.dir);
        let resource = self.table.push(Descriptor::Dir(directory)).map_err(|_| Errno::Mfile)?;
        Ok(OpenDir {
            mount,
            handle: Handle(resource.rep()),
            host,
            listing: None,
        })
    }

    /// The quota of a mount and the directory it is about.
    pub(super) fn quota<'a>(&mut self, spec: &'a WasiSpec, mount: usize) -> Res<(&'a Quota, Arc<File>)> {
        match spec.mounts.get(mount).map(|mount| &mount.access) {
            Some(Access::Writable(quota)) => {
                let root = self.directory(spec, fd::FIRST + mount as u32)?;
                Ok((quota, Arc::clone(&root.host)))
            }
            Some(Access::ReadOnly) => Err(Errno::Rofs.into()),
            None => Err(Errno::Badf.into()),
        }
    }

    /// Runs an operation of wasmtime-wasi on its view of what is open.
    pub(super) fn view(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: &mut self.context,
            table: &mut self.table,
        }
    }

    /// Whether another descriptor can be opened.
    pub(super) fn check_room(&mut self) -> Result<(), Errno> {
        while self.open.get(self.lowest_free).is_some_and(Option::is_some) {
            self.lowest_free += 1;
        }
        if self.lowest_free < self.capacity {
            Ok(())
        } else {
            Err(Errno::Mfile)
        }
    }

    /// Gives what wasmtime-wasi opened the lowest free number.
    pub(super) fn insert(&mut self, opened: Resource<Descriptor>, how: Opened) -> Res<u32> {
        let descriptor = self.table.delete(opened).map_err(|_| Errno::Io)?;
        self.check_room()?;
        let Opened {
            mount,
            readable,
            writable,
            append,
            nonblock,
            discards,
        } = how;
        let entry = match descriptor {
            Descriptor::Dir(directory) => Entry::Directory(self.add_directory(mount, directory)?),
            Descriptor::File(file) => {
                let host = file.file;
                self.add_file(OpenFile {
                    mount,
                    host,
                    position: 0,
                    readable,
                    writable,
                    append,
                    nonblock,
                    discards,
                })
            }
        };
        let number = fd::FIRST + self.lowest_free as u32;
        self.put(number, entry);
        Ok(number)
    }

    fn add_file(&mut self, file: OpenFile) -> Entry {
        let free = self.files.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.files.push(None);
            self.files.len() - 1
        });
        self.files[index] = Some(Description { file, descriptors: 1 });
        Entry::File(index)
    }

    /// Makes `number`, which must be within the table's capacity, `entry`.
    fn put(&mut self, number: u32, entry: Entry) {
        if let Ok(index) = Files::index(number)
            && index >= self.open.len()
        {
            self.open.resize_with(index + 1, || None);
        }
        if let Some(place) = self.place(number)
            && let Some(before) = place.replace(entry)
        {
            self.discard(before);
        }
    }

    /// The lowest free number that is not below `least`.
    pub(super) fn free_from(&mut self, least: u32) -> Result<u32, Errno> {
        let least = Files::index(least).unwrap_or(0);
        if least >= self.capacity {
            return Err(Errno::Inval);
        }
        self.check_room()?;
        let free = |index: &usize| !matches!(self.open.get(*index), Some(Some(_)));
        let found = (least.max(self.lowest_free)..self.capacity).find(free);
        Ok(fd::FIRST + found.ok_or(Errno::Mfile)? as u32)
    }

    /// Makes `to`, a number within the table's capacity, what `from` is; a standard stream is no entry and comes as `stream`.
    pub(super) fn duplicate(&mut self, spec: &WasiSpec, from: u32, stream: Option<Standard>, to: u32) -> Res<()> {
        if Files::index(to).is_ok_and(|index| self.is_mount(index)) {
            return Err(Errno::Notsup.into());
        }
        let entry = match stream {
            Some(stream) => Entry::Stream(stream),
            None => match *self.entry(from)? {
                Entry::Stream(stream) => Entry::Stream(stream),
                Entry::File(index) => {
                    self.description(index)?.descriptors += 1;
                    Entry::File(index)
                }
                Entry::Unopened | Entry::Directory(_) => {
                    let directory = self.directory(spec, from)?;
                    let (mount, handle) = (directory.mount, directory.handle);
                    match self.table.get(&handle.resource()).map_err(|_| Errno::Badf)? {
                        Descriptor::Dir(directory) => {
                            let directory = directory.clone();
                            Entry::Directory(self.add_directory(mount, directory)?)
                        }
                        Descriptor::File(_) => return Err(Errno::Badf.into()),
                    }
                }
            },
        };
        self.put(to, entry);
        Ok(())
    }

    /// Closes `number`. Mounts stay open: their numbers are part of what a program was started with.
    pub(super) fn close(&mut self, number: u32) -> Res<()> {
        self.entry(number)?;
        if let Ok(index) = Files::index(number) {
            self.movable(number)?;
            self.lowest_free = self.lowest_free.min(index);
        }
        if let Some(entry) = self.place(number).and_then(Option::take) {
            self.discard(entry);
        }
        Ok(())
    }

    /// Makes `to`, which must be open, what `from` is, and closes `from`.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Res<()> {
        self.entry(from)?;
        self.entry(to)?;
        let (from, to) = (self.movable(from)?, self.movable(to)?);
        if from != to {
            let moved = self.open[from].take();
            self.lowest_free = self.lowest_free.min(from);
            if let Some(replaced) = std::mem::replace(&mut self.open[to], moved) {
                self.discard(replaced);
            }
        }
        Ok(())
    }

    /// Whether entry `index` is a mount.
    pub(super) fn is_mount(&self, index: usize) -> bool {
        index < self.mounts
    }

    fn movable(&self, number: u32) -> Result<usize, Errno> {
        let index = Files::index(number)?;
        if self.is_mount(index) {
            Err(Errno::Notsup)
        } else {
            Ok(index)
        }
    }

    fn discard(&mut self, entry: Entry) {
        match entry {
            Entry::Unopened => {}
            Entry::Directory(directory) => {
                // It is in the table, or the entry would not have been.
                let _ = self.table.delete(Resource::<Descriptor>::new_own(directory.handle.0));
            }
            Entry::Stream(_) => {}
            Entry::File(index) => {
                if let Ok(description) = self.description(index) {
                    description.descriptors -= 1;
                    if description.descriptors == 0 {
                        // Closed by being dropped. A quota finds out by itself.
                        self.files[index] = None;
                    }
                }
            }
        }
    }

    /// How many descriptors are open beside the standard streams and the mounts.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.iter().skip(self.mounts).flatten().count()
    }
}

/// What a descriptor is.
pub(super) enum Kind<'a> {
    Directory,
    File(&'a mut OpenFile),
}

/// How something was opened.
pub(super) struct Opened {
    pub(super) mount: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) append: bool,
    pub(super) nonblock: bool,
    pub(super) discards: bool,
}

/// The number the guest is shown for a file, instead of the host's: the same one that wasmtime-wasi makes up.
pub(super) fn inode(device: u64, inode: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device, inode).hash(&mut hasher);
    hasher.finish()
}

/// The number the guest is shown for the device of a mount. Each mount is a device of its own, because nothing can be
/// moved or linked from one to another.
pub(super) fn device(mount: usize) -> u64 {
    mount as u64 + 1
}

/// The permissions the guest is shown: the host's say nothing about what it may do.
pub(super) fn permissions(writable: bool, filetype: u8) -> u16 {
    match (filetype, writable) {
        (bits::TYPE_SYMBOLIC_LINK, _) => 0o777,
        (bits::TYPE_CHARACTER_DEVICE, _) => 0o666,
        (bits::TYPE_DIRECTORY, true) => 0o755,
        (bits::TYPE_DIRECTORY, false) => 0o555,
        (_, true) => 0o644,
        (_, false) => 0o444,
    }
}

/// What the guest is told about something that is open, in a mount that can be written or not.
pub(super) fn filestat(host: &File, mount: usize, writable: bool) -> Res<Filestat> {
    let metadata = host.metadata()?;
    let file_type = metadata.file_type();
    let time = |time: std::io::Result<SystemTime>| {
        let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0))
    };
    let filetype = if file_type.is_dir() {
        bits::TYPE_DIRECTORY
    } else if file_type.is_file() {
        bits::TYPE_REGULAR_FILE
    } else {
        bits::TYPE_UNKNOWN
    };
    Ok(Filestat {
        dev: device(mount),
        ino: inode(metadata.dev(), metadata.ino()),
        filetype,
        permissions: permissions(writable, filetype),
        nlink: metadata.nlink(),
        size: metadata.len(),
        atim: time(metadata.accessed()),
        mtim: time(metadata.modified()),
        ctim: time(metadata.created()),
    })
}
