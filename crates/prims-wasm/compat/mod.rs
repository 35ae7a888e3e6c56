//! Modes in which this program takes the place of another one.

pub(crate) mod bee;

/// Whose place it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Compat {
    /// python-interpreter-mcp, with the BeeAI code interpreter behind it.
    Bee,
}
