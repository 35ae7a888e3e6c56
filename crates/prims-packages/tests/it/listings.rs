//! Which index is asked, what it says, and how long that is believed.

use crate::server::{Fault, Reply, Server, Site};
use crate::support::*;
use prims_cache::Cache;
use prims_packages::{
    BundledIndex, Error, Event, IndexProblem, IndexSettings, Indexes, Inputs, Listing, Name, Place, Progress, Source,
    Target, resolve,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn open(settings: IndexSettings, cache: &Cache) -> Indexes {
    Indexes::new(settings, BundledIndex::new(&[]).unwrap(), cache.clone()).unwrap()
}

fn versions(listing: &Listing) -> Vec<String> {
    listing.wheels.iter().map(|offer| offer.filename.version()).collect()
}

fn draft(name: &str, version: &str) -> Draft {
    Draft::of(name, version, "", &[(&format!("{name}/__init__.py"), version)])
}

#[test]
fn both_forms_of_a_page_say_the_same() {
    let mut seen = vec![];
    for (json, gzip) in [(true, false), (false, true), (true, true)] {
        let site = Site {
            json,
            gzip,
            ..Site::good(&[draft("a", "1.0"), draft("a", "2.0"), draft("b", "1")])
        };
        let server = Server::start(site);
        let (_folder, cache) = cache();
        let indexes = open(server.settings(), &cache);
        let listing = indexes.listing(&name("A")).unwrap().unwrap();
        assert_eq!(listing.index, server.url("/simple/").as_str());
        let digests: Vec<_> = listing
            .wheels
            .iter()
            .map(|offer| offer.sha256.clone().unwrap())
            .collect();
        seen.push((versions(&listing), digests));
        assert!(indexes.listing(&name("nobody")).unwrap().is_none());
        assert_eq!(indexes.known_names(), [name("a")]);
    }
    assert_eq!(seen[0].0, ["1.0", "2.0"]);
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
}

#[test]
fn a_page_is_asked_for_once_until_it_is_old() {
    let server = Server::start(Site::good(&[draft("a", "1.0")]));
    let (folder, cache) = cache();
    let ask = |cache: &Cache| versions(&open(server.settings(), cache).listing(&name("a")).unwrap().unwrap());
    assert_eq!((ask(&cache), ask(&cache)), (vec!["1.0".into()], vec!["1.0".into()]));
    assert_eq!(server.count("/simple/a/"), 1);
    // Other processes find it.
    let other = Cache::open(Some(folder.path())).unwrap();
    ask(&other);
    assert_eq!(server.count("/simple/a/"), 0);
    // An index that does not want it believed is asked again, and says that it is the same.
    *server.site() = Site {
        cache_control: Some("max-age=0".into()),
        ..Site::good(&[draft("b", "1.0")])
    };
    let ask_b = || versions(&open(server.settings(), &cache).listing(&name("b")).unwrap().unwrap());
    ask_b();
    ask_b();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].header("if-none-match").is_none() && requests[1].header("if-none-match").is_some());
    // And that it is not.
    let another = draft("b", "3.0");
    server
        .site()
        .files
        .push(("b".into(), another.filename.clone(), another.bytes()));
    assert_eq!(ask_b(), ["1.0", "3.0"].map(String::from));
    // Also that it is gone.
    server.site().files.clear();
    assert!(open(server.settings(), &cache).listing(&name("b")).unwrap().is_none());
    // What is not there is not asked for again at once.
    assert!(open(server.settings(), &cache).listing(&name("c")).unwrap().is_none());
    server.requests();
    server.site().cache_control = None;
    assert!(open(server.settings(), &cache).listing(&name("d")).unwrap().is_none());
    assert!(open(server.settings(), &cache).listing(&name("d")).unwrap().is_none());
    assert_eq!(server.count("/simple/d/"), 1);
}

