//! Numbers and memory accesses of the preview 1 ABI. Everything the guest passes is a hostile integer until it went
//! through here.

use std::io;

use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::stop::Stopped;

/// The longest path accepted, in bytes; what Linux calls `PATH_MAX`.
pub(super) const MAX_PATH: u32 = 4096;
/// The most buffers one call may name; what Linux calls `IOV_MAX`.
pub(super) const MAX_IOVECS: u32 = 1024;
/// The most subscriptions one `poll_oneoff` may name.
pub(super) const MAX_SUBSCRIPTIONS: u32 = 1024;
/// The most bytes one call may move: the largest `ssize_t` of the guest, so that no result can look negative to it.
pub(super) const MAX_TRANSFER: u64 = i32::MAX as u64;

/// The error numbers of preview 1 that this implementation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Errno {
    Success = 0,
    Acces = 2,
    Again = 6,
    Already = 7,
    Badf = 8,
    Busy = 10,
    Deadlk = 16,
    Dquot = 19,
    Exist = 20,
    Fault = 21,
    Fbig = 22,
    Ilseq = 25,
    Inprogress = 26,
    Intr = 27,
    Inval = 28,
    Io = 29,
    Isdir = 31,
    Loop = 32,
    Mfile = 33,
    Mlink = 34,
    Msgsize = 35,
    Nametoolong = 37,
    Nodev = 43,
    Noent = 44,
    Nolck = 46,
    Nomem = 48,
    Nospc = 51,
    Nosys = 52,
    Notdir = 54,
    Notempty = 55,
    Notrecoverable = 56,
    Notsock = 57,
    Notsup = 58,
    Notty = 59,
    Nxio = 60,
    Overflow = 61,
    Perm = 63,
    Pipe = 64,
    Rofs = 69,
    Spipe = 70,
    Txtbsy = 74,
    Xdev = 75,
}

/// How a call ends when it does not succeed: with a number the guest sees, or with the end of the run.
#[derive(Debug)]
pub(super) enum Fail {
    Errno(Errno),
    Trap(wasmtime::Error),
}

/// What every call returns inside this module.
pub(super) type Res<T> = Result<T, Fail>;

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Fail {
        Fail::Errno(errno)
    }
}

impl From<Stopped> for Fail {
    fn from(stopped: Stopped) -> Fail {
        Fail::Trap(stopped.into())
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Fail {
        Fail::Errno(error_code(ErrorCode::from(error)))
    }
}

impl From<FsError> for Fail {
    fn from(error: FsError) -> Fail {
        // The other side of a trap in there is a broken resource table, which nothing the guest does can bring about;
        // its text could name host paths, so not even then is it shown.
        Fail::Errno(error.downcast().map_or(Errno::Io, error_code))
    }
}

fn error_code(code: ErrorCode) -> Errno {
    match code {
        ErrorCode::Access => Errno::Acces,
        ErrorCode::WouldBlock => Errno::Again,
        ErrorCode::Already => Errno::Already,
        ErrorCode::BadDescriptor => Errno::Badf,
        ErrorCode::Busy => Errno::Busy,
        ErrorCode::Deadlock => Errno::Deadlk,
        ErrorCode::Quota => Errno::Dquot,
        ErrorCode::Exist => Errno::Exist,
        ErrorCode::FileTooLarge => Errno::Fbig,
        ErrorCode::IllegalByteSequence => Errno::Ilseq,
        ErrorCode::InProgress => Errno::Inprogress,
        ErrorCode::Interrupted => Errno::Intr,
        ErrorCode::Invalid => Errno::Inval,
        ErrorCode::Io => Errno::Io,
        ErrorCode::IsDirectory => Errno::Isdir,
        ErrorCode::Loop => Errno::Loop,
        ErrorCode::TooManyLinks => Errno::Mlink,
        ErrorCode::MessageSize => Errno::Msgsize,
        ErrorCode::NameTooLong => Errno::Nametoolong,
        ErrorCode::NoDevice => Errno::Nodev,
        ErrorCode::NoEntry => Errno::Noent,
        ErrorCode::NoLock => Errno::Nolck,
        ErrorCode::InsufficientMemory => Errno::Nomem,
        ErrorCode::InsufficientSpace => Errno::Nospc,
        ErrorCode::NotDirectory => Errno::Notdir,
        ErrorCode::NotEmpty => Errno::Notempty,
        ErrorCode::NotRecoverable => Errno::Notrecoverable,
        ErrorCode::Unsupported => Errno::Notsup,
        ErrorCode::NoTty => Errno::Notty,
        ErrorCode::NoSuchDevice => Errno::Nxio,
        ErrorCode::Overflow => Errno::Overflow,
        ErrorCode::NotPermitted => Errno::Perm,
        ErrorCode::Pipe => Errno::Pipe,
        ErrorCode::ReadOnly => Errno::Rofs,
        ErrorCode::InvalidSeek => Errno::Spipe,
        ErrorCode::TextFileBusy => Errno::Txtbsy,
        ErrorCode::CrossDevice => Errno::Xdev,
    }
}

/// Bit sets and enumerations of the ABI.
pub(super) mod bits {
    pub(crate) const LOOKUP_FOLLOW: u32 = 1;

    pub(crate) const O_CREAT: u32 = 1;
    pub(crate) const O_DIRECTORY: u32 = 2;
    pub(crate) const O_EXCL: u32 = 4;
    pub(crate) const O_TRUNC: u32 = 8;
    pub(crate) const O_ALL: u32 = 15;

    pub(crate) const FD_APPEND: u32 = 1;
    pub(crate) const FD_NONBLOCK: u32 = 4;
    pub(crate) const FD_ALL: u32 = 31;

