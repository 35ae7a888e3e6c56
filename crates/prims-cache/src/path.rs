//! Which paths may be part of a folder entry: the one place that decides where bytes from an archive may go.

/// Longest path in an entry, in bytes.
const MAX_PATH: usize = 1024;
/// Longest name of a file or folder, in bytes: what every file system takes.
const MAX_NAME: usize = 255;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// Nothing, or nothing between two slashes.
    #[error("has an empty part")]
    Empty,
    /// It starts at the root.
    #[error("is absolute")]
    Absolute,
    /// It contains `.` or `..`.
    #[error("contains `.` or `..`")]
    Dots,
    /// A backslash, which some systems take for a separator.
    #[error("contains a backslash")]
    Backslash,
    /// A colon, which some systems take for a drive or a stream.
    #[error("contains a colon")]
    Colon,
    /// NUL or another control character.
    #[error("contains a control character")]
    Control,
    /// It, or a part of it, is longer than file systems take.
    #[error("is too long")]
    TooLong,
    /// It is nested too deeply.
    #[error("is nested too deeply")]
    TooDeep,
    /// It was there before.
    #[error("appears twice")]
    Duplicate,
    /// It differs from another one only in upper and lower case.
    #[error("differs from another path only in upper and lower case")]
    CaseClash,
    /// It is used as a file and as a folder.
    #[error("is both a file and a folder")]
    FileAndFolder,
}

/// Checks a path by its text alone. What passes is relative, has no special part, and means the same on every system.
pub(crate) fn check(path: &str) -> Result<(), PathProblem> {
    let rules: [(bool, PathProblem); 6] = [
        (path.is_empty(), PathProblem::Empty),
        (path.len() > MAX_PATH, PathProblem::TooLong),
        (path.starts_with('/'), PathProblem::Absolute),
        (path.contains('\\'), PathProblem::Backslash),
        (path.contains(':'), PathProblem::Colon),
        (path.chars().any(char::is_control), PathProblem::Control),
    ];
    if let Some((_, problem)) = rules.into_iter().find(|(broken, _)| *broken) {
        return Err(problem);
    }
    let mut depth = 0;
    for part in path.split('/') {
        depth += 1;
        match part {
            "" => return Err(PathProblem::Empty),
            "." | ".." => return Err(PathProblem::Dots),
            part if part.len() > MAX_NAME => return Err(PathProblem::TooLong),
            _ if depth > MAX_DEPTH => return Err(PathProblem::TooDeep),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let long = "x".repeat(256);
        let longer = ["x".repeat(200).as_str(); 6].join("/");
        let deep = ["d"; 65].join("/");
        let cases = [
            ("", PathProblem::Empty),
            ("/", PathProblem::Absolute),
            ("/etc/passwd", PathProblem::Absolute),
            ("a//b", PathProblem::Empty),
            ("a/", PathProblem::Empty),
            ("..", PathProblem::Dots),
            ("a/../b", PathProblem::Dots),
            ("./a", PathProblem::Dots),
            ("a\\b", PathProblem::Backslash),
            ("C:x", PathProblem::Colon),
            ("a\0", PathProblem::Control),
            ("a\nb", PathProblem::Control),
            ("a\u{85}b", PathProblem::Control),
            (&long, PathProblem::TooLong),
            (&longer, PathProblem::TooLong),
            (&deep, PathProblem::TooDeep),
        ];
        for (path, problem) in cases {
            assert_eq!(check(path), Err(problem), "{path:?}");
        }
        for good in ["a", "a/b.py", "..a/b..", "名/é.txt", ".hidden", "a b"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
    }
}
