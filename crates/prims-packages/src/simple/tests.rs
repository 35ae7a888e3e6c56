//! Pages as indexes write them, and as nobody should.

use super::*;

fn read(format: Format, page: &str) -> Result<Listing, IndexProblem> {
    let url = Url::parse("https://user:secret@host/simple/a-b/").unwrap();
    listing(format, page.as_bytes(), &url, &Name::parse("a-b").unwrap(), "host")
}

fn names(listing: &Listing) -> Vec<String> {
    listing.wheels.iter().map(|offer| offer.filename.version()).collect()
}

const DIGEST: &str = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";

#[test]
fn html_is_read() {
    let page = format!(
        "<!DOCTYPE html><html><head><meta name='pypi:repository-version' content='1.1'><title>Links for a_b</title></head><body>\n\
         <a href=\"../../files/a_b-1.0-py3-none-any.whl#md5=1&amp;sha256={DIGEST}\" data-requires-python=\"&gt;=3.9\" \
         data-dist-info-metadata=\"sha256={DIGEST}\" data-core-metadata='true'>a</a><br/>\n\
         <a href='https://files/x/A.B-2.0%2Blocal-py3-none-any.whl' data-yanked='broken &amp; bad' data-requires-python='rubbish'>b</a>\n\
         <a href='a-b-0.9.tar.gz'>c</a><a href='a_b-0.8-py2.7.egg'>d</a><a href='a_b-0.7.win32-py2.7.exe'>e</a><a href='a_b-0.9.zip'>f</a>\n\
         <a href='ftp://files/a_b-3-py3-none-any.whl'>g</a><a href='file:///etc/a_b-4-py3-none-any.whl'>h</a><a href='data:,a_b-5-py3-none-any.whl'>i</a>\n\
         <a href='other-1-py3-none-any.whl'>j</a><a href='a_b-x-py3-none-any.whl'>k</a><a href='../'>up</a></body></html>"
    );
    let found = read(Format::Html, &page).unwrap();
    assert_eq!(names(&found), ["1.0", "2.0+local"]);
    let versions: Vec<String> = found.other.iter().map(Version::to_string).collect();
    assert_eq!(versions, ["0.7", "0.8", "0.9"]);
    let (first, second) = (&found.wheels[0], &found.wheels[1]);
    let Place::Url(url) = &first.place else {
        panic!("{first:?}")
    };
    assert_eq!(url.as_str(), "https://host/files/a_b-1.0-py3-none-any.whl");
    assert_eq!(first.sha256.as_deref(), Some(DIGEST.to_lowercase().as_str()));
    assert_eq!(first.requires_python.as_ref().unwrap().to_string(), ">=3.9");
    assert_eq!(first.metadata, Some(MetadataFile { sha256: None }));
    assert_eq!(first.yanked, None);
    assert_eq!(second.yanked.as_deref(), Some("broken & bad"));
    assert_eq!(
        (&second.requires_python, &second.sha256, &second.metadata),
        (&None, &None, &None)
    );
}

#[test]
fn a_base_is_followed_and_a_local_page_stays_local() {
    let found = read(
        Format::Html,
        "<base href='https://files/x/'><a href='a_b-1-py3-none-any.whl'>",
    )
    .unwrap();
    assert_eq!(
        found.wheels[0].place,
        Place::Url(Url::parse("https://files/x/a_b-1-py3-none-any.whl").unwrap())
    );
    let page = "<a href='a_b-1-py3-none-any.whl'><a href='../p/a_b-2-py3-none-any.whl'><a href='../../a_b-3-py3-none-any.whl'>\
        <a href='..%2f..%2f..%2fa_b-4-py3-none-any.whl'><a href='https://host/a_b-5-py3-none-any.whl'>";
    let url = Url::parse("file:///srv/simple/a-b/index.html").unwrap();
    let found = listing(Format::Html, page.as_bytes(), &url, &Name::parse("a-b").unwrap(), "x").unwrap();
    assert_eq!(names(&found), ["1", "2", "5"]);
}

#[test]
fn an_encrypted_page_leads_to_nothing_unencrypted() {
    let page = "<a href='http://files/a_b-1-py3-none-any.whl'><a href='https://files/a_b-2-py3-none-any.whl'>\
        <base href='http://files/'><a href='a_b-3-py3-none-any.whl'>";
    assert_eq!(names(&read(Format::Html, page).unwrap()), ["2"]);
    let page = r#"{"meta": {"api-version": "1.0"}, "name": "a-b", "files": [{"filename": "a_b-1-py3-none-any.whl", "url": "http://files/a.whl", "hashes": {}},
        {"filename": "a_b-2-py3-none-any.whl", "url": "//files/a.whl", "hashes": {}}]}"#;
    assert_eq!(names(&read(Format::Json, page).unwrap()), ["2"]);
    // What was not encrypted from the beginning may stay so.
    let url = Url::parse("http://host/simple/a-b/").unwrap();
    let page = "<a href='http://files/a_b-1-py3-none-any.whl'><a href='https://files/a_b-2-py3-none-any.whl'>";
    let found = listing(Format::Html, page.as_bytes(), &url, &Name::parse("a-b").unwrap(), "x").unwrap();
    assert_eq!(names(&found), ["1", "2"]);
}

