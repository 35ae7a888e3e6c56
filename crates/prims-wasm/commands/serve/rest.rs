//! `prims-wasm serve-rest`: the REST and gRPC interface of the BeeAI code interpreter. Its environment variables (`APP_…`) count where
//! nothing of ours says otherwise.

use super::{EXPIRY, Error, Program, over_http_telling, program, serve, usual_data_dir, usual_dir};
use crate::arguments::ServeRest;
use crate::console;
use crate::http;
use crate::rest::{CodeInterpreter, Retention, Store, grpc, routes};
use crate::settings::{Choice, LogLevel, Settings};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PORT: u16 = 50081;
const GRPC_PORT: u16 = 50051;
/// What that service gives code.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Variables that ask for what is not served: saying nothing would mean serving in the clear what was to be encrypted.
const TLS: [&str; 3] = ["APP_GRPC_TLS_CERT", "APP_GRPC_TLS_CERT_KEY", "APP_GRPC_TLS_CA_CERT"];

pub(in crate::commands) fn serve_rest(arguments: &ServeRest, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    let mut settings = Settings::load(&arguments.serving.settings)?;
    let listen = defaults(&mut settings, &variable)?;
    let grpc_address = match arguments.no_grpc {
        true => None,
        false => {
            let port = arguments
                .grpc_port
                .unwrap_or(listen.map_or(GRPC_PORT, |listen| listen.port()));
            Some(SocketAddr::new(
                listen.map_or(settings.server.host, |listen| listen.ip()),
                port,
            ))
        }
    };
    let program = program(settings, &arguments.serving.files, cache_dir, usual_data_dir)?;
    let interpreter = interpreter(&program, usual_dir("files", &program.settings))?;
    let grpc = match grpc_address {
        Some(address) => {
            let methods = grpc(interpreter.clone()).map_err(|error| Error::Usage(error.to_string()))?;
            Some(http::Grpc { address, methods })
        }
        None => None,
    };
    let routes = http::Routes {
        mcp: None,
        rest: Some(routes(interpreter)),
        grpc,
        artifacts: http::Kept::Nowhere,
        refusals: http::Refusals::default(),
    };
    over_http_telling(
        &program,
        || routes,
        |server| {
            if let Some(address) = server.grpc_address() {
                console::note(&format!("serving gRPC on {address}"));
            }
            console::note(&format!("serving REST on http://{}/v1/execute", server.address()));
        },
    )
}

/// What code gets from that service, unless it is set.
pub(super) fn usual(settings: &mut Settings) {
    if settings.is_default("timeout") {
        settings.limits.timeout = TIMEOUT.min(settings.ceilings.timeout);
    }
    if settings.is_default("auto-deps") {
        settings.packages.auto_deps = true;
    }
}

