//! Rewrites function bodies: new indices, and the code that counts.

use super::meter::{FunctionPlan, LoopPlan, Names, Sink, bulk};
use super::{TransformError, rewrite::Indices};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, BranchHint, BranchHints, CodeSection, Encode, Function, Instruction, ValType};
use wasmparser::{FunctionBody, Operator};

/// A function body that is being written.
pub(super) struct Body {
    function: Function,
    /// Where the branches are that are almost never taken.
    hints: Vec<BranchHint>,
}

impl Body {
    /// With groups of locals of the same type.
    pub(super) fn new(locals: impl IntoIterator<Item = (u32, ValType), IntoIter: ExactSizeIterator>) -> Self {
        Self {
            function: Function::new(locals),
            hints: Vec::new(),
        }
    }

    /// Instructions that are encoded already.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.function.raw(bytes.iter().copied());
    }

    /// Adds the body to its section; `index` is that of the function.
    pub(super) fn finish(self, index: u32, code: &mut CodeSection, hints: &mut BranchHints) {
        code.function(&self.function);
        if !self.hints.is_empty() {
            hints.function_hints(index, self.hints);
        }
    }
}

impl Sink for Body {
    fn put(&mut self, instruction: &Instruction) {
        self.function.instruction(instruction);
    }

    fn put_unlikely_if(&mut self) {
        let branch_func_offset = self.function.byte_len() as u32;
        self.hints.push(BranchHint {
            branch_func_offset,
            branch_hint_value: 0,
        });
        self.function.instruction(&Instruction::If(BlockType::Empty));
    }
}

/// Rewrites a body.
///
/// `parameters` is the number of parameters of the function. `results` is the type of a block that returns what the function does.
/// Without a plan, nothing counts.
pub(super) fn rewrite(
    body: &FunctionBody,
    parameters: u32,
    results: BlockType,
    plan: Option<&FunctionPlan>,
    names: &Names,
    indices: &mut Indices,
) -> Result<Body, TransformError> {
    let unmetered = FunctionPlan::default();
    let counts = plan.is_some();
    let plan = plan.unwrap_or(&unmetered);
    let mut locals = Vec::new();
    let mut next_local = parameters;
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals.push((count, indices.val_type(ty)?));
        next_local = next_local.saturating_add(count);
    }
    // The local that counts, then the one for lengths.
    let loops = !plan.loops.is_empty();
    let (spent, length) = (next_local, next_local.saturating_add(u32::from(loops)));
    let added = u32::from(loops) + u32::from(plan.bulk > 0);
    if added > 0 {
        locals.push((added, ValType::I32));
    }

    let mut out = Body::new(locals);
    names.enter(plan, &mut out);
    if loops {
        // Every way out of the function, `return` or a branch to its outermost label, leads to the end of this block.
        out.put(&Instruction::Block(results));
    }
    let mut loop_plans = plan.loops.iter();
    let plain = LoopPlan { cost: 1, charges: true };
    let mut depth: u32 = 0;
    let mut constant = None;
    let (bytes, offset) = (body.as_bytes(), body.range().start);
    let mut reader = body.get_operators_reader()?;
    // What needs no change is copied as it is, up to the instruction at hand.
    let mut copied = reader.original_position() - offset;
    while !reader.eof() {
        let start = reader.original_position() - offset;
        let operator = reader.read()?;
        let end = reader.original_position() - offset;
        let mut copy = |out: &mut Body, up_to: usize| {
            out.raw(bytes.get(copied..up_to).unwrap_or_default());
            copied = end;
        };
        match &operator {
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => depth += 1,
            Operator::Loop { .. } => {
                depth += 1;
                if counts {
                    copy(&mut out, end);
                    names.iterate(loop_plans.next().copied().unwrap_or(plain), spent, &mut out);
                }
            }
            Operator::End if depth > 0 => depth -= 1,
            Operator::End => {
                copy(&mut out, end);
                if loops {
                    names.leave(plan, spent, &mut out);
                    out.put(&Instruction::End);
                }
            }
            Operator::Return if loops => {
                copy(&mut out, start);
                out.put(&Instruction::Br(depth));
            }
            Operator::CallIndirect { .. } => {
                if let Some(cost) = plan.calls {
                    copy(&mut out, start);
                    names.call(cost, &mut out);
                    out.raw(bytes.get(start..end).unwrap_or_default());
                }
            }
            Operator::Call { function_index } => {
                copy(&mut out, start);
                if let (Some(cost), true) = (plan.calls, indices.is_imported(*function_index)) {
                    names.call(cost, &mut out);
                }
                out.put(&indices.instruction(operator.clone())?);
            }
            Operator::RefFunc { .. } | Operator::GlobalGet { .. } | Operator::GlobalSet { .. } => {
                copy(&mut out, start);
                out.put(&indices.instruction(operator.clone())?);
            }
            _ => {
                if let (true, Some(bulk)) = (counts, bulk(&operator, constant)) {
                    copy(&mut out, start);
                    names.bulk(bulk, length, &mut out);
                    let mut original = Vec::new();
                    indices.instruction(operator.clone())?.encode(&mut original);
                    out.raw(&original);
                }
            }
        }
        constant = match operator {
            Operator::I32Const { value } => Some(value),
            _ => None,
        };
    }
    Ok(out)
}
