//! How much work a piece of code can do before it is charged: the heaviest path through it, in instructions.
//!
//! Every instruction belongs to the innermost loop around it, or to the function itself. The heaviest path through what belongs
//! to a loop is what one iteration can cost at most: it is charged at the loop's header. The heaviest path through what belongs to
//! the function is charged when it is entered, or by its caller, if the function is not metered.

use super::TransformError;
use wasmparser::{FunctionBody, Operator};

/// A call of code that is not known here. It is charged here if it is cheap: what other modules may call is metered
/// if it can cost more than [`super::meter::EXTERNAL_WORK`].
const UNKNOWN_CALL: u64 = 64;
/// The call instruction itself and the check in a metered function.
const CALL: u64 = 4;
/// Instructions that enter the runtime: a few hundred nanoseconds or more.
const RUNTIME: u64 = 256;
/// Memory and table instructions with a length: what is not charged by length.
const BULK: u64 = 16;
/// Division, square root: the slow instructions of a processor.
const SLOW: u64 = 8;

/// What the code of a function costs.
pub(super) struct Cost {
    /// The heaviest path through what is not in a loop.
    pub(super) work: u64,
    /// The heaviest path through one iteration of each loop, in the order of the loop instructions.
    pub(super) loops: Vec<u64>,
    /// Whether there are calls or instructions through which an exception may leave.
    pub(super) may_throw: bool,
}

/// A block that is open.
struct Frame<'a> {
    kind: Kind<'a>,
    /// The region a branch to this block goes on in.
    region: usize,
    /// The heaviest path that arrives at the end of the block, if any does.
    arrived: Option<u64>,
    /// The path at the start of the block, if it can be reached.
    start: Option<u64>,
}

enum Kind<'a> {
    Block,
    If,
    Loop(usize),
    Try(&'a [wasmparser::Catch], usize),
}

/// The function outside of loops, or one loop.
#[derive(Default)]
struct Region {
    current: u64,
    heaviest: u64,
}

/// Walks over one function body.
struct Walk<'a> {
    frames: Vec<Frame<'a>>,
    regions: Vec<Region>,
    reachable: bool,
    loops: Vec<u64>,
    may_throw: bool,
}

/// Computes what `body` costs; `callee` says what a direct call of a function costs, None for an imported function.
pub(super) fn cost(
    body: &FunctionBody,
    callee: impl Fn(u32) -> Option<u64>,
) -> Result<Cost, TransformError> {
    let mut catches = Vec::new();
    let mut walk = Walk {
        frames: vec![Frame { kind: Kind::Block, region: 0, arrived: None, start: Some(0) }],
        regions: vec![Region::default()],
        reachable: true,
        loops: Vec::new(),
        may_throw: false,
    };
    let _ = &mut catches as &mut Vec<()>;
    for operator in body.get_operators_reader()? {
        walk.operator(operator?, &callee);
    }
    let work = walk.regions.first().map_or(0, |region| region.heaviest);
    Ok(Cost { work, loops: walk.loops, may_throw: walk.may_throw })
}
