//! Metadata from where it costs least, wheels into the cache, environments out of them.

use crate::children;
use crate::process;
use crate::random::Random;
use crate::server::{Fault, Reply, Request, Server, Site, metadata, sha256};
use crate::support::*;
use prims_cache::Cache;
use prims_packages::{
    BundledIndex, Environment, Error, Event, IndexProblem, IndexSettings, Indexes, Lock, LockedWheel, Name,
    NativeCheck, Offer, Place, Progress, Source,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

pub(crate) fn open(settings: IndexSettings, cache: &Cache) -> Indexes {
    Indexes::new(settings, BundledIndex::new(&[]).unwrap(), cache.clone()).unwrap()
}

/// A package with a module, and something that does not compress.
pub(crate) fn draft(name: &str, size: usize) -> Draft {
    let mut draft = Draft::of(name, "1.0", "", &[(&format!("{name}/__init__.py"), "x = 1\n")]);
    let noise = Random::new(1).bytes(size);
    draft.members.insert(
        0,
        Member {
            deflated: false,
            ..Member::new(&format!("{name}/noise"), &noise)
        },
    );
    draft
}

pub(crate) fn offer(indexes: &Indexes, name: &str) -> Result<Offer, Error> {
    let listing = indexes.listing(&Name::parse(name).unwrap())?.unwrap();
    Ok(listing.wheels.last().unwrap().clone())
}

/// What a resolver would choose.
pub(crate) fn lock(indexes: &Indexes, names: &[&str]) -> Result<Lock, Error> {
    let wheel = |name: &&str| {
        let offer = offer(indexes, name)?;
        indexes.metadata(&offer)?;
        let version = offer.filename.version();
        Ok(LockedWheel {
            name: offer.filename.name.clone(),
            filename: format!("{}-{version}-py3-none-any.whl", name.replace('-', "_")),
            version: version.parse().unwrap(),
            place: offer.place,
            index: "test".into(),
            sha256: offer.sha256.unwrap_or_default(),
            size: offer.size,
            requires_python: None,
            dependencies: vec![],
        })
    };
    let wheels = names.iter().map(wheel).collect::<Result<_, Error>>()?;
    Ok(Lock { wheels, roots: vec![] })
}

pub(crate) fn check(environment: &Environment, names: &[&str]) {
    for name in names {
        let init = environment.path.join(name).join("__init__.py");
        assert_eq!(std::fs::read_to_string(init).unwrap(), "x = 1\n");
    }
    assert_eq!(environment.top_level, names);
}

#[test]
fn metadata_come_from_where_they_cost_least() {
    let server = Server::start(Site {
        metadata: true,
        ranges: true,
        ..Site::plain(&[draft("a", 200_000)])
    });
    let paths =
        |server: &Server| -> Vec<String> { server.requests().into_iter().map(|request| request.path).collect() };
    let wheel = "/files/a-1.0-py3-none-any.whl";
    let ask = || {
        let (folder, cache) = cache();
        let indexes = open(server.settings(), &cache);
        let offer = offer(&indexes, "a").unwrap();
        server.requests();
        let metadata = indexes.metadata(&offer).unwrap();
        (folder, indexes, offer, format!("{metadata:?}"))
    };
    let (_beside, indexes, offer, first) = ask();
    assert_eq!(paths(&server), [format!("{wheel}.metadata")]);
    // Then from memory, and by other sessions from the cache.
    indexes.metadata(&offer).unwrap();
    indexes.session(Progress::default()).metadata(&offer).unwrap();
    assert_eq!(paths(&server), [""; 0]);
    // Announced, and not there.
    server.plan(".metadata", Reply::status(404));
    let (_ranges, .., second) = ask();
    assert_eq!(paths(&server), [format!("{wheel}.metadata"), wheel.to_owned()]);
    server.site().metadata = false;
    let (_ranges, .., third) = ask();
    assert_eq!(paths(&server).len(), 1);
    server.site().ranges = false;
    let (_whole, indexes, offer, fourth) = ask();
    // Once with a range that is not served, once for all of it.
    assert_eq!(paths(&server).len(), 2);
    assert!(first == second && second == third && third == fourth);
    // The wheel is there now.
    indexes
        .session(Progress::default())
        .install(&lock(&indexes, &["a"]).unwrap())
        .unwrap();
    assert_eq!(paths(&server), [""; 0]);
    assert!(offer.sha256.is_some());
}

#[test]
fn a_directory_and_metadata_far_from_the_end_are_found() {
    let mut far = draft("a", 100);
    // Metadata first, then much else, and a directory that is longer than what is asked for first.
    far.members.rotate_left(2);
    for number in 0..1500 {
        far.members
            .push(Member::new(&format!("a/{}{number}.py", "x".repeat(60)), &[b'#'; 90]));
    }
    let server = Server::start(Site {
        ranges: true,
        ..Site::plain(&[far.clone()])
    });
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    let offer = offer(&indexes, "a").unwrap();
    server.requests();
    indexes.metadata(&offer).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.header("range").is_some()));
}