#[test]
fn json_is_read() {
    let page = format!(
        r#"{{"meta": {{"api-version": "1.1"}}, "name": "A_B", "extra": [{{}}], "files": [
        {{"filename": "a_b-1.0-py3-none-any.whl", "url": "/f/a_b-1.0-py3-none-any.whl", "hashes": {{"sha256": "{DIGEST}"}}, "size": 17,
          "requires-python": ">=3.8", "yanked": false, "core-metadata": {{"sha256": "{DIGEST}"}}, "upload-time": "x"}},
        {{"filename": "a_b-1.1-py3-none-any.whl", "url": "b.whl", "hashes": {{}}, "yanked": "bad", "dist-info-metadata": true}},
        {{"filename": "a_b-1.2-py3-none-any.whl", "url": "c.whl", "hashes": {{"sha256": "short"}}, "yanked": true, "size": -1, "requires-python": null}},
        {{"filename": 3, "url": []}},
        {{"filename": "a_b-0.1.tar.gz", "url": "d", "hashes": null}}]}}"#
    );
    let found = read(Format::Json, &page).unwrap();
    assert_eq!(names(&found), ["1.0", "1.1", "1.2"]);
    let digest = Some(DIGEST.to_lowercase());
    let metadata = Some(MetadataFile { sha256: digest.clone() });
    let first = &found.wheels[0];
    assert_eq!(
        (&first.sha256, first.size, &first.metadata),
        (&digest, Some(17), &metadata)
    );
    let yanked: Vec<_> = found.wheels.iter().map(|offer| offer.yanked.as_deref()).collect();
    assert_eq!(yanked, [None, Some("bad"), Some("")]);
    assert_eq!(found.wheels[1].metadata, Some(MetadataFile { sha256: None }));
    assert_eq!((&found.wheels[2].sha256, found.wheels[2].size), (&None, None));
    assert_eq!(found.other.len(), 1);
}

#[test]
fn what_is_no_page_of_this_project_is_said() {
    let project = |found: &str| IndexProblem::OtherProject {
        url: "https://host/simple/a-b/".into(),
        found: found.into(),
        expected: "a-b".into(),
    };
    assert_eq!(
        read(Format::Html, "<a href='c-1-py3-none-any.whl'>").unwrap_err(),
        project("c")
    );
    let other = r#"{"meta":{"api-version":"1.0"},"name":"c","files":[]}"#;
    assert_eq!(read(Format::Json, other).unwrap_err(), project("c"));
    for portal in [
        "<html><body><form action='/login'><input name=user></form></body></html>",
        "<html><body>Welcome! <a href='https://portal/login'>Log in</a></body></html>",
        "<html><script>location = '/login'</script></html>",
    ] {
        let problem = read(Format::Html, portal).unwrap_err();
        assert!(matches!(problem, IndexProblem::NotAnIndex { .. }), "{problem}");
        assert!(problem.hint().is_some());
    }
    for empty in [
        "",
        "<html><body></body></html>",
        "<h1>Links for a-b</h1><a href='notes.txt'>notes</a>",
        "<a href='../'>..</a>",
    ] {
        assert!(read(Format::Html, empty).unwrap().wheels.is_empty());
    }
    for broken in [
        "",
        "[]",
        "{}",
        r#"{"meta":{"api-version":"2.0"},"name":"a-b","files":[]}"#,
        r#"{"name":"a-b","files":[]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"a-b","files":{}}"#,
        &"[".repeat(100_000),
    ] {
        assert!(matches!(read(Format::Json, broken), Err(IndexProblem::Page { .. })));
    }
}

#[test]
fn more_files_than_any_project_has_are_refused() {
    let html = "<a href='a_b-1-py3-none-any.whl'>".repeat(MAX_FILES + 1);
    let json = format!(
        r#"{{"meta":{{"api-version":"1.0"}},"name":"a-b","files":[{}{{}}]}}"#,
        r#"{"filename":"x","url":"y"},"#.repeat(MAX_FILES + 1)
    );
    for (format, page) in [(Format::Html, html), (Format::Json, json)] {
        let problem = read(format, &page).unwrap_err();
        assert!(problem.to_string().contains("more than 100000 files"), "{problem}");
    }
}

#[test]
fn random_bytes_are_no_reason_to_fail() {
    let mut state = 12u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let url = Url::parse("https://host/simple/a-b/").unwrap();
    let name = Name::parse("a-b").unwrap();
    let html =
        format!("<a href='a_b-1.0-py3-none-any.whl#sha256={DIGEST}' data-yanked='x' data-requires-python='&gt;=3'>");
    let json = format!(
        r#"{{"meta":{{"api-version":"1.0"}},"name":"a-b","files":[{{"filename":"a_b-1.0-py3-none-any.whl","url":"x","hashes":{{"sha256":"{DIGEST}"}},"yanked":true}}]}}"#
    );
    for _ in 0..5_000 {
        for (format, seed) in [(Format::Html, &html), (Format::Json, &json)] {
            let mut page = seed.clone().into_bytes();
            for _ in 0..=random() % 6 {
                let at = random() as usize % page.len();
                match random() % 3 {
                    0 => page[at] = random() as u8,
                    1 => page.truncate(at + 1),
                    _ => page.insert(at, b"<>'\"&;=%{}[]\\/"[random() as usize % 14]),
                }
            }
            if let Ok(found) = listing(format, &page, &url, &name, "x") {
                for offer in found.wheels {
                    assert_eq!(offer.filename.name, name);
                    assert!(offer.sha256.is_none_or(|digest| digest.len() == 64));
                }
            }
        }
        let noise: Vec<u8> = (0..200).map(|_| random() as u8).collect();
        let _ = listing(Format::Html, &noise, &url, &name, "x");
        assert!(listing(Format::Json, &noise, &url, &name, "x").is_err());
    }
}
