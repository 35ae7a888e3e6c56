//! Everything an index, a disk or a cache can do wrong: an outcome within the budget, never a wrong environment.

use crate::children;
use crate::fetching::{check, draft, lock, offer, open};
use crate::process::{finish, with_small_files};
use crate::random::Random;
use crate::server::{Fault, Reply, Server, Site};
use crate::support::*;
use prims_cache::Cache;
use prims_packages::{BudgetLimits, Error, IndexProblem, IndexSettings, Indexes, Patience, Progress, Source};
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the requests of an installation ask for, in order.
const PARTS: [&str; 3] = ["/simple/a/", ".whl.metadata", "py3-none-any.whl"];

fn install(indexes: &Indexes) -> Result<(), Error> {
    check(&indexes.install(&lock(indexes, &["a"])?)?, &["a"]);
    Ok(())
}

#[test]
fn what_passes_is_tried_again() {
    let server = Server::start(Site::good(&[draft("a", 50_000)]));
    for part in PARTS {
        let passing = [
            Reply::status(500),
            Reply::status(502),
            Reply::status(408),
            Reply::status(429).with("Retry-After", "0"),
            Reply::default().fault(Fault::Gone),
            Reply::default().fault(Fault::Hang),
            Reply::new(200, "text/html", "x".repeat(5000)).fault(Fault::Cut(100)),
            Reply::new(200, "text/html", "").with("Content-Length", "x"),
        ];
        for reply in passing {
            let (_folder, cache) = cache();
            server.plan(part, reply.clone());
            server.plan(part, reply);
            install(&open(server.impatient_settings(), &cache)).unwrap();
            assert!(server.site().planned.is_empty());
        }
    }
}

#[test]
fn what_does_not_pass_is_an_error_after_four_attempts() {
    let server = Server::start(Site::good(&[draft("a", 50_000)]));
    for part in PARTS {
        for (reply, attempts) in [
            (Reply::status(503), 4),
            (Reply::default().fault(Fault::Gone), 4),
            (Reply::status(403), 1),
            (Reply::status(400), 1),
        ] {
            let (_folder, cache) = cache();
            for _ in 0..attempts {
                server.plan(part, reply.clone());
            }
            let error = install(&open(server.settings(), &cache)).unwrap_err();
            assert!(
                matches!(
                    &error,
                    Error::Index(IndexProblem::Status { .. } | IndexProblem::Unreachable { .. })
                ),
                "{part}: {error}"
            );
            assert!(error.hint().is_some());
            assert!(server.site().planned.is_empty(), "{part} {attempts}");
            // Nothing of it stays.
            install(&open(server.settings(), &cache)).unwrap();
        }
    }
}

#[test]
fn whatever_an_index_does_ends_within_the_budget() {
    let drip = |body: &str| Reply::html(body.repeat(500)).fault(Fault::Drip(Duration::from_millis(30)));
    let faults = [
        ("hangs", Reply::default().fault(Fault::Hang)),
        ("drips", drip("<a href=x>")),
        ("is endless", Reply::html("x".repeat(1 << 16)).fault(Fault::Endless)),
        ("asks for an hour", Reply::status(429).with("Retry-After", "3600")),
        (
            "goes in circles",
            Reply {
                status: 302,
                ..Reply::default()
            }
            .with("Location", "?again"),
        ),
        ("is unavailable", Reply::status(503)),
        (
            "has many headers",
            (0..200).fold(Reply::html("x"), |reply, number| {
                reply.with(&format!("x-{number}"), "y")
            }),
        ),
        ("has a huge header", Reply::html("x").with("x", &"y".repeat(2 << 20))),
        ("compresses unasked", Reply::html("x").with("Content-Encoding", "br")),
        (
            "compresses badly",
            Reply::html("not gzip").with("Content-Encoding", "gzip"),
        ),
        ("is no page", Reply::new(200, "image/png", "x")),
        (
            "answers nonsense",
            Reply {
                status: 999,
                ..Reply::default()
            },
        ),
    ];
    for part in PARTS {
        for (what, reply) in &faults {
            let server = Server::start(Site::good(&[draft("a", 50_000)]));
            for _ in 0..100 {
                server.plan(part, reply.clone());
            }
            let settings = IndexSettings {
                budget: BudgetLimits {
                    time: Duration::from_secs(2),
                    bytes: 8 << 20,
                    requests: 50,
                },
                ..server.impatient_settings()
            };
            let (folder, cache) = cache();
            let began = Instant::now();
            let result = install(&open(settings, &cache));
            // Generous: what matters is that it ends.
            assert!(began.elapsed() < Duration::from_secs(20), "{part} {what}");
            match result {
                Err(Error::Index(_) | Error::DigestMismatch { .. } | Error::BadWheel { .. }) => {}
                // Metadata can be had elsewhere.
                Ok(()) if part == ".whl.metadata" => {}
                other => panic!("{part} {what}: {other:?}"),
            }
            assert_eq!(leftovers(folder.path()), [""; 0]);
        }
    }
}

