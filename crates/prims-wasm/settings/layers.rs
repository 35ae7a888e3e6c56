//! Where values come from: flags, then the environment, then the file, then the defaults.

use super::Error;
use super::table::{Setting, TABLE};
use super::value::{SettingValue, Shape};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file larger than this is not one of settings.
const MAX_FILE: u64 = 1 << 20;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// The flags of every setting, for a command to flatten into its own.
#[derive(Clone, Debug, Default)]
pub struct SettingArguments {
    /// The file that was named.
    pub config: Option<PathBuf>,
    /// What was given, by flag.
    pub given: BTreeMap<&'static str, Vec<String>>,
}

/// The flags of the settings that matter to a command that serves nobody: packages, and with `LIMITS` what a run may use.
#[derive(Clone, Debug, Default)]
pub struct LocalArguments<const LIMITS: bool>(pub SettingArguments);

impl SettingArguments {
    fn augment(command: Command, takes: impl Fn(&Setting) -> bool) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("File with settings, instead of the one in the user's configuration folder");
        let settings = TABLE.iter().filter(|row| row.flag != CACHE_DIR && takes(row));
        settings.fold(command.arg(config), |command, row| command.arg(argument(row)))
    }

    fn from(matches: &ArgMatches, takes: impl Fn(&Setting) -> bool) -> SettingArguments {
        let texts = |flag| match flag {
            CACHE_DIR => cache_dir(matches),
            flag => matches.get_many::<String>(flag).map(|texts| texts.cloned().collect()),
        };
        let settings = TABLE.iter().filter(|row| takes(row));
        SettingArguments {
            config: matches.get_one::<PathBuf>("config").cloned(),
            given: settings.filter_map(|row| Some((row.flag, texts(row.flag)?))).collect(),
        }
    }
}

impl<const LIMITS: bool> LocalArguments<LIMITS> {
    fn takes(setting: &Setting) -> bool {
        setting.section == "packages" || LIMITS && setting.section == "limits"
    }
}