#[test]
fn servers_that_lie_about_ranges_are_seen_through() {
    fn shifted(request: &Request, mut reply: Reply) -> Reply {
        if request.header("range").is_some() {
            reply.headers.retain(|(name, _)| name != "Content-Range");
            reply = reply.with("Content-Range", "bytes 0-9/10");
        }
        reply
    }
    fn longer(request: &Request, mut reply: Reply) -> Reply {
        if request.header("range").is_some() {
            let last = reply.headers.last_mut().unwrap();
            last.1 = last.1.replace('/', "/9");
        }
        reply
    }
    fn noise(request: &Request, mut reply: Reply) -> Reply {
        if request.header("range").is_some() {
            reply.body.iter_mut().for_each(|byte| *byte ^= 0x55);
        }
        reply
    }
    fn without(request: &Request, mut reply: Reply) -> Reply {
        if request.header("range").is_some() {
            reply.headers.clear();
        }
        reply
    }
    fn forbidden(request: &Request, reply: Reply) -> Reply {
        if request.header("range").is_some() {
            Reply::status(403)
        } else {
            reply
        }
    }
    fn endless(request: &Request, reply: Reply) -> Reply {
        if request.header("range").is_some() {
            reply.fault(Fault::Endless)
        } else {
            reply
        }
    }
    for lie in [shifted, longer, noise, without, forbidden, endless] {
        let server = Server::start(Site {
            ranges: true,
            lie: Some(lie),
            ..Site::plain(&[draft("a", 5000)])
        });
        let (_folder, cache) = cache();
        let indexes = open(server.settings(), &cache);
        let offer = offer(&indexes, "a").unwrap();
        indexes.metadata(&offer).unwrap();
        // From the whole wheel in the end.
        assert!(
            server
                .requests()
                .iter()
                .any(|request| request.path.ends_with(".whl") && request.header("range").is_none())
        );
    }
}

#[test]
fn metadata_that_are_not_those_of_the_wheel_are_refused() {
    fn other(request: &Request, mut reply: Reply) -> Reply {
        if request.path.ends_with(".metadata") {
            reply.body.extend(b"Requires-Dist: evil\n");
        }
        reply
    }
    // Their digest is announced: seen at once.
    let server = Server::start(Site {
        lie: Some(other),
        ..Site::good(&[draft("a", 100)])
    });
    let (_folder, cache) = cache();
    let error = lock(&open(server.settings(), &cache), &["a"]).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::MetadataDigest { .. })),
        "{error}"
    );
    // No digest is announced: seen when the wheel is there. The next attempt knows better.
    let site = Site {
        lie: Some(other),
        json: false,
        ..Site::good(&[draft("a", 100)])
    };
    let server = Server::start(site);
    let (_folder, cache) = crate::support::cache();
    let indexes = open(server.settings(), &cache);
    let locked = lock(&indexes, &["a"]).unwrap();
    let error = indexes.install(&locked).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::MetadataDiffers { .. })),
        "{error}"
    );
    assert!(
        cache
            .info()
            .unwrap()
            .kinds
            .iter()
            .all(|kind| kind.kind != "environment")
    );
    let again = indexes.session(Progress::default());
    again.install(&lock(&again, &["a"]).unwrap()).unwrap();
}

#[test]
fn a_wheel_that_is_not_what_was_announced_is_refused() {
    fn changed(request: &Request, mut reply: Reply) -> Reply {
        if request.path.ends_with(".whl") {
            reply.body[20] ^= 1;
        }
        reply
    }
    fn longer(request: &Request, mut reply: Reply) -> Reply {
        if request.path.ends_with(".whl") {
            reply.body.push(0);
        }
        reply
    }
    fn shorter(request: &Request, mut reply: Reply) -> Reply {
        if request.path.ends_with(".whl") {
            reply.body.pop();
        }
        reply
    }
    for (lie, json) in [
        (changed as fn(&Request, Reply) -> Reply, true),
        (longer, true),
        (shorter, true),
        (longer, false),
        (shorter, false),
    ] {
        let server = Server::start(Site {
            json,
            ..Site::good(&[draft("a", 1000), draft("b", 1000)])
        });
        let (folder, cache) = cache();
        let indexes = open(server.settings(), &cache);
        let locked = lock(&indexes, &["a", "b"]).unwrap();
        server.site().lie = Some(lie);
        let error = indexes.install(&locked).unwrap_err();
        let is_typed = matches!(
            error,
            Error::DigestMismatch { .. } | Error::Index(IndexProblem::TooLarge { .. } | IndexProblem::Length { .. })
        );
        assert!(is_typed, "{error}");
        let kinds: Vec<String> = cache.info().unwrap().kinds.into_iter().map(|kind| kind.kind).collect();
        assert_eq!(kinds, ["metadata", "page"]);
        assert_eq!(leftovers(folder.path()), [""; 0]);
        server.site().lie = None;
        check(
            &indexes.session(Progress::default()).install(&locked).unwrap(),
            &["a", "b"],
        );
    }
}

