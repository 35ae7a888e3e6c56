//! Embeds the guest that `python-wasm/build` made. Nothing is downloaded or compiled here.

#[path = "crates/prims-wasm/embed.rs"]
mod embed;

use std::env::var_os;
use std::path::PathBuf;

fn main() {
    let folder = |name| PathBuf::from(var_os(name).unwrap_or_default());
    if let Err(reason) = run(&folder("CARGO_MANIFEST_DIR"), &folder("OUT_DIR")) {
        println!("cargo::error={reason}");
    }
}

fn run(root: &std::path::Path, out: &std::path::Path) -> Result<(), String> {
    for source in ["build.rs", "crates/prims-wasm/embed.rs"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let dist = root.join(embed::DIST);
    // Said first, so that a failure goes away when the file that caused it changes.
    println!("cargo::rerun-if-changed={}/{}", embed::DIST, embed::MANIFEST);
    let manifest = embed::Manifest::read(&dist)?;
    for file in &manifest.files {
        println!("cargo::rerun-if-changed={}/{}", embed::DIST, file.name);
    }
    manifest.verify(&dist)?;
    let table = out.join("guest_files.rs");
    std::fs::write(&table, manifest.table()).map_err(|error| format!("cannot write {}: {error}", table.display()))
}
