//! Linear memories that start as a copy-on-write view of an image, in slots that are used again.
//!
//! ```text
//!            pre-guard 2 GiB            image (private, copy on write)   grown          guard
//!  region: ├ ─ ─ no access ─ ─ ─ ─ ─ ─ ┼──────────────────────────────┼──────┼ ─ ─ ─ ─ ─ ─ ─ ─ ┤
//!                                      base                       image.len   len     4 GiB + 32 MiB
//! ```
//!
//! wasmtime asks the [`Creator`] for every memory. While [`with_image`] is in force on the calling thread, the next linear
//! memory is a private mapping of that image: only the pages a run writes are copied. Mapping and unmapping cost more than
//! a short run, so a dropped memory becomes a dirty *slot* of its image. A slot is made clean again in place: the kernel names
//! the pages that are private copies, those are overwritten from the pristine image, and what was grown is taken away. The
//! page-table entries survive, so the next run faults on almost nothing. The janitor does this off the caller's path; a run that
//! finds only dirty slots cleans one itself.
//!
//! Invariant: a region in `Slots::clean` equals its image in every byte below `image.len` and is inaccessible above it.
//! This is the only place where a bug could show one run what another one left, so [`Mapped::verify_clean_slots`] compares
//! bytes in tests, and [`SlotPolicy::Fresh`] turns reuse off.
#![allow(unsafe_code)] // Mapping memory is what this module is for; every block says why it is sound.

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Accesses below the base of a memory fault too, should a bound ever be computed as negative.
const PRE_GUARD: usize = 2 << 30;

/// Regions kept per image; each costs address space, page tables and the pages its last run wrote.
const MAX_SLOTS: usize = 64;

/// Above this many written bytes, dropping all private pages is cheaper than copying them back after every run that has the slot: the
/// next one faults on those that it needs, and on no others.
const COPY_AT_MOST: usize = 2 << 20;

/// A grown memory beyond this is unmapped rather than kept.
const KEEP_AT_MOST: usize = 256 << 20;

/// Whether memories of finished runs are reset and used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotPolicy {
    /// Reset in place and reuse, where the kernel can tell which pages were written (Linux 6.7 and later).
    #[default]
    Reuse,
    /// Map anew for every run.
    Fresh,
}

/// The memory part of an image, mapped.
pub(crate) struct Mapped {
    file: File,
    len: usize,
    /// A read-only view of the whole image, what dirty pages are overwritten from.
    pristine: *const u8,
    policy: SlotPolicy,
    slots: Mutex<Slots>,
    /// Bytes the run before the last reset had written, or 0 before the first.
    written: AtomicUsize,
}

#[derive(Default)]
struct Slots {
    clean: Vec<Region>,
    dirty: Vec<(Region, usize)>,
}

