//! A guest that does what it is told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wasmtime::{Engine, Func, Linker, Memory, Module, Store, Val};

use crate::stop::{Cancel, Watch};
use crate::wasi::abi::{Errno, bits};
use crate::wasi::{Access, Captured, Entropy, Folder, Mount, Output, Quota, Wasi, WasiSpec, add_to_linker};

/// Every function with its parameters (`i` and `l` for 32 and 64 bits) and whether it returns a number.
pub(super) const TABLE: [(&str, &str, bool); 46] = [
    ("args_get", "ii", true),
    ("args_sizes_get", "ii", true),
    ("environ_get", "ii", true),
    ("environ_sizes_get", "ii", true),
    ("clock_res_get", "ii", true),
    ("clock_time_get", "ili", true),
    ("fd_advise", "illi", true),
    ("fd_allocate", "ill", true),
    ("fd_close", "i", true),
    ("fd_datasync", "i", true),
    ("fd_fdstat_get", "ii", true),
    ("fd_fdstat_set_flags", "ii", true),
    ("fd_fdstat_set_rights", "ill", true),
    ("fd_filestat_get", "ii", true),
    ("fd_filestat_set_size", "il", true),
    ("fd_filestat_set_times", "illi", true),
    ("fd_pread", "iiili", true),
    ("fd_prestat_get", "ii", true),
    ("fd_prestat_dir_name", "iii", true),
    ("fd_pwrite", "iiili", true),
    ("fd_read", "iiii", true),
    ("fd_readdir", "iiili", true),
    ("fd_renumber", "ii", true),
    ("fd_seek", "ilii", true),
    ("fd_sync", "i", true),
    ("fd_tell", "ii", true),
    ("fd_write", "iiii", true),
    ("path_create_directory", "iii", true),
    ("path_filestat_get", "iiiii", true),
    ("path_filestat_set_times", "iiiilli", true),
    ("path_link", "iiiiiii", true),
    ("path_open", "iiiiillii", true),
    ("path_readlink", "iiiiii", true),
    ("path_remove_directory", "iii", true),
    ("path_rename", "iiiiii", true),
    ("path_symlink", "iiiii", true),
    ("path_unlink_file", "iii", true),
    ("poll_oneoff", "iiii", true),
    ("proc_exit", "i", false),
    ("proc_raise", "i", true),
    ("random_get", "ii", true),
    ("sched_yield", "", true),
    ("sock_accept", "iii", true),
    ("sock_recv", "iiiiii", true),
    ("sock_send", "iiiii", true),
    ("sock_shutdown", "ii", true),
];

/// The same for what we add to preview 1.
pub(super) const EXTENSIONS: [(&str, &str, bool); 2] = [("fd_dup", "iii", true), ("fd_dup2", "ii", true)];

/// The functions of both, with the modules they are imported from.
fn functions() -> impl Iterator<Item = (&'static str, (&'static str, &'static str, bool))> {
    let preview1 = TABLE.iter().map(|function| ("wasi_snapshot_preview1", *function));
    preview1.chain(EXTENSIONS.iter().map(|function| ("prims", *function)))
}