    pub(crate) const ATIM: u32 = 1;
    pub(crate) const ATIM_NOW: u32 = 2;
    pub(crate) const MTIM: u32 = 4;
    pub(crate) const MTIM_NOW: u32 = 8;
    pub(crate) const FST_ALL: u32 = 15;

    pub(crate) const RIGHT_FD_READ: u64 = 1 << 1;
    pub(crate) const RIGHT_FD_SEEK: u64 = 1 << 2;
    pub(crate) const RIGHT_FD_TELL: u64 = 1 << 5;
    pub(crate) const RIGHT_FD_WRITE: u64 = 1 << 6;
    pub(crate) const RIGHT_FD_SET_SIZE: u64 = 1 << 22;
    pub(crate) const RIGHTS_SOCKET: u64 = 3 << 28;
    pub(crate) const RIGHTS_ALL: u64 = (1 << 30) - 1;

    pub(crate) const WHENCE_SET: u32 = 0;
    pub(crate) const WHENCE_CUR: u32 = 1;
    pub(crate) const WHENCE_END: u32 = 2;

    pub(crate) const TYPE_UNKNOWN: u8 = 0;
    pub(crate) const TYPE_BLOCK_DEVICE: u8 = 1;
    pub(crate) const TYPE_CHARACTER_DEVICE: u8 = 2;
    pub(crate) const TYPE_DIRECTORY: u8 = 3;
    pub(crate) const TYPE_REGULAR_FILE: u8 = 4;
    pub(crate) const TYPE_SYMBOLIC_LINK: u8 = 7;
}

/// What `fd_filestat_get` and `path_filestat_get` answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filestat {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) filetype: u8,
    /// As in the mode of POSIX, which preview 1 does not have: two bytes of the padding behind the type.
    pub(super) permissions: u16,
    pub(super) nlink: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970, like the two below.
    pub(super) atim: u64,
    pub(super) mtim: u64,
    pub(super) ctim: u64,
}

impl Filestat {
    /// The size of the structure in guest memory.
    pub(super) const SIZE: u32 = 64;

    pub(super) fn to_bytes(self) -> [u8; Filestat::SIZE as usize] {
        let mut bytes = [0; Filestat::SIZE as usize];
        bytes[0..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16] = self.filetype;
        bytes[18..20].copy_from_slice(&self.permissions.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.nlink.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.atim.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.mtim.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.ctim.to_le_bytes());
        bytes
    }
}

/// The guest's linear memory for the time of one call. Addresses outside of it answer `EFAULT`.
pub(super) struct Guest<'a>(pub(super) &'a mut [u8]);

impl Guest<'_> {
    pub(super) fn bytes(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        let start = ptr as usize;
        let end = start.checked_add(len as usize).ok_or(Errno::Fault)?;
        self.0.get(start..end).ok_or(Errno::Fault)
    }

    pub(super) fn bytes_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
        let start = ptr as usize;
        let end = start.checked_add(len as usize).ok_or(Errno::Fault)?;
        self.0.get_mut(start..end).ok_or(Errno::Fault)
    }

    /// Fails if the result of a call could not be stored, before the call has done anything.
    pub(super) fn check(&self, ptr: u32, len: u32) -> Result<(), Errno> {
        self.bytes(ptr, len).map(|_| ())
    }

    pub(super) fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        self.bytes_mut(ptr, len)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, ptr: u32, value: u32) -> Result<(), Errno> {
        self.write(ptr, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, ptr: u32, value: u64) -> Result<(), Errno> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// A path the guest names: at most [`MAX_PATH`] bytes of UTF-8 without a NUL.
    pub(super) fn path(&self, ptr: u32, len: u32) -> Result<String, Errno> {
        if len > MAX_PATH {
            return Err(Errno::Nametoolong);
        }
        let bytes = self.bytes(ptr, len)?;
        if bytes.contains(&0) {
            return Err(Errno::Inval);
        }
        Ok(std::str::from_utf8(bytes).map_err(|_| Errno::Ilseq)?.to_owned())
    }

    /// The list of buffers at `ptr`, all of which lie in memory now.
    pub(super) fn iovecs(&self, ptr: u32, count: u32) -> Result<Iovecs, Errno> {
        if count > MAX_IOVECS {
            return Err(Errno::Inval);
        }
        let mut total = 0;
        for entry in self.bytes(ptr, count * 8)?.chunks_exact(8) {
            let (buf, len) = (u32_at(entry, 0), u32_at(entry, 4));
            self.check(buf, len)?;
            total += u64::from(len);
        }
        // POSIX: a sum that `ssize_t` cannot hold is invalid, rather than being cut short.
        if total > MAX_TRANSFER {
            return Err(Errno::Inval);
        }
        Ok(Iovecs {
            ptr,
            count,
            total: total as u32,
        })
    }

    /// Buffer `index` of a list. A call that fills buffers may have overwritten the list, so it is read and checked anew.
    pub(super) fn iovec(&self, iovecs: Iovecs, index: u32) -> Result<(u32, u32), Errno> {
        let entry = self.bytes(iovecs.ptr.checked_add(index * 8).ok_or(Errno::Fault)?, 8)?;
        Ok((u32_at(entry, 0), u32_at(entry, 4)))
    }
}

/// A checked list of buffers in guest memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Iovecs {
    ptr: u32,
    pub(super) count: u32,
    /// The sum of the lengths, at most [`MAX_TRANSFER`].
    pub(super) total: u32,
}

/// The number at `offset` of a structure that is known to be long enough; 0 otherwise.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// As [`u32_at`], for 64 bits.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