#[test]
fn an_old_page_is_better_than_none_and_said_to_be_old() {
    let server = Server::start(Site::good(&[draft("a", "1.0"), draft("b", "1.0")]));
    server.site().cache_control = Some("no-cache".into());
    let (_folder, cache) = cache();
    let indexes = open(server.impatient_settings(), &cache);
    indexes.listing(&name("a")).unwrap().unwrap();
    let portal = Reply::html("<html><form action='/login'></form></html>");
    let faults = [
        vec![Reply::status(503), Reply::status(503)],
        vec![Reply::default().fault(Fault::Gone), Reply::default().fault(Fault::Gone)],
        vec![Reply::default().fault(Fault::Hang), Reply::default().fault(Fault::Hang)],
        vec![portal],
    ];
    for replies in faults {
        for reply in &replies {
            server.plan("/simple/a/", reply.clone());
        }
        let events = Arc::new(Mutex::new(vec![]));
        let sink = events.clone();
        let session = indexes.session(Progress::new(move |event| sink.lock().unwrap().push(event)));
        assert_eq!(versions(&session.listing(&name("a")).unwrap().unwrap()), ["1.0"]);
        let stale = events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, Event::Stale { .. }))
            .count();
        assert_eq!(stale, 1);
        assert!(server.site().planned.is_empty());
    }
    // What says that there is no access is not hidden, and nothing is left to be used for another name.
    server.plan("/simple/a/", Reply::status(403));
    let refused = indexes.session(Progress::default()).listing(&name("a")).unwrap_err();
    assert!(
        matches!(refused, Error::Index(IndexProblem::Status { status: 403, .. })),
        "{refused}"
    );
    for _ in 0..4 {
        server.plan("/simple/b/", Reply::status(503));
    }
    let failed = indexes.session(Progress::default()).listing(&name("b")).unwrap_err();
    assert!(
        matches!(failed, Error::Index(IndexProblem::Status { status: 503, .. })),
        "{failed}"
    );
}

#[test]
fn offline_means_that_nobody_is_asked() {
    let server = Server::start(Site::good(&[draft("a", "1.0"), draft("b", "1.0")]));
    server.site().cache_control = Some("max-age=0".into());
    let (_folder, cache) = cache();
    let online = open(server.settings(), &cache);
    let listing = online.listing(&name("a")).unwrap().unwrap();
    online.metadata(&listing.wheels[0]).unwrap();
    assert!(online.listing(&name("nobody")).unwrap().is_none());
    server.requests();
    let offline = open(
        IndexSettings {
            offline: true,
            ..server.settings()
        },
        &cache,
    );
    let listing = offline.listing(&name("a")).unwrap().unwrap();
    offline.metadata(&listing.wheels[0]).unwrap();
    assert!(offline.listing(&name("nobody")).unwrap().is_none());
    let error = offline.listing(&name("b")).unwrap_err();
    assert!(matches!(error, Error::Index(IndexProblem::Offline { .. })), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn the_first_index_that_knows_a_name_decides() {
    let private = Server::start(Site::good(&[draft("a", "1.0")]));
    let public = Server::start(Site::plain(&[draft("a", "99.0"), draft("b", "2.0")]));
    let (_folder, cache) = cache();
    let settings = IndexSettings {
        extra: vec![private.url("/simple/")],
        ..public.settings()
    };
    let indexes = open(settings.clone(), &cache);
    assert_eq!(versions(&indexes.listing(&name("a")).unwrap().unwrap()), ["1.0"]);
    assert_eq!(public.requests().len(), 0);
    let listing = indexes.listing(&name("b")).unwrap().unwrap();
    assert_eq!(
        (versions(&listing), listing.index.as_str()),
        (vec!["2.0".into()], public.url("/simple/").as_str())
    );
    // An index that fails is not one that does not know.
    for _ in 0..4 {
        private.plan("/simple/b/", Reply::status(500));
    }
    let (_other_folder, other_cache) = crate::support::cache();
    let error = open(settings, &other_cache).listing(&name("b")).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::Status { status: 500, .. })),
        "{error}"
    );
}

