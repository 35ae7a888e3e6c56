//! Clocks and waiting.
//!
//! Clocks are coarse on purpose (a fine clock is what a timing attack needs), and every wait ends with the run.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Wasi;
use super::abi::{Errno, Fail, Guest, MAX_SUBSCRIPTIONS, Res, u32_at, u64_at};
use crate::stop::Watch;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const PROCESS_CPUTIME: u32 = 2;
const THREAD_CPUTIME: u32 = 3;

const EVENT_CLOCK: u8 = 0;
const EVENT_FD_READ: u8 = 1;
const EVENT_FD_WRITE: u8 = 2;

const SUBSCRIPTION_SIZE: u32 = 48;
const EVENT_SIZE: u32 = 32;

/// Where the guest's monotonic clock stands: at this moment it shows this many nanoseconds.
///
/// It continues the wall clock of the moment this process first needed it. An image holds times of the process that built
/// it, perhaps before the machine was started again; measured from the boot of the host the clock could show less than
/// the image remembers (and would tell the guest how long the host has been up).
static EPOCH: LazyLock<(Instant, u64)> = LazyLock::new(|| (Instant::now(), realtime()));

/// Nanoseconds since 1970. A host clock before that reads 0.
fn realtime() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn monotonic() -> u64 {
    let (instant, shown) = *EPOCH;
    shown.saturating_add(nanos(instant.elapsed()))
}

/// What a clock shows, for tests and for those who build images.
pub(super) fn quantised(now: u64, resolution: Duration) -> u64 {
    match nanos(resolution) {
        0 | 1 => now,
        step => now - now % step,
    }
}

impl Wasi {
    fn clock(&self, id: u32) -> Result<u64, Errno> {
        Ok(match id {
            REALTIME => realtime(),
            MONOTONIC => monotonic(),
            // A guest has no business with the CPU time of the host's threads; the time since the run began is what a
            // program that measures itself expects within an error it must allow for anyway.
            PROCESS_CPUTIME | THREAD_CPUTIME => nanos(self.started.elapsed()),
            _ => return Err(Errno::Inval),
        })
    }

    pub(super) fn clock_time_get(&mut self, guest: &mut Guest<'_>, id: u32, _precision: u64, out: u32) -> Res<()> {
        let now = quantised(self.clock(id)?, self.spec.clock_resolution);
        Ok(guest.write_u64(out, now)?)
    }

    pub(super) fn clock_res_get(&mut self, guest: &mut Guest<'_>, id: u32, out: u32) -> Res<()> {
        if id > THREAD_CPUTIME {
            return Err(Errno::Inval.into());
        }
        Ok(guest.write_u64(out, nanos(self.spec.clock_resolution).max(1))?)
    }

    /// The moment at which a clock subscription is due; `None` is never.
    fn due(&self, id: u32, timeout: u64, absolute: bool, now: Instant) -> Result<Option<Instant>, Errno> {
        let wait = if absolute {
            timeout.saturating_sub(self.clock(id)?)
        } else {
            timeout
        };
        if id > THREAD_CPUTIME {
            return Err(Errno::Inval);
        }
        let mut wait = Duration::from_nanos(wait);
        if absolute && !wait.is_zero() {
            // The guest sees its clocks rounded down. Without this it would be woken a moment before the time it asked
            // for, as far as it can tell.
            wait += self.spec.clock_resolution;
        }
        Ok(now.checked_add(wait))
    }

