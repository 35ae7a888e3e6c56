//! The table: every setting with its type, flag, default and meaning. The structs, the flags, the names in the environment and in
//! the file, the output of `prims-wasm config` and `docs/settings.md` all come from here.

use super::Error;
use super::layers::{Layers, Origin};
use super::value::{ByteSize, Choice, IndexUrl, LogFormat, LogLevel, SettingValue};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// One row: a setting as people see it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The section of the file.
    pub section: &'static str,
    /// The flag without its dashes. The variable is `PRIMS_` and the same in upper case with underscores.
    pub flag: &'static str,
    /// The field, which is the key of the file with underscores for dashes.
    pub field: &'static str,
    /// The default as one would write it; empty if the setting is not set.
    pub default: &'static str,
    /// What it means.
    pub help: &'static str,
    /// What a value looks like.
    pub expected: &'static str,
    /// Whether it is a list, a switch or one value.
    pub(super) shape: super::value::Shape,
}

impl Setting {
    /// The name in the environment.
    pub fn variable(&self) -> String {
        format!("PRIMS_{}", self.flag.replace('-', "_").to_uppercase())
    }

    /// The key in its section of the file.
    pub fn key(&self) -> String {
        self.field.replace('_', "-")
    }

    /// Section and key.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.key())
    }
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $section:ident: $group:ident {
        $($field:ident: $type:ty = $default:literal, $flag:literal, $help:literal;)+
    })+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $group {
                $(#[doc = $help] pub $field: $type,)+
            }
        )+

        /// The effective settings.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $section: $group,)+
            /// Where each value comes from, by flag.
            pub origins: BTreeMap<&'static str, Origin>,
        }

        /// Every setting, in the order of the file.
        pub const TABLE: &[Setting] = &[$($(Setting {
            section: stringify!($section),
            flag: $flag,
            field: stringify!($field),
            default: $default,
            help: $help,
            expected: <$type as SettingValue>::EXPECTED,
            shape: <$type as SettingValue>::SHAPE,
        },)+)+];

        /// The sections with what they are about.
        pub(super) const SECTIONS: &[(&str, &str)] = &[$((stringify!($section), concat!($($about),+)),)+];

        impl Settings {
            /// Reads every value from the layers.
            pub(super) fn read(layers: &Layers) -> Result<Settings, Error> {
                Ok(Settings {
                    $($section: $group { $($field: layers.value($flag)?,)+ },)+
                    origins: TABLE.iter().map(|setting| (setting.flag, layers.origin(setting.flag))).collect(),
                })
            }

            /// Every setting with its value, as JSON.
            pub(super) fn rendered(&self) -> Vec<(&'static Setting, serde_json::Value)> {
                let values = vec![$($(self.$section.$field.render(),)+)+];
                TABLE.iter().zip(values).collect()
            }
        }
    };
}