#[test]
fn what_is_bundled_comes_first() {
    let wheel = |version: &str, tags: &str| {
        let draft = draft("a", version);
        Draft {
            filename: format!("a-{version}-{tags}.whl"),
            ..draft
        }
    };
    let server = Server::start(Site::good(&[
        wheel("3.0", "py3-none-any"),
        wheel("2.0", "cp313-cp313-manylinux_2_17_x86_64"),
        wheel("1.5", "cp313-cp313-pyemscripten_2025_0_wasm32"),
    ]));
    let (_folder, cache) = cache();
    let bundled = BundledIndex::new(&[wheel("1.0", "cp313-cp313-wasi_0_1_wasm32").wheel()]).unwrap();
    let indexes = Indexes::new(server.settings(), bundled.clone(), cache.clone()).unwrap();
    let listing = indexes.listing(&name("a")).unwrap().unwrap();
    assert_eq!(versions(&listing), ["1.0", "3.0", "2.0"]);
    assert_eq!(listing.wheels[0].place, Place::Bundled);
    indexes.metadata(&listing.wheels[0]).unwrap();
    assert_eq!(indexes.native_fits(&listing.wheels[0]).unwrap(), Ok(()));
    assert_eq!(indexes.bundled().len(), 1);
    // What somebody built for this guest is theirs to use in another version, and only there.
    let own = Server::start(Site::good(&[
        wheel("0.9", "cp313-cp313-wasi_0_1_wasm32"),
        wheel("1.0", "cp313-cp313-wasi_0_1_wasm32"),
    ]));
    let indexes = Indexes::new(own.settings(), bundled.clone(), cache.clone()).unwrap();
    let listing = indexes.listing(&name("a")).unwrap().unwrap();
    assert_eq!(versions(&listing), ["1.0", "0.9"]);
    assert_eq!(listing.wheels[0].place, Place::Bundled);
    // An index that is gone does not matter where something is bundled.
    let gone = IndexSettings {
        default: Some(Url::parse("http://127.0.0.1:1/simple/").unwrap()),
        ..server.settings()
    };
    let indexes = Indexes::new(gone, bundled, cache).unwrap();
    assert_eq!(versions(&indexes.listing(&name("a")).unwrap().unwrap()), ["1.0"]);
    let error = indexes.listing(&name("b")).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::Unreachable { .. })),
        "{error}"
    );
}

#[test]
fn a_folder_with_more_entries_than_anybody_has_wheels_is_no_index() {
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    for at in 0..=100_000 {
        std::fs::File::create(folder.path().join(at.to_string())).unwrap();
    }
    let (_folder, cache) = cache();
    let settings = IndexSettings {
        default: Some(Url::from_directory_path(folder.path()).unwrap()),
        ..IndexSettings::default()
    };
    let listed = open(settings, &cache).listing(&name("a"));
    let said = listed.unwrap_err().to_string();
    assert!(said.contains("more than 100000 entries"), "{said}");
}

#[test]
fn a_folder_is_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let flat = draft("a", "1.0");
    std::fs::write(folder.path().join(&flat.filename), flat.bytes()).unwrap();
    std::fs::write(folder.path().join("a-0.9.tar.gz"), "").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    let (tree, page) = (folder.path().join("B.b"), folder.path().join("c"));
    std::fs::create_dir(&tree).unwrap();
    std::fs::create_dir(&page).unwrap();
    let (second, third) = (draft("b_b", "2.0"), draft("c", "3.0"));
    std::fs::write(tree.join(&second.filename), second.bytes()).unwrap();
    std::fs::write(folder.path().join(&third.filename), third.bytes()).unwrap();
    std::fs::write(
        page.join("index.html"),
        format!(
            "<a href='../{}'>c</a><a href='file:///etc/c-9-py3-none-any.whl'>",
            third.filename
        ),
    )
    .unwrap();
    let (_cache_folder, cache) = cache();
    let settings = IndexSettings {
        default: Some(Url::from_directory_path(folder.path()).unwrap()),
        offline: true,
        ..IndexSettings::default()
    };
    let indexes = open(settings, &cache);
    for (project, version) in [("a", "1.0"), ("b-b", "2.0"), ("c", "3.0")] {
        let listing = indexes.listing(&name(project)).unwrap().unwrap();
        assert_eq!(versions(&listing), [version]);
        assert!(listing.wheels[0].sha256.is_some() && listing.wheels[0].size.is_some());
        assert!(!listing.index.contains(folder.path().to_str().unwrap()));
        indexes.metadata(&listing.wheels[0]).unwrap();
    }
    assert_eq!(indexes.listing(&name("a")).unwrap().unwrap().other.len(), 1);
    assert!(indexes.listing(&name("d")).unwrap().is_none());
    assert_eq!(indexes.known_names(), ["a", "b-b", "c"].map(name));
    // A wheel that changed since it was listed is not used.
    let listing = indexes
        .session(Progress::default())
        .listing(&name("a"))
        .unwrap()
        .unwrap();
    std::fs::write(folder.path().join(&flat.filename), draft("a", "1.0.0").bytes()).unwrap();
    let error = indexes
        .session(Progress::default())
        .metadata(&listing.wheels[0])
        .unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
    std::fs::remove_dir_all(folder.path()).unwrap();
    let error = indexes.session(Progress::default()).listing(&name("a")).unwrap_err();
    assert!(matches!(error, Error::Index(IndexProblem::LocalFile { .. })), "{error}");
}

