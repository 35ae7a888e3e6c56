//! Archives two programs could read differently are not read at all.

use crate::support::*;
use prims_packages::{ArchiveProblem, WheelProblem};
use std::io::{Cursor, Write};

fn structure(problem: WheelProblem) -> bool {
    matches!(problem, WheelProblem::Archive(_))
}

fn draft() -> Draft {
    Draft::new(&[("a/__init__.py", "x = 1\n"), ("a/b.py", "y = 2\n")])
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> WheelProblem {
    let mut bytes = draft().bytes();
    change(&mut bytes);
    refused(wheel("a-1.0-py3-none-any.whl", bytes))
}

#[test]
fn what_other_programs_write_is_read() {
    let (_folder, cache) = cache();
    let draft = draft();
    for (index, method) in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated]
        .into_iter()
        .enumerate()
    {
        let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(method)
            .unix_permissions(0o644);
        writer.add_directory("a/", options).unwrap();
        let record = draft.true_record();
        let record = Member::new("a-1.0.dist-info/RECORD", record.as_bytes());
        for member in draft.members.iter().chain([&record]) {
            writer
                .start_file(std::str::from_utf8(&member.name).unwrap(), options)
                .unwrap();
            writer.write_all(&member.content).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        let environment = install_all(&cache, &[wheel("a-1.0-py3-none-any.whl", bytes)]).unwrap();
        assert_eq!(
            std::fs::read(environment.path.join("a/b.py")).unwrap(),
            b"y = 2\n",
            "{index}"
        );
    }
    // Written to a pipe: sizes follow the data.
    for descriptor in [12, 16] {
        let mut draft = draft.clone();
        draft
            .members
            .iter_mut()
            .for_each(|member| member.descriptor = Some(descriptor));
        install_all(&cache, &[draft.wheel()]).unwrap();
    }
    // Times in extra fields, which differ between the two places.
    let mut draft = draft;
    draft.member("a/b.py").local_extra = [&b"UT\x09\0\x03"[..], &[0; 8]].concat();
    draft.member("a/b.py").extra = [&b"UT\x05\0\x03"[..], &[0; 4]].concat();
    install_all(&cache, &[draft.wheel()]).unwrap();
}

#[test]
fn other_readers_agree() {
    // An independent reader sees exactly the files this one installs.
    let (bytes, (_folder, cache)) = (draft().bytes(), cache());
    let environment = install_all(&cache, &[wheel("a-1.0-py3-none-any.whl", bytes.clone())]).unwrap();
    let mut other = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    for index in 0..other.len() {
        let mut member = other.by_index(index).unwrap();
        let mut content = vec![];
        std::io::Read::read_to_end(&mut member, &mut content).unwrap();
        let installed = std::fs::read(environment.path.join(&*member.name().unwrap())).unwrap();
        assert!(member.name().unwrap().ends_with("RECORD") || installed == content);
    }
}

#[test]
fn archives_with_room_for_doubt_are_refused() {
    assert!(structure(changed(|bytes| bytes.clear())));
    assert!(structure(changed(|bytes| bytes.truncate(21))));
    assert!(structure(changed(|bytes| bytes.truncate(bytes.len() - 1))));
    // Something before, behind, between.
    assert!(structure(changed(|bytes| bytes.insert(0, b'x'))));
    assert!(structure(changed(|bytes| bytes.push(0))));
    assert!(structure(changed(|bytes| {
        let whole = bytes.clone();
        bytes.extend(whole);
    })));
    assert!(structure(changed(|bytes| {
        let at = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes.splice(at..at, *b"gap");
        let end = bytes.len() - 22;
        bytes[end + 16] += 3;
    })));
    // A comment, with an archive in it or not.
    assert!(structure(changed(|bytes| {
        let at = bytes.len() - 2;
        bytes[at] = 4;
        bytes.extend(b"note");
    })));
    // More or fewer members than announced.
    for delta in [1, 255] {
        assert!(structure(changed(|bytes| {
            let at = bytes.len() - 22;
            bytes[at + 8] = bytes[at + 8].wrapping_add(delta);
            bytes[at + 10] = bytes[at + 10].wrapping_add(delta);
        })));
    }
    // Another disk.
    assert!(structure(changed(|bytes| {
        let at = bytes.len() - 22;
        bytes[at + 4] = 1;
    })));
}

#[test]
fn more_members_than_the_format_counts_are_refused() {
    let names: Vec<String> = (0..65_532).map(|at| format!("m/{at}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    // And three that every wheel has.
    let problem = refused(Draft::new(&files).wheel());
    assert!(
        matches!(problem, WheelProblem::Archive(ArchiveProblem::Feature("ZIP64"))),
        "{problem:?}"
    );
}

#[test]
fn every_flipped_bit_of_an_archive_is_noticed_or_harmless() {
    // Each byte of a small wheel, one bit at a time: it is refused, or what is installed is the same.
    let bytes = Draft::new(&[("a.py", "1")]).bytes();
    let (_folder, cache) = cache();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(environment) = install_all(&cache, &[wheel("a-1.0-py3-none-any.whl", bad)]) {
            assert_eq!(std::fs::read(environment.path.join("a.py")).unwrap(), b"1", "bit {bit}");
            assert_eq!(std::fs::read_dir(&environment.path).unwrap().count(), 2, "bit {bit}");
            drop(environment);
        }
        if bit % 512 == 0 {
            cache.clean().unwrap();
        }
    }
}

#[test]
fn contradictions_are_refused() {
    let contradiction = |change: fn(&mut Member)| {
        let problem = refused_draft(|draft| change(draft.member("a/b.py")));
        assert!(
            matches!(problem, WheelProblem::Archive(ArchiveProblem::Contradiction(_))),
            "{problem:?}"
        );
    };
    contradiction(|member| member.local_name = Some(b"a/c.py".to_vec()));
    contradiction(|member| member.local_name = Some(b"a/b.py/".to_vec()));
    contradiction(|member| member.local_name = Some(b"../../b".to_vec()));
    // A member that starts inside another.
    let problem = changed(|bytes| {
        let first = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        let second = first
            + 4
            + bytes[first + 4..]
                .windows(4)
                .position(|window| window == b"PK\x01\x02")
                .unwrap();
        bytes[second + 42] += 3;
    });
    assert!(structure(problem));
    let damaged = |change: fn(&mut Member)| {
        let problem = refused_draft(|draft| change(draft.member("a/b.py")));
        assert!(
            matches!(problem, WheelProblem::Archive(ArchiveProblem::Damaged(_))),
            "{problem:?}"
        );
    };
    damaged(|member| member.crc = Some(1));
    damaged(|member| member.size = Some(5));
    damaged(|member| member.size = Some(7));
    damaged(|member| member.size = Some(0));
    damaged(|member| member.garbage = b"more".to_vec());
}

#[test]
fn rare_features_are_refused() {
    let feature = |change: fn(&mut Member)| {
        let problem = refused_draft(|draft| change(draft.member("a/b.py")));
        assert!(
            matches!(problem, WheelProblem::Archive(ArchiveProblem::Feature(_))),
            "{problem:?}"
        );
    };
    feature(|member| member.flags = 1);
    feature(|member| member.flags = 1 << 6);
    feature(|member| member.flags = 1 << 13);
    feature(|member| member.extra = b"\x01\0\0\0".to_vec());
    feature(|member| member.local_extra = b"\x01\0\0\0".to_vec());
    feature(|member| member.local_extra = b"up\x06\0\x01aaaab".to_vec());
    feature(|member| member.size = Some(u32::MAX));
    // bzip2.
    let problem = changed(|bytes| {
        for at in 0..bytes.len() - 4 {
            match &bytes[at..at + 4] {
                b"PK\x03\x04" => bytes[at + 8] = 12,
                b"PK\x01\x02" => bytes[at + 10] = 12,
                _ => {}
            }
        }
    });
    assert!(
        matches!(problem, WheelProblem::Archive(ArchiveProblem::Feature(_))),
        "{problem:?}"
    );
}

#[test]
fn links_devices_and_bad_names_are_refused() {
    for mode in [0o120_777, 0o020_666, 0o060_666, 0o010_644, 0o140_755, 0o040_755] {
        let problem = refused_draft(|draft| draft.member("a/b.py").mode = mode);
        assert!(
            matches!(problem, WheelProblem::Archive(ArchiveProblem::FileType(_))),
            "{mode:o} {problem:?}"
        );
    }
    let name = |name: &[u8]| {
        refused_draft(|draft| {
            let mut member = Member::new("", b"evil");
            member.name = name.to_vec();
            draft.members.push(member);
        })
    };
    for bad in [&b""[..], b"a\0b", &[0xff], b"caf\xc3\xa9", &[b'a'; 1025]] {
        assert!(
            matches!(name(bad), WheelProblem::Archive(ArchiveProblem::Name(_))),
            "{bad:?}"
        );
    }
    for bad in [
        "/etc/passwd",
        "../evil",
        "a/../../evil",
        "a/./b",
        "a//b",
        "a\\b",
        "C:evil",
        "a\nb",
        "a/b.py/c",
        "A/b.py",
        "a/B.py",
    ] {
        let problem = name(bad.as_bytes());
        assert!(
            matches!(problem, WheelProblem::Path { .. } | WheelProblem::Description { .. }),
            "{bad} {problem:?}"
        );
    }
    assert!(matches!(
        name(b"a/b.py"),
        WheelProblem::Archive(ArchiveProblem::Duplicate(_))
    ));
}

#[test]
fn bombs_are_refused_before_they_unpack() {
    let problem = refused_draft(|draft| draft.members.push(Member::new("a/zeros", &vec![0; 20 << 20])));
    let WheelProblem::Archive(ArchiveProblem::Ratio { packed, unpacked }) = problem else {
        panic!("{problem:?}")
    };
    assert!(unpacked > 20 << 20 && packed < 100 << 10);
}