settings! {
    /// What a run gets when it asks for nothing else.
    limits: LimitSettings {
        timeout: Duration = "30s", "timeout", "Wall-clock limit of a run";
        memory: ByteSize = "512m", "memory", "Memory limit of a run, the interpreter's own memory included";
        fuel: u64 = "1000000000000", "fuel", "Instruction budget of a run in metering units";
        output: ByteSize = "1m", "output", "Captured bytes of each of stdout and stderr";
        result: ByteSize = "1m", "result", "Bytes of the rendered value and of the error report";
        files: ByteSize = "256m", "files", "Bytes held by the workspace, and by the temporary folder";
        file_count: u64 = "10000", "file-count", "Names held by the workspace, and by the temporary folder";
    }
    /// What a run may ask for at most.
    ceilings: CeilingSettings {
        timeout: Duration = "5m", "max-timeout", "Longest wall-clock limit that may be asked for";
        memory: ByteSize = "2g", "max-memory", "Highest memory limit that may be asked for";
        fuel: u64 = "4611686018427387903", "max-fuel", "Largest instruction budget that may be asked for";
    }
    /// How many runs at a time.
    runs: RunSettings {
        concurrency: u32 = "0", "concurrency", "Runs at the same time; 0 means one for each processor";
        queue: u32 = "64", "queue", "Runs that may wait for their turn; more are answered with `busy`";
        queue_wait: Duration = "30s", "queue-wait", "A run that waits for its turn for this long is answered with `busy`";
        fresh: bool = "false", "fresh", "Give every run an instance and a memory that no run had before, instead of resetting what others used; slower";
    }
    /// Sessions: what survives a run.
    sessions: SessionSettings {
        count: u32 = "1000", "max-sessions", "Sessions kept at the same time";
        per_caller: u32 = "100", "max-sessions-per-caller", "Sessions one caller may keep at the same time";
        idle: Duration = "30m", "session-idle", "A session that was not used for this long is closed";
        lifetime: Duration = "24h", "session-lifetime", "A session this old is closed";
        bytes: ByteSize = "512m", "session-bytes", "Bytes of one session's saved variables";
        workspaces: ByteSize = "10g", "max-workspaces", "Bytes that the files of all sessions and runs may hold together";
        data_dir: Option<PathBuf> = "", "data-dir", "Folder for sessions; the user's data folder if not given";
    }
    /// What is kept on disk for speed.
    cache: CacheSettings {
        dir: Option<PathBuf> = "", "cache-dir", "Folder for compiled code, images and packages; the user's cache folder if not given";
        max_size: ByteSize = "10g", "cache-max-size", "Bytes a server lets the cache hold; what was used longest ago goes first";
        max_age: Duration = "720h", "cache-max-age", "A server removes what was not used for this long from the cache";
    }
    /// Packages the code may import.
    packages: PackageSettings {
        deps: Vec<String> = "", "deps", "Requirements that every run has, separated by commas";
        index_url: Option<IndexUrl> = "", "index-url", "Package index; what the package tools of this machine use if not given";
        extra_index_url: Vec<IndexUrl> = "", "extra-index-url", "Further package indexes, asked first; the first that knows a name wins";
        offline: bool = "false", "offline", "Use only what is bundled or cached";
        allow: Vec<String> = "", "allow-package", "Only these packages may be used, also by others; all if not given";
        exclude: Vec<String> = "", "exclude", "Packages that are refused";
        require_hashes: bool = "false", "require-hashes", "Refuse wheels for which the index has no digest";
        auto_deps: bool = "false", "auto-deps", "Install what the code imports and no requirement names";
    }
    /// The HTTP server.
    server: ServerSettings {
        host: IpAddr = "127.0.0.1", "host", "Address to listen on";
        port: u16 = "3001", "port", "Port to listen on; 0 means any free one";
        allow_unauthenticated: bool = "false", "allow-unauthenticated", "Serve other machines without asking who they are";
        allowed_hosts: Vec<String> = "", "allowed-hosts", "Names, maybe with a port, that clients may call this server by, besides those of the loopback interface";
        allowed_origins: Vec<String> = "", "allowed-origins", "Origins of web pages that may call this server, such as `https://app.example`";
        public_url: Option<Url> = "", "public-url", "Where clients reach this server, if not at the address it listens on";
        max_body: ByteSize = "4m", "max-body", "Bytes of a request's body";
        max_connections: u32 = "1024", "max-connections", "Connections at the same time; fewer if the system allows fewer open files";
        header_timeout: Duration = "5s", "header-timeout", "Time for a request's head to arrive";
        body_timeout: Duration = "30s", "body-timeout", "Time for a request's body to arrive";
        write_timeout: Duration = "30s", "write-timeout", "A client that takes nothing of an answer for this long is disconnected";
        idle_timeout: Duration = "60s", "idle-timeout", "A connection without a request for this long is closed";
        drain_timeout: Duration = "10s", "drain-timeout", "Time that requests have to end after a signal to stop";
    }
    /// Files that are named by an identifier, for REST and gRPC.
    files: FileSettings {
        dir: Option<PathBuf> = "", "files-dir", "Folder for files that are named by an identifier; the user's data folder if not given";
        bytes: ByteSize = "4g", "files-bytes", "Bytes of all of them; what was used longest ago goes first";
        age: Duration = "24h", "files-age", "A file that was not used for this long is removed";
    }
    /// Who may call the HTTP server, and how often.
    auth: AuthSettings {
        token_file: Option<PathBuf> = "", "auth-token-file", "File of bearer tokens, one `token` or `name:token` a line; readable by its owner only";
        oauth_issuer: Option<String> = "", "oauth-issuer", "Authorization server whose access tokens are accepted";
        oauth_audience: Option<String> = "", "oauth-audience", "Audience that access tokens must have; the address of the MCP endpoint if not given";
        oauth_jwks_url: Option<Url> = "", "oauth-jwks-url", "Key set of the authorization server; found through its metadata if not given";
        oauth_scopes: Vec<String> = "", "oauth-scopes", "Scopes that access tokens must have";
        oauth_leeway: Duration = "60s", "oauth-leeway", "How far the clocks of issuer and server may be apart";
        caller_rate: u32 = "50", "caller-rate", "Requests a second of one caller, in the long run; 0 means any number";
        caller_burst: u32 = "100", "caller-burst", "Requests of one caller at once";
        caller_concurrency: u32 = "32", "caller-concurrency", "Requests of one caller in progress; 0 means any number";
    }
    /// Fetching and uploading by URL on behalf of a caller.
    fetch: FetchSettings {
        allow_http: bool = "false", "allow-http-fetch", "Fetch unencrypted URLs as well";
        allow: Vec<String> = "", "fetch-allow", "Host names and networks that are reachable although they are private, such as 10.1.0.0/16";
        max_bytes: ByteSize = "64m", "fetch-max", "Bytes fetched from one URL";
        max_upload: ByteSize = "20m", "upload-max", "Bytes uploaded to one URL";
        timeout: Duration = "60s", "fetch-timeout", "Time for one fetch or upload, redirects included";
    }
    /// What is written to stderr.
    log: LogSettings {
        format: Choice<LogFormat> = "text", "log-format", "Form of a line";
        level: Choice<LogLevel> = "info", "log-level", "The least that is worth a line";
    }
}