#[test]
fn a_login_goes_to_its_own_server_only() {
    let files = Server::start(Site::good(&[draft("a", "1.0")]));
    let site = Site {
        login: Some("bWU6c0BjcmV0".into()),
        ..Site::good(&[draft("a", "1.0"), draft("b", "1.0")])
    };
    let private = Server::start(site);
    let mut url = private.url("/simple/");
    url.set_username("me").unwrap();
    url.set_password(Some("s@cret")).unwrap();
    let (_folder, cache) = cache();
    let indexes = open(
        IndexSettings {
            default: Some(url),
            ..private.settings()
        },
        &cache,
    );
    let listing = indexes.listing(&name("a")).unwrap().unwrap();
    indexes.metadata(&listing.wheels[0]).unwrap();
    let said = format!("{listing:?} {indexes:?}");
    assert!(!said.contains("cret") && !said.contains("bWU6"), "{said}");
    // Sent elsewhere by a page and by a redirect, without the login.
    let page = format!("<a href='{}'>", files.url("/files/a-1.0-py3-none-any.whl"));
    private.plan(
        "/simple/b/",
        Reply {
            status: 302,
            ..Reply::default()
        }
        .with("Location", files.url("/simple/a/?b").as_str()),
    );
    files.plan("/simple/a/?b", Reply::html(page.replace("a-1.0", "b-1.0")));
    let listing = indexes.listing(&name("b")).unwrap().unwrap();
    assert_eq!(versions(&listing), ["1.0"]);
    for request in files.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    let wrong = indexes.session(Progress::default());
    private.site().login = Some("other".into());
    let error = wrong.listing(&name("c")).unwrap_err();
    assert!(
        matches!(error, Error::Index(IndexProblem::Status { status: 401, .. })),
        "{error}"
    );
    assert!(!format!("{error:?}{error}").contains("cret") && error.hint().unwrap().contains("password"));
}

#[test]
fn redirects_are_followed_a_few_times_and_never_elsewhere() {
    let server = Server::start(Site::good(&[draft("a", "1.0")]));
    let (_folder, cache) = cache();
    let to = |location: &str| {
        Reply {
            status: 301,
            ..Reply::default()
        }
        .with("Location", location)
    };
    for hop in ["/hop/1", "hop/2", "/simple/a/"] {
        server.plan(if hop == "/hop/1" { "/simple/a/" } else { "hop/" }, to(hop));
    }
    let indexes = open(server.settings(), &cache);
    assert_eq!(versions(&indexes.listing(&name("a")).unwrap().unwrap()), ["1.0"]);
    let refused = [
        ("ftp://host/x", "neither"),
        ("file:///etc/passwd", "neither"),
        ("http://", "not a URL"),
        ("/simple/loop/", "more redirects"),
    ];
    for (location, reason) in refused {
        for _ in 0..6 {
            server.plan("/simple/loop/", to(location));
        }
        let error = indexes.session(Progress::default()).listing(&name("loop")).unwrap_err();
        assert!(
            matches!(&error, Error::Index(IndexProblem::Redirect { .. })) && error.to_string().contains(reason),
            "{error}"
        );
        server.site().planned.clear();
    }
}

