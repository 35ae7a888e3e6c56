//! Calls on descriptors: the standard streams, and files.

use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Wasi;
use super::abi::{Errno, Filestat, Guest, Iovecs, Res, bits};
use super::descriptors::Standard;
use super::files::{Kind, OpenFile, filestat, permissions};
use super::paths::writable;
use super::quota::Usage;

/// The first descriptor after the standard streams, which is the first mount.
pub(super) const FIRST: u32 = 3;

/// How much is moved between two looks at the watch.
const PIECE: usize = 4 << 20;
/// Sizes above this are refused as such, not as a lack of room.
const MAX_SIZE: u64 = i64::MAX as u64;

impl Wasi {
    pub(super) fn fd_fdstat_get(&mut self, guest: &mut Guest<'_>, number: u32, out: u32) -> Res<()> {
        let (filetype, flags, base, inheriting) = match self.stream(number)? {
            Some(Standard::Input) => (bits::TYPE_UNKNOWN, 0, bits::RIGHT_FD_READ, 0),
            Some(Standard::Output(_)) => (bits::TYPE_UNKNOWN, 0, bits::RIGHT_FD_WRITE, 0),
            None if self.is_untouched(number) => return Err(Errno::Badf.into()),
            None => match self.files().0.kind(number)? {
                Kind::Directory => {
                    // The C library masks what it asks for with the inheriting rights, so on a read-only mount a
                    // missing right would turn "read-only file system" into a file that quietly cannot be written.
                    let file = bits::RIGHT_FD_SEEK | bits::RIGHT_FD_TELL | bits::RIGHT_FD_SET_SIZE;
                    let all = bits::RIGHTS_ALL & !bits::RIGHTS_SOCKET;
                    (bits::TYPE_DIRECTORY, 0, all & !file & !bits::RIGHT_FD_WRITE, all)
                }
                Kind::File(file) => {
                    let mut rights = bits::RIGHTS_ALL & !bits::RIGHTS_SOCKET;
                    if !file.readable {
                        rights &= !bits::RIGHT_FD_READ;
                    }
                    if !file.writable {
                        rights &= !bits::RIGHT_FD_WRITE;
                    }
                    let append = if file.append { bits::FD_APPEND } else { 0 };
                    let nonblock = if file.nonblock { bits::FD_NONBLOCK } else { 0 };
                    let filetype = match file.discards {
                        true => bits::TYPE_CHARACTER_DEVICE,
                        false => bits::TYPE_REGULAR_FILE,
                    };
                    (filetype, append | nonblock, rights, rights)
                }
            },
        };
        let mut bytes = [0; 24];
        bytes[0] = filetype;
        bytes[2..4].copy_from_slice(&(flags as u16).to_le_bytes());
        bytes[8..16].copy_from_slice(&base.to_le_bytes());
        bytes[16..24].copy_from_slice(&inheriting.to_le_bytes());
        Ok(guest.write(out, &bytes)?)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, number: u32, flags: u32) -> Res<()> {
        if self.stream(number)?.is_some() {
            // Whether they block makes no difference to the standard streams.
            return if flags & !bits::FD_NONBLOCK == 0 {
                Ok(())
            } else {
                Err(Errno::Inval.into())
            };
        }
        if flags & !(bits::FD_APPEND | bits::FD_NONBLOCK) != 0 {
            return Err(Errno::Inval.into());
        }
        match self.files().0.kind(number)? {
            Kind::File(file) => {
                file.append = flags & bits::FD_APPEND != 0;
                file.nonblock = flags & bits::FD_NONBLOCK != 0;
                Ok(())
            }
            Kind::Directory => Err(Errno::Isdir.into()),
        }
    }

    /// For calls that would do nothing: fails unless `number` is open.
    pub(super) fn check_open(&mut self, number: u32) -> Res<()> {
        if self.stream(number)?.is_none() {
            self.files().0.kind(number)?;
        }
        Ok(())
    }

    /// As [`Wasi::check_open`], for calls that are about files.
    pub(super) fn check_file(&mut self, number: u32) -> Res<()> {
        if self.stream(number)?.is_some() {
            return Err(Errno::Spipe.into());
        }
        self.files().0.file(number)?;
        Ok(())
    }

