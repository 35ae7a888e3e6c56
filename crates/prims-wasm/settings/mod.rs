//! Settings: each one once.
//!
//! A setting has a *flag* (`--max-body 8m`), a *variable* (`PRIMS_MAX_BODY=8m`) and a *key* in a section of a TOML file
//! (`[server]`, `max-body = "8m"`). The first of these that is given counts, in this order; else the default. The file is the one
//! that `--config` or `PRIMS_CONFIG` names, else `prims-wasm/config.toml` in the user's configuration folder if there is one.
//! [`TABLE`] has them all; [`Settings::load`] reads them, checks them together, and remembers where each comes from.

mod check;
mod layers;
mod print;
mod table;
mod value;

pub use layers::{LocalArguments, Origin, SettingArguments};
pub use print::document;
pub use table::{
    AuthSettings, CacheSettings, CeilingSettings, FetchSettings, FileSettings, LimitSettings, LogSettings,
    PackageSettings, RunSettings, ServerSettings, SessionSettings, Setting, Settings, TABLE,
};
pub use value::{ByteSize, Choice, IndexUrl, LogFormat, LogLevel, Words};

use prims_sandbox::Limits;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings in `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("`{}` is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file has a key that means nothing.
    #[error("unknown setting `{key}` in `{}`", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key with its section.
        key: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// A value cannot be read.
    #[error("{place} is `{found}`, expected {expected}")]
    Value {
        /// The flag, the variable, or the key and its file.
        place: String,
        /// The value.
        found: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// A value that was given is above its ceiling, or something else that must not be larger is.
    #[error("--{flag} is {value}, at most {most} is possible ({reason})")]
    TooLarge {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        most: String,
        /// Which setting or bound says so.
        reason: &'static str,
    },
    /// A setting means nothing without another.
    #[error("--{flag} needs --{needs}")]
    Needs {
        /// What was given.
        flag: &'static str,
        /// What was not.
        needs: &'static str,
    },
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownKey {
                nearest: Some(nearest), ..
            } => Some(format!("did you mean `{nearest}`?")),
            Error::UnknownKey { .. } => Some("`prims-wasm config` prints every setting in the form of the file".into()),
            Error::TooLarge { .. } => Some("lower it, or raise what bounds it".into()),
            _ => None,
        }
    }
}

fn is_default(origins: &BTreeMap<&'static str, Origin>, flag: &str) -> bool {
    origins.get(flag) == Some(&Origin::Default)
}

impl Settings {
    /// The settings of this process: flags, its environment, the file.
    pub fn load(arguments: &SettingArguments) -> Result<Settings, Error> {
        Settings::load_with(arguments, &|name| std::env::var(name).ok())
    }

    /// The same with another environment.
    pub fn load_with(
        arguments: &SettingArguments,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Settings, Error> {
        let mut settings = Settings::read(&layers::Layers::collect(arguments, environment)?)?;
        settings.check()?;
        Ok(settings)
    }

    /// Settings of these flags and nothing else, each with one value.
    #[cfg(test)]
    pub(crate) fn of(flags: &[(&'static str, &str)]) -> Settings {
        let given = flags.iter().map(|(flag, text)| (*flag, vec![(*text).to_owned()]));
        let given = given.collect();
        Settings::load_with(&SettingArguments { config: None, given }, &|_| None).unwrap()
    }

    /// The settings of a command that serves nobody: who runs it may have whatever the program can do.
    pub fn load_local<const LIMITS: bool>(arguments: &LocalArguments<LIMITS>) -> Result<Settings, Error> {
        let environment = |name: &str| std::env::var(name).ok();
        let mut settings = Settings::read(&layers::Layers::collect(&arguments.0, &environment)?)?;
        settings.ceilings = CeilingSettings {
            timeout: Limits::CEILING.wall_clock,
            memory: ByteSize(Limits::CEILING.memory),
            fuel: Limits::CEILING.fuel,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Whether nobody has given a setting.
    pub fn is_default(&self, flag: &str) -> bool {
        is_default(&self.origins, flag)
    }

    /// What a run gets when it asks for nothing else.
    pub fn limits(&self) -> Limits {
        Limits {
            wall_clock: self.limits.timeout,
            fuel: self.limits.fuel,
            memory: self.limits.memory.0,
            output: self.limits.output.as_usize(),
            result: self.limits.result.as_usize(),
            files_bytes: self.limits.files.0,
            files_count: self.limits.file_count,
        }
    }

    /// What a run may ask for at most; what it cannot ask for is bounded by what the program can do.
    pub fn ceilings(&self) -> Limits {
        Limits {
            wall_clock: self.ceilings.timeout,
            fuel: self.ceilings.fuel,
            memory: self.ceilings.memory.0,
            ..Limits::CEILING
        }
    }

    /// What sessions get, and how many there may be.
    pub fn of_sessions(&self) -> prims_interpreter::SessionSettings {
        let sessions = &self.sessions;
        prims_interpreter::SessionSettings {
            idle: sessions.idle,
            lifetime: sessions.lifetime,
            per_owner: sessions.per_caller as usize,
            total: sessions.count as usize,
            state_bytes: sessions.bytes.0,
            workspace_bytes: self.limits().files_bytes,
            workspace_files: self.limits().files_count,
            patience: self.runs.queue_wait,
            ..prims_interpreter::SessionSettings::DEFAULT
        }
    }
}

#[cfg(test)]
mod tests;
