//! What one run may use: limits (asked for), their defaults, and ceilings (allowed at most).

use std::time::Duration;

/// What a single run may use. Every limit has a test that exceeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from the call until the run is stopped.
    pub wall_clock: Duration,
    /// Instruction budget in metering units: an estimate of the WebAssembly instructions executed. The same image and code spend the
    /// same.
    pub fuel: u64,
    /// Linear memory in bytes, the interpreter's own included. Python sees a `MemoryError` beyond it.
    pub memory: u64,
    /// Captured bytes of each of stdout and stderr; head and tail are kept beyond it.
    pub output: usize,
    /// Bytes of the rendered value and of the error report.
    pub result: usize,
    /// Bytes held by `/workspace`, and separately by `/tmp`.
    pub files_bytes: u64,
    /// Files, folders and links held by `/workspace`, and separately by `/tmp`.
    pub files_count: u64,
}

impl Limits {
    /// What a run gets when nobody asks for anything else.
    pub const DEFAULT: Limits = Limits {
        wall_clock: Duration::from_secs(30),
        // More than any 30 seconds can spend (tight loops reach 16 billion a second), so the wall clock is what people meet first.
        fuel: 1_000_000_000_000,
        memory: 512 << 20,
        output: 1 << 20,
        result: 1 << 20,
        files_bytes: 256 << 20,
        files_count: 10_000,
    };

    /// What may be asked for at most unless the operator says otherwise.
    pub const CEILING: Limits = Limits {
        wall_clock: Duration::from_secs(3600),
        fuel: u64::MAX / 4,
        // The rest of the 32-bit address space belongs to guard pages of arithmetic in the guest.
        memory: 4 << 30,
        output: 64 << 20,
        result: 64 << 20,
        files_bytes: 16 << 30,
        files_count: 1_000_000,
    };

    /// The limits, or the first one that is above its ceiling.
    pub fn within(self, ceiling: &Limits) -> Result<Limits, AboveCeiling> {
        let check = |what, asked: u64, allowed: u64| {
            if asked > allowed {
                Err(AboveCeiling { what, asked, allowed })
            } else {
                Ok(())
            }
        };
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        check("wall_clock (ms)", millis(self.wall_clock), millis(ceiling.wall_clock))?;
        check("fuel", self.fuel, ceiling.fuel)?;
        check("memory (bytes)", self.memory, ceiling.memory)?;
        check("output (bytes)", self.output as u64, ceiling.output as u64)?;
        check("result (bytes)", self.result as u64, ceiling.result as u64)?;
        check("files_bytes", self.files_bytes, ceiling.files_bytes)?;
        check("files_count", self.files_count, ceiling.files_count)?;
        Ok(self)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// A limit was asked for that the operator does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {what} is {asked}, at most {allowed} is allowed")]
pub struct AboveCeiling {
    /// Which limit.
    pub what: &'static str,
    /// What was asked for.
    pub asked: u64,
    /// The ceiling.
    pub allowed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_above_its_ceiling_is_named() {
        assert_eq!(Limits::DEFAULT.within(&Limits::CEILING), Ok(Limits::DEFAULT));
        let greedy = Limits {
            memory: 5 << 30,
            ..Limits::DEFAULT
        };
        let error = greedy.within(&Limits::CEILING).unwrap_err();
        assert_eq!(
            error.to_string(),
            "limit memory (bytes) is 5368709120, at most 4294967296 is allowed"
        );
    }
}
