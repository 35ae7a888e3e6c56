//! The functions as the guest imports them.

use wasmtime::{Caller, Extern, Linker};

use super::abi::{Errno, Fail, Guest, Res};
use super::paths::{PathOpen, PathTimes};
use super::{Exit, Wasi};

const MODULE: &str = "wasi_snapshot_preview1";
/// What preview 1 lacks.
const EXTENSIONS: &str = "prims";

/// Runs a call on the state and the memory of the guest that made it.
fn enter<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: fn(&mut T) -> &mut Wasi,
    call: impl FnOnce(&mut Wasi, &mut Guest<'_>) -> Res<()>,
) -> wasmtime::Result<i32> {
    let memory = match get(caller.data_mut()).memory {
        Some(memory) => memory,
        None => match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => {
                get(caller.data_mut()).memory = Some(memory);
                memory
            }
            _ => return Ok(Errno::Fault as i32),
        },
    };
    let (bytes, data) = memory.data_and_store_mut(caller);
    match call(get(data), &mut Guest(bytes)) {
        Ok(()) => Ok(Errno::Success as i32),
        Err(Fail::Errno(errno)) => Ok(errno as i32),
        Err(Fail::Trap(error)) => Err(error),
    }
}

/// Adds all of preview 1 and what extends it to `linker`, for stores whose data `get` finds the state of the run in.
///
/// # Errors
///
/// If the linker has one of the functions already and does not allow shadowing.
pub(crate) fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: fn(&mut T) -> &mut Wasi) -> wasmtime::Result<()> {
    /// Defines functions: what they are called, what they take, and what they do.
    macro_rules! functions {
        ($module:ident: $($name:ident($($arg:ident: $ty:ty),*) = |$wasi:pat_param, $guest:pat_param| $body:expr;)*) => {$(
            linker.func_wrap(
                $module,
                stringify!($name),
                move |mut caller: Caller<'_, T>, $($arg: $ty),*| -> wasmtime::Result<i32> {
                    enter(&mut caller, get, |$wasi, $guest| $body)
                },
            )?;
        )*};
    }
    functions! {
        MODULE:
        // The guest is told what it is called with, and its environment, in the request it serves.
        args_get(argv: u32, buf: u32) = |_, guest| none(guest, argv, buf);
        args_sizes_get(count: u32, size: u32) = |_, guest| none_sizes(guest, count, size);
        environ_get(environ: u32, buf: u32) = |_, guest| none(guest, environ, buf);
        environ_sizes_get(count: u32, size: u32) = |_, guest| none_sizes(guest, count, size);

        clock_res_get(id: u32, out: u32) = |wasi, guest| wasi.clock_res_get(guest, id, out);
        clock_time_get(id: u32, precision: u64, out: u32) = |wasi, guest| wasi.clock_time_get(guest, id, precision, out);
        poll_oneoff(subs: u32, events: u32, n: u32, out: u32) =
            |wasi, guest| wasi.poll_oneoff(guest, subs, events, n, out);
        sched_yield() = |wasi, _| wasi.sched_yield();
        random_get(buf: u32, len: u32) = |wasi, guest| wasi.random_get(guest, buf, len);
        proc_raise(_signal: u32) = |_, _| Err(Errno::Nosys.into());

        // Advice is not taken: what it leads to on the host is not bounded.
        fd_advise(fd: u32, _offset: u64, _len: u64, advice: u32) = |wasi, _| {
            if advice > 5 { Err(Errno::Inval.into()) } else { wasi.check_file(fd) }
        };
        fd_allocate(fd: u32, offset: u64, len: u64) = |wasi, _| wasi.fd_allocate(fd, offset, len);
        fd_close(fd: u32) = |wasi, _| wasi.fd_close(fd);
        // What a run writes is there for whoever looks at it afterwards, but nobody promises that it survives a power
        // failure, so nothing waits for the host's disk.
        fd_datasync(fd: u32) = |wasi, _| wasi.check_open(fd);
        fd_fdstat_get(fd: u32, out: u32) = |wasi, guest| wasi.fd_fdstat_get(guest, fd, out);
        fd_fdstat_set_flags(fd: u32, flags: u32) = |wasi, _| wasi.fd_fdstat_set_flags(fd, flags);
        fd_fdstat_set_rights(fd: u32, _base: u64, _inheriting: u64) = |wasi, _| {
            wasi.check_open(fd)?;
            Err(Errno::Notsup.into())
        };
        fd_filestat_get(fd: u32, out: u32) = |wasi, guest| wasi.fd_filestat_get(guest, fd, out);
        fd_filestat_set_size(fd: u32, size: u64) = |wasi, _| wasi.fd_filestat_set_size(fd, size);
        fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) =
            |wasi, _| wasi.fd_filestat_set_times(fd, atim, mtim, flags);
        fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, out: u32) =
            |wasi, guest| wasi.fd_pread(guest, fd, iovs, count, offset, out);
        fd_prestat_get(fd: u32, out: u32) = |wasi, guest| wasi.fd_prestat_get(guest, fd, out);
        fd_prestat_dir_name(fd: u32, buf: u32, len: u32) = |wasi, guest| wasi.fd_prestat_dir_name(guest, fd, buf, len);
        fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, out: u32) =
            |wasi, guest| wasi.fd_pwrite(guest, fd, iovs, count, offset, out);
        fd_read(fd: u32, iovs: u32, count: u32, out: u32) = |wasi, guest| wasi.fd_read(guest, fd, iovs, count, out);
        fd_readdir(fd: u32, buf: u32, len: u32, cookie: u64, out: u32) =
            |wasi, guest| wasi.fd_readdir(guest, fd, buf, len, cookie, out);
        fd_renumber(from: u32, to: u32) = |wasi, _| wasi.fd_renumber(from, to);
        fd_seek(fd: u32, delta: i64, whence: u32, out: u32) = |wasi, guest| wasi.fd_seek(guest, fd, delta, whence, out);
        fd_sync(fd: u32) = |wasi, _| wasi.check_open(fd);
        fd_tell(fd: u32, out: u32) = |wasi, guest| wasi.fd_tell(guest, fd, out);
        fd_write(fd: u32, iovs: u32, count: u32, out: u32) = |wasi, guest| wasi.fd_write(guest, fd, iovs, count, out);

        path_create_directory(fd: u32, ptr: u32, len: u32) = |wasi, guest| wasi.path_create_directory(guest, fd, ptr, len);
        path_filestat_get(fd: u32, lookup: u32, ptr: u32, len: u32, out: u32) =
            |wasi, guest| wasi.path_filestat_get(guest, fd, lookup, ptr, len, out);
        path_filestat_set_times(fd: u32, lookup: u32, ptr: u32, len: u32, atim: u64, mtim: u64, flags: u32) =
            |wasi, guest| {
                wasi.path_filestat_set_times(guest, PathTimes { number: fd, lookup, ptr, len, atim, mtim, flags })
            };
        path_link(old_fd: u32, lookup: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32) =
            |wasi, guest| wasi.path_link(guest, lookup, (old_fd, old, old_len), (new_fd, new, new_len));
        path_open(
            fd: u32,
            lookup: u32,
            ptr: u32,
            len: u32,
            oflags: u32,
            rights: u64,
            _inheriting: u64,
            fdflags: u32,
            out: u32
        ) = |wasi, guest| {
            wasi.path_open(guest, PathOpen { number: fd, lookup, ptr, len, oflags, rights, fdflags, out })
        };
        path_readlink(fd: u32, ptr: u32, len: u32, buf: u32, buf_len: u32, out: u32) =
            |wasi, guest| wasi.path_readlink(guest, fd, (ptr, len), (buf, buf_len), out);
        path_remove_directory(fd: u32, ptr: u32, len: u32) = |wasi, guest| wasi.path_remove_directory(guest, fd, ptr, len);
        path_rename(old_fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32) =
            |wasi, guest| wasi.path_rename(guest, (old_fd, old, old_len), (new_fd, new, new_len));
        path_symlink(target: u32, target_len: u32, fd: u32, ptr: u32, len: u32) =
            |wasi, guest| wasi.path_symlink(guest, (target, target_len), fd, ptr, len);
        path_unlink_file(fd: u32, ptr: u32, len: u32) = |wasi, guest| wasi.path_unlink_file(guest, fd, ptr, len);

        // There are no sockets, so no descriptor is one.
        sock_accept(fd: u32, _flags: u32, _out: u32) = |wasi, _| not_a_socket(wasi, fd);
        sock_recv(fd: u32, _iovs: u32, _count: u32, _flags: u32, _size: u32, _out_flags: u32) =
            |wasi, _| not_a_socket(wasi, fd);
        sock_send(fd: u32, _iovs: u32, _count: u32, _flags: u32, _size: u32) = |wasi, _| not_a_socket(wasi, fd);
        sock_shutdown(fd: u32, _how: u32) = |wasi, _| not_a_socket(wasi, fd);
    }
    functions! {
        EXTENSIONS:
        fd_dup(fd: u32, least: u32, out: u32) = |wasi, guest| wasi.fd_dup(guest, fd, least, out);
        fd_dup2(from: u32, to: u32) = |wasi, _| wasi.fd_dup2(from, to);
    }
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(Exit(code).into())
    })?;
    Ok(())
}

fn not_a_socket(wasi: &mut Wasi, fd: u32) -> Res<()> {
    wasi.check_open(fd)?;
    Err(Errno::Notsock.into())
}

/// An empty list of strings.
fn none(guest: &Guest<'_>, list: u32, buf: u32) -> Res<()> {
    guest.check(list, 0)?;
    Ok(guest.check(buf, 0)?)
}

/// The sizes of an empty list of strings.
fn none_sizes(guest: &mut Guest<'_>, count: u32, size: u32) -> Res<()> {
    guest.write_u32(count, 0)?;
    Ok(guest.write_u32(size, 0)?)
}