// SAFETY: `pristine` points to a mapping that nobody writes and that lives until `Mapped` is dropped.
unsafe impl Send for Mapped {}
// SAFETY: as above; everything mutable is behind the mutex.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps the first `len` bytes of `file`, which must be a whole number of host pages and must never change.
    pub(crate) fn new(file: File, len: usize, policy: SlotPolicy) -> std::io::Result<Arc<Mapped>> {
        let held = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        if len == 0 || !len.is_multiple_of(rustix::param::page_size()) || held < len {
            return Err(std::io::Error::other(format!(
                "image of {len} bytes in a file of {held} bytes"
            )));
        }
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing.
        let pristine = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &file, 0)? };
        let policy = if dirty_pages::available() {
            policy
        } else {
            SlotPolicy::Fresh
        };
        Ok(Arc::new(Mapped {
            file,
            len,
            pristine: pristine.cast(),
            policy,
            slots: Mutex::default(),
            written: AtomicUsize::new(0),
        }))
    }

    /// Bytes of linear memory an instance of this image starts with.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether memories may be used again.
    pub(crate) fn reuses(&self) -> bool {
        self.policy == SlotPolicy::Reuse
    }

    /// The image's bytes.
    pub(crate) fn pristine(&self) -> &[u8] {
        // SAFETY: mapped readable in `new` for this length; it is unmapped only when `self` is dropped, and the file never changes.
        unsafe { std::slice::from_raw_parts(self.pristine, self.len) }
    }

    /// Bytes of the image that the run before the last reset had written.
    pub(crate) fn last_written(&self) -> Option<usize> {
        Some(self.written.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A region that shows the image, from a slot if there is one.
    fn acquire(&self, reserved: usize, guard: usize) -> std::io::Result<Region> {
        let (clean, dirty) = {
            let mut slots = self.slots();
            match slots.clean.pop() {
                Some(region) => (Some(region), None),
                None => (None, slots.dirty.pop()),
            }
        };
        if let Some(region) = clean {
            return Ok(region);
        }
        if let Some((region, len)) = dirty
            && self.reset(&region, len).is_ok()
        {
            return Ok(region);
        }
        let region = Region::reserve(reserved, guard)?;
        // SAFETY: the range lies inside the region just reserved, which nobody else knows.
        unsafe {
            let writable = ProtFlags::READ | ProtFlags::WRITE;
            mmap(
                region.base().cast(),
                self.len,
                writable,
                MapFlags::PRIVATE | MapFlags::FIXED,
                &self.file,
                0,
            )?;
        }
        Ok(region)
    }

    fn release(self: &Arc<Self>, region: Region, len: usize) {
        if self.policy == SlotPolicy::Fresh || len - self.len > KEEP_AT_MOST {
            return;
        }
        let mut slots = self.slots();
        if slots.clean.len() + slots.dirty.len() >= MAX_SLOTS {
            return;
        }
        slots.dirty.push((region, len));
    }

    /// Cleans one dirty slot; false when there is none.
    pub(crate) fn clean_one(&self) -> bool {
        let Some((region, len)) = self.slots().dirty.pop() else {
            return false;
        };
        if self.reset(&region, len).is_ok() {
            self.slots().clean.push(region);
        }
        true
    }

    /// Makes the first `self.len` bytes equal the image again and takes away what was grown.
    fn reset(&self, region: &Region, len: usize) -> std::io::Result<()> {
        // SAFETY: a region of this image is mapped readable and writable for its length, and no instance uses it any more.
        let written = unsafe { self.scan_and_copy_back(region.base(), &mut vec![])? };
        self.written.store(written + len - self.len, Ordering::Relaxed);
        if len > self.len {
            // SAFETY: the grown part lies inside the region, and no instance uses it any more.
            unsafe {
                let grown = region.base().add(self.len);
                dirty_pages::discard(grown, len - self.len)?;
                mprotect(grown.cast(), len - self.len, MprotectFlags::empty())?;
            }
        }
        Ok(())
    }

    /// The same for the memory of an instance, which must be one that showed this image when it was made. `known` are the pages in
    /// which it can differ, if that is known; they are then, whatever it was before.
    ///
    /// # Errors
    /// If it has grown, or where memories are not reused; it is as it was then, or partly reset.
    pub(crate) fn reset_in_place(&self, memory: &mut [u8], known: &mut Option<PrivatePages>) -> std::io::Result<()> {
        if memory.len() != self.len || !self.reuses() {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        let written = match known {
            Some(PrivatePages(ranges)) => {
                for range in ranges.iter() {
                    memory[range.clone()].copy_from_slice(&self.pristine()[range.clone()]);
                }
                ranges.iter().map(ExactSizeIterator::len).sum()
            }
            None => {
                let mut ranges = vec![];
                // SAFETY: the slice is exclusively borrowed, and a private mapping of this image's file, as long as the image.
                let written = unsafe { self.scan_and_copy_back(memory.as_mut_ptr(), &mut ranges)? };
                *known = Some(PrivatePages(ranges));
                written
            }
        };
        self.written.store(written, Ordering::Relaxed);
        Ok(())
    }

    /// Overwrites what was written behind `base` with what the image has there, and says how much it was. Pages that stay private
    /// copies are added to `private`.
    ///
    /// # Safety
    /// `base` begins a private mapping of the image, readable and writable for its length, that nobody else uses.
    unsafe fn scan_and_copy_back(&self, base: *mut u8, private: &mut Vec<Range<usize>>) -> std::io::Result<usize> {
        let (mut written, before) = (0, private.len());
        dirty_pages::for_each(base, self.len, |at, size| {
            written += size;
            private.push(at..at + size);
            Ok(())
        })?;
        if written > COPY_AT_MOST {
            private.truncate(before);
            // SAFETY: the caller has the range for itself.
            unsafe { dirty_pages::discard(base, self.len)? };
        }
        for range in &private[before..] {
            // SAFETY: the range was reported inside `0..self.len`, which the caller has for itself and which is readable in the
            // pristine view.
            unsafe { ptr::copy_nonoverlapping(self.pristine.add(range.start), base.add(range.start), range.len()) };
        }
        Ok(written)
    }

    /// Cleans all slots and compares each with the image, byte by byte: how many slots, and in how many bytes they differ.
    pub(crate) fn verify_clean_slots(&self) -> (usize, usize) {
        while self.clean_one() {}
        let slots = self.slots();
        let differing = slots.clean.iter().map(|region| {
            // SAFETY: both ranges are mapped readable for `self.len` bytes, and the lock keeps the slot from being taken.
            let (slot, image) = unsafe {
                (
                    std::slice::from_raw_parts(region.base(), self.len),
                    std::slice::from_raw_parts(self.pristine, self.len),
                )
            };
            if slot == image {
                0
            } else {
                slot.iter().zip(image).filter(|(a, b)| a != b).count()
            }
        });
        (slots.clean.len(), differing.sum())
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length; no one can hold the pointer any more.
        unsafe {
            let _ = munmap(self.pristine.cast_mut().cast(), self.len);
        }
    }
}

/// The pages of a memory that are private copies, ascending. More become private only by page faults of whoever writes.
pub(crate) struct PrivatePages(Vec<Range<usize>>);

/// An address range for one memory; only `base` up to the memory's length is accessible.
struct Region {
    start: *mut u8,
    size: usize,
}

// SAFETY: a region is an exclusively owned address range.
unsafe impl Send for Region {}

impl Region {
    fn reserve(reserved: usize, guard: usize) -> std::io::Result<Region> {
        let size = PRE_GUARD + reserved + guard;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::empty(), flags)? };
        Ok(Region {
            start: start.cast(),
            size,
        })
    }

    fn base(&self) -> *mut u8 {
        self.start.wrapping_add(PRE_GUARD)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: reserved in `reserve` with this size, and owned exclusively.
        unsafe {
            let _ = munmap(self.start.cast(), self.size);
        }
    }
}

