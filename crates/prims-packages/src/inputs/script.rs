//! The block at the top of a script that says what it needs (PEP 723).

use crate::error::{Error, ScriptProblem};
use crate::target::Target;
use pep440_rs::VersionSpecifiers;
use serde::Deserialize;
use std::str::FromStr;

/// Longest block, in bytes.
const MAX_BLOCK: usize = 64 << 10;

/// What of the block matters here. Tools' own tables are theirs.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Block {
    #[serde(default)]
    dependencies: Vec<String>,
    requires_python: Option<String>,
}

/// The requirements of the block, if there is one.
pub(super) fn dependencies(code: &str, target: &Target) -> Result<Vec<String>, Error> {
    // Most code has no block, and this runs before every one.
    if !code.contains("# /// script") {
        return Ok(vec![]);
    }
    let blocks = blocks(code);
    let content = match &blocks[..] {
        [] => return Ok(vec![]),
        [content] => content,
        _ => return Err(Error::Script(ScriptProblem::Several(blocks.len()))),
    };
    if content.len() > MAX_BLOCK {
        return Err(Error::Script(ScriptProblem::TooLong {
            found: content.len(),
            limit: MAX_BLOCK,
        }));
    }
    let bad = |reason: String| Error::Script(ScriptProblem::Toml(reason));
    let block: Block = toml::from_str(content).map_err(|error| bad(error.message().to_owned()))?;
    if let Some(text) = block.requires_python {
        let wanted = VersionSpecifiers::from_str(&text)
            .map_err(|_| bad(format!("`requires-python` is `{}`", text.escape_debug())))?;
        if !wanted.contains(&target.pep440()) {
            return Err(Error::Script(ScriptProblem::Python {
                wanted: wanted.to_string(),
                python: target.full_version(),
            }));
        }
    }
    Ok(block.dependencies)
}

/// The content of all blocks `script`, exactly as the reference expression of the standard finds them: a block starts with a line
/// `# /// script`, all of its lines start with `#` and a space or are `#`, and it ends with the last line `# ///` of them. What is
/// not closed is no block.
fn blocks(code: &str) -> Vec<String> {
    // The expression is for text as Python reads it from a file, with one kind of line break.
    let lines = code.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let lines: Vec<&str> = lines.collect();
    let (mut blocks, mut at) = (vec![], 0);
    while at < lines.len() {
        let Some(kind) = opening(lines[at]) else {
            at += 1;
            continue;
        };
        let rest = &lines[at + 1..];
        let comments = rest
            .iter()
            .take_while(|line| **line == "#" || line.starts_with("# "))
            .count();
        // The line that closes may be the last of the file, without a line break; others have one. There is at least one line
        // between the two.
        let close = (1..comments).rev().find(|index| rest[*index] == "# ///");
        let Some(close) = close else {
            // What closes no block here closes none that begins further down in the same comment: looking again at each line would
            // take quadratic time.
            at += 1 + comments;
            continue;
        };
        if kind == "script" {
            let content = rest[..close]
                .iter()
                .map(|line| line.strip_prefix("# ").unwrap_or(&line[1..]));
            blocks.push(content.flat_map(|line| [line, "\n"]).collect());
        }
        at += close + 2;
    }
    blocks
}

/// The kind of block that a line opens.
fn opening(line: &str) -> Option<&str> {
    let kind = line.strip_prefix("# /// ")?;
    let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_kind.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Result<Vec<String>, Error> {
        dependencies(code, &Target::default())
    }

    #[test]
    fn blocks_are_found_as_the_reference_finds_them() {
        let block =
            "# /// script\n# dependencies = [\n#   \"numpy>=2\",\n#   'rich',\n# ]\n#\n# [tool.x]\n# y = 1\n# ///\n";
        assert_eq!(found(block).unwrap(), ["numpy>=2", "rich"]);
        assert_eq!(
            found(&format!("#!/usr/bin/python\nimport os\n{block}print()\n"))
                .unwrap()
                .len(),
            2
        );
        assert_eq!(found(block.trim_end()).unwrap().len(), 2);
        assert_eq!(found(&block.replace('\n', "\r\n")).unwrap().len(), 2);
        // The last closing line of the comment counts.
        let inner = "# /// script\n# dependencies = ['a']\n# [tool]\n# x = '''\n# ///\n# '''\n# ///\n";
        assert_eq!(found(inner).unwrap(), ["a"]);
        for none in [
            "",
            "# /// script\n# dependencies = ['a']\n",
            "# /// script\n# ///\n",
            "# /// script \n# dependencies = ['a']\n# ///\n",
            " # /// script\n # dependencies = ['a']\n # ///\n",
            "#/// script\n# dependencies = ['a']\n# ///\n",
            "# /// other\n# dependencies = ['a']\n# ///\n",
            "# /// script\n#dependencies = ['a']\n# ///\n",
            "# /// script\n# dependencies = ['a']\n\n# ///\n",
        ] {
            assert_eq!(found(none).unwrap(), Vec::<String>::new(), "{none:?}");
        }
    }

    #[test]
    fn blocks_without_an_end_take_no_quadratic_time() {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in ["# /// a\n", "# /// script\n", "# ///\n# /// script\n"] {
                let code = line.repeat((1 << 20) / line.len());
                let _ = sender.send((blocks(&code).len(), blocks(&format!("{code}\n{code}")).len()));
            }
        });
        // The time it would take otherwise is minutes.
        let found = || receiver.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        assert_eq!(found(), (0, 0));
        assert_eq!(found(), (0, 0));
        // The last line that closes is that of the first block.
        assert_eq!(found(), (1, 2));
    }

    #[test]
    fn what_is_wrong_with_a_block_is_said() {
        let message = |code: &str| found(code).unwrap_err().to_string();
        let block = "# /// script\n# dependencies = ['a']\n# ///\n";
        assert_eq!(
            message(&format!("{block}\n{block}")),
            "the script's metadata is there 2 times, expected one block `# /// script`"
        );
        assert_eq!(
            message("# /// script\n# requires-python = '>=3.14'\n# ///\n"),
            "the script's metadata needs Python >=3.14, this is Python 3.13.15"
        );
        assert!(
            message("# /// script\n# dependencies = 'a'\n# ///\n").starts_with("the script's metadata does not read: ")
        );
        assert!(message("# /// script\n# = 1\n# ///\n").starts_with("the script's metadata does not read: "));
        assert!(message("# /// script\n# requires-python = 'x'\n# ///\n").contains("`requires-python` is `x`"));
        let long = format!("# /// script\n{}# ///\n", "# # comment\n".repeat(7_000));
        assert!(matches!(
            found(&long),
            Err(Error::Script(ScriptProblem::TooLong { limit: 65_536, .. }))
        ));
    }
}
