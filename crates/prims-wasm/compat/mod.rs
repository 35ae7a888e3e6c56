//! Other servers, as their users know them: `--compat NAME` serves under their names, with their tools, shapes, messages and
//! routes, on the same interpreter as everything else. What was a defect there is not here; `docs/compatibility.md` says which.
//!
//! Each has a folder that holds what is particular to it and nothing that the default server has too.

pub(crate) mod bee;
pub(crate) mod mcp_run_python;
pub(crate) mod prims;
mod workspaces;

use crate::commands::Error;
use clap::ValueEnum;
use std::ffi::OsString;

pub use mcp_run_python::lines;
pub(crate) use workspaces::Workspaces;

/// The servers whose place can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// mcp-run-python.
    McpRunPython,
    /// PRIMS, also called primcs.
    Prims,
    /// python-interpreter-mcp and bee-code-interpreter.
    Bee,
}

/// The server that the arguments of the process name. What follows `--` belongs to somebody else's program.
pub(crate) fn asked(arguments: &[OsString]) -> Option<Compat> {
    let mut texts = arguments.iter().skip(1).map(|argument| argument.to_str());
    while let Some(text) = texts.next() {
        let name = match text {
            Some("--") => return None,
            Some("--compat") => texts.next().flatten(),
            Some(text) => text.strip_prefix("--compat="),
            None => None,
        };
        if let Some(name) = name {
            return Compat::from_str(name, false).ok();
        }
    }
    None
}

/// Does what its own program does with these arguments; `None` if it takes ours.
pub(crate) fn serve(server: Compat, arguments: &[OsString]) -> Option<Result<u8, Error>> {
    match server {
        Compat::McpRunPython => Some(mcp_run_python::serve(arguments)),
        Compat::Prims => Some(prims::serve(arguments)),
        Compat::Bee => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_found_among_the_arguments() {
        let asked = |line: &str| asked(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("prims-wasm --compat prims stdio"), Some(Compat::Prims));
        assert_eq!(
            asked("prims-wasm --deps numpy --compat=mcp-run-python example"),
            Some(Compat::McpRunPython)
        );
        for nobody in [
            "prims-wasm stdio",
            "prims-wasm --compat",
            "prims-wasm --compat nobody",
            "prims-wasm run x.py -- --compat prims",
        ] {
            assert_eq!(asked(nobody), None, "{nobody}");
        }
    }
}
