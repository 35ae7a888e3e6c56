//! Every `tests/scenarios/*.txt` is an index in a few lines, and questions to it with their answers:
//!
//! ```text
//! a 1.0: b>=1 ;; c; extra == 'x'
//! b 1.0 tags=py3-none-any python=>=3.8 needs-python=>=3.8 extras=x,y yanked=why bundled
//! c 1.0 source
//! ? a[x] ;; b -c c<2 -x excluded -o only,these
//! = a==1.0 b==1.0
//! ```
//!
//! `=` is what was chosen, `!` an error and `hint:` its hint. `BLESS=1 cargo test` writes the answers instead of comparing them; read
//! the difference before you commit it.

use crate::shelf::{Listed, Shelf};
use prims_packages::{Error, Inputs, Lock, Name, Requirements, Target, resolve};
use std::path::Path;

#[test]
fn every_question_is_answered_as_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let bless = std::env::var_os("BLESS").is_some();
    let (mut questions, mut failures) = (0, String::new());
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let wanted = std::fs::read_to_string(&path).unwrap();
        let found = answer(&wanted);
        questions += found.lines().filter(|line| line.starts_with('?')).count();
        if bless {
            std::fs::write(&path, found).unwrap();
        } else if found != wanted {
            let name = path.file_name().unwrap().to_string_lossy();
            failures.push_str(&format!("==== {name}, what was found:\n{found}\n"));
        }
    }
    assert!(questions > 80, "only {questions} questions");
    assert!(failures.is_empty(), "{failures}");
}

/// The file with its answers written anew.
fn answer(text: &str) -> String {
    let (mut shelf, mut answered) = (Shelf::default(), String::new());
    for line in text.lines() {
        if line.starts_with(['=', '!']) || line.starts_with("hint:") {
            continue;
        }
        answered.push_str(line);
        answered.push('\n');
        match line.strip_prefix('?') {
            Some(question) => answered.push_str(&ask(&shelf, question)),
            None if line.is_empty() || line.starts_with('#') => {}
            None => put(&mut shelf, line),
        }
    }
    answered
}

fn put(shelf: &mut Shelf, line: &str) {
    let (front, dependencies) = line.split_once(": ").unwrap_or((line, ""));
    let mut words = front.trim_end_matches(':').split(' ');
    let (name, version) = (words.next().unwrap(), words.next().unwrap());
    let (mut listed, mut metadata) = (Listed::default(), String::new());
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("source", _) => return shelf.add_source(name, version),
            ("bundled", _) => listed.is_bundled = true,
            ("tags", tags) => listed.tags = Some(tags.into()),
            ("python", python) => listed.requires_python = Some(python.into()),
            ("needs-python", python) => metadata.push_str(&format!("Requires-Python: {python}\n")),
            ("yanked", why) => listed.yanked = Some(why.replace('_', " ")),
            ("extras", extras) => {
                extras
                    .split(',')
                    .for_each(|extra| metadata.push_str(&format!("Provides-Extra: {extra}\n")));
            }
            (other, _) => panic!("{other}: {line}"),
        }
    }
    for dependency in dependencies.split(" ;; ").filter(|dependency| !dependency.is_empty()) {
        metadata.push_str(&format!("Requires-Dist: {dependency}\n"));
    }
    shelf.add(name, version, &metadata, listed);
}

fn ask(shelf: &Shelf, question: &str) -> String {
    match ask_inputs(question).and_then(|inputs| resolve(&inputs, &Target::default(), shelf)) {
        Ok(lock) => format!("= {}\n", pins(&lock).join(" ")),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= 1_200, "{} bytes: {message}", message.len());
            let hint = error.hint().map_or_else(String::new, |hint| format!("hint: {hint}\n"));
            format!("! {message}\n{hint}")
        }
    }
}

fn ask_inputs(question: &str) -> Result<Inputs, Error> {
    let mut parts = question.split(" -");
    let list = |text: &str| -> Vec<String> { text.split(" ;; ").map(|part| part.trim().to_owned()).collect() };
    let parse = |texts: Vec<String>| {
        let texts: Vec<&str> = texts
            .iter()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        Requirements::parse(&texts)
    };
    let names = |text: &str| text.split(',').map(|name| Name::parse(name.trim()).unwrap()).collect();
    let mut inputs = Inputs {
        requirements: parse(list(parts.next().unwrap()))?,
        ..Inputs::default()
    };
    for part in parts {
        match part.split_at(2) {
            ("c ", constraints) => inputs.constraints = parse(list(constraints))?,
            ("x ", excluded) => inputs.exclude = names(excluded),
            ("o ", allowed) => inputs.allow = Some(names(allowed)),
            other => panic!("{other:?}"),
        }
    }
    Ok(inputs)
}

/// What was chosen, as `name==version`, with the tags of wheels that are not pure.
pub(crate) fn pins(lock: &Lock) -> Vec<String> {
    let wheels = lock.wheels.iter();
    wheels
        .map(|wheel| {
            let pin = format!("{}=={}", wheel.name, wheel.version);
            let tags: Vec<&str> = wheel.filename.trim_end_matches(".whl").rsplitn(4, '-').collect();
            if tags[0] == "any" {
                pin
            } else {
                format!("{pin}({})", tags[0])
            }
        })
        .collect()
}
