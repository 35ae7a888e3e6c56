//! What settings must be together.

use super::{ByteSize, Error, Settings};
use prims_sandbox::Limits;

/// The body of a request is held in memory.
const MAX_BODY: u64 = 256 << 20;
/// Runs at a time have a thread each.
const MAX_CONCURRENCY: u32 = 1024;

impl Settings {
    /// The first thing that does not fit, if there is one.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_limits()?;
        let sessions = &self.sessions;
        at_most("session-idle", sessions.idle, sessions.lifetime, "--session-lifetime")?;
        at_most(
            "max-sessions-per-caller",
            sessions.per_caller,
            sessions.count,
            "--max-sessions",
        )?;
        at_most(
            "concurrency",
            self.runs.concurrency,
            MAX_CONCURRENCY,
            "each run has a thread",
        )?;
        at_most(
            "max-body",
            self.server.max_body,
            ByteSize(MAX_BODY),
            "a body is held in memory",
        )?;
        self.check_oauth()
    }

    fn check_limits(&self) -> Result<(), Error> {
        let (limits, ceilings, last) = (&self.limits, &self.ceilings, Limits::CEILING);
        at_most("timeout", limits.timeout, ceilings.timeout, "--max-timeout")?;
        at_most("memory", limits.memory, ceilings.memory, "--max-memory")?;
        at_most("fuel", limits.fuel, ceilings.fuel, "--max-fuel")?;
        at_most("output", limits.output, ceilings.output, "--max-output")?;
        at_most("result", limits.result, ceilings.result, "--max-result")?;
        at_most("files", limits.files, ceilings.files, "--max-files")?;
        at_most("file-count", limits.file_count, ceilings.file_count, "--max-file-count")?;
        let reason = "what the program can do";
        let size = |bytes: usize| ByteSize(bytes as u64);
        at_most("max-timeout", ceilings.timeout, last.wall_clock, reason)?;
        at_most("max-memory", ceilings.memory, ByteSize(last.memory), reason)?;
        at_most("max-fuel", ceilings.fuel, last.fuel, reason)?;
        at_most("max-output", ceilings.output, size(last.output), reason)?;
        at_most("max-result", ceilings.result, size(last.result), reason)?;
        at_most("max-files", ceilings.files, ByteSize(last.files_bytes), reason)?;
        at_most("max-file-count", ceilings.file_count, last.files_count, reason)
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

fn at_most<T>(flag: &'static str, value: T, most: T, reason: &'static str) -> Result<(), Error>
where
    T: PartialOrd + super::value::SettingValue,
{
    if value <= most {
        return Ok(());
    }
    let text = |value: &T| value.render().to_string().trim_matches('"').to_owned();
    Err(Error::TooLarge {
        flag,
        value: text(&value),
        most: text(&most),
        reason,
    })
}
