//! The `prims-wasm` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    prims_wasm::main()
}
