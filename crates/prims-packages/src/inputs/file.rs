//! Files of requirements.

use crate::error::{Error, FileProblem};
use crate::index::digest_of;
use crate::inputs::Inputs;
use crate::requirement::{Requirement, shorten};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Longest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How deeply files may name files.
const MAX_DEPTH: usize = 8;
/// Most files that are read in all.
const MAX_FILES: usize = 64;
/// Most requirements in all files, hashes not counted.
const MAX_REQUIREMENTS: usize = 4_096;

/// Adds a file and those it names.
pub(super) fn read(inputs: &mut Inputs, path: &Path, is_constraints: bool) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let mut reader = Reader {
        inputs,
        folder,
        files: 0,
    };
    reader.file(&name, is_constraints, 0)
}

struct Reader<'i> {
    inputs: &'i mut Inputs,
    /// The first file's folder: nothing outside of it is read.
    folder: PathBuf,
    files: usize,
}

impl Reader<'_> {
    /// Reads the file at a path below the folder.
    fn file(&mut self, path: &Path, is_constraints: bool, depth: usize) -> Result<(), Error> {
        let at = |line: usize, problem: FileProblem| Error::RequirementsFile {
            file: path.display().to_string(),
            line,
            problem,
        };
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            return Err(at(1, FileProblem::Depth(MAX_DEPTH)));
        }
        let text = content(&self.folder, path, self.files == 1).map_err(|problem| at(1, problem))?;
        for (number, line) in logical_lines(&text) {
            let line = line.trim();
            match split_option(line) {
                _ if line.is_empty() => {}
                Some(("-r" | "--requirement", file)) => {
                    let named = below(path, file).map_err(|problem| at(number, problem))?;
                    self.file(&named, is_constraints, depth + 1)?;
                }
                Some(("-c" | "--constraint", file)) => {
                    let named = below(path, file).map_err(|problem| at(number, problem))?;
                    self.file(&named, true, depth + 1)?;
                }
                Some(("--require-hashes", "")) => self.inputs.require_hashes = true,
                Some((option, _)) => return Err(at(number, FileProblem::Option(shorten(option)))),
                None => self
                    .requirement(line, is_constraints)
                    .map_err(|problem| at(number, problem))?,
            }
        }
        Ok(())
    }

    /// Takes a line that is a requirement, with its hashes.
    fn requirement(&mut self, line: &str, is_constraints: bool) -> Result<(), FileProblem> {
        let mut parts = line.split(" --");
        let text = parts.next().unwrap_or_default().trim();
        let mut hashes = BTreeSet::new();
        for option in parts {
            let option = format!("--{}", option.trim());
            let Some(("--hash", value)) = split_option(&option) else {
                return Err(FileProblem::Option(shorten(&option)));
            };
            let digest = value.strip_prefix("sha256:").and_then(digest_of);
            hashes.insert(digest.ok_or_else(|| FileProblem::Hash(shorten(value)))?);
        }
        let requirement = Requirement::parse(text).map_err(|reason| FileProblem::Requirement {
            requirement: shorten(text),
            reason,
        })?;
        if !hashes.is_empty() {
            self.inputs
                .hashes
                .entry(requirement.name.clone())
                .or_default()
                .extend(hashes);
        }
        let list = if is_constraints {
            &mut self.inputs.constraints
        } else {
            &mut self.inputs.requirements
        };
        if list.0.len() >= MAX_REQUIREMENTS {
            return Err(FileProblem::TooMany(MAX_REQUIREMENTS));
        }
        list.0.push(requirement);
        Ok(())
    }
}

/// The text of a file, if it is one that may be read. The first may be a link: whoever names it knows where it is.
fn content(folder: &Path, path: &Path, is_first: bool) -> Result<String, FileProblem> {
    let unreadable = |error: std::io::Error| FileProblem::Unreadable(error.kind());
    let full = folder.join(path);
    // A link could lead out of the folder even where the path does not.
    let own = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let (real, root) = (
        full.canonicalize().map_err(unreadable)?,
        own.canonicalize().map_err(unreadable)?,
    );
    if !real.starts_with(root) && !is_first {
        return Err(FileProblem::Outside(path.display().to_string()));
    }
    let metadata = real.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(FileProblem::Unreadable(std::io::ErrorKind::InvalidInput));
    }
    let mut bytes = vec![];
    let file = std::fs::File::open(&real).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileProblem::TooLong {
            found: metadata.len(),
            limit: MAX_BYTES,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| FileProblem::NotText)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The path of a file that another names, from the folder of the first.
fn below(from: &Path, named: &str) -> Result<PathBuf, FileProblem> {
    let outside = || FileProblem::Outside(shorten(named));
    let mut path = from.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(named).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return Err(outside()),
        }
    }
    if named.contains("://") || path.as_os_str().is_empty() {
        return Err(outside());
    }
    Ok(path)
}

/// Lines without comments, with those that end in a backslash joined to the next; and the number of the first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = vec![];
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let (mut start, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        if joined.is_empty() {
            start = index + 1;
        }
        // As installers do: a comment line ends what was continued, a comment needs a space before it.
        let is_comment = line.trim_start().starts_with('#');
        match line.strip_suffix('\\') {
            Some(continued) if !is_comment => {
                joined.push_str(continued);
                open = Some((start, joined));
            }
            _ => {
                joined.push_str(if is_comment { "" } else { line });
                lines.push((start, without_comment(&joined).to_owned()));
            }
        }
    }
    lines.extend(open.map(|(start, joined)| (start, without_comment(&joined).to_owned())));
    lines
}

