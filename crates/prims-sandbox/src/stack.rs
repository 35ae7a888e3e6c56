//! Making sure that a guest's deepest recursion ends in a trap and never in the host's own stack overflow.
#![allow(unsafe_code)] // Asking for a thread's stack bounds has no safe form in std.

use crate::engine::WASM_STACK;

/// What host functions need below the guest's frames: file operations and formatting, generously.
const HOST_ROOM: usize = 1 << 20;

/// Runs `work` on this thread if its stack has room for a guest, else on one made for it.
pub(crate) fn with_room<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if remaining().is_some_and(|bytes| bytes >= WASM_STACK + HOST_ROOM) {
        return work();
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new()
            .name("prims-guest".into())
            .stack_size(WASM_STACK + 2 * HOST_ROOM);
        match builder.spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => panic!("cannot start a thread to run a guest on: {error}"),
        }
    })
}

/// Bytes of stack below the current frame, where the system tells.
#[cfg(target_os = "linux")]
fn remaining() -> Option<usize> {
    use std::mem::MaybeUninit;
    thread_local! {
        /// The lowest address of this thread's stack.
        static LOWEST: Option<usize> = {
            let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
            let (mut address, mut size) = (std::ptr::null_mut(), 0);
            // SAFETY: the attributes are initialized by the first call before the second reads and the third destroys them.
            unsafe {
                if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                    None
                } else {
                    let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut address, &mut size) == 0;
                    libc::pthread_attr_destroy(attributes.as_mut_ptr());
                    found.then_some(address as usize)
                }
            }
        };
    }
    let here = 0u8;
    LOWEST.with(|lowest| Some((&raw const here as usize).saturating_sub((*lowest)?)))
}

#[cfg(not(target_os = "linux"))]
fn remaining() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_thread_gets_a_larger_one() {
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let (own, given) = small
            .spawn(|| (std::thread::current().id(), with_room(|| std::thread::current().id())))
            .unwrap()
            .join()
            .unwrap();
        assert_ne!(own, given);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_large_thread_is_used_as_it_is() {
        let large = std::thread::Builder::new().stack_size(WASM_STACK + 4 * HOST_ROOM);
        let (own, given) = large
            .spawn(|| (std::thread::current().id(), with_room(|| std::thread::current().id())))
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(own, given);
    }
}