#[test]
fn wheels_without_a_digest_get_one_unless_it_is_required() {
    let site = Site {
        no_hashes: true,
        ..Site::good(&[draft("a", 1000)])
    };
    let server = Server::start(site);
    let bytes = server.site().files[0].2.clone();
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    let locked = lock(&indexes, &["a"]).unwrap();
    assert_eq!(locked.wheels[0].sha256, "");
    let complete = indexes.download(&locked).unwrap();
    assert_eq!(complete.wheels[0].sha256, sha256(&bytes));
    let environment = indexes.install(&locked).unwrap();
    check(&environment, &["a"]);
    assert_eq!(indexes.install(&complete).unwrap().digest, environment.digest);
    assert!(cache.info().unwrap().kinds.iter().all(|kind| kind.kind != "download"));
    let strict = open(
        IndexSettings {
            require_hashes: true,
            ..server.settings()
        },
        &cache,
    );
    let error = strict.install(&locked).unwrap_err();
    assert!(matches!(error, Error::Index(IndexProblem::NoHash { .. })), "{error}");
    strict.install(&complete).unwrap();
}

#[test]
fn an_environment_says_which_package_brings_what_and_progress_is_told() {
    let mut other = draft("b", 600_000);
    other.members.push(Member::new("shade.py", b""));
    let server = Server::start(Site::good(&[draft("a", 10), other]));
    let (_folder, cache) = cache();
    let events = Arc::new(Mutex::new(vec![]));
    let sink = events.clone();
    let indexes = open(server.settings(), &cache).session(Progress::new(move |event| sink.lock().unwrap().push(event)));
    let locked = lock(&indexes, &["a", "b"]).unwrap();
    let environment = indexes.install(&locked).unwrap();
    assert_eq!(environment.modules["b"], ["b", "shade"]);
    assert_eq!(environment.top_level, ["a", "b", "shade"]);
    let events = std::mem::take(&mut *events.lock().unwrap());
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Resolving { .. })), 2);
    assert!(count(|event| matches!(event, Event::Fetching { .. })) >= 4);
    assert_eq!(count(|event| matches!(event, Event::Fetched { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::Unpacking { .. })), 2);
    assert_eq!(events.last(), Some(&Event::Done { packages: 2 }));
    // The second time nobody is asked, nothing is unpacked, and the same is said.
    drop(server);
    let offline = open(
        IndexSettings {
            offline: true,
            ..IndexSettings::bundled_only()
        },
        &cache,
    );
    let again = offline.install(&locked).unwrap();
    assert_eq!((again.modules, again.digest), (environment.modules, environment.digest));
}

#[test]
fn bundled_and_local_wheels_are_installed_beside_fetched_ones() {
    let server = Server::start(Site::good(&[draft("a", 10)]));
    let (local, bundled) = (draft("b", 10), draft("c", 10));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(&local.filename), local.bytes()).unwrap();
    let extra = url::Url::from_directory_path(folder.path()).unwrap();
    let settings = IndexSettings {
        extra: vec![extra],
        ..server.settings()
    };
    let (_cache_folder, cache) = cache();
    let indexes = Indexes::new(settings, BundledIndex::new(&[bundled.wheel()]).unwrap(), cache.clone()).unwrap();
    let locked = lock(&indexes, &["a", "b", "c"]).unwrap();
    let places: Vec<bool> = locked
        .wheels
        .iter()
        .map(|wheel| matches!(wheel.place, Place::Url(_)))
        .collect();
    assert_eq!(places, [true, false, false]);
    check(&indexes.install(&locked).unwrap(), &["a", "b", "c"]);
    let mut wrong = locked.clone();
    wrong.wheels[2].sha256 = "0".repeat(64);
    assert!(matches!(indexes.install(&wrong), Err(Error::DigestMismatch { .. })));
    let mut wrong = locked;
    wrong.wheels[1].filename = "z-1.0-py3-none-any.whl".into();
    assert!(matches!(indexes.install(&wrong), Err(Error::BadWheel { .. })));
}

