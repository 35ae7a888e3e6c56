//! placeholder
pub mod stop;
