//! What the host keeps beside a running guest, and the functions it offers it.

use crate::limits::Limits;
use crate::link::{self, Linkage};
use crate::stop::{Cancel, StopReason, Stopped, Watch};
use crate::transform;
use crate::wasi::{self, Wasi};
use std::time::{Duration, Instant};
use wasmtime::{AsContextMut, Caller, Engine, Extern, Func, Linker, Memory, ResourceLimiter};

/// Metering units between two looks at deadline, cancel flag and fuel: some tenths of a millisecond of work.
const SLICE: i64 = 200_000;

/// Room in a reply for everything beside the value or error it carries.
const REPLY_OVERHEAD: usize = 64 << 10;

/// Entries of the one function table; the interpreter has some 10,000, numpy adds 5,000.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 18;

/// The store's data.
pub(crate) struct Host {
    pub(crate) wasi: Wasi,
    pub(crate) meter: Meter,
    pub(crate) memory: MemoryLimit,
    pub(crate) linkage: Linkage,
    pub(crate) reply: Reply,
}

impl Host {
    pub(crate) fn new(wasi: Wasi, limits: &Limits, linkage: Linkage) -> Host {
        Host {
            meter: Meter::new(wasi.watch().clone(), limits.fuel),
            memory: MemoryLimit::new(limits),
            reply: Reply::new(limits),
            wasi,
            linkage,
        }
    }

    /// Gives an instance whose budget is 0 what its next run may use.
    pub(crate) fn begin(&mut self, wasi: Wasi, limits: &Limits) {
        self.meter = Meter::new(wasi.watch().clone(), limits.fuel);
        self.memory = MemoryLimit::new(limits);
        self.reply = Reply::new(limits);
        self.wasi = wasi;
    }

    /// Lets the guest do something more for at most `time`, when its run has ended and was accounted for.
    pub(crate) fn extend(&mut self, time: Duration, budget: i64) {
        let watch = Watch {
            deadline: Instant::now().checked_add(time),
            cancel: Cancel::new(),
        };
        self.meter = Meter::new(watch, Limits::CEILING.fuel);
        self.meter.slice = budget;
    }
}

/// Fuel, deadline and cancellation. The guest's code counts down a budget and calls [`Meter::refill`] when it is used up.
pub(crate) struct Meter {
    pub(crate) watch: Watch,
    limit: u64,
    used: i64,
    slice: i64,
}

impl Meter {
    pub(crate) fn new(watch: Watch, limit: u64) -> Meter {
        Meter {
            watch,
            limit,
            used: 0,
            slice: 0,
        }
    }

    /// Accounts for the slice that ended with `budget` left (negative: overdrawn) and hands out the next one.
    fn refill(&mut self, budget: i64) -> Result<i64, Stopped> {
        self.used = self.used.saturating_add(self.slice.saturating_sub(budget));
        self.slice = 0;
        self.watch.check()?;
        let left = self.limit.saturating_sub(u64::try_from(self.used).unwrap_or(0));
        if left == 0 {
            return Err(Stopped(StopReason::Fuel));
        }
        self.slice = i64::try_from(left).map_or(SLICE, |left| left.min(SLICE));
        Ok(self.slice)
    }

    /// Units spent when the guest's budget reads `budget`.
    pub(crate) fn used_with(&self, budget: i64) -> u64 {
        u64::try_from(self.used.saturating_add(self.slice.saturating_sub(budget))).unwrap_or(0)
    }
}

/// How large linear memory may become and how large it was. Python sees a refused growth as `MemoryError`.
pub(crate) struct MemoryLimit {
    pub(crate) limit: usize,
    pub(crate) peak: usize,
    refused: Option<Instant>,
}

impl MemoryLimit {
    fn new(limits: &Limits) -> MemoryLimit {
        MemoryLimit {
            limit: usize::try_from(limits.memory).unwrap_or(usize::MAX),
            peak: 0,
            refused: None,
        }
    }
}

impl MemoryLimit {
    /// Whether growth was refused so recently that a crash now is most likely code that could not cope with it.
    pub(crate) fn refused_just_now(&self) -> bool {
        self.refused.is_some_and(|at| at.elapsed() < Duration::from_millis(50))
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.limit {
            self.refused = Some(Instant::now());
            return Ok(false);
        }
        self.peak = self.peak.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn instances(&self) -> usize {
        link::MAX_LIBRARIES + 1
    }
}

/// The guest's answer, taken up to a bound.
pub(crate) struct Reply {
    pub(crate) limit: usize,
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Reply {
    fn new(limits: &Limits) -> Reply {
        Reply {
            limit: limits.result.saturating_add(REPLY_OVERHEAD),
            bytes: None,
        }
    }
}

/// All host functions a guest may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi)?;
    linker.func_wrap(transform::REFILL.0, transform::REFILL.1, refill_budget)?;
    linker.func_wrap(
        "prims",
        "respond",
        |mut caller: Caller<'_, Host>, at: u32, len: u32| -> wasmtime::Result<()> {
            let limit = caller.data().reply.limit;
            let bytes = read(&mut caller, at, len, limit)?;
            // The first answer counts: nothing that runs later (a finalizer, an atexit hook) can replace it.
            caller.data_mut().reply.bytes.get_or_insert(bytes);
            Ok(())
        },
    )?;
    link::add_to_linker(&mut linker)?;
    Ok(linker)
}

fn refill_budget(mut caller: Caller<'_, Host>, budget: i64) -> wasmtime::Result<i64> {
    Ok(caller.data_mut().meter.refill(budget)?)
}

/// The metering call-out as a side module imports it.
pub(crate) fn refill(store: impl AsContextMut<Data = Host>) -> Func {
    Func::wrap(store, refill_budget)
}

/// The guest's linear memory.
pub(crate) fn memory(caller: &mut Caller<'_, Host>) -> wasmtime::Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => wasmtime::bail!("the guest exports no memory"),
    }
}

/// Copies `len` bytes at `at` out of the guest; a trap if that is outside its memory or more than `limit`.
pub(crate) fn read(caller: &mut Caller<'_, Host>, at: u32, len: u32, limit: usize) -> wasmtime::Result<Vec<u8>> {
    let memory = memory(caller)?;
    let (at, len) = (at as usize, len as usize);
    wasmtime::ensure!(len <= limit, "the guest passed {len} bytes, at most {limit} are taken");
    match memory.data(&caller).get(at..).and_then(|rest| rest.get(..len)) {
        Some(bytes) => Ok(bytes.to_vec()),
        None => wasmtime::bail!("the guest passed a range outside its memory"),
    }
}