#[test]
fn each_part_of_the_budget_ends_it() {
    let server = Server::start(Site::good(&[draft("a", 300_000)]));
    let limits = BudgetLimits::default();
    for (budget, expected) in [
        (BudgetLimits { requests: 2, ..limits }, "requests"),
        (
            BudgetLimits {
                bytes: 100_000,
                ..limits
            },
            "bytes",
        ),
        (
            BudgetLimits {
                time: Duration::ZERO,
                ..limits
            },
            "seconds",
        ),
    ] {
        let (_folder, cache) = cache();
        let indexes = open(
            IndexSettings {
                budget,
                ..server.settings()
            },
            &cache,
        );
        match install(&indexes) {
            Err(Error::Index(IndexProblem::Budget { unit, .. })) => assert_eq!(unit, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // A session has a budget of its own; what is installed needs none.
    let (_folder, cache) = cache();
    let indexes = open(
        IndexSettings {
            budget: BudgetLimits { requests: 3, ..limits },
            ..server.settings()
        },
        &cache,
    );
    install(&indexes).unwrap();
    install(&indexes).unwrap();
    install(&indexes.session(Progress::default())).unwrap();
}

#[test]
fn pages_and_wheels_have_a_size() {
    let server = Server::start(Site::good(&[draft("a", 100)]));
    let (_folder, cache) = cache();
    let session = || open(server.settings(), &cache);
    // Announced, and as a bomb.
    let announced = Reply::html("").with("Content-Length", &(65 << 20).to_string());
    let mut bomb = Reply::html(vec![]).with("Content-Encoding", "gzip");
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 65 << 20), &mut encoder).unwrap();
    bomb.body = encoder.finish().unwrap();
    for reply in [announced, bomb] {
        server.plan("/simple/a/", reply);
        let error = offer(&session(), "a").unwrap_err();
        assert!(
            matches!(error, Error::Index(IndexProblem::TooLarge { limit, .. }) if limit == 64 << 20),
            "{error}"
        );
    }
    server.plan(
        ".metadata",
        Reply::html("").with("Content-Length", &(17 << 20).to_string()),
    );
    let error = lock(&session(), &["a"]).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::TooLarge { limit, .. }) if limit == 16 << 20),
        "{error}"
    );
    server.site().no_hashes = true;
    server.site().json = false;
    let (_other, cache) = crate::support::cache();
    let indexes = open(server.settings(), &cache);
    server.plan(
        ".whl",
        Reply::html("").with("Content-Length", &((1u64 << 30) + 1).to_string()),
    );
    let error = lock(&indexes, &["a"]).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::TooLarge { limit, .. }) if limit == 1 << 30),
        "{error}"
    );
}