    pub(super) fn fd_filestat_get(&mut self, guest: &mut Guest<'_>, number: u32, out: u32) -> Res<()> {
        guest.check(out, Filestat::SIZE)?;
        let stat = if self.stream(number)?.is_some() {
            Filestat::default()
        } else if self.is_untouched(number) {
            return Err(Errno::Badf.into());
        } else {
            let (files, spec) = self.files();
            match files.kind(number)? {
                Kind::File(file) if file.discards => Filestat {
                    filetype: bits::TYPE_CHARACTER_DEVICE,
                    permissions: permissions(true, bits::TYPE_CHARACTER_DEVICE),
                    ..filestat(&file.host, file.mount, true)?
                },
                Kind::File(file) => filestat(&file.host, file.mount, writable(spec, file.mount))?,
                Kind::Directory => {
                    let directory = files.directory(spec, number)?;
                    filestat(&directory.host, directory.mount, writable(spec, directory.mount))?
                }
            }
        };
        Ok(guest.write(out, &stat.to_bytes())?)
    }

    pub(super) fn fd_filestat_set_size(&mut self, number: u32, size: u64) -> Res<()> {
        let (file, size_now) = self.resizable(number)?;
        if size > MAX_SIZE {
            return Err(Errno::Fbig.into());
        }
        self.resize(file, size_now, size)
    }

    pub(super) fn fd_allocate(&mut self, number: u32, offset: u64, len: u64) -> Res<()> {
        let (file, size_now) = self.resizable(number)?;
        if len == 0 {
            return Err(Errno::Inval.into());
        }
        // The quota is what room means here; blocks on the host's disk are not set aside.
        let size = offset
            .checked_add(len)
            .filter(|size| *size <= MAX_SIZE)
            .ok_or(Errno::Fbig)?;
        if size > size_now {
            self.resize(file, size_now, size)
        } else {
            Ok(())
        }
    }

    /// A file that may be written to: where it is, and its size.
    fn resizable(&mut self, number: u32) -> Res<(u32, u64)> {
        self.check_file(number)?;
        let (files, spec) = self.files();
        let file = files.file(number)?;
        if !writable(spec, file.mount) {
            return Err(Errno::Rofs.into());
        }
        if !file.writable {
            return Err(Errno::Badf.into());
        }
        Ok((number, file.size()?))
    }

    fn resize(&mut self, number: u32, from: u64, to: u64) -> Res<()> {
        let (files, spec) = self.files();
        let mount = files.file(number)?.mount;
        let (quota, root) = files.quota(spec, mount)?;
        let file = files.file(number)?;
        if to > from {
            let reserved = quota.reserve(
                &root,
                Usage {
                    bytes: to - from,
                    files: 0,
                },
                &spec.watch,
            )?;
            file.host.set_len(to)?;
            reserved.used();
        } else {
            file.host.set_len(to)?;
            quota.freed();
        }
        Ok(())
    }

    pub(super) fn fd_filestat_set_times(&mut self, number: u32, atim: u64, mtim: u64, flags: u32) -> Res<()> {
        let (atim, mtim) = file_times(atim, mtim, flags)?;
        if self.stream(number)?.is_some() {
            return Err(Errno::Inval.into());
        }
        let (files, spec) = self.files();
        let (host, mount) = match files.kind(number)? {
            Kind::File(file) => (file.host.clone(), file.mount),
            Kind::Directory => {
                let directory = files.directory(spec, number)?;
                (directory.host.clone(), directory.mount)
            }
        };
        files.quota(spec, mount)?;
        let mut times = std::fs::FileTimes::new();
        if let Some(atim) = atim.absolute() {
            times = times.set_accessed(atim);
        }
        if let Some(mtim) = mtim.absolute() {
            times = times.set_modified(mtim);
        }
        Ok(host.set_times(times)?)
    }

    pub(super) fn fd_read(&mut self, guest: &mut Guest<'_>, number: u32, iovs: u32, count: u32, out: u32) -> Res<()> {
        let iovecs = guest.iovecs(iovs, count)?;
        guest.check(out, 4)?;
        match self.stream(number)? {
            // Standard input is empty, and the other two cannot be read.
            Some(Standard::Input) => return Ok(guest.write_u32(out, 0)?),
            Some(Standard::Output(_)) => return Err(Errno::Badf.into()),
            None => {}
        }
        let (files, spec) = self.files();
        let file = files.file(number)?;
        let read = read_at(file, guest, iovecs, file.position, spec)?;
        file.position = file.position.saturating_add(u64::from(read));
        Ok(guest.write_u32(out, read)?)
    }

