//! Native wheels that were built for another WebAssembly system: whether their modules can run in this guest is for whoever knows
//! WebAssembly to say; the answer is remembered.

use crate::catalog::{Offer, Place};
use crate::error::Error;
use crate::index::sha256;
use crate::indexes::Indexes;
use crate::wheel::Wheel;
use prims_cache::Key;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// Longest reason that is kept.
const MAX_REASON: usize = 1000;

/// Says whether a native module can run in the guest.
#[derive(Clone)]
pub struct NativeCheck {
    version: String,
    check: Check,
}

/// Takes the bytes of a module; says why it cannot run.
type Check = Arc<dyn Fn(&[u8]) -> Result<(), String> + Send + Sync>;

impl NativeCheck {
    /// A check. Its answers are remembered for as long as `version` is the same: it should change with the check and with the guest.
    pub fn new(version: &str, check: impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static) -> NativeCheck {
        NativeCheck {
            version: version.to_owned(),
            check: Arc::new(check),
        }
    }
}

impl fmt::Debug for NativeCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeCheck({})", self.version)
    }
}

impl Indexes {
    /// Whether every native module of a wheel passes the check, or why the first that does not does not.
    pub(crate) fn check_native(&self, offer: &Offer) -> Result<Result<(), String>, Error> {
        if offer.place == Place::Bundled {
            return Ok(Ok(()));
        }
        let Some(NativeCheck { version, check }) = self.native() else {
            return Ok(Err("native wheels of other systems are not taken".into()));
        };
        let key = |digest: &str| {
            Key::new("verdict")
                .with("check", version.as_bytes())
                .with("wheel", digest.as_bytes())
        };
        if let Some(digest) = &offer.sha256
            && let Some(entry) = self.cache().find("verdict", &key(digest))?
            && let Some(verdict) = read(&entry.read().unwrap_or_default())
        {
            return Ok(verdict);
        }
        let bytes = self.wheel_bytes(offer)?;
        let wheel = Wheel::open(&offer.filename, &bytes).map_err(|problem| self.bad(offer, problem))?;
        let mut verdict = Ok(());
        for module in wheel.native_modules() {
            let (name, module) = module.map_err(|problem| self.bad(offer, problem))?;
            if let Err(reason) = check(&module) {
                verdict = Err(format!("`{name}` {reason}").chars().take(MAX_REASON).collect());
                break;
            }
        }
        let digest = offer.sha256.clone().unwrap_or_else(|| sha256(&bytes));
        self.cache().replace("verdict", &key(&digest), |writer| {
            writer.set_not_durable();
            // The cache reports a failed write itself.
            let _ = writer.write_all(&write(&verdict));
            Ok::<(), Error>(())
        })?;
        Ok(verdict)
    }
}

/// A verdict as it is kept: `fits`, or `no` and the reason.
fn write(verdict: &Result<(), String>) -> Vec<u8> {
    match verdict {
        Ok(()) => b"fits".to_vec(),
        Err(reason) => format!("no {reason}").into_bytes(),
    }
}

fn read(text: &[u8]) -> Option<Result<(), String>> {
    match std::str::from_utf8(text).ok()? {
        "fits" => Some(Ok(())),
        text => text.strip_prefix("no ").map(|reason| Err(reason.to_owned())),
    }
}