/// A module with a megabyte of memory that offers a caller for each function.
pub(super) static MODULE: LazyLock<(Engine, Module)> = LazyLock::new(|| {
    let mut imports = String::new();
    let mut callers = String::new();
    for (from, (name, parameters, returns)) in functions() {
        let types: Vec<_> = parameters
            .chars()
            .map(|c| if c == 'i' { "i32" } else { "i64" })
            .collect();
        let signature = format!(
            "(param {}) {}",
            types.join(" "),
            if returns { "(result i32)" } else { "" }
        );
        let gets: String = (0..types.len()).map(|index| format!("local.get {index} ")).collect();
        writeln!(imports, r#"(import "{from}" "{name}" (func ${name} {signature}))"#).unwrap();
        writeln!(callers, r#"(func (export "{name}") {signature} {gets} call ${name})"#).unwrap();
    }
    let text = format!(r#"(module {imports} (memory (export "memory") 16) {callers})"#);
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    (engine, module)
});

/// Where the tests put what they pass; results go to [`OUT`], file contents and listings to [`DATA`].
pub(super) const PATH: u32 = 0x1000;
pub(super) const PATH2: u32 = 0x8000;
pub(super) const IOVEC: u32 = 0x400;
pub(super) const OUT: u32 = 0x100;
pub(super) const DATA: u32 = 0x2_0000;

/// The mounts of every guest here: `/ro`, `/work` and `/other`.
pub(super) const RO: u32 = 3;
pub(super) const WORK: u32 = 4;
pub(super) const OTHER: u32 = 5;

pub(super) const READ: u64 = bits::RIGHT_FD_READ;
pub(super) const WRITE: u64 = bits::RIGHT_FD_WRITE;

pub(super) type Answer<T> = Result<T, Errno>;

pub(super) struct Guest<T: 'static = Wasi> {
    store: Store<T>,
    pub(super) memory: Memory,
    functions: HashMap<&'static str, Func>,
    /// Removes the folders together with the guest, if nobody else needs them.
    host: Option<Host>,
}

/// A place on the host for the mounts of a guest, beside something no guest may ever reach.
pub(super) struct Host {
    pub(super) folder: TempDir,
    pub(super) quota: Arc<Quota>,
}

impl Host {
    pub(super) fn new() -> Host {
        Host::with_quota(1 << 20, 100)
    }

    pub(super) fn with_quota(max_bytes: u64, max_files: u64) -> Host {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ro", "work", "other", "outside"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("outside/secret"), "secret").unwrap();
        std::fs::write(folder.path().join("ro/file"), "read only").unwrap();
        std::fs::create_dir(folder.path().join("ro/directory")).unwrap();
        Host {
            folder,
            quota: Arc::new(Quota::new(max_bytes, max_files)),
        }
    }

    pub(super) fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn spec(&self) -> WasiSpec {
        let mount = |name: &str, access| Mount {
            guest_path: format!("/{name}"),
            host: Folder::Given(self.folder.path().join(name)),
            access,
        };
        WasiSpec {
            mounts: Arc::new([
                mount("ro", Access::ReadOnly),
                mount("work", Access::Writable(Arc::clone(&self.quota))),
                mount("other", Access::Writable(Arc::new(Quota::new(1 << 20, 100)))),
            ]),
            output: Output::default(),
            watch: Watch {
                deadline: Some(Instant::now() + Duration::from_secs(60)),
                cancel: Cancel::new(),
            },
            entropy: Entropy::Os,
            clock_resolution: WasiSpec::DEFAULT_CLOCK_RESOLUTION,
            max_descriptors: WasiSpec::DEFAULT_MAX_DESCRIPTORS,
        }
    }

    pub(super) fn guest(&self) -> Guest {
        Guest::new(self.spec())
    }
}

/// Whether nothing outside of the mounts was touched.
pub(super) fn outside_is_untouched(folder: &Path) -> bool {
    let names = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    names(folder) == ["other", "outside", "ro", "work"]
        && names(&folder.join("outside")) == ["secret"]
        && names(&folder.join("ro")) == ["directory", "file"]
        && std::fs::read(folder.join("outside/secret")).unwrap() == b"secret"
        && std::fs::read(folder.join("ro/file")).unwrap() == b"read only"
}

impl Guest {
    pub(super) fn new(spec: WasiSpec) -> Guest {
        let mut linker = Linker::new(&MODULE.0);
        add_to_linker(&mut linker, |wasi: &mut Wasi| wasi).unwrap();
        Guest::with(&linker, Wasi::new(spec))
    }

    /// A guest with folders nobody else looks at.
    pub(super) fn on_its_own() -> Guest {
        let host = Host::new();
        let mut guest = host.guest();
        guest.host = Some(host);
        guest
    }

    pub(super) fn wasi(&mut self) -> &mut Wasi {
        self.store.data_mut()
    }

    pub(super) fn finish(self) -> Captured {
        self.store.into_data().finish()
    }
}

impl<T: 'static> Guest<T> {
    /// A guest of whatever the linker has.
    pub(super) fn with(linker: &Linker<T>, data: T) -> Guest<T> {
        let (engine, module) = &*MODULE;
        let mut store = Store::new(engine, data);
        let instance = linker.instantiate(&mut store, module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let functions = functions()
            .map(|(_, (name, ..))| (name, instance.get_func(&mut store, name).unwrap()))
            .collect();
        Guest {
            store,
            memory,
            functions,
            host: None,
        }
    }

    /// Calls a function; an error is a trap.
    pub(super) fn call(&mut self, name: &str, arguments: &[i64]) -> wasmtime::Result<i32> {
        let (_, (_, parameters, returns)) = functions().find(|(_, (known, ..))| *known == name).unwrap();
        assert_eq!(parameters.len(), arguments.len(), "{name}");
        let arguments: Vec<_> = parameters
            .chars()
            .zip(arguments)
            .map(|(kind, value)| {
                if kind == 'i' {
                    Val::I32(*value as i32)
                } else {
                    Val::I64(*value)
                }
            })
            .collect();
        let mut results = if returns { vec![Val::I32(-1)] } else { Vec::new() };
        self.functions[name].call(&mut self.store, &arguments, &mut results)?;
        Ok(results.first().map_or(0, |result| result.unwrap_i32()))
    }

    /// Calls a function that must not trap.
    pub(super) fn ask(&mut self, name: &str, arguments: &[i64]) -> Answer<()> {
        match self.call(name, arguments).unwrap() {
            0 => Ok(()),
            number => Err(errno(number)),
        }
    }

    pub(super) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(&mut self.store, at as usize, bytes).unwrap();
    }

    pub(super) fn get(&self, at: u32, len: u32) -> Vec<u8> {
        self.memory.data(&self.store)[at as usize..(at + len) as usize].to_vec()
    }

    pub(super) fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.get(at, 4).try_into().unwrap())
    }

    pub(super) fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.get(at, 8).try_into().unwrap())
    }

    /// Stores a path and gives its address and length.
    pub(super) fn path(&mut self, at: u32, path: &str) -> (i64, i64) {
        self.put(at, path.as_bytes());
        (i64::from(at), path.len() as i64)
    }

    fn iovec(&mut self, at: u32, len: u32) {
        self.put(IOVEC, &at.to_le_bytes());
        self.put(IOVEC + 4, &len.to_le_bytes());
    }

    pub(super) fn open(&mut self, fd: u32, path: &str, oflags: u32, rights: u64) -> Answer<u32> {
        self.open_with(fd, path, 1, oflags, rights, 0)
    }

    pub(super) fn open_with(
        &mut self,
        fd: u32,
        path: &str,
        lookup: u32,
        oflags: u32,
        rights: u64,
        fdflags: u32,
    ) -> Answer<u32> {
        let (ptr, len) = self.path(PATH, path);
        let (lookup, oflags, rights, fdflags) = (lookup.into(), oflags.into(), rights as i64, fdflags.into());
        self.ask(
            "path_open",
            &[fd.into(), lookup, ptr, len, oflags, rights, rights, fdflags, OUT.into()],
        )?;
        Ok(self.u32(OUT))
    }

    pub(super) fn create(&mut self, fd: u32, path: &str) -> Answer<u32> {
        self.open(fd, path, bits::O_CREAT, READ | WRITE)
    }

    pub(super) fn close(&mut self, fd: u32) -> Answer<()> {
        self.ask("fd_close", &[fd.into()])
    }

    pub(super) fn dup(&mut self, fd: u32, least: u32) -> Answer<u32> {
        self.ask("fd_dup", &[fd.into(), least.into(), OUT.into()])?;
        Ok(self.u32(OUT))
    }

    pub(super) fn dup2(&mut self, from: u32, to: u32) -> Answer<()> {
        self.ask("fd_dup2", &[from.into(), to.into()])
    }

    pub(super) fn write(&mut self, fd: u32, bytes: &[u8]) -> Answer<u32> {
        self.put(DATA, bytes);
        self.iovec(DATA, bytes.len() as u32);
        self.ask("fd_write", &[fd.into(), IOVEC.into(), 1, OUT.into()])?;
        Ok(self.u32(OUT))
    }

    pub(super) fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Answer<u32> {
        self.put(DATA, bytes);
        self.iovec(DATA, bytes.len() as u32);
        self.ask("fd_pwrite", &[fd.into(), IOVEC.into(), 1, offset as i64, OUT.into()])?;
        Ok(self.u32(OUT))
    }

    pub(super) fn read(&mut self, fd: u32, len: u32) -> Answer<Vec<u8>> {
        self.iovec(DATA, len);
        self.ask("fd_read", &[fd.into(), IOVEC.into(), 1, OUT.into()])?;
        Ok(self.get(DATA, self.u32(OUT)))
    }

    pub(super) fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Answer<Vec<u8>> {
        self.iovec(DATA, len);
        self.ask("fd_pread", &[fd.into(), IOVEC.into(), 1, offset as i64, OUT.into()])?;
        Ok(self.get(DATA, self.u32(OUT)))
    }

    pub(super) fn seek(&mut self, fd: u32, delta: i64, whence: u32) -> Answer<u64> {
        self.ask("fd_seek", &[fd.into(), delta, whence.into(), OUT.into()])?;
        Ok(self.u64(OUT))
    }

    /// Device, inode, type, links, size, and the modification time.
    pub(super) fn stat(&mut self, fd: u32, path: &str, lookup: u32) -> Answer<Stat> {
        let (ptr, len) = self.path(PATH, path);
        self.ask("path_filestat_get", &[fd.into(), lookup.into(), ptr, len, OUT.into()])?;
        Ok(self.read_stat())
    }

    pub(super) fn fstat(&mut self, fd: u32) -> Answer<Stat> {
        self.ask("fd_filestat_get", &[fd.into(), OUT.into()])?;
        Ok(self.read_stat())
    }

    fn read_stat(&self) -> Stat {
        Stat {
            dev: self.u64(OUT),
            ino: self.u64(OUT + 8),
            filetype: self.get(OUT + 16, 1)[0],
            nlink: self.u64(OUT + 24),
            size: self.u64(OUT + 32),
            atim: self.u64(OUT + 40),
            mtim: self.u64(OUT + 48),
        }
    }

    /// Calls a function that takes a directory and a path.
    pub(super) fn at(&mut self, name: &str, fd: u32, path: &str) -> Answer<()> {
        let (ptr, len) = self.path(PATH, path);
        self.ask(name, &[fd.into(), ptr, len])
    }

    pub(super) fn mkdir(&mut self, fd: u32, path: &str) -> Answer<()> {
        self.at("path_create_directory", fd, path)
    }

    pub(super) fn unlink(&mut self, fd: u32, path: &str) -> Answer<()> {
        self.at("path_unlink_file", fd, path)
    }

    pub(super) fn rename(&mut self, old_fd: u32, old: &str, new_fd: u32, new: &str) -> Answer<()> {
        let ((old, old_len), (new, new_len)) = (self.path(PATH, old), self.path(PATH2, new));
        self.ask(
            "path_rename",
            &[old_fd.into(), old, old_len, new_fd.into(), new, new_len],
        )
    }

    pub(super) fn link(&mut self, old_fd: u32, old: &str, new_fd: u32, new: &str) -> Answer<()> {
        let ((old, old_len), (new, new_len)) = (self.path(PATH, old), self.path(PATH2, new));
        self.ask(
            "path_link",
            &[old_fd.into(), 0, old, old_len, new_fd.into(), new, new_len],
        )
    }

    pub(super) fn symlink(&mut self, target: &str, fd: u32, path: &str) -> Answer<()> {
        let ((target, target_len), (ptr, len)) = (self.path(PATH, target), self.path(PATH2, path));
        self.ask("path_symlink", &[target, target_len, fd.into(), ptr, len])
    }

    pub(super) fn readlink(&mut self, fd: u32, path: &str) -> Answer<String> {
        let (ptr, len) = self.path(PATH, path);
        self.ask("path_readlink", &[fd.into(), ptr, len, DATA.into(), 4096, OUT.into()])?;
        Ok(String::from_utf8(self.get(DATA, self.u32(OUT))).unwrap())
    }

    /// All entries of a directory, with a buffer of `size` bytes at a time, as the C library asks for them.
    pub(super) fn list(&mut self, fd: u32, size: u32) -> Answer<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut cookie = 0;
        loop {
            self.ask(
                "fd_readdir",
                &[fd.into(), DATA.into(), size.into(), cookie as i64, OUT.into()],
            )?;
            let used = self.u32(OUT);
            let mut at = DATA;
            while at + 24 <= DATA + used {
                let len = self.u32(at + 16);
                if at + 24 + len > DATA + used {
                    break;
                }
                let name = String::from_utf8(self.get(at + 24, len)).unwrap();
                cookie = self.u64(at);
                entries.push(Entry {
                    name,
                    ino: self.u64(at + 8),
                    filetype: self.get(at + 20, 1)[0],
                    cookie,
                });
                at += 24 + len;
            }
            if used < size {
                return Ok(entries);
            }
        }
    }

    pub(super) fn names(&mut self, fd: u32, size: u32) -> Vec<String> {
        let mut names: Vec<_> = self
            .list(fd, size)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.sort();
        names
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) filetype: u8,
    pub(super) nlink: u64,
    pub(super) size: u64,
    pub(super) atim: u64,
    pub(super) mtim: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) ino: u64,
    pub(super) filetype: u8,
    pub(super) cookie: u64,
}

