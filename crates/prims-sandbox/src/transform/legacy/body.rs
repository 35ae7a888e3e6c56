//! Writes a function body without legacy instructions.

use super::super::TransformError;
use super::Types;
use super::survey::{Receiver, Survey};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Catch, Function, Instruction, RefType, ValType};
use wasmparser::{FunctionBody, Operator};

/// A block of the original that is open.
struct Frame {
    /// Which block of the output, counted from the outermost, a branch to it goes to.
    label: u32,
    kind: Kind,
}

enum Kind {
    /// Not a legacy instruction.
    Plain,
    /// A `try` with handlers, or one without any, which is a block.
    Try {
        number: usize,
        /// How many of its handlers have begun.
        begun: usize,
        /// The local that holds the exception while a handler is open.
        local: u32,
    },
    /// A `try` that ends with `delegate`.
    Delegating,
}

/// A body that is being written.
struct Writer<'a> {
    survey: &'a Survey,
    out: Function,
    frames: Vec<Frame>,
    /// Blocks of the output that are open.
    depth: u32,
    /// For each `try`, the block that exceptions are carried to.
    receivers: Vec<u32>,
    next_try: usize,
    /// The local for the next handler that opens.
    next_local: u32,
}

/// The block of the output that exceptions are carried to which leave the function.
const OUT_OF_FUNCTION: u32 = 1;

/// Translates the body of a function with that many parameters.
pub(super) fn translate(
    body: &FunctionBody,
    parameters: u32,
    survey: &Survey,
    types: &mut Types,
) -> Result<Function, TransformError> {
    let (mut locals, mut count) = (Vec::new(), parameters);
    for group in body.get_locals_reader()? {
        let (more, ty) = group?;
        locals.push((more, RoundtripReencoder.val_type(ty)?));
        count = count.saturating_add(more);
    }
    if survey.locals > 0 {
        locals.push((survey.locals, ValType::Ref(RefType::EXNREF)));
    }
    let mut writer = Writer {
        survey,
        out: Function::new(locals),
        frames: vec![Frame {
            label: 0,
            kind: Kind::Plain,
        }],
        depth: 1,
        receivers: vec![0; survey.tries.len()],
        next_try: 0,
        next_local: count,
    };
    if survey.receives {
        writer.open(&Instruction::Block(BlockType::Result(ValType::Ref(RefType::EXNREF))));
    }
    let (bytes, offset) = (body.as_bytes(), body.range().start);
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let start = reader.original_position() - offset;
        let operator = reader.read()?;
        if !writer.operator(&operator, types)? {
            let end = reader.original_position() - offset;
            writer
                .out
                .raw(bytes.get(start..end).unwrap_or_default().iter().copied());
        }
    }
    Ok(writer.out)
}

