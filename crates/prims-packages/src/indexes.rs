//! All places packages come from, as one [`Source`]: what is bundled, then the indexes of the settings in their order.
//!
//! The first index that knows a name decides about it; offers of two indexes are never merged, so that nobody can publish a name
//! of a private index on a public one and be chosen for it. The one exception is what comes with this program: for those names
//! the bundled wheel is offered first, and after it what the deciding index has, but for WebAssembly of the same version or of other
//! systems.

use crate::budget::Budget;
use crate::catalog::{Listing, Offer, Place, Source};
use crate::error::Error;
use crate::fetch::CachedWheel;
use crate::flights::Flights;
use crate::folder;
use crate::http::{Client, RETRIES};
use crate::index::{BundledIndex, ResolvedWheel};
use crate::location::{Location, Logins, redacted};
use crate::metadata::Metadata;
use crate::name::Name;
use crate::native::NativeCheck;
use crate::pages::{Found, Pages};
use crate::prefetch::Prefetch;
use crate::problem::IndexProblem;
use crate::progress::{Event, Progress};
use crate::settings::IndexSettings;
use crate::target::Target;
use pep440_rs::Version;
use prims_cache::Cache;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use url::{Origin, Url};

/// All places packages come from. Cheap to clone; clones share everything, the budget of the session too.
#[derive(Clone, Debug)]
pub struct Indexes(Arc<Session>);

/// What stays the same from session to session.
struct Shared {
    settings: IndexSettings,
    bundled: BundledIndex,
    cache: Cache,
    client: Client,
    indexes: Vec<Index>,
}

struct Index {
    location: Location,
    shown: String,
}

/// Why an index could not be reached.
#[derive(Default)]
struct Down {
    /// In the only attempt that was made.
    once: OnceLock<IndexProblem>,
    /// In all attempts.
    always: OnceLock<IndexProblem>,
}

impl Down {
    /// What is known, for a request that would be repeated so often.
    fn get(&self, retries: u32) -> Option<&IndexProblem> {
        self.always.get().or(self.once.get().filter(|_| retries == 0))
    }

    fn note(&self, found: &Result<Found, Error>, retries: u32) {
        let problem = match found {
            Ok((_, stale)) => stale.as_ref(),
            Err(Error::Index(problem)) => Some(problem),
            Err(_) => None,
        };
        if let Some(problem @ (IndexProblem::Unreachable { .. } | IndexProblem::Stalled { .. })) = problem {
            let known = if retries == 0 { &self.once } else { &self.always };
            let _ = known.set(problem.clone());
        }
    }
}

/// One resolution and what is installed for it.
struct Session {
    shared: Arc<Shared>,
    native: Option<NativeCheck>,
    budget: Budget,
    progress: Progress,
    listings: Flights<Name, Option<Arc<Listing>>>,
    metadata: Flights<String, Arc<Metadata>>,
    wheels: Flights<String, CachedWheel>,
    /// For each index, why it could not be reached: the next name need not wait for the same.
    down: Vec<Down>,
    /// Servers that do not send parts of files.
    without_ranges: Mutex<HashSet<Origin>>,
    prefetch: Prefetch,
}

impl Indexes {
    /// Everything the settings name, and what is bundled. Asks nobody yet. The budget of this first session begins now; whoever keeps
    /// an `Indexes` takes a [`session`](Indexes::session) for each resolution.
    ///
    /// # Errors
    /// [`IndexProblem::Setting`] when an index is not `http`, `https` or a folder.
    pub fn new(settings: IndexSettings, bundled: BundledIndex, cache: Cache) -> Result<Indexes, Error> {
        let mut logins = Logins::default();
        let mut indexes = vec![];
        for url in settings.extra.iter().chain(&settings.default) {
            let shown = redacted(url);
            let location = match url.scheme() {
                "http" | "https" => Location::Web(logins.take(url)),
                _ => Location::Folder(url.to_file_path().map_err(|()| IndexProblem::Setting {
                    name: "index".into(),
                    reason: "is neither http, https nor a folder".into(),
                })?),
            };
            indexes.push(Index { location, shown });
        }
        let client = Client::new(logins, settings.certificates.clone(), settings.patience);
        let shared = Arc::new(Shared {
            settings,
            bundled,
            cache,
            client,
            indexes,
        });
        Ok(Indexes::begin(shared, None, Progress::default()))
    }

    /// The same, which also accepts native wheels that were not built for this guest, if the check does.
    #[must_use]
    pub fn with_native_check(self, check: NativeCheck) -> Indexes {
        Indexes::begin(self.0.shared.clone(), Some(check), self.0.progress.clone())
    }

    /// The same indexes with a budget of its own and nothing known yet, for one resolution and what is installed for it. Connections
    /// are shared.
    #[must_use]
    pub fn session(&self, progress: Progress) -> Indexes {
        Indexes::begin(self.0.shared.clone(), self.0.native.clone(), progress)
    }

    fn begin(shared: Arc<Shared>, native: Option<NativeCheck>, progress: Progress) -> Indexes {
        Indexes(Arc::new(Session {
            budget: Budget::new(shared.settings.budget),
            down: shared.indexes.iter().map(|_| Down::default()).collect(),
            shared,
            native,
            progress,
            listings: Flights::default(),
            metadata: Flights::default(),
            wheels: Flights::default(),
            without_ranges: Mutex::default(),
            prefetch: Prefetch::default(),
        }))
    }

    pub(crate) fn settings(&self) -> &IndexSettings {
        &self.0.shared.settings
    }

    pub(crate) fn bundle(&self) -> &BundledIndex {
        &self.0.shared.bundled
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.shared.cache
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.shared.client
    }