thread_local! {
    /// The image the next linear memory created on this thread shows. wasmtime gives a creator no other way to know.
    static NEXT: RefCell<Option<Arc<Mapped>>> = const { RefCell::new(None) };
}

/// Runs `instantiate` so that the linear memory it creates shows `image`.
pub(crate) fn with_image<R>(image: &Arc<Mapped>, instantiate: impl FnOnce() -> R) -> R {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            NEXT.with(|next| next.borrow_mut().take());
        }
    }
    NEXT.with(|next| *next.borrow_mut() = Some(Arc::clone(image)));
    let _clear = Clear;
    instantiate()
}

/// The engine's source of memories.
pub(crate) struct Creator {
    /// Reservations of this size or more are linear memories; smaller ones are the engine's heap for exception objects.
    pub(crate) linear_memory_reservation: usize,
}

// SAFETY: every memory is zero-filled or shows an image, is accessible for exactly `byte_size` bytes, never moves, and is
// followed by `reserved - byte_size + guard` inaccessible bytes.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let reserved = reserved.unwrap_or(self.linear_memory_reservation).max(minimum);
        let image = match reserved >= self.linear_memory_reservation {
            true => NEXT.with(|next| next.borrow_mut().take()),
            false => None,
        };
        let memory = || -> std::io::Result<Memory> {
            Ok(match image {
                Some(image) => {
                    let (region, len) = (image.acquire(reserved, guard)?, image.len);
                    Memory {
                        region: Some(region),
                        len,
                        reserved,
                        image: Some(image),
                    }
                }
                None => {
                    let mut memory = Memory {
                        region: Some(Region::reserve(reserved, guard)?),
                        len: 0,
                        reserved,
                        image: None,
                    };
                    memory.make_accessible(minimum)?;
                    memory
                }
            })
        };
        memory()
            .map(|memory| Box::new(memory) as _)
            .map_err(|error| format!("cannot map memory: {error}"))
    }
}

struct Memory {
    /// `None` only while being dropped.
    region: Option<Region>,
    len: usize,
    reserved: usize,
    image: Option<Arc<Mapped>>,
}

impl Memory {
    fn base(&self) -> *mut u8 {
        self.region.as_ref().map_or(ptr::null_mut(), Region::base)
    }

    fn make_accessible(&mut self, len: usize) -> std::io::Result<()> {
        if len > self.len {
            // SAFETY: the range lies inside the region, above everything accessible so far.
            unsafe {
                let rw = MprotectFlags::READ | MprotectFlags::WRITE;
                mprotect(self.base().add(self.len).cast(), len - self.len, rw)?;
            }
            self.len = len;
        }
        Ok(())
    }
}

