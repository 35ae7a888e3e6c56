//! Requirements of the kind people have, resolved from index pages and metadata that were recorded once.
//!
//! `scripts/corpus` at the root of the repository records `tests/corpus/index.json.gz`, compares with another resolver and writes
//! docs/resolver-corpus.md. With `CORPUS_MISSING` set to a path, what is not recorded yet is listed there, and what was read; with `BLESS=1` the answers
//! in `tests/corpus/pins.txt` are written.

use crate::resolving_scenarios::pins;
use flate2::read::GzDecoder;
use pep440_rs::Version;
use prims_packages::{
    Error, Inputs, Listing, Metadata, Name, Offer, Place, Source, Target, WheelFilename, WheelProblem, resolve,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What was recorded of an index.
struct Recorded {
    projects: BTreeMap<String, Arc<Listing>>,
    absent: BTreeSet<String>,
    metadata: BTreeMap<String, String>,
    missing: Mutex<BTreeSet<String>>,
    used: Mutex<BTreeSet<String>>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .map(|values| values.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

impl Recorded {
    fn open() -> Recorded {
        let mut text = String::new();
        if let Ok(file) = std::fs::File::open(folder().join("index.json.gz")) {
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
        }
        let found: Value = serde_json::from_str(&text).unwrap_or_default();
        let empty = serde_json::Map::new();
        let table = |name: &str| found[name].as_object().unwrap_or(&empty);
        let projects = table("projects")
            .iter()
            .map(|(name, project)| (name.clone(), Arc::new(listing(name, project))));
        let metadata = table("metadata")
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()));
        Recorded {
            projects: projects.collect(),
            absent: strings(&found["absent"]).into_iter().map(str::to_owned).collect(),
            metadata: metadata.collect(),
            missing: Mutex::default(),
            used: Mutex::default(),
        }
    }

    fn miss(&self, what: String) {
        self.missing.lock().unwrap().insert(what);
    }
}

fn listing(name: &str, project: &Value) -> Listing {
    let offer = |file: &Value| {
        let filename = file[0].as_str()?;
        Some(Offer {
            filename: WheelFilename::parse(filename).ok()?,
            place: Place::Url(format!("https://index.invalid/{filename}").parse().ok()?),
            sha256: None,
            size: None,
            requires_python: file[1].as_str().and_then(|text| text.parse().ok()),
            yanked: file[2].as_str().map(str::to_owned),
            metadata: None,
        })
    };
    let mut wheels: Vec<Offer> = project["wheels"].as_array().unwrap().iter().filter_map(offer).collect();
    if name == "numpy" {
        wheels.push(Offer {
            filename: WheelFilename::parse("numpy-2.4.6-cp313-cp313-wasi_0_1_wasm32.whl").unwrap(),
            place: Place::Bundled,
            sha256: None,
            size: None,
            requires_python: None,
            yanked: None,
            metadata: None,
        });
    }
    Listing {
        index: "https://index.invalid/simple".into(),
        wheels,
        other: strings(&project["other"])
            .into_iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
    }
}

impl Source for Recorded {
    fn listing(&self, name: &Name) -> Result<Option<Arc<Listing>>, Error> {
        let found = self.projects.get(name.as_str());
        if found.is_none() && !self.absent.contains(name.as_str()) {
            self.miss(format!("project {name}"));
        }
        Ok(found.cloned())
    }

    fn metadata(&self, offer: &Offer) -> Result<Arc<Metadata>, Error> {
        let filename = offer.filename.as_str();
        let bad = |reason: String| Error::BadWheel {
            filename: filename.to_owned(),
            problem: WheelProblem::Description {
                file: "METADATA",
                reason,
            },
        };
        if offer.place == Place::Bundled {
            let text = "Metadata-Version: 2.1\nName: numpy\nVersion: 2.4.6\n";
            return Metadata::parse(text.as_bytes()).map(Arc::new).map_err(bad);
        }
        let unknown = || {
            // Without dependencies, so that what else is missing is found in the same round.
            self.miss(format!("metadata {filename}"));
            let (name, version) = (&offer.filename.name, offer.filename.version());
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        };
        self.used.lock().unwrap().insert(filename.to_owned());
        let text = self.metadata.get(filename).cloned().unwrap_or_else(unknown);
        Metadata::parse(text.as_bytes()).map(Arc::new).map_err(bad)
    }

    /// As for the resolver that this is compared with, whose tags include these.
    fn native_fits(&self, _: &Offer) -> Result<Result<(), String>, Error> {
        Ok(Ok(()))
    }

    fn known_names(&self) -> Vec<Name> {
        vec![]
    }

    fn bundled(&self) -> Vec<(Name, Version)> {
        vec![(Name::parse("numpy").unwrap(), Version::new([2, 4, 6]))]
    }
}

#[test]
fn popular_requirements_are_resolved_as_recorded() {
    let recorded = Recorded::open();
    let sets = std::fs::read_to_string(folder().join("sets.txt")).unwrap();
    let (mut found, mut count) = (String::new(), 0);
    for set in sets.lines().filter(|line| !line.starts_with('#')) {
        let requirements: Vec<&str> = set.split(" ;; ").collect();
        let inputs = Inputs::from_requirements(&requirements).unwrap();
        let _ = writeln!(found, "? {set}");
        let _ = match resolve(&inputs, &Target::default(), &recorded) {
            Ok(lock) => writeln!(found, "= {}", pins(&lock).join(" ")),
            Err(error) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
                writeln!(found, "! {error}{hint}")
            }
        };
        count += 1;
    }
    let missing: Vec<String> = recorded.missing.into_inner().unwrap().into_iter().collect();
    if let Some(path) = std::env::var_os("CORPUS_MISSING") {
        let used: Vec<String> = recorded.used.into_inner().unwrap().into_iter().collect();
        std::fs::write(path, format!("{}\n\n{}", missing.join("\n"), used.join("\n"))).unwrap();
    }
    let path = folder().join("pins.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    assert_eq!(missing, Vec::<String>::new());
    assert!(count >= 60, "only {count} sets");
    for (found, wanted) in found.lines().zip(wanted.lines()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.lines().count(), wanted.lines().count());
}