#[test]
fn native_wheels_are_checked_once() {
    let mut native = draft("a", 10);
    native.filename = "a-1.0-cp313-cp313-pyemscripten_2025_0_wasm32.whl".into();
    native.members.push(Member::new("a/good.so", b"good"));
    native.members.push(Member::new("a/bad.so", b"bad"));
    let server = Server::start(Site::good(&[native]));
    let (_folder, cache) = cache();
    let calls = Arc::new(AtomicUsize::new(0));
    let checked = |version: &str| {
        let calls = calls.clone();
        open(server.settings(), &cache).with_native_check(NativeCheck::new(version, move |module| {
            calls.fetch_add(1, Ordering::SeqCst);
            if module == b"bad" {
                Err("lacks a symbol".into())
            } else {
                Ok(())
            }
        }))
    };
    let offer = offer(&checked("1"), "a").unwrap();
    let expected = Err("`a/bad.so` lacks a symbol".to_owned());
    assert_eq!(checked("1").native_fits(&offer).unwrap(), expected);
    assert_eq!(checked("1").native_fits(&offer).unwrap(), expected);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(checked("2").native_fits(&offer).unwrap(), expected);
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert!(open(server.settings(), &cache).native_fits(&offer).unwrap().is_err());
}

#[test]
fn a_hundred_threads_fetch_each_wheel_once() {
    let names = ["a", "b", "c", "d", "e"];
    let server = Server::start(Site::good(&names.map(|name| draft(name, 50_000))));
    let (folder, cache) = cache();
    let locked = lock(&open(server.settings(), &cache), &names).unwrap();
    server.requests();
    let (barrier, one) = (Barrier::new(100), open(server.settings(), &cache));
    std::thread::scope(|scope| {
        for number in 0..100 {
            // Some share a session, some a cache, some nothing but the folder.
            let indexes = match number % 3 {
                0 => one.clone(),
                1 => one.session(Progress::default()),
                _ => open(server.settings(), &Cache::open(Some(folder.path())).unwrap()),
            };
            let (barrier, locked) = (&barrier, &locked);
            scope.spawn(move || {
                barrier.wait();
                check(&indexes.install(locked).unwrap(), &names);
            });
        }
    });
    assert_eq!(server.requests().len(), names.len());
}

#[test]
fn two_processes_fetch_each_wheel_once() {
    let names = ["a", "b", "c"];
    let server = Server::start(Site::good(&names.map(|name| draft(name, 300_000))));
    let (folder, _cache) = cache();
    let mut processes: Vec<_> = (0..2)
        .map(|_| children::installing(folder.path(), &server, &names))
        .collect();
    processes.iter_mut().for_each(|child| process::wait_for(child, "ready"));
    processes.iter_mut().for_each(|child| drop(child.stdin.take()));
    for child in processes {
        let said = process::finish(child);
        assert!(said.contains("installed"), "{said}");
    }
    let requests = server.requests();
    for name in names {
        let path = format!("/files/{name}-1.0-py3-none-any.whl");
        assert_eq!(requests.iter().filter(|request| request.path == path).count(), 1);
    }
}

#[test]
fn installs_killed_anywhere_leave_nothing_in_the_way() {
    let names = ["a", "b", "c"];
    let server = Server::start(Site::good(&names.map(|name| draft(name, 400_000))));
    let (mut random, mut unfinished) = (Random::new(31), 0);
    for round in 0..50 {
        let (folder, _cache) = cache();
        let mut child = children::installing(folder.path(), &server, &names);
        process::wait_for(&mut child, "ready");
        drop(child.stdin.take());
        std::thread::sleep(std::time::Duration::from_micros(random.below(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = Cache::open(Some(folder.path())).unwrap();
        assert_eq!(cache.verify().unwrap().broken, [], "round {round}");
        let is_whole = cache
            .info()
            .unwrap()
            .kinds
            .iter()
            .any(|kind| kind.kind == "environment");
        unfinished += usize::from(!is_whole);
        let indexes = open(server.settings(), &cache);
        check(&indexes.install(&lock(&indexes, &names).unwrap()).unwrap(), &names);
        assert_eq!(cache.counters().rebuilt, 0);
        cache.clean().unwrap();
        nothing_left(folder.path(), &cache);
    }
    assert!(
        unfinished > 5,
        "only {unfinished} installs were killed before their end"
    );
}

#[test]
fn the_metadata_of_the_server_are_those_of_the_wheel() {
    // What the tests above rely on.
    let text = metadata(&draft("a", 1).bytes());
    assert!(text.starts_with(b"Metadata-Version: 2.1\nName: a\n"));
}
