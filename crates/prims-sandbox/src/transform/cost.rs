//! How much work a piece of code can do before it is charged: the heaviest path through it, in instructions.
//!
//! Every instruction belongs to the innermost loop around it, or to the function itself. The heaviest path through what
//! belongs to a loop is the most that one iteration can cost: it is charged at the loop's header. The heaviest path through
//! what belongs to the function is charged when it is entered, or by its caller if the function is not metered.

use super::TransformError;
use wasmparser::{Catch, FunctionBody, Operator};

/// A call of code that is not known here. What other modules may call is metered if it can cost much more than this.
const UNKNOWN_CALL: u64 = 64;
/// The call instruction itself and the check in a metered function.
const CALL: u64 = 4;
/// Instructions that enter the runtime: a few hundred nanoseconds or more.
const RUNTIME: u64 = 256;
/// Memory and table instructions with a length, apart from what is charged by length.
const BULK: u64 = 16;
/// Division, square root and the like.
const SLOW: u64 = 8;

/// What the code of a function costs.
pub(super) struct Cost {
    /// The heaviest path through what is not in a loop.
    pub(super) work: u64,
    /// The heaviest path through one iteration of each loop, in the order of the loop instructions.
    pub(super) loops: Vec<LoopCost>,
    /// Whether an exception may leave the function, because it throws or calls.
    pub(super) may_throw: bool,
    /// How many instructions are charged by their length.
    pub(super) bulk: u32,
}

/// What a loop costs.
#[derive(Clone, Copy, Default)]
pub(super) struct LoopCost {
    /// The heaviest path through one iteration.
    pub(super) work: u64,
    /// Whether nothing in it, nor in the loops in it, is compiled to a call.
    pub(super) free_of_calls: bool,
}

/// Computes what `body` costs. `callee` says what a direct call of a defined function adds, None for an imported function.
pub(super) fn cost(body: &FunctionBody, callee: impl Fn(u32) -> Option<u64>) -> Result<Cost, TransformError> {
    let mut walk = Walk {
        frames: vec![Frame::new(Kind::Block, 0, Some(0))],
        regions: vec![Region::default()],
        reachable: true,
        loops: Vec::new(),
        calls: 0,
        may_throw: false,
    };
    let (mut bulk, mut constant) = (0, None);
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        walk.operator(&operator, &callee);
        bulk += u32::from(super::meter::bulk(&operator, constant).is_some());
        constant = match operator {
            Operator::I32Const { value } => Some(value),
            _ => None,
        };
    }
    let work = walk.regions.first().map_or(0, |region| region.heaviest);
    Ok(Cost {
        work,
        loops: walk.loops,
        may_throw: walk.may_throw,
        bulk,
    })
}

/// The function outside of loops, or one loop.
#[derive(Default)]
struct Region {
    /// The heaviest path to here.
    current: u64,
    /// The heaviest path to anywhere.
    heaviest: u64,
}

/// A block that is open.
struct Frame {
    kind: Kind,
    /// The region in which a branch to this block goes on.
    region: usize,
    /// The heaviest path that branches to the end of the block, if any does.
    arrived: Option<u64>,
    /// The heaviest path to the start of the block, if it can be reached.
    start: Option<u64>,
}

impl Frame {
    fn new(kind: Kind, region: usize, start: Option<u64>) -> Self {
        Self {
            kind,
            region,
            arrived: None,
            start,
        }
    }

    fn arrive(&mut self, path: u64) {
        self.arrived = self.arrived.max(Some(path));
    }
}

enum Kind {
    Block,
    /// No `else` has been seen.
    If,
    /// Its number, and how many calls are before it.
    Loop(usize, u32),
    /// The frames its handlers branch to.
    Try(Vec<usize>),
}

/// A walk over the instructions of one function.
struct Walk {
    frames: Vec<Frame>,
    regions: Vec<Region>,
    reachable: bool,
    loops: Vec<LoopCost>,
    /// Calls so far, in the order of the code.
    calls: u32,
    may_throw: bool,
}