const KNOWN: [Errno; 42] = [
    Errno::Success,
    Errno::Acces,
    Errno::Again,
    Errno::Already,
    Errno::Badf,
    Errno::Busy,
    Errno::Deadlk,
    Errno::Dquot,
    Errno::Exist,
    Errno::Fault,
    Errno::Fbig,
    Errno::Ilseq,
    Errno::Inprogress,
    Errno::Intr,
    Errno::Inval,
    Errno::Io,
    Errno::Isdir,
    Errno::Loop,
    Errno::Mfile,
    Errno::Mlink,
    Errno::Msgsize,
    Errno::Nametoolong,
    Errno::Nodev,
    Errno::Noent,
    Errno::Nolck,
    Errno::Nomem,
    Errno::Nospc,
    Errno::Nosys,
    Errno::Notdir,
    Errno::Notempty,
    Errno::Notrecoverable,
    Errno::Notsock,
    Errno::Notsup,
    Errno::Notty,
    Errno::Nxio,
    Errno::Overflow,
    Errno::Perm,
    Errno::Pipe,
    Errno::Rofs,
    Errno::Spipe,
    Errno::Txtbsy,
    Errno::Xdev,
];

pub(super) fn errno(number: i32) -> Errno {
    *KNOWN
        .iter()
        .find(|errno| **errno as i32 == number)
        .unwrap_or_else(|| panic!("unknown error number {number}"))
}