    pub(super) fn fd_pread(
        &mut self,
        guest: &mut Guest<'_>,
        number: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Res<()> {
        let iovecs = guest.iovecs(iovs, count)?;
        guest.check(out, 4)?;
        self.check_file(number)?;
        let (files, spec) = self.files();
        let read = read_at(files.file(number)?, guest, iovecs, offset, spec)?;
        Ok(guest.write_u32(out, read)?)
    }

    pub(super) fn fd_write(&mut self, guest: &mut Guest<'_>, number: u32, iovs: u32, count: u32, out: u32) -> Res<()> {
        let iovecs = guest.iovecs(iovs, count)?;
        guest.check(out, 4)?;
        let stream = match self.stream(number)? {
            Some(Standard::Output(stream)) => stream,
            Some(Standard::Input) => return Err(Errno::Badf.into()),
            None => {
                let written = self.write_at(guest, number, iovecs, None)?;
                return Ok(guest.write_u32(out, written)?);
            }
        };
        for index in 0..iovecs.count {
            let (buf, len) = guest.iovec(iovecs, index)?;
            self.capture.write(stream, guest.bytes(buf, len)?, &self.spec.watch)?;
        }
        if iovecs.total as usize > PIECE {
            self.spec.watch.check()?;
        }
        Ok(guest.write_u32(out, iovecs.total)?)
    }

    pub(super) fn fd_pwrite(
        &mut self,
        guest: &mut Guest<'_>,
        number: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Res<()> {
        let iovecs = guest.iovecs(iovs, count)?;
        guest.check(out, 4)?;
        self.check_file(number)?;
        let written = self.write_at(guest, number, iovecs, Some(offset))?;
        Ok(guest.write_u32(out, written)?)
    }

    /// Writes at `offset`, or where the descriptor stands; at the end of a file opened for appending, as Linux does.
    fn write_at(&mut self, guest: &Guest<'_>, number: u32, iovecs: Iovecs, offset: Option<u64>) -> Res<u32> {
        let (files, spec) = self.files();
        let file = files.file(number)?;
        if !file.writable {
            return Err(Errno::Badf.into());
        }
        if iovecs.total == 0 || file.discards {
            return Ok(iovecs.total);
        }
        let (mount, append, size) = (file.mount, file.append, file.size()?);
        let start = if append { size } else { offset.unwrap_or(file.position) };
        let end = start
            .checked_add(u64::from(iovecs.total))
            .filter(|end| *end <= MAX_SIZE)
            .ok_or(Errno::Fbig)?;
        let (quota, root) = files.quota(spec, mount)?;
        let growth = end.saturating_sub(size);
        let reserved = match growth {
            0 => None,
            bytes => Some(quota.reserve(&root, Usage { bytes, files: 0 }, &spec.watch)?),
        };
        let file = files.file(number)?;
        let mut at = start;
        let mut result = Ok(());
        'list: for index in 0..iovecs.count {
            let (buf, len) = guest.iovec(iovecs, index)?;
            for piece in guest.bytes(buf, len)?.chunks(PIECE) {
                let mut rest = piece;
                while !rest.is_empty() {
                    match file.host.write_at(rest, at) {
                        Ok(0) => break 'list,
                        Ok(written) => {
                            at += written as u64;
                            rest = &rest[written..];
                        }
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => {
                            result = Err(error.into());
                            break 'list;
                        }
                    }
                }
                if piece.len() == PIECE
                    && let Err(stopped) = spec.watch.check()
                {
                    result = Err(stopped.into());
                    break 'list;
                }
            }
        }
        if let Some(reserved) = reserved {
            // A sparse file is as large as its end, so all of what lies before it counts.
            reserved.used_bytes(if at > start { at.saturating_sub(size) } else { 0 });
        }
        if offset.is_none() {
            file.position = at;
        }
        match result {
            // What was written before the error is a success, and the error comes again with the next call.
            Err(super::abi::Fail::Errno(_)) if at > start => {}
            other => other?,
        }
        Ok(u32::try_from(at - start).unwrap_or(iovecs.total))
    }

    pub(super) fn fd_seek(&mut self, guest: &mut Guest<'_>, number: u32, delta: i64, whence: u32, out: u32) -> Res<()> {
        guest.check(out, 8)?;
        self.check_file(number)?;
        let file = self.files().0.file(number)?;
        let base = match whence {
            bits::WHENCE_SET => 0,
            bits::WHENCE_CUR => file.position,
            bits::WHENCE_END => file.size()?,
            _ => return Err(Errno::Inval.into()),
        };
        let position = base
            .checked_add_signed(delta)
            .filter(|position| *position <= MAX_SIZE)
            .ok_or(Errno::Inval)?;
        file.position = position;
        Ok(guest.write_u64(out, position)?)
    }

    pub(super) fn fd_tell(&mut self, guest: &mut Guest<'_>, number: u32, out: u32) -> Res<()> {
        self.check_file(number)?;
        let position = self.files().0.file(number)?.position;
        Ok(guest.write_u64(out, position)?)
    }

    pub(super) fn fd_prestat_get(&mut self, guest: &mut Guest<'_>, number: u32, out: u32) -> Res<()> {
        let mount = number
            .checked_sub(FIRST)
            .and_then(|index| self.spec.mounts.get(index as usize));
        let name = &mount.ok_or(Errno::Badf)?.guest_path;
        let mut bytes = [0; 8];
        bytes[4..8].copy_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        Ok(guest.write(out, &bytes)?)
    }

    pub(super) fn fd_prestat_dir_name(&mut self, guest: &mut Guest<'_>, number: u32, buf: u32, len: u32) -> Res<()> {
        let mount = number
            .checked_sub(FIRST)
            .and_then(|index| self.spec.mounts.get(index as usize));
        let name = mount.ok_or(Errno::Badf)?.guest_path.as_bytes();
        if name.len() > len as usize {
            return Err(Errno::Nametoolong.into());
        }
        Ok(guest.write(buf, name)?)
    }
}

/// Fills buffers from a file, as far as it reaches.
fn read_at(file: &OpenFile, guest: &mut Guest<'_>, iovecs: Iovecs, offset: u64, spec: &super::WasiSpec) -> Res<u32> {
    if !file.readable {
        return Err(Errno::Badf.into());
    }
    let mut done = 0u32;
    // What lies beyond this is beyond the end of every file, and the host would call the offset negative.
    let limit = MAX_SIZE - u64::from(iovecs.total);
    if offset > limit {
        return Ok(0);
    }
    for index in 0..iovecs.count {
        let (buf, len) = guest.iovec(iovecs, index)?;
        // Reading may have changed the list; it must not grow beyond what was promised.
        let len = len.min(iovecs.total - done);
        for piece in guest.bytes_mut(buf, len)?.chunks_mut(PIECE) {
            let mut rest = &mut piece[..];
            while !rest.is_empty() {
                match file.host.read_at(rest, offset + u64::from(done)) {
                    Ok(0) => return Ok(done),
                    Ok(read) => {
                        done += read as u32;
                        rest = &mut rest[read..];
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) if done > 0 => return Ok(done),
                    Err(error) => return Err(error.into()),
                }
            }
            if done as usize >= PIECE {
                spec.watch.check()?;
            }
        }
    }
    Ok(done)
}

/// What a call wants a time to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewTime {
    Keep,
    Now,
    At(Duration),
}

impl NewTime {
    fn absolute(self) -> Option<SystemTime> {
        match self {
            NewTime::Keep => None,
            NewTime::Now => Some(SystemTime::now()),
            NewTime::At(since) => UNIX_EPOCH.checked_add(since),
        }
    }
}

/// Checks the arguments of the calls that set times. A time before 1970 arrives as one after 2262, and both are refused.
pub(super) fn file_times(atim: u64, mtim: u64, flags: u32) -> Result<(NewTime, NewTime), Errno> {
    if flags & !bits::FST_ALL != 0 {
        return Err(Errno::Inval);
    }
    let one = |set: u32, now: u32, time: u64| match (flags & set != 0, flags & now != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) if time > i64::MAX as u64 => Err(Errno::Inval),
        (true, false) => Ok(NewTime::At(Duration::from_nanos(time))),
        (false, true) => Ok(NewTime::Now),
        (false, false) => Ok(NewTime::Keep),
    };
    Ok((
        one(bits::ATIM, bits::ATIM_NOW, atim)?,
        one(bits::MTIM, bits::MTIM_NOW, mtim)?,
    ))
}
