//! What is counted where.
//!
//! # The invariant
//! Between two looks at the budget a run does a bounded amount of work, however its code was written, and what the budget lost in
//! the meantime is at least a fixed share of that work. So an infinite loop or recursion is always noticed, soon.
//!
//! # How
//! * **Loops** count in a local variable, the cheapest place there is: at each loop header, the price of an iteration is added,
//!   and above [`LIMIT`] the sum is charged to the budget. When the function returns, a rest that matters is charged.
//! * **Functions** look at the budget when they are entered if the heaviest path through them and their unmetered callees is
//!   long ([`MAX_WORK`]: a chain of calls without a cycle can still take exponential time), or if they are needed to break a
//!   cycle of calls; in the latter case the look may be at a call instead. All others are charged as if they were inlined into
//!   their callers.
//! * **Bulk instructions** (`memory.copy` and the like) charge by their length.
//! * **Exceptions** skip what a function would charge when it returns. The main module's code does not throw in order to
//!   cheat; a function of a side module with a loop and a call therefore pays [`LIMIT`] in advance and gets the rest back when it returns.
//! * In **huge functions of the main module** (the interpreter), loops without any call count, but leave it to the next loop with calls to charge:
//!   see [`HUGE`].
//!
//! The budget is a global that no instruction of the original code refers to: the input has no name for it, and every global index is
//! mapped to that of an original global.
//!
//! # Why like this
//! Counting itself costs next to nothing. What costs is the call in the path that is almost never taken: around it, the compiler has to keep
//! everything that is alive in registers that survive calls, or in memory, and it does so on the path that is always taken. So
//! there are few calls: none at function entries that are not needed, one for all ways out of a function, behind a test of its own.

use super::callgraph::{Break, CallGraph};
use super::cost::{Paths, cost};
use super::{MeterStats, Role, TransformError, scan::Scan};
use wasm_encoder::Instruction;
use wasmparser::Operator;

/// What a loop counts by itself before it charges. Lower: more calls. Higher: each active function can owe that much, and a run is
/// stopped that much later. The unit is about one instruction, so this is about a microsecond.
pub(super) const LIMIT: u32 = 4096;
/// What a function with loops may keep to itself when it returns. Its callers are charged [`LOOPS`] for it.
const REST: u32 = 256;
/// What calling a function with loops costs in addition to what it charges: loops that end soon are not charged otherwise.
const LOOPS: u64 = 16;
/// The work an unmetered function may do at most, with its callees.
const MAX_WORK: u64 = 10_000;
/// The same for a function that may be called from another module, which assumes that a call costs a quarter of this.
const EXTERNAL_WORK: u64 = 256;
/// Code of a side module is charged at least this share of its heaviest path: it may have been written to take that one.
const SHARE: u64 = 4;
/// Bytes of a function of the main module from which on its loops without calls only count. In the interpreter's own function a
/// call more or less in dozens of loops that copy a few arguments decides over 5 % of the speed of everything. The main module's code
/// is built by this project; none of its loops without calls takes longer than reading all memory once.
pub(super) const HUGE: usize = 30_000;
/// A bulk instruction that handles at most this many bytes is charged like any other.
const BULK_BYTES: u32 = 4096;
/// The same for table elements.
const BULK_ELEMENTS: u32 = 64;
/// Bytes a bulk instruction handles for one unit, as a power of two: what memory does in the time of an instruction or a few.
const BULK_SHIFT: u32 = 4;

/// What is counted in one function.
#[derive(Clone, Debug, Default)]
pub(super) struct FunctionPlan {
    /// What is charged when it is entered, if it is.
    pub(super) entry: Option<u32>,
    /// What is charged before each call of unknown code, if it is.
    pub(super) calls: Option<u32>,
    /// Its loops, in the order of the loop instructions.
    pub(super) loops: Vec<LoopPlan>,
    /// Whether [`LIMIT`] is paid in advance.
    pub(super) prepaid: bool,
    /// How many instructions are charged by their length.
    pub(super) bulk: u32,
}

/// What is counted in one loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopPlan {
    /// What an iteration costs.
    pub(super) cost: u32,
    /// Whether the loop charges by itself.
    pub(super) charges: bool,
}

/// What is counted in a module.
pub(super) struct Plan {
    /// For each defined function; empty if nothing is counted.
    pub(super) functions: Vec<FunctionPlan>,
    pub(super) stats: MeterStats,
}

impl Plan {
    /// Nothing is counted.
    pub(super) fn unmetered() -> Self {
        Self {
            functions: Vec::new(),
            stats: MeterStats::default(),
        }
    }