impl Walk {
    fn operator(&mut self, operator: &Operator, callee: &impl Fn(u32) -> Option<u64>) {
        use Operator as O;
        match operator {
            O::Block { .. } => self.open(Kind::Block),
            O::Loop { .. } => {
                self.open(Kind::Loop(self.loops.len(), self.calls));
                self.loops.push(LoopCost::default());
                self.regions.push(Region::default());
            }
            O::If { .. } => {
                self.add(1);
                self.open(Kind::If);
            }
            O::Else => self.otherwise(),
            O::TryTable { try_table } => {
                let depth = self.frames.len();
                let targets = try_table.catches.iter().filter_map(|catch| match catch {
                    Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label } => depth.checked_sub(*label as usize + 1),
                });
                self.open(Kind::Try(targets.collect()));
            }
            O::End => self.close(),
            O::Br { relative_depth } => {
                self.add(1);
                self.branch(*relative_depth);
                self.reachable = false;
            }
            O::BrIf { relative_depth } => {
                self.add(1);
                self.branch(*relative_depth);
            }
            O::BrTable { targets } => {
                self.add(2);
                for target in targets.targets().map_while(Result::ok).chain([targets.default()]) {
                    self.branch(target);
                }
                self.reachable = false;
            }
            O::Return | O::Unreachable => {
                self.add(1);
                self.reachable = false;
            }
            O::Throw { .. } | O::ThrowRef => {
                self.calls += 1;
                self.add(RUNTIME);
                self.may_throw = true;
                self.reachable = false;
            }
            O::Call { function_index } => {
                self.add(CALL.saturating_add(callee(*function_index).unwrap_or(UNKNOWN_CALL)));
                self.calls += 1;
                self.may_throw = true;
            }
            O::CallIndirect { .. } => {
                self.add(CALL + UNKNOWN_CALL);
                self.calls += 1;
                self.may_throw = true;
            }
            _ => {
                let weight = weight(operator);
                // The heavier instructions are calls of the runtime.
                self.calls += u32::from(weight >= BULK);
                self.add(weight);
            }
        }
    }

    fn add(&mut self, weight: u64) {
        if let (true, Some(region)) = (self.reachable, self.regions.last_mut()) {
            region.current = region.current.saturating_add(weight);
            region.heaviest = region.heaviest.max(region.current);
        }
    }

    fn current(&self) -> Option<u64> {
        let region = self.regions.last().filter(|_| self.reachable)?;
        Some(region.current)
    }

    fn open(&mut self, kind: Kind) {
        let start = self.current();
        self.frames
            .push(Frame::new(kind, self.regions.len().saturating_sub(1), start));
    }

    fn otherwise(&mut self) {
        let current = self.current();
        let (Some(frame), Some(region)) = (self.frames.last_mut(), self.regions.last_mut()) else {
            return;
        };
        frame.kind = Kind::Block;
        if let Some(path) = current {
            frame.arrive(path);
        }
        self.reachable = frame.start.is_some();
        region.current = frame.start.unwrap_or(0);
    }

    fn close(&mut self) {
        let current = self.current();
        let Some(mut frame) = self.frames.pop() else { return };
        match &frame.kind {
            Kind::Loop(number, calls) => {
                // What comes after the loop belongs to the region around it, in which no path went on meanwhile.
                if let (Some(region), Some(cost)) = (self.regions.pop(), self.loops.get_mut(*number)) {
                    *cost = LoopCost {
                        work: region.heaviest,
                        free_of_calls: self.calls == *calls,
                    };
                }
                return;
            }
            Kind::If => frame.arrived = frame.arrived.max(frame.start),
            Kind::Try(targets) if frame.start.is_some() => {
                // An exception may come from anywhere inside: assume the heaviest path so far.
                for target in targets {
                    let Some(outer) = self.frames.get_mut(*target) else {
                        continue;
                    };
                    let Some(region) = self.regions.get(outer.region) else {
                        continue;
                    };
                    outer.arrive(region.heaviest);
                }
            }
            Kind::Try(_) | Kind::Block => {}
        }
        let end = frame.arrived.max(current);
        self.reachable = end.is_some();
        if let Some(region) = self.regions.last_mut() {
            region.current = end.unwrap_or(0);
        }
    }

    fn branch(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let Some(target) = self.frames.len().checked_sub(depth as usize + 1) else {
            return;
        };
        let Some(frame) = self.frames.get_mut(target) else {
            return;
        };
        // A branch to a loop is a new iteration, which its header charges.
        if let (false, Some(region)) = (matches!(frame.kind, Kind::Loop(..)), self.regions.get(frame.region)) {
            frame.arrive(region.current);
        }
    }
}

/// What an instruction that always goes on to the next one costs.
fn weight(operator: &Operator) -> u64 {
    use Operator as O;
    match operator {
        O::Nop | O::Drop | O::LocalGet { .. } | O::I32Const { .. } | O::I64Const { .. } => 1,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => SLOW,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => SLOW,
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => SLOW,
        O::F32x4Div | O::F64x2Div | O::F32x4Sqrt | O::F64x2Sqrt => SLOW,
        O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryInit { .. } => BULK,
        O::TableCopy { .. } | O::TableFill { .. } | O::TableInit { .. } => RUNTIME,
        O::MemoryGrow { .. } | O::TableGrow { .. } => RUNTIME,
        O::TableGet { .. } | O::TableSet { .. } | O::RefFunc { .. } => BULK,
        O::DataDrop { .. } | O::ElemDrop { .. } => BULK,
        _ => 1,
    }
}