/// What differs from the other servers, unless it is set; and where gRPC is to listen, if a variable says so.
fn defaults(settings: &mut Settings, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<SocketAddr>, Error> {
    if let Some(name) = TLS.iter().find(|name| variable(name).is_some()) {
        return Err(Error::Usage(format!(
            "{name} is set, and gRPC is not served over TLS; put a proxy in front, or unset it"
        )));
    }
    let address = |name: &str| {
        let text = variable(name)?;
        let error = || {
            Error::Usage(format!(
                "{name} is `{text}`, expected an address such as 127.0.0.1:{PORT}"
            ))
        };
        Some(listen_address(&text).ok_or_else(error))
    };
    let http = address("APP_HTTP_LISTEN_ADDR").transpose()?;
    if settings.is_default("port") {
        settings.server.port = http.map_or(PORT, |http| http.port());
    }
    if settings.is_default("host")
        && let Some(http) = http
    {
        settings.server.host = http.ip();
    }
    usual(settings);
    if settings.is_default("files-dir") {
        settings.files.dir = variable("APP_FILE_STORAGE_PATH").map(PathBuf::from);
    }
    if settings.is_default("log-level")
        && let Some(text) = variable("APP_LOG_LEVEL")
    {
        let level = level(&text).ok_or_else(|| {
            Error::Usage(format!(
                "APP_LOG_LEVEL is `{text}`, expected DEBUG, INFO, WARNING, ERROR or CRITICAL"
            ))
        })?;
        settings.log.level = Choice(level);
    }
    address("APP_GRPC_LISTEN_ADDR").transpose()
}

/// An address with a port; `localhost` counts as one.
fn listen_address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let (host, port) = text.rsplit_once(':')?;
    let host = match host {
        "localhost" => "127.0.0.1",
        "" => "0.0.0.0",
        host => host.trim_start_matches('[').trim_end_matches(']'),
    };
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

/// A level as Python's logging names it.
fn level(text: &str) -> Option<LogLevel> {
    Some(match text.trim().to_ascii_uppercase().as_str() {
        "NOTSET" | "DEBUG" => LogLevel::Debug,
        "INFO" => LogLevel::Info,
        "WARNING" | "WARN" => LogLevel::Warn,
        "ERROR" | "CRITICAL" | "FATAL" => LogLevel::Error,
        _ => return None,
    })
}

/// The interpreter with its files: where the settings say, else in the usual folder, else in one that ends with the process.
pub(super) fn interpreter(program: &Program, usual: Option<PathBuf>) -> Result<CodeInterpreter, Error> {
    let files = &program.settings.files;
    let folder = files.dir.clone().or(usual);
    let retention = Retention {
        bytes: files.bytes.0,
        unused_for: files.age,
    };
    let on = folder
        .as_ref()
        .map_or("a temporary folder".into(), |folder| folder.display().to_string());
    let store = Store::open(folder.as_deref(), retention).map_err(serve(&on))?;
    let interpreter = CodeInterpreter::new(program.state.clone(), store);
    let expiring = interpreter.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EXPIRY);
            expiring.expire();
        }
    });
    Ok(interpreter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingArguments;

    fn set(
        given: &[(&'static str, &str)],
        variables: &[(&str, &str)],
    ) -> Result<(Settings, Option<SocketAddr>), Error> {
        let given = given
            .iter()
            .map(|(flag, text)| (*flag, vec![(*text).to_owned()]))
            .collect();
        let mut settings = Settings::load_with(&SettingArguments { config: None, given }, &|_| None)?;
        let find = |name: &str| {
            variables
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, text)| (*text).to_owned())
        };
        let listen = defaults(&mut settings, &find)?;
        Ok((settings, listen))
    }

    #[test]
    fn variables_of_that_service_count_where_nothing_else_is_said() {
        let (settings, listen) = set(&[], &[]).unwrap();
        assert_eq!((settings.server.port, listen), (PORT, None));
        assert!(settings.packages.auto_deps && settings.server.host.is_loopback());
        assert_eq!(settings.limits.timeout, TIMEOUT);
        let variables = [
            ("APP_HTTP_LISTEN_ADDR", "0.0.0.0:8000"),
            ("APP_GRPC_LISTEN_ADDR", "[::1]:8001"),
            ("APP_FILE_STORAGE_PATH", "/storage"),
            ("APP_LOG_LEVEL", "WARNING"),
        ];
        let (settings, listen) = set(&[], &variables).unwrap();
        assert_eq!(
            (settings.server.host.to_string(), settings.server.port),
            ("0.0.0.0".into(), 8000)
        );
        assert_eq!(listen, Some(([0, 0, 0, 0, 0, 0, 0, 1], 8001).into()));
        assert_eq!(settings.files.dir, Some("/storage".into()));
        assert_eq!(settings.log.level, Choice(LogLevel::Warn));
        let flags = [
            ("port", "1"),
            ("host", "127.0.0.1"),
            ("timeout", "5s"),
            ("auto-deps", "false"),
            ("files-dir", "/mine"),
        ];
        let (settings, _) = set(&flags, &variables).unwrap();
        assert_eq!(
            (settings.server.port, settings.limits.timeout),
            (1, Duration::from_secs(5))
        );
        assert!(settings.server.host.is_loopback() && !settings.packages.auto_deps);
        assert_eq!(settings.files.dir, Some("/mine".into()));
        let (settings, _) = set(&[("timeout", "5s"), ("max-timeout", "10s")], &[]).unwrap();
        assert_eq!(settings.limits.timeout, Duration::from_secs(5));
    }

    #[test]
    fn variables_that_cannot_be_followed_are_refused() {
        for (name, text) in [
            ("APP_HTTP_LISTEN_ADDR", "nonsense"),
            ("APP_GRPC_LISTEN_ADDR", "127.0.0.1"),
            ("APP_LOG_LEVEL", "LOUD"),
            ("APP_GRPC_TLS_CERT", "-----BEGIN CERTIFICATE-----"),
        ] {
            let error = set(&[], &[(name, text)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
