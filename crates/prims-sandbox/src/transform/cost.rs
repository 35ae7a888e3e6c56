//! How much work a piece of code can do before it is charged: its paths, measured in instructions.
//!
//! Every instruction belongs to the innermost loop around it, or to the function itself. A path through what belongs to a loop
//! is one iteration: it is charged at the loop's header. A path through what belongs to the function is charged when it is
//! entered, or by its caller if the function is not metered.

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

/// How far out a branch is followed to note where iterations end. It only matters for estimates.
const EXITS: usize = 8;

/// What the paths between two points cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paths {
    /// The lightest one; an estimate, it may be too high.
    pub(super) light: u64,
    /// The heaviest one.
    pub(super) heavy: u64,
}

/// Instructions that usually cost nothing.
const FREE: Paths = Paths { light: 0, heavy: 1 };

impl Paths {
    /// Paths that all cost the same.
    fn of(cost: u64) -> Self {
        Self {
            light: cost,
            heavy: cost,
        }
    }

    fn add(&mut self, more: Self) {
        self.light = self.light.saturating_add(more.light);
        self.heavy = self.heavy.saturating_add(more.heavy);
    }

    fn or(self, other: Self) -> Self {
        Self {
            light: self.light.min(other.light),
            heavy: self.heavy.max(other.heavy),
        }
    }
}

/// Either way, if both can be taken.
fn either(one: Option<Paths>, other: Option<Paths>) -> Option<Paths> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.or(other)),
        (one, other) => one.or(other),
    }
}

/// What the code of a function costs.
pub(super) struct Cost {
    /// From the entry to the return, without what is in loops.
    pub(super) work: Paths,
    /// One iteration of each loop, in the order of the loop instructions.
    pub(super) loops: Vec<LoopCost>,
    /// Whether an exception may leave the function, because it throws or calls.
    pub(super) may_throw: bool,
    /// How many instructions are charged by their length.
    pub(super) bulk: u32,
}

/// What a loop costs.
#[derive(Clone, Copy, Default)]
pub(super) struct LoopCost {
    /// One iteration.
    pub(super) work: Paths,
    /// Whether nothing in it, nor in the loops in it, is compiled to a call.
    pub(super) free_of_calls: bool,
}

/// Computes what `body` costs. `callee` says what a direct call adds, None if what is called is not known here.
pub(super) fn cost(body: &FunctionBody, callee: impl Fn(u32) -> Option<Paths>) -> Result<Cost, TransformError> {
    let mut walk = Walk {
        frames: vec![Frame::new(Kind::Block, 0, Some(Paths::default()))],
        regions: vec![Region::new()],
        reachable: true,
        calls: 0,
        cost: Cost {
            work: Paths::default(),
            loops: Vec::new(),
            may_throw: false,
            bulk: 0,
        },
    };
    let mut constant = None;
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        walk.operator(&operator, &callee);
        walk.cost.bulk += u32::from(super::meter::bulk(&operator, constant).is_some());
        constant = match operator {
            Operator::I32Const { value } => Some(value),
            _ => None,
        };
    }
    if let Some(function) = walk.regions.first() {
        walk.cost.work = function.iteration();
    }
    Ok(walk.cost)
}

/// The function outside of loops, or one loop.
struct Region {
    /// From its start to here.
    current: Paths,
    /// The heaviest path to anywhere in it.
    heaviest: u64,
    /// The lightest path to where it ends or starts again.
    lightest: Option<u64>,
}

impl Region {
    fn new() -> Self {
        Self {
            current: Paths::default(),
            heaviest: 0,
            lightest: None,
        }
    }

    /// A path ends here.
    fn ends(&mut self) {
        let light = self.current.light;
        self.lightest = Some(self.lightest.map_or(light, |lightest| lightest.min(light)));
    }

    fn iteration(&self) -> Paths {
        Paths {
            light: self.lightest.unwrap_or(self.heaviest).min(self.heaviest),
            heavy: self.heaviest,
        }
    }
}

/// A block that is open.
struct Frame {
    kind: Kind,
    /// The region in which a branch to this block goes on.
    region: usize,
    /// The paths that branch to the end of the block, if any do.
    arrived: Option<Paths>,
    /// The paths to the start of the block, if it can be reached.
    start: Option<Paths>,
}

impl Frame {
    fn new(kind: Kind, region: usize, start: Option<Paths>) -> Self {
        Self {
            kind,
            region,
            arrived: None,
            start,
        }
    }