    /// Decides what is counted.
    pub(super) fn new(scan: &Scan, role: Role) -> Result<Self, TransformError> {
        let graph = CallGraph::new(scan, role)?;
        let breaks = graph.break_cycles();
        let mut metered: Vec<bool> = breaks.iter().map(|how| *how == Break::Entry).collect();
        let mut works = vec![Paths::default(); scan.bodies.len()];
        let mut plan = Self {
            functions: vec![FunctionPlan::default(); scan.bodies.len()],
            stats: MeterStats::default(),
        };
        plan.stats.functions = scan.bodies.len() as u32;
        plan.stats.cycle_entries = metered.iter().filter(|is| **is).count() as u32;
        for function in graph.callees_first(&metered) {
            let function = function as usize;
            let body = &scan.bodies[function];
            let mut cost = cost(body, |callee| match callee.checked_sub(scan.imported_functions) {
                // A metered function pays for itself.
                Some(callee) if metered.get(callee as usize).copied()? => Some(Paths::default()),
                Some(callee) => works.get(callee as usize).copied(),
                None => None,
            })?;
            if !cost.loops.is_empty() {
                cost.work.heavy = cost.work.heavy.saturating_add(LOOPS);
                cost.work.light = cost.work.light.saturating_add(LOOPS);
            }
            works[function] = cost.work;
            let limit = if graph.external[function] {
                EXTERNAL_WORK
            } else {
                MAX_WORK
            };
            metered[function] |= cost.work.heavy > limit;
            let huge = role == Role::Main && body.range().len() > HUGE;
            let loops = cost.loops.iter().map(|cost| LoopPlan {
                cost: price(cost.work, role),
                charges: !(huge && cost.free_of_calls),
            });
            plan.functions[function] = FunctionPlan {
                entry: metered[function].then(|| price(cost.work, role)),
                calls: (breaks[function] == Break::Calls).then_some(1),
                loops: loops.collect(),
                prepaid: role == Role::Side && cost.may_throw && !cost.loops.is_empty(),
                bulk: cost.bulk,
            };
            plan.note(function);
        }
        Ok(plan)
    }

    fn note(&mut self, function: usize) {
        let (plan, stats) = (&self.functions[function], &mut self.stats);
        stats.entries += u32::from(plan.entry.is_some());
        stats.metered_calls += u32::from(plan.calls.is_some());
        stats.loops += plan.loops.len() as u32;
        stats.counting_loops += plan.loops.iter().filter(|plan| !plan.charges).count() as u32;
        stats.looping_functions += u32::from(!plan.loops.is_empty());
        stats.prepaid_functions += u32::from(plan.prepaid);
        stats.bulk_operations += plan.bulk;
    }
}

/// What is charged for code with these paths. Most code does not take its heaviest path, so this is their harmonic mean: at most
/// twice the lightest path, and all of it if there is only one.
fn price(work: Paths, role: Role) -> u32 {
    // Far below what could overflow the counter of a loop; no function is that large.
    let clamp = |work: u64| work.clamp(1, 1 << 30);
    let (light, heavy) = (clamp(work.light), clamp(work.heavy));
    let usual = 2 * light * heavy / (light + heavy);
    let price = match role {
        Role::Main => usual,
        Role::Side => usual.max(heavy / SHARE),
    };
    price.max(1) as u32
}

/// The indices the added code refers to.
#[derive(Clone, Copy)]
pub(super) struct Names {
    /// The budget.
    pub(super) budget: u32,
    /// The imported function that asks the host for more.
    pub(super) refill: u32,
    /// `(units: i32)`: charges to the budget.
    pub(super) charge: u32,
    /// `()`: replaces the budget by what the host gives.
    pub(super) top_up: u32,
}

/// Receives instructions.
pub(super) trait Sink {
    fn put(&mut self, instruction: &Instruction);
    /// An `if` that is almost never taken.
    fn put_unlikely_if(&mut self);
}

impl Names {
    /// `budget -= units`, which is on top of the stack as an i64 behind the budget.
    fn settle(&self, out: &mut impl Sink) {
        out.put(&Instruction::I64Sub);
        out.put(&Instruction::GlobalSet(self.budget));
    }