// SAFETY: `as_ptr` is stable for the life of the memory, and `byte_size` bytes behind it are readable and writable.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.len
    }

    fn byte_capacity(&self) -> usize {
        self.reserved
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        wasmtime::ensure!(
            new_size <= self.reserved,
            "memory of {new_size} bytes exceeds its reservation"
        );
        self.make_accessible(new_size)?;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base()
    }
}

// SAFETY: the region is owned exclusively; `Send` and `Sync` follow from there being no interior access.
unsafe impl Send for Memory {}
// SAFETY: shared references read only plain fields.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        if let (Some(image), Some(region)) = (&self.image, self.region.take()) {
            image.release(region, self.len);
        }
    }
}

/// Where a memory that shows an image may differ from it: the pages that are private copies, or all of them where the kernel cannot
/// tell.
pub(crate) fn written(memory: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = vec![];
    let listed = dirty_pages::for_each(memory.as_ptr().cast_mut(), memory.len(), |at, size| {
        ranges.push(at..at + size);
        Ok(())
    });
    if listed.is_err() {
        ranges.clear();
        ranges.push(0..memory.len());
    }
    ranges
}

/// How many page faults the calling thread has had. `None` where nobody counts them.
///
/// A page of a private mapping becomes a private copy in a page fault of the thread that writes it first, or that has the kernel write it,
/// and the kernel counts every one of them (`mm_account_fault` in mm/memory.c). So a thread that had none has made none.
pub(crate) fn faults() -> Option<u64> {
    dirty_pages::faults()
}

/// Which pages of a private file mapping were written.
#[cfg(target_os = "linux")]
mod dirty_pages {
    use super::{File, MapFlags, ProtFlags, mmap_anonymous, munmap, ptr};
    use std::os::fd::AsRawFd;
    use std::sync::OnceLock;

    /// `struct pm_scan_arg` of linux/fs.h (Linux 6.7).
    #[repr(C)]
    #[derive(Default)]
    struct ScanArgs {
        size: u64,
        flags: u64,
        start: u64,
        end: u64,
        walk_end: u64,
        vec: u64,
        vec_len: u64,
        max_pages: u64,
        category_inverted: u64,
        category_mask: u64,
        category_anyof_mask: u64,
        return_mask: u64,
    }

    /// `struct page_region` of linux/fs.h.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct PageRegion {
        start: u64,
        end: u64,
        categories: u64,
    }

    /// `_IOWR('f', 16, struct pm_scan_arg)`.
    const PAGEMAP_SCAN: libc::c_ulong = (3 << 30) | ((size_of::<ScanArgs>() as libc::c_ulong) << 16) | (0x66 << 8) | 16;
    const PAGE_IS_FILE: u64 = 1 << 2;
    const PAGE_IS_PRESENT: u64 = 1 << 3;
    const PAGE_IS_SWAPPED: u64 = 1 << 4;

    fn pagemap() -> Option<&'static File> {
        static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
        PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok()).as_ref()
    }

    /// Whether this kernel can tell.
    pub(super) fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let probe = vec![0u8; 3 * rustix::param::page_size()];
            let page = rustix::param::page_size();
            let base = (probe.as_ptr() as usize).next_multiple_of(page) as *mut u8;
            for_each(base, page, |_, _| Ok(())).is_ok()
        })
    }

    /// See [`super::faults`].
    pub(super) fn faults() -> Option<u64> {
        static COUNTED: OnceLock<bool> = OnceLock::new();
        COUNTED.get_or_init(faults_are_counted).then(count_faults)
    }

    fn count_faults() -> u64 {
        // SAFETY: all zeros is a valid `rusage`, and the call writes nothing else.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
            usage
        };
        (usage.ru_minflt as u64).wrapping_add(usage.ru_majflt as u64)
    }

    /// Whether the first look at a page is counted, and the first write after that: a system that only looks like Linux may not.
    fn faults_are_counted() -> bool {
        let len = rustix::param::page_size();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, used here alone.
        unsafe {
            let Ok(page) = mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) else {
                return false;
            };
            let first = count_faults();
            ptr::read_volatile(page.cast::<u8>());
            let second = count_faults();
            ptr::write_volatile(page.cast::<u8>(), 1);
            let third = count_faults();
            let _ = munmap(page, len);
            first < second && second < third
        }
    }

    /// Gives pages back to the system; what is read there next is the file again, or zeros where there is none.
    ///
    /// # Safety
    /// The range must be mapped privately and used by nobody.
    pub(super) unsafe fn discard(start: *mut u8, len: usize) -> rustix::io::Result<()> {
        // SAFETY: promised by the caller.
        unsafe { rustix::mm::madvise(start.cast(), len, rustix::mm::Advice::LinuxDontNeed) }
    }

    /// Calls `written(offset, size)` for every run of pages in `base..base + len` that are private copies: present or swapped
    /// out, and no longer backed by the file.
    pub(super) fn for_each(
        base: *mut u8,
        len: usize,
        mut written: impl FnMut(usize, usize) -> rustix::io::Result<()>,
    ) -> std::io::Result<()> {
        let pagemap = pagemap().ok_or(std::io::ErrorKind::Unsupported)?;
        let mut regions = [PageRegion::default(); 256];
        let (mut start, end) = (base as u64, base as u64 + len as u64);
        while start < end {
            let mut args = ScanArgs {
                size: size_of::<ScanArgs>() as u64,
                start,
                end,
                vec: regions.as_mut_ptr() as u64,
                vec_len: regions.len() as u64,
                category_inverted: PAGE_IS_FILE,
                category_mask: PAGE_IS_FILE,
                category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                return_mask: PAGE_IS_PRESENT,
                ..ScanArgs::default()
            };
            // SAFETY: `args` and the `regions` it points to are live and as large as it says.
            let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &mut args) };
            let count = usize::try_from(count).map_err(|_| std::io::Error::last_os_error())?;
            for region in &regions[..count] {
                let (from, to) = (region.start.max(start), region.end.min(end));
                if from < to {
                    written((from - base as u64) as usize, (to - from) as usize)?;
                }
            }
            if args.walk_end <= start {
                return Err(std::io::Error::other("the page scan made no progress"));
            }
            start = args.walk_end;
        }
        Ok(())
    }
}

