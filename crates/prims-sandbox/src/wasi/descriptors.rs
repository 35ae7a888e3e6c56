//! Which number stands for what: closing, renumbering and duplicating descriptors.
//!
//! Preview 1 cannot duplicate a descriptor. `prims.fd_dup` and `prims.fd_dup2` add it: both descriptors are then one open
//! file description in the sense of POSIX, with one position and one set of flags, which lives until the last is closed.

use super::abi::{Errno, Guest, Res};
use super::fd::FIRST;
use super::{Stream, Wasi};

/// One of the streams every run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standard {
    Input,
    Output(Stream),
}

/// What descriptors 0 to 2 are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    Stream(Standard),
    Closed,
    /// Something else took its place; the descriptor table has it.
    Replaced,
}

impl Slot {
    /// What a run begins with.
    pub(super) const INITIAL: [Slot; 3] = [
        Slot::Stream(Standard::Input),
        Slot::Stream(Standard::Output(Stream::Stdout)),
        Slot::Stream(Standard::Output(Stream::Stderr)),
    ];
}

impl Wasi {
    /// The standard stream that `number` stands for; `None` if it is for the descriptor table to say what it is.
    pub(super) fn stream(&self, number: u32) -> Result<Option<Standard>, Errno> {
        match self.standard.get(number as usize) {
            Some(Slot::Stream(stream)) => Ok(Some(*stream)),
            Some(Slot::Closed) => Err(Errno::Badf),
            Some(Slot::Replaced) => Ok(None),
            None => Ok(self.files.as_ref().and_then(|files| files.stream(number))),
        }
    }

    pub(super) fn fd_close(&mut self, number: u32) -> Res<()> {
        match self.standard.get_mut(number as usize) {
            None => return self.files().0.close(number),
            Some(Slot::Closed) => return Err(Errno::Badf.into()),
            Some(slot @ Slot::Stream(_)) => *slot = Slot::Closed,
            Some(slot @ Slot::Replaced) => {
                *slot = Slot::Closed;
                self.files().0.close(number)?;
            }
        }
        Ok(())
    }

    pub(super) fn fd_renumber(&mut self, from: u32, to: u32) -> Res<()> {
        for number in [from, to] {
            if number < FIRST {
                self.check_open(number)?;
                return Err(Errno::Notsup.into());
            }
        }
        self.files().0.renumber(from, to)
    }

    /// Gives what `from` is another number: the lowest free one that is not below `least`.
    pub(super) fn fd_dup(&mut self, guest: &mut Guest<'_>, from: u32, least: u32, out: u32) -> Res<()> {
        guest.check(out, 4)?;
        self.check_open(from)?;
        let stream = self.stream(from)?;
        let (files, spec) = self.files();
        let to = files.free_from(least)?;
        files.duplicate(spec, from, stream, to)?;
        Ok(guest.write_u32(out, to)?)
    }

    /// Makes `to` what `from` is, whether or not `to` was open.
    pub(super) fn fd_dup2(&mut self, from: u32, to: u32) -> Res<()> {
        self.check_open(from)?;
        if to >= self.spec.max_descriptors {
            return Err(Errno::Badf.into());
        }
        if from == to {
            return Ok(());
        }
        let stream = self.stream(from)?;
        let standard = self.standard.get_mut(to as usize);
        if let (Some(slot), Some(stream)) = (standard, stream) {
            if let Slot::Replaced = std::mem::replace(slot, Slot::Stream(stream)) {
                self.files().0.close(to)?;
            }
            return Ok(());
        }
        let (files, spec) = self.files();
        files.duplicate(spec, from, stream, to)?;
        if let Some(slot) = self.standard.get_mut(to as usize) {
            *slot = Slot::Replaced;
        }
        Ok(())
    }
}