    pub(crate) fn prefetch(&self) -> &Prefetch {
        &self.0.prefetch
    }

    /// Whether the server of a wheel is known not to send parts of files.
    pub(crate) fn has_no_ranges(&self, url: &Url) -> bool {
        let known = self.0.without_ranges.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&url.origin())
    }

    pub(crate) fn note_no_ranges(&self, url: &Url) {
        let mut known = self.0.without_ranges.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(url.origin());
    }

    pub(crate) fn native(&self) -> Option<&NativeCheck> {
        self.0.native.as_ref()
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.0.progress
    }

    pub(crate) fn wheels(&self) -> &Flights<String, CachedWheel> {
        &self.0.wheels
    }

    /// What is bundled first, then what the first index that knows the name has.
    fn look_up(&self, name: &Name) -> Result<Option<Arc<Listing>>, Error> {
        self.progress().report(Event::Resolving { name: name.to_string() });
        let bundled = self.bundle().get(name);
        // Where a bundled wheel will do, an index that cannot be asked is no reason to fail.
        let retries = if bundled.is_some() { 0 } else { RETRIES };
        let found = match (self.first_listing(name, retries), bundled) {
            (Err(Error::Index(problem)), Some(_)) => {
                if !self.settings().offline {
                    self.report_stale(name, "bundled", &problem);
                }
                None
            }
            (found, _) => found?,
        };
        let Some(bundled) = bundled else {
            return Ok(found.map(Arc::new));
        };
        let mut listing = found.unwrap_or_else(|| Listing {
            index: "bundled".into(),
            ..Listing::default()
        });
        listing
            .wheels
            .retain(|offer| may_replace(bundled, offer, self.bundle().target()));
        listing.wheels.insert(0, offer(bundled));
        Ok(Some(Arc::new(listing)))
    }

    /// What the first index that knows the name lists.
    fn first_listing(&self, name: &Name, retries: u32) -> Result<Option<Listing>, Error> {
        for (index, down) in self.0.shared.indexes.iter().zip(&self.0.down) {
            let found = match &index.location {
                Location::Folder(path) => folder::listing(path, &index.shown, name)?,
                Location::Web(root) => {
                    let pages = Pages {
                        client: self.client(),
                        cache: self.cache(),
                        budget: self.budget(),
                        root,
                        shown: &index.shown,
                        offline: self.settings().offline,
                        retries,
                    };
                    let found = pages.listing(name, down.get(retries));
                    down.note(&found, retries);
                    let (listing, stale) = found?;
                    if let Some(problem) = stale {
                        self.report_stale(name, &index.shown, &problem);
                    }
                    listing
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn report_stale(&self, name: &Name, index: &str, problem: &IndexProblem) {
        tracing::warn!(%name, index, %problem, "an index could not be asked");
        self.progress().report(Event::Stale {
            name: name.to_string(),
            index: index.to_owned(),
            reason: problem.to_string(),
        });
    }
}

/// Whether a wheel of an index is offered beside the bundled one: in the same version only the bundled one is, and what was built for
/// a relative of the guest lacks what the bundled wheels were changed for.
fn may_replace(bundled: &ResolvedWheel, offer: &Offer, target: &Target) -> bool {
    let is_other = offer.filename.version != bundled.parsed().version;
    !offer.filename.is_wasm() || (is_other && offer.filename.check(target).is_ok())
}

/// A bundled wheel as an index would list it.
fn offer(wheel: &ResolvedWheel) -> Offer {
    Offer {
        filename: wheel.parsed().clone(),
        place: Place::Bundled,
        sha256: Some(wheel.sha256().to_owned()),
        size: None,
        requires_python: None,
        yanked: None,
        metadata: None,
    }
}

impl Source for Indexes {
    fn listing(&self, name: &Name) -> Result<Option<Arc<Listing>>, Error> {
        self.0.listings.get(name.clone(), || self.look_up(name))
    }

    fn metadata(&self, offer: &Offer) -> Result<Arc<Metadata>, Error> {
        let question = match (&offer.sha256, &offer.place) {
            (Some(sha256), _) => sha256.clone(),
            (None, Place::Url(url)) => url.to_string(),
            (None, Place::File(path)) => path.display().to_string(),
            (None, Place::Bundled) => offer.filename.name.to_string(),
        };
        self.0.metadata.get(question, || {
            let text = self.metadata_text(offer)?;
            let metadata = Metadata::of(&offer.filename, &text);
            Ok(Arc::new(metadata.map_err(|problem| self.bad(offer, problem))?))
        })
    }

    fn native_fits(&self, offer: &Offer) -> Result<Result<(), String>, Error> {
        self.check_native(offer)
    }

    fn expect(&self, names: &[Name]) {
        self.0.prefetch.start(self, names);
    }

    fn settled(&self) {
        self.0.prefetch.stop();
    }

    fn known_names(&self) -> Vec<Name> {
        let mut names: BTreeSet<Name> = self.0.listings.known().into_iter().collect();
        names.extend(self.bundle().all().map(|wheel| wheel.name().clone()));
        for index in &self.0.shared.indexes {
            if let Location::Folder(path) = &index.location {
                names.extend(folder::names(path));
            }
        }
        names.into_iter().collect()
    }

    fn has_indexes(&self) -> bool {
        !self.0.shared.indexes.is_empty()
    }

    fn bundled(&self) -> Vec<(Name, Version)> {
        let wheels = self.bundle().all();
        wheels
            .map(|wheel| (wheel.name().clone(), wheel.parsed().version.clone()))
            .collect()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let indexes: Vec<&str> = self.shared.indexes.iter().map(|index| index.shown.as_str()).collect();
        f.debug_struct("Session")
            .field("indexes", &indexes)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
