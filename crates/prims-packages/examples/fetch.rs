//! Looks packages up on the index that this machine's Python tools use, and installs the newest wheel of each, without what it
//! needs, into a cache that is thrown away. It fails when any step does, so it shows whether the index can be used from here.
//!
//! ```sh
//! cargo run -p prims-packages --example fetch -- idna six
//! ```

use prims_cache::Cache;
use prims_packages::{BundledIndex, Event, IndexSettings, Indexes, Lock, LockedWheel, Name, Place, Progress, Source};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let folder = tempfile::tempdir()?;
    let cache = Cache::open(Some(folder.path()))?;
    let settings = IndexSettings::from_environment()?;
    let progress = Progress::new(|event| {
        if matches!(event, Event::Stale { .. }) {
            let _ = writeln!(std::io::stderr(), "{event:?}");
        }
    });
    let indexes = Indexes::new(settings, BundledIndex::new(&[])?, cache)?.session(progress);
    let mut lock = Lock::default();
    for name in &names {
        let name = Name::parse(name).ok_or("not a package name")?;
        let began = Instant::now();
        let listing = indexes
            .listing(&name)?
            .ok_or_else(|| format!("no index knows `{name}`"))?;
        let listed = began.elapsed();
        let is_pure = |filename: &str| filename.ends_with("-none-any.whl");
        let wheels = listing.wheels.iter().filter_map(|offer| match &offer.place {
            Place::Url(url) => Some((offer, url.path_segments()?.next_back()?.to_owned())),
            _ => None,
        });
        let (offer, filename) = wheels
            .filter(|(offer, filename)| is_pure(filename) && offer.yanked.is_none())
            .max_by_key(|(offer, _)| offer.filename.version().parse::<pep440_rs::Version>().ok())
            .ok_or_else(|| format!("`{name}` has no pure wheel"))?;
        let began = Instant::now();
        indexes.metadata(offer)?;
        let (count, version, described) = (listing.wheels.len(), offer.filename.version(), began.elapsed());
        writeln!(
            out,
            "{name} {version}: {count} wheels on {} in {listed:.0?}, metadata in {described:.0?}",
            listing.index
        )?;
        lock.wheels.push(LockedWheel {
            version: version.parse().map_err(|_| "a version that does not read")?,
            filename,
            place: offer.place.clone(),
            index: listing.index.clone(),
            sha256: offer.sha256.clone().unwrap_or_default(),
            size: offer.size,
            requires_python: offer.requires_python.clone(),
            dependencies: vec![],
            name,
        });
    }
    let began = Instant::now();
    let environment = indexes.install(&lock)?;
    writeln!(
        out,
        "installed in {:.0?}: {}",
        began.elapsed(),
        environment.top_level.join(" ")
    )?;
    Ok(())
}