    pub(super) fn poll_oneoff(&mut self, guest: &mut Guest<'_>, subs: u32, events: u32, n: u32, out: u32) -> Res<()> {
        // A poll for nothing would wait for ever.
        if n == 0 || n > MAX_SUBSCRIPTIONS {
            return Err(Errno::Inval.into());
        }
        guest.check(events, n * EVENT_SIZE)?;
        guest.check(out, 4)?;
        let now = Instant::now();
        let mut ready = Vec::new();
        let mut timers = Vec::new();
        for sub in guest
            .bytes(subs, n * SUBSCRIPTION_SIZE)?
            .chunks_exact(SUBSCRIPTION_SIZE as usize)
        {
            let userdata = u64_at(sub, 0);
            match sub[8] {
                EVENT_CLOCK => {
                    let (id, timeout, flags) = (u32_at(sub, 16), u64_at(sub, 24), u32_at(sub, 40) & 0xffff);
                    if flags > 1 {
                        return Err(Errno::Inval.into());
                    }
                    match self.due(id, timeout, flags == 1, now) {
                        Ok(due) => timers.push((due, userdata)),
                        Err(errno) => ready.push(Event::failed(userdata, EVENT_CLOCK, errno)),
                    }
                }
                kind @ (EVENT_FD_READ | EVENT_FD_WRITE) => {
                    ready.push(match self.fd_ready(u32_at(sub, 16), kind == EVENT_FD_READ) {
                        Ok((nbytes, hangup)) => Event {
                            nbytes,
                            hangup,
                            ..Event::new(userdata, kind)
                        },
                        Err(Fail::Errno(errno)) => Event::failed(userdata, kind, errno),
                        Err(trap) => return Err(trap),
                    });
                }
                _ => return Err(Errno::Inval.into()),
            }
        }
        // Nothing here ever becomes ready later: only the timers are worth waiting for.
        let mut now = now;
        if ready.is_empty() {
            let first = timers.iter().filter_map(|(due, _)| *due).min();
            self.spec.watch.sleep_until(first)?;
            now = Instant::now();
        } else {
            self.spec.watch.check()?;
        }
        let expired = timers.iter().filter(|(due, _)| due.is_some_and(|due| due <= now));
        ready.extend(expired.map(|(_, userdata)| Event::new(*userdata, EVENT_CLOCK)));
        let mut at = events;
        for event in &ready {
            guest.write(at, &event.to_bytes())?;
            at = at.wrapping_add(EVENT_SIZE);
        }
        Ok(guest.write_u32(out, ready.len() as u32)?)
    }

    /// How many bytes can be moved at once, and whether that is all there will ever be.
    fn fd_ready(&mut self, number: u32, read: bool) -> Res<(u64, bool)> {
        match self.stream(number)? {
            Some(_) => Ok(if read { (0, true) } else { (1, false) }),
            None => {
                let file = self.files().0.file(number)?;
                if !read {
                    return Ok((1, false));
                }
                let left = file.size()?.saturating_sub(file.position);
                Ok((left, left == 0))
            }
        }
    }

    pub(super) fn sched_yield(&mut self) -> Res<()> {
        Ok(self.spec.watch.check()?)
    }
}

/// Checks the watch every so often in loops whose steps are too cheap to do it each time.
pub(super) struct Pace<'a> {
    watch: &'a Watch,
    every: u32,
    left: u32,
}

impl<'a> Pace<'a> {
    pub(super) fn new(watch: &'a Watch, every: u32) -> Pace<'a> {
        Pace {
            watch,
            every,
            left: every,
        }
    }

    pub(super) fn step(&mut self) -> Res<()> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.left = self.every;
            self.watch.check()?;
        }
        Ok(())
    }
}

struct Event {
    userdata: u64,
    error: Errno,
    kind: u8,
    nbytes: u64,
    hangup: bool,
}

impl Event {
    fn new(userdata: u64, kind: u8) -> Event {
        Event {
            userdata,
            error: Errno::Success,
            kind,
            nbytes: 0,
            hangup: false,
        }
    }

    fn failed(userdata: u64, kind: u8, error: Errno) -> Event {
        Event {
            error,
            ..Event::new(userdata, kind)
        }
    }

    fn to_bytes(&self) -> [u8; EVENT_SIZE as usize] {
        let mut bytes = [0; EVENT_SIZE as usize];
        bytes[0..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&(self.error as u16).to_le_bytes());
        bytes[10] = self.kind;
        bytes[16..24].copy_from_slice(&self.nbytes.to_le_bytes());
        bytes[24] = u8::from(self.hangup);
        bytes
    }
}
