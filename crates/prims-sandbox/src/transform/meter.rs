//! What is counted where.
//!
//! # The invariant
//! Between two looks at the budget a run does a bounded amount of work, however its code was written, and what the budget lost in
//! the meantime is at least a fixed share of that work. So an infinite loop or recursion is always noticed, soon.
//!
//! # How
//! * **Loops** count in a local variable, the cheapest place there is: at each loop header, the heaviest path through one
//!   iteration is added, and above [`LIMIT`] the sum is charged to the budget. When the function returns, the rest is charged.
//! * **Functions** look at the budget when they are entered, if they are needed to break a cycle of calls, or if the heaviest path
//!   through them and their unmetered callees is long ([`MAX_WORK`]: a chain of calls without a cycle can still take exponential
//!   time). The others are charged as if they were inlined into their callers.
//! * **Bulk instructions** (`memory.copy` and the like) charge by their length.
//! * **Exceptions** skip what a function would charge when it returns. The main module's code does not throw in order to
//!   cheat; a function of a side module with a loop and a call therefore pays [`LIMIT`] in advance and gets the rest back when it returns.
//!
//! The budget is a global that no instruction of the original code refers to: the input has no name for it, and every global index is
//! mapped to that of an original global.

use super::cost::{LoopCost, cost};
use super::{MeterStats, Role, TransformError, callgraph::CallGraph, live, scan::Scan};
use std::collections::HashMap;
use wasm_encoder::Instruction;
use wasmparser::{Operator, ValType};

/// What a loop counts by itself before it charges. Lower: more calls. Higher: each active function can owe that much, and a run is
/// stopped that much later. The unit is about one instruction, so this is about a microsecond, against a slice of about a millisecond.
pub(super) const LIMIT: u32 = 4096;
/// The work an unmetered function may do at most, with its callees.
const MAX_WORK: u64 = 10_000;
/// The same for a function that may be called from another module, which assumes that a call costs a quarter of this.
const EXTERNAL_WORK: u64 = 256;
/// What one iteration or call costs at most, as long as that is a fair share of the heaviest path: most code does not take it.
const MAX_COST: u64 = 64;
/// Code of a side module is charged at least this share of its heaviest path.
const SHARE: u64 = 4;
/// Locals that are handed over at most: beyond that, more would be moved than is gained.
const MAX_HANDED: usize = 32;
/// Charging functions that hand over, at most. Real modules need a few hundred.
const MAX_SIGNATURES: usize = 2000;
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
    /// Its loops, in the order of the loop instructions.
    pub(super) loops: Vec<LoopPlan>,
    /// Whether [`LIMIT`] is paid in advance.
    pub(super) prepaid: bool,
    /// How many instructions are charged by their length.
    pub(super) bulk: u32,
}

/// What is counted in one loop.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopPlan {
    /// What an iteration costs.
    pub(super) cost: u32,
    /// Which function charges, if it is not the plain one, and the locals that are handed through it.
    pub(super) handed: Option<(u32, Vec<u32>)>,
}

/// What is counted in a module.
pub(super) struct Plan {
    /// For each defined function; empty if nothing is counted.
    pub(super) functions: Vec<FunctionPlan>,
    /// The types of the locals that are handed through charging functions, a function for each.
    pub(super) handed: Vec<Vec<ValType>>,
    pub(super) stats: MeterStats,
}

impl Plan {
    /// Nothing is counted.
    pub(super) fn unmetered() -> Self {
        Self {
            functions: Vec::new(),
            handed: Vec::new(),
            stats: MeterStats::default(),
        }
    }

    /// Decides what is counted.
    pub(super) fn new(scan: &Scan, role: Role) -> Result<Self, TransformError> {
        let graph = CallGraph::new(scan, role)?;
        let mut metered = graph.break_cycles();
        let order = graph.callees_first(&metered);
        let mut stats = MeterStats {
            functions: scan.bodies.len() as u32,
            cycle_entries: metered.iter().filter(|is| **is).count() as u32,
            ..MeterStats::default()
        };
        let mut functions = vec![FunctionPlan::default(); scan.bodies.len()];
        let mut works = vec![0; scan.bodies.len()];
        let mut signatures = Signatures::default();
        for function in order {
            let function = function as usize;
            let cost = cost(&scan.bodies[function], |callee| {
                let callee = callee.checked_sub(scan.imported_functions)? as usize;
                let work = works.get(callee).copied()?;
                Some(if metered.get(callee).copied()? { 0 } else { work })
            })?;
            works[function] = cost.work;
            let limit = if graph.external[function] {
                EXTERNAL_WORK
            } else {
                MAX_WORK
            };
            metered[function] |= cost.work > limit;
            let plan = &mut functions[function];
            plan.entry = metered[function].then(|| price(cost.work, role));
            plan.loops = cost
                .loops
                .iter()
                .map(|cost| LoopPlan {
                    cost: price(cost.work, role),
                    handed: None,
                })
                .collect();
            signatures.hand_over(scan, function, &cost.loops, &mut plan.loops)?;
            plan.bulk = cost.bulk;
            plan.prepaid = role == Role::Side && cost.may_throw && !cost.loops.is_empty();
            stats.entries += u32::from(plan.entry.is_some());
            stats.loops += plan.loops.len() as u32;
            stats.looping_functions += u32::from(!plan.loops.is_empty());
            stats.prepaid_functions += u32::from(plan.prepaid);
            stats.bulk_operations += plan.bulk;
        }
        Ok(Self {
            functions,
            handed: signatures.list,
            stats,
        })
    }
}

