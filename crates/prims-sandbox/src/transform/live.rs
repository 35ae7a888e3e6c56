//! Which locals matter at the head of a loop: those that may still be read before they are written.
//!
//! Only an optimization hangs on this (see [`super::meter`]), so whatever would take long is not analysed.

use super::TransformError;
use wasmparser::{Catch, FunctionBody, Operator};

/// Functions with more locals are not analysed.
const MAX_LOCALS: u32 = 512;
/// Functions with more instructions are not analysed.
const MAX_OPERATORS: usize = 100_000;
/// Functions with more exception handlers are not analysed.
const MAX_HANDLERS: usize = 64;
/// Every round may carry what is read in an iteration out of one more loop. Real code needs two or three.
const MAX_ROUNDS: usize = 10;

/// A set of locals.
#[derive(Clone, Default, PartialEq)]
struct Locals([u64; MAX_LOCALS as usize / 64]);

impl Locals {
    fn insert(&mut self, local: u32) {
        self.0[local as usize / 64] |= 1 << (local % 64);
    }

    fn remove(&mut self, local: u32) {
        self.0[local as usize / 64] &= !(1 << (local % 64));
    }

    fn extend(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    fn list(&self) -> Vec<u32> {
        (0..MAX_LOCALS)
            .filter(|local| self.0[*local as usize / 64] >> (local % 64) & 1 == 1)
            .collect()
    }
}

/// What an instruction does with locals and control.
enum Step {
    Read(u32),
    Write(u32),
    Block,
    If,
    Else,
    /// Its number.
    Loop(usize),
    /// How far out its handlers are.
    Try(Vec<u32>),
    End,
    Jump(u32),
    Branch(u32),
    Table(Vec<u32>),
    /// Leaves the function.
    Leave,
    /// May go on in a handler.
    MayThrow,
    Throw,
}

/// For each loop, in order, the locals that are live at its head. None if that would take too long to find out.
pub(super) fn at_loops(body: &FunctionBody, locals: u32) -> Result<Option<Vec<Vec<u32>>>, TransformError> {
    if locals > MAX_LOCALS {
        return Ok(None);
    }
    let (mut steps, mut loops, mut count) = (Vec::new(), 0, 0);
    for operator in body.get_operators_reader()? {
        count += 1;
        if count > MAX_OPERATORS {
            return Ok(None);
        }
        steps.extend(step(&operator?, &mut loops));
    }
    let handlers = steps.iter().map(|step| {
        if let Step::Try(handlers) = step {
            handlers.len()
        } else {
            0
        }
    });
    if handlers.sum::<usize>() > MAX_HANDLERS {
        return Ok(None);
    }
    let mut heads = vec![Locals::default(); loops];
    for _ in 0..MAX_ROUNDS {
        let before = heads.clone();
        round(&steps, &mut heads);
        if heads == before {
            return Ok(Some(heads.iter().map(Locals::list).collect()));
        }
    }
    Ok(None)
}

fn step(operator: &Operator, loops: &mut usize) -> Option<Step> {
    use Operator as O;
    Some(match operator {
        O::LocalGet { local_index } => Step::Read(*local_index),
        O::LocalSet { local_index } | O::LocalTee { local_index } => Step::Write(*local_index),
        O::Block { .. } => Step::Block,
        O::If { .. } => Step::If,
        O::Else => Step::Else,
        O::Loop { .. } => {
            *loops += 1;
            Step::Loop(*loops - 1)
        }
        O::TryTable { try_table } => {
            let label = |catch: &Catch| match catch {
                Catch::One { label, .. } | Catch::OneRef { label, .. } => *label,
                Catch::All { label } | Catch::AllRef { label } => *label,
            };
            Step::Try(try_table.catches.iter().map(label).collect())
        }
        O::End => Step::End,
        O::Br { relative_depth } => Step::Jump(*relative_depth),
        O::BrIf { relative_depth } => Step::Branch(*relative_depth),
        O::BrTable { targets } => Step::Table(
            targets
                .targets()
                .map_while(Result::ok)
                .chain([targets.default()])
                .collect(),
        ),
        O::Return | O::Unreachable => Step::Leave,
        O::Throw { .. } | O::ThrowRef => Step::Throw,
        O::Call { .. } | O::CallIndirect { .. } => Step::MayThrow,
        _ => return None,
    })
}

/// An enclosing block, seen from its end.
struct Frame {
    /// Live where a branch to it goes on.
    label: Locals,
    /// Live after its end.
    after: Locals,
    /// Live at its `else`, if it has one.
    otherwise: Option<Locals>,
    /// How far out its handlers are, if it has any.
    handlers: Vec<u32>,
}

/// Walks from the end of the function to its start once and updates what is live at the heads of loops.
fn round(steps: &[Step], heads: &mut [Locals]) {
    let starts = starts(steps);
    let mut frames: Vec<Frame> = Vec::new();
    let mut live = Locals::default();
    for (at, step) in steps.iter().enumerate().rev() {
        match step {
            Step::Read(local) => live.insert(*local),
            Step::Write(local) => live.remove(*local),
            Step::End => {
                let start = starts.get(at).copied().flatten().and_then(|start| steps.get(start));
                let label = match start {
                    Some(Step::Loop(number)) => heads.get(*number).cloned().unwrap_or_default(),
                    _ => live.clone(),
                };
                let handlers = match start {
                    Some(Step::Try(handlers)) => handlers.clone(),
                    _ => Vec::new(),
                };
                frames.push(Frame {
                    label,
                    after: live.clone(),
                    otherwise: None,
                    handlers,
                });
            }
            Step::Else => {
                if let Some(frame) = frames.last_mut() {
                    frame.otherwise = Some(std::mem::replace(&mut live, frame.after.clone()));
                }
            }
            Step::If => {
                if let Some(frame) = frames.pop() {
                    live.extend(frame.otherwise.as_ref().unwrap_or(&frame.after));
                }
            }
            Step::Block | Step::Try(_) => drop(frames.pop()),
            Step::Loop(number) => {
                frames.pop();
                if let Some(head) = heads.get_mut(*number) {
                    head.extend(&live);
                }
            }
            Step::Jump(depth) => live = label(&frames, *depth),
            Step::Branch(depth) => live.extend(&label(&frames, *depth)),
            Step::Table(depths) => {
                live = Locals::default();
                for depth in depths {
                    live.extend(&label(&frames, *depth));
                }
            }
            Step::Leave => live = Locals::default(),
            Step::Throw => {
                live = Locals::default();
                catch(&frames, &mut live);
            }
            Step::MayThrow => catch(&frames, &mut live),
        }
    }
}

/// For each end of a block, where the block starts.
fn starts(steps: &[Step]) -> Vec<Option<usize>> {
    let mut starts = vec![None; steps.len()];
    let mut open = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Block | Step::If | Step::Loop(_) | Step::Try(_) => open.push(at),
            Step::End => starts[at] = open.pop(),
            _ => {}
        }
    }
    starts
}

fn label(frames: &[Frame], depth: u32) -> Locals {
    let frame = frames
        .len()
        .checked_sub(depth as usize + 1)
        .and_then(|at| frames.get(at));
    frame.map(|frame| frame.label.clone()).unwrap_or_default()
}

/// Adds what the handlers of all enclosing blocks read.
fn catch(frames: &[Frame], live: &mut Locals) {
    for (at, frame) in frames.iter().enumerate() {
        for handler in &frame.handlers {
            // Handlers are outside of the block they belong to.
            live.extend(&label(frames.get(..at).unwrap_or_default(), *handler));
        }
    }
}
