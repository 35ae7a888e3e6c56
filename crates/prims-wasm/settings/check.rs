//! What settings must be together.

use super::{ByteSize, Error, Origin, Settings};
use prims_sandbox::Limits;
use std::collections::BTreeMap;

/// The body of a request is held in memory.
const MAX_BODY: u64 = 256 << 20;
/// Runs at a time have a thread each.
const MAX_CONCURRENCY: u32 = 1024;

impl Settings {
    /// The first thing that does not fit, if there is one. A default is no wish of anybody's: it is lowered to what bounds it.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        self.check_limits()?;
        let bounds = Bounds { origins: &self.origins };
        let sessions = &mut self.sessions;
        let lifetime = sessions.lifetime;
        bounds.check("session-idle", &mut sessions.idle, lifetime, "--session-lifetime")?;
        let count = sessions.count;
        bounds.check(
            "max-sessions-per-caller",
            &mut sessions.per_caller,
            count,
            "--max-sessions",
        )?;
        let concurrency = &mut self.runs.concurrency;
        bounds.check("concurrency", concurrency, MAX_CONCURRENCY, "each run has a thread")?;
        let body = &mut self.server.max_body;
        bounds.check("max-body", body, ByteSize(MAX_BODY), "a body is held in memory")?;
        self.check_oauth()
    }

    fn check_limits(&mut self) -> Result<(), Error> {
        let bounds = Bounds { origins: &self.origins };
        let (limits, ceilings, last) = (&mut self.limits, &mut self.ceilings, Limits::CEILING);
        let reason = "what the program can do";
        bounds.check("max-timeout", &mut ceilings.timeout, last.wall_clock, reason)?;
        bounds.check("max-memory", &mut ceilings.memory, ByteSize(last.memory), reason)?;
        bounds.check("max-fuel", &mut ceilings.fuel, last.fuel, reason)?;
        bounds.check("timeout", &mut limits.timeout, ceilings.timeout, "--max-timeout")?;
        bounds.check("memory", &mut limits.memory, ceilings.memory, "--max-memory")?;
        bounds.check("fuel", &mut limits.fuel, ceilings.fuel, "--max-fuel")?;
        let size = |bytes: usize| ByteSize(bytes as u64);
        bounds.check("output", &mut limits.output, size(last.output), reason)?;
        bounds.check("result", &mut limits.result, size(last.result), reason)?;
        bounds.check("files", &mut limits.files, ByteSize(last.files_bytes), reason)?;
        bounds.check("file-count", &mut limits.file_count, last.files_count, reason)
    }

    fn check_oauth(&self) -> Result<(), Error> {
        let auth = &self.auth;
        if let Some(issuer) = &auth.oauth_issuer {
            let url = url::Url::parse(issuer).ok();
            if !url.is_some_and(|url| matches!(url.scheme(), "https" | "http") && url.query().is_none()) {
                return Err(Error::Value {
                    place: "--oauth-issuer".into(),
                    found: super::value::redacted(issuer),
                    expected: "the URL of an authorization server",
                });
            }
            return Ok(());
        }
        let given = [
            ("oauth-audience", auth.oauth_audience.is_some()),
            ("oauth-jwks-url", auth.oauth_jwks_url.is_some()),
            ("oauth-scopes", !auth.oauth_scopes.is_empty()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::Needs {
                flag,
                needs: "oauth-issuer",
            }),
            None => Ok(()),
        }
    }
}

/// What is above its bound is refused if somebody gave it, else lowered.
struct Bounds<'a> {
    origins: &'a BTreeMap<&'static str, Origin>,
}

impl Bounds<'_> {
    fn check<T>(&self, flag: &'static str, value: &mut T, most: T, reason: &'static str) -> Result<(), Error>
    where
        T: PartialOrd + super::value::SettingValue,
    {
        if *value <= most {
            return Ok(());
        }
        if super::is_default(self.origins, flag) {
            *value = most;
            return Ok(());
        }
        let text = |value: &T| value.render().to_string().trim_matches('"').to_owned();
        Err(Error::TooLarge {
            flag,
            value: text(value),
            most: text(&most),
            reason,
        })
    }
}