/// The functions that charge and hand locals through.
#[derive(Default)]
struct Signatures {
    list: Vec<Vec<ValType>>,
    numbers: HashMap<Vec<ValType>, u32>,
}

impl Signatures {
    /// Lets the loops of a function that contain no calls hand their locals over when they charge.
    fn hand_over(
        &mut self,
        scan: &Scan,
        function: usize,
        costs: &[LoopCost],
        loops: &mut [LoopPlan],
    ) -> Result<(), TransformError> {
        if !costs.iter().any(|cost| cost.free_of_calls) {
            return Ok(());
        }
        let Some(body) = scan.bodies.get(function) else {
            return Ok(());
        };
        let parameters = scan
            .function_type(scan.imported_functions + function as u32)
            .map(|ty| ty.params());
        let mut types = parameters.unwrap_or_default().to_vec();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            types.extend(std::iter::repeat_n(ty, count as usize));
        }
        let Some(live) = live::at_loops(body, types.len() as u32)? else {
            return Ok(());
        };
        for ((plan, cost), mut locals) in loops.iter_mut().zip(costs).zip(live) {
            let class = |local: &u32| types.get(*local as usize).map_or(usize::MAX, class);
            if !cost.free_of_calls || locals.len() > MAX_HANDED || locals.iter().any(|local| class(local) > 4) {
                continue;
            }
            locals.sort_by_key(|local| (class(local), *local));
            let signature: Vec<ValType> = locals.iter().map(|local| types[*local as usize]).collect();
            let next = self.list.len() as u32;
            let number = *self.numbers.entry(signature.clone()).or_insert(next);
            if number == next {
                if self.list.len() >= MAX_SIGNATURES {
                    self.numbers.remove(&signature);
                    continue;
                }
                self.list.push(signature);
            }
            plan.handed = Some((number, locals));
        }
        Ok(())
    }
}

/// The order of types in signatures; references are not handed over.
fn class(ty: &ValType) -> usize {
    match ty {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(_) => 5,
    }
}

/// What is charged for code with this heaviest path.
fn price(work: u64, role: Role) -> u32 {
    let usual = work.clamp(1, MAX_COST);
    let price = match role {
        Role::Main => usual,
        Role::Side => usual.max(work / SHARE),
    };
    // Far below what could overflow the counter of a loop; no function is that large.
    price.min(1 << 30) as u32
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
    /// The first of the functions `(units: i32, locals...) -> (locals...)`.
    pub(super) handed: u32,
}

/// Receives instructions. An `if` that follows is almost never taken.
pub(super) trait Sink {
    fn put(&mut self, instruction: &Instruction);
    fn put_unlikely_if(&mut self);
}

impl Names {
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
        out.put(&Instruction::I64Sub);
        out.put(&Instruction::GlobalSet(self.budget));
        if plan.entry.is_some() {
            self.look(out);
        }
    }

    /// Where a function with loops returns, on whatever way. `spent` is the local that counts.
    pub(super) fn leave(&self, plan: &FunctionPlan, spent: u32, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::LocalGet(spent));
        out.put(&Instruction::I64ExtendI32U);
        out.put(&Instruction::I64Sub);
        if plan.prepaid {
            out.put(&Instruction::I64Const(i64::from(LIMIT)));
            out.put(&Instruction::I64Add);
        }
        out.put(&Instruction::GlobalSet(self.budget));
        // Whoever calls a function again and again that looks at the budget when it is entered, is noticed there.
        if plan.entry.is_none() {
            self.look(out);
        }
    }

    /// At the head of a loop.
    pub(super) fn iterate(&self, plan: &LoopPlan, spent: u32, out: &mut impl Sink) {
        out.put(&Instruction::LocalGet(spent));
        out.put(&Instruction::I32Const(plan.cost as i32));
        out.put(&Instruction::I32Add);
        out.put(&Instruction::LocalTee(spent));
        out.put(&Instruction::I32Const(LIMIT as i32));
        out.put(&Instruction::I32GtU);
        out.put_unlikely_if();
        out.put(&Instruction::LocalGet(spent));
        match &plan.handed {
            None => out.put(&Instruction::Call(self.charge)),
            Some((number, locals)) => {
                for local in locals {
                    out.put(&Instruction::LocalGet(*local));
                }
                out.put(&Instruction::Call(self.handed + number));
                for local in locals.iter().rev() {
                    out.put(&Instruction::LocalSet(*local));
                }
            }
        }
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

    /// The body of `charge`, or of a function that charges and returns `handed` parameters.
    pub(super) fn charge_body(&self, handed: u32, out: &mut impl Sink) {
        out.put(&Instruction::GlobalGet(self.budget));
        out.put(&Instruction::LocalGet(0));
        out.put(&Instruction::I64ExtendI32U);
        out.put(&Instruction::I64Sub);
        out.put(&Instruction::GlobalSet(self.budget));
        self.look(out);
        for parameter in 1..=handed {
            out.put(&Instruction::LocalGet(parameter));
        }
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

/// Whether `operator` works for as long as the number on top of the stack says. `previous` is the instruction before it: a length
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
