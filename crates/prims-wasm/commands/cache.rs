//! `prims-wasm cache`: what the cache holds, whether it is intact, and what can go.

use super::Error;
use crate::arguments::{Cache as Arguments, CacheCommand};
use crate::report::status;
use crate::settings::{LocalArguments, Settings};
use crate::{console, setup};
use prims_cache::{Cache, Retention};
use std::path::Path;

pub(super) fn cache(arguments: &Arguments, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let settings = Settings::load_local(&LocalArguments::<false>::default())?;
    let cache = setup::cache(cache_dir, &settings)?;
    match &arguments.command {
        CacheCommand::Info => info(&cache),
        CacheCommand::Verify => verify(&cache),
        CacheCommand::Clean(clean) => {
            let retention = Retention {
                unused_for: clean.older_than,
                bytes: clean.max_size,
            };
            let cleaned = match retention {
                Retention {
                    unused_for: None,
                    bytes: None,
                } => cache.clean()?,
                _ => cache.trim(&retention)?,
            };
            let left = match cleaned.in_use {
                0 => String::new(),
                n => format!("; {n} in use stay"),
            };
            console::out(&format!(
                "removed {} entries, {}{left}\n",
                cleaned.removed,
                console::size(cleaned.bytes)
            ));
            Ok(0)
        }
    }
}

fn info(cache: &Cache) -> Result<u8, Error> {
    let info = cache.info()?;
    let mut rows: Vec<(String, u64, u64)> = vec![];
    for kind in info.kinds {
        rows.push((describe(&kind.kind).to_owned(), kind.entries, kind.bytes));
    }
    let total = rows
        .iter()
        .fold((0, 0), |(entries, bytes), row| (entries + row.1, bytes + row.2));
    rows.push(("in all".into(), total.0, total.1));
    console::out(&format!("{}\n\n", cache.location().path().display()));
    let width = rows.iter().map(|row| row.0.len()).max().unwrap_or_default();
    for (what, entries, bytes) in rows {
        console::out(&format!("{what:width$}  {entries:>6}  {:>10}\n", console::size(bytes)));
    }
    Ok(0)
}

fn verify(cache: &Cache) -> Result<u8, Error> {
    let verified = cache.verify()?;
    for broken in &verified.broken {
        console::note(&format!(
            "broken: {}/{}: {} (it is built again when it is next needed)",
            broken.kind, broken.key, broken.reason
        ));
    }
    console::out(&format!(
        "{} intact, {} broken\n",
        verified.intact,
        verified.broken.len()
    ));
    Ok(if verified.broken.is_empty() { 0 } else { status::RAISED })
}

/// What a kind of entry is called by people.
fn describe(kind: &str) -> &str {
    match kind {
        "code" => "compiled code",
        "image" => "images",
        "environment" => "environments",
        "wheel" => "wheels",
        "metadata" => "metadata of wheels",
        "page" => "index pages",
        "guest" => "parts of the interpreter",
        "verdict" => "verdicts on native modules",
        other => other,
    }
}