/// Elsewhere every run maps anew.
#[cfg(not(target_os = "linux"))]
mod dirty_pages {
    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn faults() -> Option<u64> {
        None
    }

    pub(super) unsafe fn discard(_: *mut u8, _: usize) -> rustix::io::Result<()> {
        Err(rustix::io::Errno::NOTSUP)
    }

    pub(super) fn for_each(
        _: *mut u8,
        _: usize,
        _: impl FnMut(usize, usize) -> rustix::io::Result<()>,
    ) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// Pages of the image.
    const PAGES: usize = 96;

    #[test]
    fn no_page_becomes_private_without_a_fault_and_known_pages_are_all_there_are() {
        let page = rustix::param::page_size();
        let mut file = tempfile::tempfile().expect("a file");
        for number in 0..PAGES {
            file.write_all(&vec![number as u8; page]).expect("it is written");
        }
        let image = Mapped::new(file, PAGES * page, SlotPolicy::Reuse).expect("it maps");
        let region = image.acquire(PAGES * page, page).expect("a region");
        // SAFETY: the region is this test's own, and accessible for the length of the image.
        let memory = unsafe { std::slice::from_raw_parts_mut(region.base(), PAGES * page) };
        let mut zeros = File::open("/dev/zero").expect("it is there");
        let (mut seed, mut known, mut with_fault, mut without) = (1u64, None, 0, 0);
        for step in 0..4000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (seed >> 33) as usize % PAGES * page;
            let before = (written(memory), faults().expect("this system counts"));
            match seed >> 60 {
                0..7 => memory[at] = step as u8,
                7..10 => _ = std::hint::black_box(memory[at]),
                // The kernel writes for us.
                _ => zeros.read_exact(&mut memory[at..at + 16]).expect("there are zeros"),
            }
            let same_faults = faults() == Some(before.1);
            let same_pages = written(memory) == before.0;
            assert!(same_pages || !same_faults, "step {step}: a page became private unseen");
            if same_faults {
                without += 1;
            } else {
                (with_fault, known) = (with_fault + 1, None);
            }
            if step % 7 == 0 {
                image.reset_in_place(memory, &mut known).expect("it has not grown");
                assert!(*memory == *image.pristine(), "step {step}");
            }
            if step % 500 == 499 {
                // Some begin anew, as in a memory that was just mapped.
                // SAFETY: a private mapping of this test's own.
                unsafe { dirty_pages::discard(memory.as_mut_ptr(), 40 * page).expect("it is mapped") };
                known = None;
            }
        }
        assert!(
            with_fault > 100 && without > 1000,
            "{with_fault} with, {without} without"
        );
    }
}
