//! PRIMS, which calls itself primcs: five of the default tools under their own descriptions, results as JSON texts, a session for
//! each connection, and its prompt.
//!
//! The tools are the default ones. What differs is data: [`shapes`] has their schemas, messages and bounds, [`handler`] translates a call
//! and its result, [`arguments`] its command line and environment.

mod arguments;
mod handler;
mod prompt;
mod shapes;

pub(crate) use arguments::serve;