fn without_comment(line: &str) -> &str {
    let mut starts = line.match_indices('#').map(|(at, _)| at);
    let start = starts.find(|at| *at == 0 || line[..*at].ends_with([' ', '\t']));
    &line[..start.unwrap_or(line.len())]
}

/// An option at the start of a line, and its value.
fn split_option(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with('-') {
        return None;
    }
    let end = line.find([' ', '=', '\t']).unwrap_or(line.len());
    // Short options may have their value right behind them.
    let end = if line.starts_with("--") { end } else { end.min(2) };
    let (option, value) = (line.get(..end)?, line.get(end..)?);
    Some((option, value.trim_start_matches([' ', '=', '\t']).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    fn read_first(files: &[(&str, &str)]) -> Result<Inputs, Error> {
        let folder = folder(files);
        let mut inputs = Inputs::default();
        inputs.add_file(&folder.path().join(files[0].0))?;
        Ok(inputs)
    }

    fn names(list: &crate::requirement::Requirements) -> Vec<&str> {
        list.iter().map(|requirement| requirement.name.as_str()).collect()
    }

    #[test]
    fn what_files_say_is_read() {
        let first = format!(
            "# a comment\n\nnumpy>=2  # why\nrich \\\n  >=13\n-r more/other.txt\n-cmore/limits.txt\na==1 --hash={HASH} \\\n    --hash {HASH}\n\
             \u{20}\u{20}b[x] ; python_version >= '3'\n--require-hashes\n"
        );
        let files = [
            ("first.txt", first.as_str()),
            ("more/other.txt", "six\n--requirement=../last.txt\n"),
            ("more/limits.txt", "idna<4\n-r also.txt\n"),
            ("more/also.txt", "certifi\n"),
            ("last.txt", "\u{feff}attrs"),
        ];
        let inputs = read_first(&files).unwrap();
        assert_eq!(names(&inputs.requirements), ["numpy", "rich", "six", "attrs", "a", "b"]);
        assert_eq!(names(&inputs.constraints), ["idna", "certifi"]);
        assert_eq!(inputs.requirements.0[1].versions.to_string(), ">=13");
        assert!(inputs.require_hashes);
        let hashes = inputs.hashes.values().next().unwrap();
        assert_eq!(hashes.iter().next().unwrap(), &"a".repeat(64));
        assert_eq!(inputs.hashes.len(), 1);
    }

    #[test]
    fn what_is_not_taken_is_said_with_its_line() {
        let said = |content: &str| read_first(&[("first.txt", content)]).unwrap_err().to_string();
        for (content, message) in [
            (
                "a\n-i https://host/simple\n",
                "first.txt, line 2: option `-i` is not supported, expected `-r`, `-c`, `--hash` or `--require-hashes`",
            ),
            (
                "--index-url=x\n",
                "first.txt, line 1: option `--index-url` is not supported, expected `-r`, `-c`, `--hash` or `--require-hashes`",
            ),
            (
                "-e .\n",
                "first.txt, line 1: option `-e` is not supported, expected `-r`, `-c`, `--hash` or `--require-hashes`",
            ),
            (
                "a --config-settings=x\n",
                "first.txt, line 1: option `--config-settings=x` is not supported, expected `-r`, `-c`, `--hash` or `--require-hashes`",
            ),
            (
                "-r ../x.txt\n",
                "first.txt, line 1: `../x.txt` is not below the folder of the first file",
            ),
            (
                "-r /etc/passwd\n",
                "first.txt, line 1: `/etc/passwd` is not below the folder of the first file",
            ),
            (
                "-r https://host/x.txt\n",
                "first.txt, line 1: `https://host/x.txt` is not below the folder of the first file",
            ),
            ("-r none.txt\n", "none.txt, line 1: it cannot be read: entity not found"),
            ("-r first.txt\n", "first.txt, line 1: files are nested deeper than 8"),
            (
                "a --hash=md5:00\n",
                "first.txt, line 1: `md5:00` is not a hash, expected `sha256:` and 64 hexadecimal digits",
            ),
            (
                "a\n\n./x.whl\n",
                "first.txt, line 3: requirement `./x.whl` names a file, expected the name of a package from the index",
            ),
            (
                "a @ https://host/a.whl\n",
                "first.txt, line 1: requirement `a @ https://host/a.whl` names a URL or a repository, expected the name of a package from the index",
            ),
        ] {
            assert_eq!(said(content), message, "{content:?}");
        }
        let long = "a\n".repeat(1 << 20);
        assert!(said(&long).contains("bytes long, expected at most 1048576"));
        assert!(said(&"a\n".repeat(5_000)).ends_with("more than 4096 requirements"));
    }

    #[test]
    fn links_do_not_lead_out() {
        let (outside, inside) = (
            folder(&[("secret.txt", "secret\n")]),
            folder(&[("a/first.txt", "-r link.txt\n-r in/link.txt")]),
        );
        let link =
            |to: &str| std::os::unix::fs::symlink(outside.path().join("secret.txt"), inside.path().join(to)).unwrap();
        std::fs::create_dir(inside.path().join("a/in")).unwrap();
        link("a/in/link.txt");
        std::fs::write(inside.path().join("a/link.txt"), "six\n").unwrap();
        let mut inputs = Inputs::default();
        let error = inputs.add_file(&inside.path().join("a/first.txt")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "in/link.txt, line 1: `in/link.txt` is not below the folder of the first file"
        );
    }
}
