//! What has to be known about the `try` instructions of a function before the first of them is written.

use super::super::TransformError;
use wasmparser::{FunctionBody, Operator};

/// Where an exception goes that is thrown in some place: to a `try`, by its number, or out of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    Function,
    Try(usize),
}

/// One `try`. Its number is its place among all of the function's, so those around it have smaller ones.
#[derive(Debug, Default)]
pub(super) struct Try {
    /// Its handlers: a tag, or none for `catch_all`.
    pub(super) handlers: Vec<Option<u32>>,
    /// Whether something is rethrown from one of them.
    pub(super) rethrown: bool,
    /// Who gets its exceptions, if it ends with `delegate`.
    pub(super) delegate: Option<Delegate>,
    /// Whether others carry their exceptions to it by a branch.
    pub(super) receives: bool,
}

/// How a `try` delegates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delegate {
    /// Who receives its exceptions in the end: no `try` that delegates them further.
    pub(super) to: Receiver,
    /// Whether no other `try` lies in between: exceptions get there by themselves.
    pub(super) near: bool,
}

/// All of a function's.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) tries: Vec<Try>,
    /// Whether exceptions are carried to the function's outermost block to be thrown there.
    pub(super) receives: bool,
    /// Locals needed for exceptions that are rethrown.
    pub(super) locals: u32,
}

/// An open block.
struct Frame {
    /// The number of the `try` it is, and whether one of its handlers is open and no longer its body.
    attempt: Option<(usize, bool)>,
    surroundings: Surroundings,
}

/// What is around a place.
#[derive(Clone, Copy)]
struct Surroundings {
    /// The innermost `try` around whose body it is in.
    receiver: Receiver,
    /// How many such there are.
    bodies: u32,
    /// How many handlers it is in.
    handlers: u32,
}

impl Frame {
    /// What is around a place right inside.
    fn inside(&self) -> Surroundings {
        let mut inside = self.surroundings;
        match self.attempt {
            Some((number, false)) => {
                inside.receiver = Receiver::Try(number);
                inside.bodies += 1;
            }
            Some((_, true)) => inside.handlers += 1,
            None => {}
        }
        inside
    }
}

impl Survey {
    /// `None` if the function has no legacy instructions. The function must be valid.
    pub(super) fn of(body: &FunctionBody) -> Result<Option<Survey>, TransformError> {
        let mut survey = Survey::default();
        let outermost = Surroundings {
            receiver: Receiver::Function,
            bodies: 0,
            handlers: 0,
        };
        let mut frames = vec![Frame {
            attempt: None,
            surroundings: outermost,
        }];
        for operator in body.get_operators_reader()? {
            survey.operator(&operator?, &mut frames, outermost);
        }
        if survey.tries.is_empty() {
            return Ok(None);
        }
        survey.settle();
        Ok(Some(survey))
    }

    fn operator(&mut self, operator: &Operator, frames: &mut Vec<Frame>, outermost: Surroundings) {
        use Operator as O;
        let surroundings = frames.last().map_or(outermost, Frame::inside);
        let target = |depth: u32| frames.len().checked_sub(depth as usize + 1);
        match operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } | O::TryTable { .. } => frames.push(Frame {
                attempt: None,
                surroundings,
            }),
            O::Try { .. } => {
                frames.push(Frame {
                    attempt: Some((self.tries.len(), false)),
                    surroundings,
                });
                self.tries.push(Try::default());
            }
            O::Catch { tag_index } => self.handler(frames, Some(*tag_index)),
            O::CatchAll => self.handler(frames, None),
            O::Rethrow { relative_depth } => {
                let frame = target(*relative_depth).and_then(|at| frames.get(at));
                if let Some(frame) = frame
                    && let Some((number, true)) = frame.attempt
                {
                    self.tries[number].rethrown = true;
                    self.locals = self.locals.max(frame.surroundings.handlers + 1);
                }
            }
            O::Delegate { relative_depth } => {
                let Some(ended) = frames.pop() else { return };
                let target = frames.len().checked_sub(*relative_depth as usize + 1);
                let Some(target) = target.and_then(|at| frames.get(at)) else {
                    return;
                };
                // From the label outwards: the first `try` whose handlers are in force there.
                let there = target.inside();
                if let Some((number, _)) = ended.attempt {
                    self.tries[number].delegate = Some(Delegate {
                        to: there.receiver,
                        near: ended.surroundings.bodies == there.bodies,
                    });
                }
            }
            O::End => drop(frames.pop()),
            _ => {}
        }
    }

    fn handler(&mut self, frames: &mut [Frame], tag: Option<u32>) {
        if let Some(frame) = frames.last_mut()
            && let Some((number, in_handler)) = &mut frame.attempt
        {
            *in_handler = true;
            self.tries[*number].handlers.push(tag);
        }
    }

    /// A `try` that delegates may itself be delegated to: finds the last receivers, and tells them.
    fn settle(&mut self) {
        for number in 0..self.tries.len() {
            let Some(mut delegate) = self.tries[number].delegate else {
                continue;
            };
            if let Receiver::Try(next) = delegate.to
                && let Some(settled) = self.tries[next].delegate
            {
                // It is around this one, so it was settled before.
                delegate.to = settled.to;
            }
            self.tries[number].delegate = Some(delegate);
            match delegate.to {
                _ if delegate.near => {}
                Receiver::Function => self.receives = true,
                Receiver::Try(receiver) => self.tries[receiver].receives = true,
            }
        }
    }
}