    /// `if budget < 0 { top_up() }`
    fn look(&self, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::I64Const(0));
        out.put(&Instruction::I64LtS);
        out.put_unlikely_if();
        out.put(&Instruction::Call(self.top_up));
        out.put(&Instruction::End);
    }

    /// At the start of a function.
    pub(super) fn enter(&self, plan: &FunctionPlan, out: &mut impl Sink) {
        let advance = if plan.prepaid { i64::from(LIMIT) } else { 0 };
        if plan.entry.is_none() && advance == 0 {
            return;
        }
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::I64Const(i64::from(plan.entry.unwrap_or(0)) + advance));
        self.settle(out);
        if plan.entry.is_some() {
            self.look(out);
        }
    }

    /// Before a call of unknown code, where that breaks a cycle.
    pub(super) fn call(&self, cost: u32, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::I64Const(i64::from(cost)));
        self.settle(out);
        self.look(out);
    }

    /// Where a function with loops returns, on whatever way. `spent` is the local that counts.
    pub(super) fn leave(&self, plan: &FunctionPlan, spent: u32, out: &mut impl Sink) {
        if !plan.prepaid {
            out.put(&Instruction::LocalGet(spent));
            out.put(&Instruction::I32Const(REST as i32));
            out.put(&Instruction::I32GtU);
            out.put_unlikely_if();
        }
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::LocalGet(spent));
        out.put(&Instruction::I64ExtendI32U);
        if plan.prepaid {
            out.put(&Instruction::I64Const(i64::from(LIMIT)));
            out.put(&Instruction::I64Sub);
        }
        self.settle(out);
        // Whoever calls a function again and again that looks at the budget when it is entered, is noticed there.
        if plan.entry.is_none() {
            self.look(out);
        }
        if !plan.prepaid {
            out.put(&Instruction::End);
        }
    }

    /// At the head of a loop.
    pub(super) fn iterate(&self, plan: LoopPlan, spent: u32, out: &mut impl Sink) {
        out.put(&Instruction::LocalGet(spent));
        out.put(&Instruction::I32Const(plan.cost as i32));
        out.put(&Instruction::I32Add);
        if !plan.charges {
            out.put(&Instruction::LocalSet(spent));
            return;
        }
        out.put(&Instruction::LocalTee(spent));
        out.put(&Instruction::I32Const(LIMIT as i32));
        out.put(&Instruction::I32GtU);
        out.put_unlikely_if();
        out.put(&Instruction::LocalGet(spent));
        out.put(&Instruction::Call(self.charge));
        out.put(&Instruction::I32Const(0));
        out.put(&Instruction::LocalSet(spent));
        out.put(&Instruction::End);
    }

    /// Before a bulk instruction, with its length on top of the stack. `length` is a local of its own.
    pub(super) fn bulk(&self, bulk: Bulk, length: u32, out: &mut impl Sink) {
        let (free, shift) = match bulk {
            Bulk::Bytes => (BULK_BYTES, BULK_SHIFT),
            Bulk::Elements => (BULK_ELEMENTS, 0),
        };
        out.put(&Instruction::LocalTee(length));
        out.put(&Instruction::LocalGet(length));
        out.put(&Instruction::I32Const(free as i32));
        out.put(&Instruction::I32GtU);
        out.put_unlikely_if();
        out.put(&Instruction::LocalGet(length));
        out.put(&Instruction::I32Const(shift as i32));
        out.put(&Instruction::I32ShrU);
        out.put(&Instruction::Call(self.charge));
        out.put(&Instruction::End);
    }

    /// The body of `charge`.
    pub(super) fn charge_body(&self, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::LocalGet(0));
        out.put(&Instruction::I64ExtendI32U);
        self.settle(out);
        self.look(out);
        out.put(&Instruction::End);
    }

    /// The body of `top_up`.
    pub(super) fn top_up_body(&self, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::Call(self.refill));
        out.put(&Instruction::GlobalSet(self.budget));
        out.put(&Instruction::End);
    }
}

/// What the length of a bulk instruction counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Bytes,
    Elements,
}

/// Whether `operator` works for as long as the number on top of the stack says. `previous` is the constant before it: a length
/// that is known and small needs no code.
pub(super) fn bulk(operator: &Operator, previous: Option<i32>) -> Option<Bulk> {
    use Operator as O;
    let (bulk, free) = match operator {
        O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryInit { .. } => (Bulk::Bytes, BULK_BYTES),
        O::TableCopy { .. } | O::TableFill { .. } | O::TableInit { .. } | O::TableGrow { .. } => {
            (Bulk::Elements, BULK_ELEMENTS)
        }
        _ => return None,
    };
    match previous {
        Some(length) if length as u32 <= free => None,
        _ => Some(bulk),
    }
}