    fn arrive(&mut self, paths: Paths) {
        self.arrived = either(self.arrived, Some(paths));
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
    /// Calls so far, in the order of the code.
    calls: u32,
    cost: Cost,
}

impl Walk {
    fn operator(&mut self, operator: &Operator, callee: &impl Fn(u32) -> Option<Paths>) {
        use Operator as O;
        match operator {
            O::Block { .. } => self.open(Kind::Block),
            O::Loop { .. } => {
                self.open(Kind::Loop(self.cost.loops.len(), self.calls));
                self.cost.loops.push(LoopCost::default());
                self.regions.push(Region::new());
            }
            O::If { .. } => {
                self.add(1);
                self.open(Kind::If);
            }
            O::Else => self.otherwise(),
            O::TryTable { try_table } => {
                let depth = self.frames.len();
                let targets = try_table.catches.iter().filter_map(|catch| match catch {
                    Catch::One { label, .. } | Catch::OneRef { label, .. } => depth.checked_sub(*label as usize + 1),
                    Catch::All { label } | Catch::AllRef { label } => depth.checked_sub(*label as usize + 1),
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
            O::Return => {
                self.add(1);
                self.branch(self.frames.len().saturating_sub(1) as u32);
                self.reachable = false;
            }
            O::Unreachable => self.reachable = false,
            O::Throw { .. } | O::ThrowRef => {
                self.add(RUNTIME);
                self.calls += 1;
                self.cost.may_throw = true;
                self.reachable = false;
            }
            O::Call { function_index } => match callee(*function_index) {
                Some(paths) => {
                    self.add_paths(paths);
                    self.call();
                }
                None => self.call_unknown(),
            },
            O::CallIndirect { .. } => self.call_unknown(),
            // These mostly become registers and operands of other instructions, but can be written so that they do not.
            O::Nop | O::Drop | O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } => self.add_paths(FREE),
            O::I32Const { .. } | O::I64Const { .. } => self.add_paths(FREE),
            _ => {
                let weight = weight(operator);
                // The heavier instructions are calls of the runtime.
                self.calls += u32::from(weight >= BULK);
                self.add(weight);
            }
        }
    }

    fn call(&mut self) {
        self.add(CALL);
        self.calls += 1;
        self.cost.may_throw = true;
    }

    fn call_unknown(&mut self) {
        self.add(UNKNOWN_CALL);
        self.call();
    }

    fn add(&mut self, weight: u64) {
        self.add_paths(Paths::of(weight));
    }

    fn add_paths(&mut self, paths: Paths) {
        if let (true, Some(region)) = (self.reachable, self.regions.last_mut()) {
            region.current.add(paths);
            region.heaviest = region.heaviest.max(region.current.heavy);
        }
    }

    fn current(&self) -> Option<Paths> {
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
        if let Some(paths) = current {
            frame.arrive(paths);
        }
        self.reachable = frame.start.is_some();
        region.current = frame.start.unwrap_or_default();
    }

    fn close(&mut self) {
        let current = self.current();
        let Some(mut frame) = self.frames.pop() else { return };
        match &frame.kind {
            Kind::Loop(number, calls) => {
                // What comes after the loop belongs to the region around it, in which no path went on meanwhile.
                let Some(mut region) = self.regions.pop() else { return };
                if self.reachable {
                    region.ends();
                }
                if let Some(cost) = self.cost.loops.get_mut(*number) {
                    *cost = LoopCost {
                        work: region.iteration(),
                        free_of_calls: self.calls == *calls,
                    };
                }
                return;
            }
            Kind::If => frame.arrived = either(frame.arrived, frame.start),
            Kind::Try(targets) if frame.start.is_some() => {
                // An exception may come from anywhere inside: assume the heaviest path so far.
                for target in targets {
                    let Some(outer) = self.frames.get_mut(*target) else {
                        continue;
                    };
                    let Some(region) = self.regions.get(outer.region) else {
                        continue;
                    };
                    outer.arrive(Paths::of(region.heaviest));
                }
            }
            Kind::Try(_) | Kind::Block => {}
        }
        let end = either(frame.arrived, current);
        self.reachable = end.is_some();
        if let Some(region) = self.regions.last_mut() {
            region.current = end.unwrap_or_default();
            if self.frames.is_empty() && self.reachable {
                region.ends();
            }
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
        let inner = self.regions.get_mut(frame.region + 1..).unwrap_or_default();
        for region in inner.iter_mut().rev().take(EXITS) {
            region.ends();
        }
    }
}

/// What an instruction that always goes on to the next one costs.
fn weight(operator: &Operator) -> u64 {
    use Operator as O;
    match operator {
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
