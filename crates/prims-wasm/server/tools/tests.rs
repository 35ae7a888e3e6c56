//! Invariants of all tools together.