impl Writer<'_> {
    /// Writes what stands for an instruction; false if that is the instruction itself.
    fn operator(&mut self, operator: &Operator, types: &mut Types) -> Result<bool, TransformError> {
        use Operator as O;
        match operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } => {
                self.push(Kind::Plain);
                self.depth += 1;
                return Ok(false);
            }
            O::TryTable { try_table } => {
                let ty = RoundtripReencoder.block_type(try_table.ty)?;
                let catches = try_table.catches.iter().map(|catch| self.catch(catch)).collect();
                self.push(Kind::Plain);
                self.open(&Instruction::TryTable(ty, catches));
            }
            O::Br { relative_depth } => self.put(&Instruction::Br(self.branch(*relative_depth))),
            O::BrIf { relative_depth } => self.put(&Instruction::BrIf(self.branch(*relative_depth))),
            O::BrTable { targets } => {
                let default = self.branch(targets.default());
                let targets = targets.targets().map(|target| Ok(self.branch(target?)));
                let targets: Vec<u32> = targets.collect::<Result<_, wasmparser::Error>>()?;
                self.put(&Instruction::BrTable(targets.into(), default));
            }
            O::Try { blockty } => self.begin(*blockty, types)?,
            O::Catch { .. } | O::CatchAll => self.handler(),
            O::Rethrow { relative_depth } => {
                if let Some(Kind::Try { local, .. }) = self.frame(*relative_depth).map(|frame| &frame.kind) {
                    let local = *local;
                    self.put(&Instruction::LocalGet(local));
                    self.put(&Instruction::ThrowRef);
                }
            }
            O::Delegate { .. } => {
                self.frames.pop();
                self.close();
            }
            O::End => self.end(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn put(&mut self, instruction: &Instruction) {
        self.out.instruction(instruction);
    }

    fn open(&mut self, instruction: &Instruction) {
        self.put(instruction);
        self.depth += 1;
    }

    fn close(&mut self) {
        self.put(&Instruction::End);
        self.depth -= 1;
    }

    /// The block that is opened next is one of the original's.
    fn push(&mut self, kind: Kind) {
        let label = self.depth;
        self.frames.push(Frame { label, kind });
    }

    fn frame(&self, depth: u32) -> Option<&Frame> {
        self.frames.get(self.frames.len().checked_sub(depth as usize + 1)?)
    }

    /// How a block of the output is called here.
    fn relative(&self, label: u32) -> u32 {
        (self.depth - 1).saturating_sub(label)
    }

    /// How the target of a branch is called here.
    fn branch(&self, depth: u32) -> u32 {
        // A valid module has no branch further out than the function.
        self.relative(self.frame(depth).map_or(0, |frame| frame.label))
    }

    fn catch(&self, catch: &wasmparser::Catch) -> Catch {
        use wasmparser::Catch as C;
        match *catch {
            C::One { tag, label } => Catch::One {
                tag,
                label: self.branch(label),
            },
            C::OneRef { tag, label } => Catch::OneRef {
                tag,
                label: self.branch(label),
            },
            C::All { label } => Catch::All {
                label: self.branch(label),
            },
            C::AllRef { label } => Catch::AllRef {
                label: self.branch(label),
            },
        }
    }

    /// A `try` and everything around its body.
    fn begin(&mut self, blockty: wasmparser::BlockType, types: &mut Types) -> Result<(), TransformError> {
        let number = self.next_try;
        self.next_try += 1;
        let survey = self.survey;
        let attempt = &survey.tries[number];
        let ty = RoundtripReencoder.block_type(blockty)?;
        if let Some(delegate) = attempt.delegate {
            self.push(Kind::Delegating);
            let label = match delegate.to {
                _ if delegate.near => {
                    self.open(&Instruction::Block(ty));
                    return Ok(());
                }
                Receiver::Function => OUT_OF_FUNCTION,
                Receiver::Try(receiver) => self.receivers[receiver],
            };
            let label = self.relative(label);
            self.open(&Instruction::TryTable(ty, vec![Catch::AllRef { label }].into()));
            return Ok(());
        }

        self.push(Kind::Try {
            number,
            begun: 0,
            local: self.next_local,
        });
        self.open(&Instruction::Block(ty));
        let parameters = types.parameters(blockty)?;
        let exception = ValType::Ref(RefType::EXNREF);
        let mut catches = Vec::with_capacity(attempt.handlers.len());
        for (label, tag) in (0..).zip(&attempt.handlers) {
            catches.push(match (*tag, attempt.rethrown) {
                (Some(tag), false) => Catch::One { tag, label },
                (Some(tag), true) => Catch::OneRef { tag, label },
                (None, false) => Catch::All { label },
                (None, true) => Catch::AllRef { label },
            });
        }
        // The first handler is behind the innermost block.
        for tag in attempt.handlers.iter().rev() {
            let mut results = match tag {
                Some(tag) => types.payload(*tag)?,
                None => Vec::new(),
            };
            results.extend(attempt.rethrown.then_some(exception));
            let ty = types.block(&parameters, results)?;
            self.open(&Instruction::Block(ty));
        }
        if !catches.is_empty() {
            self.open(&Instruction::TryTable(ty, catches.into()));
        }
        if attempt.receives {
            self.receivers[number] = self.depth;
            let ty = types.block(&parameters, vec![exception])?;
            self.open(&Instruction::Block(ty));
        }
        Ok(())
    }

    /// What follows the body of a `try`: the exceptions that others carried there.
    fn end_body(&mut self, number: usize, label: u32) {
        if self.survey.tries[number].receives {
            self.put(&Instruction::Br(self.relative(label)));
            self.close();
            self.put(&Instruction::ThrowRef);
        }
    }

    /// From the body or a handler to the next handler.
    fn handler(&mut self) {
        let Some(Frame {
            label,
            kind: Kind::Try { number, begun, local },
        }) = self.frames.last_mut()
        else {
            return;
        };
        *begun += 1;
        let (label, number, first, local) = (*label, *number, *begun == 1, *local);
        if first {
            self.end_body(number, label);
            self.close();
            self.next_local += 1;
        }
        self.put(&Instruction::Br(self.relative(label)));
        self.close();
        if self.survey.tries[number].rethrown {
            self.put(&Instruction::LocalSet(local));
        }
    }

    fn end(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        match frame.kind {
            Kind::Try { number, begun: 0, .. } => self.end_body(number, frame.label),
            Kind::Try { local, .. } => self.next_local = local,
            Kind::Plain if self.frames.is_empty() && self.survey.receives => {
                self.put(&Instruction::Return);
                self.close();
                self.put(&Instruction::ThrowRef);
            }
            Kind::Plain | Kind::Delegating => {}
        }
        self.close();
    }
}