#[test]
fn what_is_expected_is_there_when_it_is_asked_for() {
    let drafts: Vec<Draft> = (0..30)
        .flat_map(|number| [draft(&format!("p{number}"), "1.0"), draft(&format!("p{number}"), "2.0")])
        .collect();
    let server = Server::start(Site::good(&drafts));
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    let names: Vec<Name> = (0..30).map(|number| name(&format!("p{number}"))).collect();
    indexes.expect(&names);
    indexes.expect(&names);
    for name in &names {
        let listing = indexes.listing(name).unwrap().unwrap();
        indexes.metadata(listing.wheels.last().unwrap()).unwrap();
    }
    let requests = server.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.path.starts_with("/simple/"))
            .count(),
        30
    );
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.path.ends_with(".metadata"))
            .count(),
        30
    );
}

#[test]
fn nothing_is_asked_ahead_for_what_was_decided() {
    let names: Vec<String> = (0..250).map(|index| format!("p{index:03}")).collect();
    let drafts: Vec<Draft> = names.iter().map(|name| draft(name, "1.0")).collect();
    let site = Site {
        // Pages take about half a second.
        lie: Some(|request, reply| match request.path.starts_with("/simple/p") {
            true => reply.fault(Fault::Drip(Duration::from_millis(10))),
            false => reply,
        }),
        ..Site::good(&drafts)
    };
    let server = Server::start(site);
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    let asked: Vec<&str> = ["missing"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let inputs = Inputs::from_requirements(&asked).unwrap();
    let error = resolve(&inputs, &Target::default(), &indexes).unwrap_err();
    assert!(
        matches!(&error, Error::NotFound { name, .. } if name == "missing"),
        "{error}"
    );
    let (mut requests, mut last) = (server.requests().len(), 1);
    while last > 0 {
        std::thread::sleep(Duration::from_secs(2));
        last = server.requests().len();
        requests += last;
    }
    assert!(requests < 125, "{requests} requests");
}

#[test]
fn what_would_take_parts_of_a_wheel_is_not_asked_ahead() {
    let site = Site {
        metadata: false,
        ..Site::good(&[draft("a", "1.0"), draft("b", "1.0")])
    };
    let server = Server::start(site);
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    indexes.expect(&["a", "b"].map(name));
    // The answers to those who wait come from the threads that ask ahead, so these are about done then.
    for name in ["a", "b"].map(name) {
        indexes.listing(&name).unwrap().unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.count("/files/"), 0);
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let server = Server::start(Site::good(&[crate::fetching::draft("a", 10)]));
    let (folder, _cache) = cache();
    let mut command = crate::children::command(folder.path(), &server, &["a"]);
    command
        .env("PRIMS_PACKAGES_TEST_INDEX", "http://index.invalid/simple/")
        .env("http_proxy", server.url("/").as_str())
        .env_remove("no_proxy")
        .env_remove("NO_PROXY");
    let said = crate::process::finish(command.spawn().unwrap());
    assert!(said.contains("installed"), "{said}");
    let hosts: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.header("host").unwrap().to_owned())
        .collect();
    assert_eq!(hosts, ["index.invalid"; 3]);
}

#[test]
fn one_failure_where_something_is_bundled_does_not_condemn_an_index() {
    let server = Server::start(Site::good(&[draft("a", "2.0"), draft("b", "1.0")]));
    let (_folder, cache) = cache();
    let bundled = BundledIndex::new(&[draft("a", "1.0").wheel()]).unwrap();
    let indexes = Indexes::new(server.settings(), bundled, cache).unwrap();
    server.plan("/simple/a/", Reply::default().fault(Fault::Gone));
    assert_eq!(versions(&indexes.listing(&name("a")).unwrap().unwrap()), ["1.0"]);
    assert_eq!(versions(&indexes.listing(&name("b")).unwrap().unwrap()), ["1.0"]);
}

#[test]
fn an_index_that_is_gone_is_waited_for_once() {
    let server = Server::start(Site::default());
    let (_folder, cache) = cache();
    let indexes = open(server.settings(), &cache);
    for _ in 0..100 {
        server.plan("/simple/", Reply::default().fault(Fault::Gone));
    }
    for number in 0..20 {
        let error = indexes.listing(&name(&format!("p{number}"))).unwrap_err();
        assert!(
            matches!(error, Error::Index(IndexProblem::Unreachable { .. })),
            "{error}"
        );
    }
    assert_eq!(server.requests().len(), 4);
}
