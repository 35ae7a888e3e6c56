//! Shell lines in code. There is no shell; whoever writes one is told what to use instead.

/// What a line may begin with that a shell would run, and what Python has for it.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["pip", "pip3", "uv", "conda", "apt", "apt-get", "%pip"],
        "import the package: what the code imports is installed before it runs",
    ),
    (
        &["ls", "dir", "find", "tree", "du"],
        "use `os.listdir()` or `pathlib.Path.glob()`",
    ),
    (&["cat", "head", "tail", "less"], "use `open(path).read()`"),
    (
        &["cp", "mv", "rm", "mkdir", "rmdir", "touch"],
        "use `shutil`, `os` or `pathlib`",
    ),
    (&["pwd", "cd"], "use `os.getcwd()` or `os.chdir()`"),
    (&["echo", "printf"], "use `print()`"),
    (&["curl", "wget"], "give the file with the request: there is no network"),
    (&["python", "python3"], "put the code itself here"),
    (
        &["unzip", "tar", "gzip", "gunzip"],
        "use `zipfile`, `tarfile` or `gzip`",
    ),
];

/// What to say about the line that is no Python, if it looks as if it were meant for a shell.
pub(super) fn hint(source: &str, line: Option<u32>) -> Option<String> {
    let at = usize::try_from(line?).ok()?.checked_sub(1)?;
    let text = source.lines().nth(at)?.trim();
    let marked = text.strip_prefix("!!").or_else(|| text.strip_prefix(['!', '$', '%']));
    let command = marked.unwrap_or(text).trim_start();
    let word = command.split([' ', '\t', '(']).next().unwrap_or_default();
    let known = INSTEAD
        .iter()
        .find(|(words, _)| words.contains(&word) || words.contains(&&*format!("%{word}")));
    // A line without a mark counts only if its first word is a command and something follows that is no Python.
    if marked.is_none() && (known.is_none() || command == word) {
        return None;
    }
    let instead = known.map_or("use Python's standard library", |(_, instead)| instead);
    let shown: String = text.chars().take(60).collect();
    Some(format!(
        "shell commands such as `{shown}` are not available here: {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn lines_for_a_shell_are_named_with_what_to_use_instead() {
        for (source, says) in [
            ("!ls", Some("os.listdir")),
            ("x = 1\n  !ls -la", Some("os.listdir")),
            ("!pip install cowsay", Some("import the package")),
            ("%pip install cowsay", Some("import the package")),
            ("ls -la", Some("os.listdir")),
            ("$HOME", Some("standard library")),
            ("!frobnicate", Some("standard library")),
            ("x = (", None),
            ("ls", None),
            ("print 'x'", None),
        ] {
            let line = source.lines().count() as u32;
            let said = hint(source, Some(line));
            match says {
                Some(says) => assert!(
                    said.as_ref().is_some_and(|said| said.contains(says)),
                    "{source}: {said:?}"
                ),
                None => assert_eq!(said, None, "{source}"),
            }
        }
        assert_eq!(hint("!ls", None), None);
        assert_eq!(hint("!ls", Some(7)), None);
    }
}
