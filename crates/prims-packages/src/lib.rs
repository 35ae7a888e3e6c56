//! Requirements in, an environment out: which wheels satisfy what was asked for, and a folder with them unpacked.
//!
//! ```text
//!  "numpy>=2" ──Inputs──▶ resolve ──Lock──▶ Indexes::install ──▶ Environment
//!                           │ ▲
//!                           ▼ │ Listing, Metadata
//!                     Indexes (Source): bundled, folders, servers
//! ```
//!
//! Everything that comes in is taken for hostile: requirements from a client, pages and wheels from an index. No package code ever runs
//! here: only wheels are taken, nothing is built, scripts and `.pth` files are left out, bytes are unpacked and nothing else. This crate
//! knows no WebAssembly: it matches tags for a [`Target`].
//!
//! **Indexes.** An *index* is asked for the *page* of a project; what it lists are *offers*. `settings` says which indexes, `http` asks
//! them, `simple` reads pages, `pages` keeps them, `remote_metadata` and `ranges` describe a wheel without fetching it, `fetch` fetches it.
//! A *session* is one resolution and what is installed for it: it has a *budget* and asks every question once ([`Indexes::session`]).
//! Everything blocks, so call it from threads that may: within an asynchronous runtime, from one for blocking work.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alternatives;
mod archive;
mod budget;
mod catalog;
mod error;
mod fetch;
mod filename;
mod flights;
mod folder;
mod http;
mod imports;
mod index;
mod indexes;
mod inputs;
mod install;
mod location;
mod lock;
mod marker;
mod metadata;
mod name;
mod native;
mod pages;
mod pip_conf;
mod prefetch;
mod problem;
mod progress;
mod ranges;
mod record;
mod remote_metadata;
mod requirement;
mod resolve;
mod settings;
mod simple;
mod specifiers;
mod target;
mod unpack;
mod wheel;

pub use archive::ArchiveProblem;
pub use budget::BudgetLimits;
pub use catalog::{Listing, Lock, LockedWheel, MetadataFile, Offer, Place, Source};
pub use error::{Error, FileProblem, LockProblem, NoWheel, ScriptProblem, WheelProblem};
pub use filename::WheelFilename;
pub use http::Patience;
pub use imports::{imported_names, requirement_for};
pub use index::{BundledIndex, BundledWheel, Resolved, ResolvedWheel};
pub use indexes::Indexes;
pub use inputs::{Inputs, script_requirements};
pub use install::{Environment, install};
pub use metadata::Metadata;
pub use name::Name;
pub use native::NativeCheck;
pub use problem::IndexProblem;
pub use progress::{Event, Progress};
pub use requirement::{Refused, Requirement, Requirements};
pub use resolve::resolve;
pub use settings::{IndexSettings, index_url};
pub use target::Target;
