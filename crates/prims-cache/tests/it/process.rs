//! Other processes: the test program itself, started again to play a part.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// This test program as a child that does what the test `children::child` says, with pipes for what is said to it and by it.
pub(crate) fn itself() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "children::child", "--nocapture", "--test-threads=1"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// The same child where a file cannot be longer than 512 blocks. The signal that comes with the limit is ignored, so that writing
/// fails, as it does on a full disk.
pub(crate) fn with_small_files(child: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args());
    for (name, value) in child.get_envs() {
        limited.env(name, value.unwrap());
    }
    limited.stdin(Stdio::piped()).stdout(Stdio::piped());
    limited
}

/// Waits until a child says something.
pub(crate) fn wait_for(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.trim_end().ends_with(word) {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "the child ended without saying `{word}`"
        );
    }
}

/// Lets a child end and takes what it said.
pub(crate) fn finish(mut child: Child) -> String {
    drop(child.stdin.take());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

/// Says something to the parent.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn say(what: &str) {
    println!("{what}");
    std::io::stdout().flush().unwrap();
}