/// Both kinds of arguments, by what they take.
macro_rules! arguments {
    ($([$($name:ident)?] $type:ty, $takes:expr, $make:expr;)+) => {$(
        impl $(<const $name: bool>)? clap::FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok($make(SettingArguments::from(matches, $takes)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl $(<const $name: bool>)? clap::Args for $type {
            fn augment_args(command: Command) -> Command {
                SettingArguments::augment(command, $takes)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    )+};
}

arguments! {
    [] SettingArguments, |_| true, std::convert::identity;
    [LIMITS] LocalArguments<LIMITS>, Self::takes, LocalArguments;
}

/// A flag of the whole program, not only of commands that have settings.
const CACHE_DIR: &str = "cache-dir";

fn cache_dir(matches: &ArgMatches) -> Option<Vec<String>> {
    let path = matches.try_get_one::<PathBuf>("cache_dir").ok()??;
    Some(vec![path.display().to_string()])
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let argument = Arg::new(setting.flag)
        .long(setting.flag)
        .value_name("VALUE")
        .help(format!("{}{default} [env: {}]", setting.help, setting.variable()))
        .help_heading(setting.section);
    let argument = match setting.flag {
        "deps" => argument.alias("dependencies"),
        _ => argument,
    };
    match setting.shape {
        Shape::One => argument,
        Shape::Many => argument.action(ArgAction::Append).value_name("VALUES"),
        // `--offline`, and `--offline=false` where the file says otherwise.
        Shape::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

/// Every value that was given, where it counts.
pub(super) struct Layers {
    values: BTreeMap<&'static str, (Vec<String>, Origin)>,
}

impl Layers {
    /// Collects values: a layer replaces what the ones before it said.
    pub(super) fn collect(
        arguments: &SettingArguments,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Layers, Error> {
        let mut layers = Layers {
            values: BTreeMap::new(),
        };
        if let Some((path, required)) = file(arguments, environment) {
            layers.read_file(&path, required)?;
        }
        for setting in TABLE {
            let name = setting.variable();
            if let Some(text) = environment(&name).filter(|text| !text.trim().is_empty()) {
                layers.set(setting, vec![text], Origin::Environment(name));
            }
            if let Some(texts) = arguments.given.get(setting.flag) {
                layers.set(setting, texts.clone(), Origin::Flag(setting.flag));
            }
        }
        Ok(layers)
    }

    fn set(&mut self, setting: &'static Setting, texts: Vec<String>, origin: Origin) {
        let texts = match setting.shape {
            Shape::Many => texts.iter().flat_map(|text| items(text)).collect(),
            Shape::One | Shape::Switch => texts,
        };
        self.values.insert(setting.flag, (texts, origin));
    }

    fn read_file(&mut self, path: &Path, required: bool) -> Result<(), Error> {
        let text = match text(path) {
            Err(error) if !required && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(());
            }
            text => text.map_err(|source| Error::File {
                path: path.to_owned(),
                source,
            })?,
        };
        let table: toml::Table = text.parse().map_err(|source| Error::Syntax {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        for (section, content) in &table {
            let toml::Value::Table(content) = content else {
                return Err(unknown(path, section));
            };
            for (key, value) in content {
                let name = format!("{section}.{key}");
                let setting = TABLE.iter().find(|row| row.path() == name);
                let setting = setting.ok_or_else(|| unknown(path, &name))?;
                let texts = scalars(value).ok_or_else(|| Error::Value {
                    place: format!("{name} in {}", path.display()),
                    found: value.type_str().to_owned(),
                    expected: setting.expected,
                })?;
                self.values.insert(setting.flag, (texts, Origin::File(path.to_owned())));
            }
            if content.is_empty() && !TABLE.iter().any(|row| row.section == section) {
                return Err(unknown(path, section));
            }
        }
        Ok(())
    }

    pub(super) fn origin(&self, flag: &str) -> Origin {
        self.values
            .get(flag)
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The value of a setting, with its type.
    pub(super) fn value<T: SettingValue>(&self, flag: &'static str) -> Result<T, Error> {
        let default = TABLE.iter().find(|row| row.flag == flag).map_or("", |row| row.default);
        let default: Vec<String> = Some(default)
            .filter(|text| !text.is_empty())
            .map(Into::into)
            .into_iter()
            .collect();
        let (texts, origin) = match self.values.get(flag) {
            Some((texts, origin)) => (texts, origin.clone()),
            None => (&default, Origin::Default),
        };
        T::read(texts).ok_or_else(|| Error::Value {
            place: match origin {
                Origin::File(path) => {
                    let name = TABLE.iter().find(|row| row.flag == flag).map(Setting::path);
                    format!("{} in {}", name.unwrap_or_default(), path.display())
                }
                origin => origin.to_string(),
            },
            found: super::value::redacted(&texts.join(", ")),
            expected: T::EXPECTED,
        })
    }
}

/// The parts between commas. A comma in brackets (`pandas[excel,parquet]`) or before a comparison (`numpy>=2,<3`) separates nothing.
fn items(text: &str) -> Vec<String> {
    let (mut items, mut item, mut depth) = (vec![], String::new(), 0usize);
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].trim_start().chars().next();
        match c {
            ',' if depth == 0 && !next.is_some_and(|next| "<>=!~".contains(next)) => {
                items.push(std::mem::take(&mut item));
            }
            _ => {
                depth = match c {
                    '[' | '(' => depth + 1,
                    ']' | ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                item.push(c);
            }
        }
    }
    items.push(item);
    let trimmed = items.iter().map(|item| item.trim().to_owned());
    trimmed.filter(|item| !item.is_empty()).collect()
}

/// The file to read, and whether it must exist.
fn file(arguments: &SettingArguments, environment: &dyn Fn(&str) -> Option<String>) -> Option<(PathBuf, bool)> {
    let set = |name: &str| environment(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    if let Some(path) = arguments.config.clone().or_else(|| set("PRIMS_CONFIG")) {
        return Some((path, true));
    }
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some((folder.join("prims-wasm").join("config.toml"), false))
}

fn text(path: &Path) -> std::io::Result<String> {
    let bytes = crate::setup::read_bounded(std::fs::File::open(path)?, MAX_FILE)?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
}

/// The texts of a value of the file, if it is one value or a list of such.
fn scalars(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(values) => values.iter().map(scalar).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Some(value.to_string()),
        _ => None,
    }
}

fn unknown(path: &Path, name: &str) -> Error {
    let known = TABLE.iter().map(Setting::path);
    let near = known
        .map(|known| (strsim::damerau_levenshtein(&known, name), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min();
    Error::UnknownKey {
        path: path.to_owned(),
        key: name.to_owned(),
        nearest: near.map(|(_, name)| name),
    }
}