#[test]
fn a_server_that_trickles_is_too_slow() {
    let server = Server::start(Site::plain(&[draft("a", 5_000)]));
    let (_folder, cache) = cache();
    let patience = Patience {
        rate: (30 << 10, Duration::from_millis(300)),
        ..crate::server::impatient()
    };
    let open = || {
        open(
            IndexSettings {
                patience,
                ..server.settings()
            },
            &cache,
        )
    };
    let locked = lock(&open(), &["a"]).unwrap();
    cache.clean().unwrap();
    let bytes = server.site().files[0].2.clone();
    server.plan(
        ".whl",
        Reply::new(200, "x/y", bytes).fault(Fault::Drip(Duration::from_millis(20))),
    );
    let error = open().install(&locked).unwrap_err();
    assert!(matches!(error, Error::Index(IndexProblem::TooSlow { .. })), "{error}");
    // Without an announced length all is well too.
    let bytes = server.site().files[0].2.clone();
    server.plan(".whl", Reply::new(200, "x/y", bytes).fault(Fault::Unannounced));
    open().install(&locked).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let server = Server::start(Site::good(&[draft("a", 900_000)]));
    let (folder, _cache) = cache();
    let child = children::command(folder.path(), &server, &["a"]);
    let said = finish(with_small_files(&child).spawn().unwrap());
    assert!(said.contains("no space"), "{said}");
    assert_eq!(leftovers(folder.path()), [""; 0]);
    let cache = Cache::open(Some(folder.path())).unwrap();
    assert_eq!(cache.verify().unwrap().broken, []);
    install(&open(server.settings(), &cache)).unwrap();
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_unless_all_is_there() {
    let server = Server::start(Site::good(&[draft("a", 1000), draft("b", 1000)]));
    let (folder, cache) = cache();
    install(&open(server.settings(), &cache)).unwrap();
    // A file where a folder has to be: nobody can write that, not even the superuser.
    for kind in ["wheel", "environment"] {
        let broken = folder.path().join("v1").join(kind);
        fs::rename(&broken, folder.path().join(kind)).unwrap();
        fs::write(&broken, "").unwrap();
        let indexes = open(server.settings(), &cache);
        let error = lock(&indexes, &["b"])
            .and_then(|locked| indexes.install(&locked))
            .unwrap_err();
        assert!(matches!(error, Error::Cache(_)), "{error}");
        fs::remove_file(&broken).unwrap();
        fs::rename(folder.path().join(kind), &broken).unwrap();
    }
    install(&open(server.settings(), &cache)).unwrap();
}

/// Every file of the entries of a kind.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let is_lock = path.extension().is_some_and(|extension| extension == "lock");
        if path.is_dir() {
            found.extend(files(&path));
        } else if !is_lock && fs::metadata(&path).unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_thousand_flipped_bits_are_all_noticed() {
    let server = Server::start(Site::good(&[draft("a", 3000)]));
    let (folder, cache) = cache();
    let locked = lock(&open(server.settings(), &cache), &["a"]).unwrap();
    let kinds = ["page", "metadata", "wheel", "environment"];
    let mut random = Random::new(5);
    for round in 0..1000 {
        let kind = kinds[round % kinds.len()];
        let indexes = open(server.settings(), &Cache::open(Some(folder.path())).unwrap());
        // A wheel is opened only to make an environment.
        if kind == "wheel" {
            fs::rename(
                folder.path().join("v1/environment"),
                folder.path().join(format!("gone{round}")),
            )
            .ok();
            indexes.download(&locked).unwrap();
        } else {
            install(&indexes).unwrap();
        }
        server.requests();
        let files = files(&folder.path().join("v1").join(kind));
        let path = &files[random.below(files.len() as u64) as usize];
        let bit = random.below(fs::metadata(path).unwrap().len() * 8);
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, bit / 8).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit / 8).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
        // As a new process would.
        let cache = Cache::open(Some(folder.path())).unwrap();
        let verified = cache.verify().unwrap();
        assert_eq!(verified.broken.len(), 1, "{kind} bit {bit}");
        install(&open(server.settings(), &cache)).unwrap();
        assert_eq!(cache.counters().rebuilt, 1, "{kind} bit {bit}");
        // What can be made from what is there is not asked for.
        let asked = server.requests().len();
        assert_eq!(
            asked,
            usize::from(["page", "wheel"].contains(&kind)),
            "{kind} bit {bit}"
        );
    }
}

#[test]
fn whatever_fails_the_message_tells_no_secret_and_no_path() {
    let server = Server::start(Site::good(&[draft("a", 100)]));
    let mut url = server.url("/simple/");
    url.set_username("user").unwrap();
    url.set_password(Some("s3cret")).unwrap();
    for reply in [
        Reply::status(403),
        Reply::html("<form>"),
        Reply::new(200, "application/json", "{"),
        Reply {
            status: 302,
            ..Reply::default()
        }
        .with("Location", "ftp://user:s3cret@host/?token=s3cret"),
    ] {
        let (folder, cache) = cache();
        server.plan("/simple/a/", reply);
        let error = offer(
            &open(
                IndexSettings {
                    default: Some(url.clone()),
                    ..server.settings()
                },
                &cache,
            ),
            "a",
        )
        .unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.hint());
        assert!(
            !said.contains("s3cret") && !said.contains(folder.path().to_str().unwrap()),
            "{said}"
        );
    }
    let settings = IndexSettings {
        certificates: Some("/no/such/s3cret.pem".into()),
        ..server.settings()
    };
    let (_folder, cache) = cache();
    let indexes = open(settings, &cache);
    let error = indexes.listing(&prims_packages::Name::parse("a").unwrap()).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
