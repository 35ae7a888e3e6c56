//! What a memory holds beyond the image it started from: pages, shared between the states that have them in common.

use crate::memory::Mapped;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// Memories are compared at this granularity, the smallest page of any host.
pub(crate) const PAGE: usize = 4096;

/// One page. States that follow each other, or were forked from one, share those that stayed the same.
pub(crate) type Page = Arc<[u8; PAGE]>;

/// Stands for every page that is zero where the image is not.
static ZERO: LazyLock<Page> = LazyLock::new(|| Arc::new([0; PAGE]));

/// The pages in which a memory differs from an image, in ascending order. What is above the image differs where it is not zero.
#[derive(Clone, Default)]
pub(crate) struct Pages {
    /// Length of the memory in bytes, at least that of the image.
    len: usize,
    pages: Vec<(u32, Page)>,
}

impl Pages {
    /// Compares a memory, where it was `written`, with the image it started from. Pages that `previous` has too are shared with it.
    /// `Err` is how many bytes there are, if that is more than `limit`.
    pub(crate) fn capture(
        image: &Mapped,
        memory: &[u8],
        written: &[Range<usize>],
        previous: Option<&Pages>,
        limit: u64,
    ) -> Result<Pages, u64> {
        let pristine = image.pristine();
        let mut known = previous.map_or(&[][..], |previous| &previous.pages);
        let (mut pages, mut bytes) = (vec![], 0u64);
        for range in written {
            let first = range.start / PAGE;
            for (at, page) in memory[range.clone()].as_chunks::<PAGE>().0.iter().enumerate() {
                let number = (first + at) as u32;
                while known.first().is_some_and(|(known, _)| *known < number) {
                    known = &known[1..];
                }
                // Most pages of a session are those of the call before.
                let before = known
                    .first()
                    .filter(|(known, _)| *known == number)
                    .map(|(_, page)| page);
                let shared = match before {
                    Some(before) if **before == *page => Some(Arc::clone(before)),
                    _ if *page == original(pristine, number) => continue,
                    _ if *page == **ZERO => Some(Arc::clone(&ZERO)),
                    _ => None,
                };
                if shared.as_ref().is_none_or(|page| !is_zero(page)) {
                    bytes += PAGE as u64;
                }
                // Counted to the end, so that the caller can be told how much there is.
                if bytes <= limit {
                    pages.push((number, shared.unwrap_or_else(|| Arc::new(*page))));
                }
            }
        }
        if bytes > limit {
            return Err(bytes);
        }
        pages.shrink_to_fit();
        Ok(Pages {
            len: memory.len(),
            pages,
        })
    }

    /// The pages in which this differs from `before`, with what they are there and here; `None` is what the image has.
    pub(crate) fn changes<'a>(&'a self, before: &'a Pages) -> Vec<(u32, Option<&'a Page>, Option<&'a Page>)> {
        let (mut old, mut new) = (before.pages.iter().peekable(), self.pages.iter().peekable());
        let mut changes = vec![];
        loop {
            let next = [old.peek(), new.peek()]
                .into_iter()
                .flatten()
                .map(|(number, _)| *number);
            let Some(number) = next.min() else {
                return changes;
            };
            let was = old.next_if(|(at, _)| *at == number).map(|(_, page)| page);
            let is = new.next_if(|(at, _)| *at == number).map(|(_, page)| page);
            let is_same = was.zip(is).is_some_and(|(was, is)| Arc::ptr_eq(was, is));
            if !is_same {
                changes.push((number, was, is));
            }
        }
    }

    /// The pages by number.
    pub(crate) fn to_map(&self) -> BTreeMap<u32, Page> {
        self.pages.iter().cloned().collect()
    }

    /// The opposite of [`Pages::to_map`]. `None` unless all are within a memory of `len` bytes.
    pub(crate) fn from_map(len: usize, pages: BTreeMap<u32, Page>) -> Option<Pages> {
        Pages::new(
            len,
            pages.into_iter().map(|(number, page)| (number, Some(page))).collect(),
        )
    }

    /// Pages as read from a file. `None` unless they are in order and within a memory of `len` bytes.
    pub(crate) fn new(len: usize, pages: Vec<(u32, Option<Page>)>) -> Option<Pages> {
        let ascending = pages.is_sorted_by(|(a, _), (b, _)| a < b);
        let within = pages.last().is_none_or(|(last, _)| (*last as usize) < len / PAGE);
        let pages = pages
            .into_iter()
            .map(|(number, page)| (number, page.unwrap_or_else(|| Arc::clone(&ZERO))));
        (ascending && within).then(|| Pages {
            len,
            pages: pages.collect(),
        })
    }

    /// Writes the pages into a memory that shows the image and is `len` bytes long.
    pub(crate) fn apply(&self, memory: &mut [u8]) {
        let (whole, _) = memory.as_chunks_mut::<PAGE>();
        for (number, page) in &self.pages {
            if let Some(there) = whole.get_mut(*number as usize) {
                there.copy_from_slice(&**page);
            }
        }
    }

    /// Length of the memory in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Each page with its number; `None` is one of zeros.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Option<&Page>)> {
        self.pages
            .iter()
            .map(|(number, page)| (*number, (!is_zero(page)).then_some(page)))
    }

    /// Bytes of pages that hold something, those shared with other states included.
    pub(crate) fn bytes(&self) -> u64 {
        let held = self.pages.iter().filter(|(_, page)| !is_zero(page));
        held.count() as u64 * PAGE as u64
    }

    /// Bytes that go away with this: pages nobody else shares.
    pub(crate) fn own_bytes(&self) -> u64 {
        let own = self.pages.iter().filter(|(_, page)| Arc::strong_count(page) == 1);
        own.count() as u64 * PAGE as u64
    }
}

/// What an image has where this page is: zeros above its end.
pub(crate) fn original(pristine: &[u8], number: u32) -> &[u8] {
    let at = number as usize * PAGE;
    pristine.get(at..at + PAGE).unwrap_or(&ZERO[..])
}

/// A page of its own, or the one that all pages of zeros are.
pub(crate) fn shared(page: [u8; PAGE]) -> Page {
    if page == **ZERO {
        Arc::clone(&ZERO)
    } else {
        Arc::new(page)
    }
}

/// Whether it is that one.
pub(crate) fn is_zero(page: &Page) -> bool {
    Arc::ptr_eq(page, &ZERO)
}
