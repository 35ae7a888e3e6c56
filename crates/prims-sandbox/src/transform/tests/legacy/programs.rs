//! Programs made at random, and an interpreter for them that knows the old semantics and nothing of the translation.

use std::fmt::Write;

/// A small generator of numbers that look random, the same ones every time.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A statement; `usize` fields are labels, counted from the innermost block.
enum Statement {
    /// Folds a number into the result.
    Note(i32),
    /// `throw $i` of a number, or `throw $none`.
    Throw(Option<i32>),
    /// A call that throws depending on the input, see `module`.
    Call,
    Block(Vec<Statement>),
    /// Runs again while a counter is below the input.
    Loop(Vec<Statement>),
    If(Vec<Statement>, Vec<Statement>),
    /// Taken if the input is the number.
    Branch(i32, usize),
    Table(Vec<usize>),
    Return,
    /// Leaves a number, which is noted.
    Try(Vec<Statement>, Vec<Handler>),
    Delegate(Vec<Statement>, usize),
    Rethrow(usize),
}

struct Handler {
    tag: Tag,
    body: Vec<Statement>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Number,
    None,
    All,
}

/// A function from a number to a number.
pub(super) struct Program(Vec<Statement>);

/// What a label stands for while a program is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Plain,
    Loop,
    Handler,
}

impl Program {
    pub(super) fn random(numbers: &mut Numbers) -> Program {
        let mut room = 40;
        Program(statements(numbers, &mut vec![Open::Plain], &mut room))
    }

    /// The function as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "(func (export \"run\") (param $input i32) (result i32) (local $noted i32) (local $count i32) (local $value i32)\nblock\n",
        );
        write_all(&self.0, &mut text);
        text.push_str("end\nlocal.get $noted)");
        text
    }

    /// What it returns, or nothing if it takes too long.
    pub(super) fn interpret(&self, input: i32) -> Option<i32> {
        let mut machine = Machine {
            input,
            noted: 0,
            count: 0,
            steps: 0,
            caught: vec![],
        };
        let flow = machine.block(&self.0)?;
        Some(match flow {
            Flow::Thrown(..) => super::UNCAUGHT,
            _ => machine.noted,
        })
    }
}

fn statements(numbers: &mut Numbers, open: &mut Vec<Open>, room: &mut u32) -> Vec<Statement> {
    let count = 1 + numbers.below(4);
    (0..count).filter_map(|_| statement(numbers, open, room)).collect()
}

fn inside(numbers: &mut Numbers, open: &mut Vec<Open>, room: &mut u32, kind: Open) -> Vec<Statement> {
    open.push(kind);
    let inside = statements(numbers, open, room);
    open.pop();
    inside
}

fn statement(numbers: &mut Numbers, open: &mut Vec<Open>, room: &mut u32) -> Option<Statement> {
    *room = room.checked_sub(1)?;
    let label = |numbers: &mut Numbers| numbers.below(open.len() as u64) as usize;
    Some(match numbers.below(20) {
        0..=2 => Statement::Note(1 + numbers.below(9) as i32),
        3 => Statement::Throw(Some(numbers.below(9) as i32)),
        4 => Statement::Throw(None),
        5 | 6 => Statement::Call,
        7 => Statement::Block(inside(numbers, open, room, Open::Plain)),
        8 => Statement::Loop(inside(numbers, open, room, Open::Loop)),
        9 => Statement::If(
            inside(numbers, open, room, Open::Plain),
            inside(numbers, open, room, Open::Plain),
        ),
        10 => Statement::Branch(numbers.below(4) as i32, label(numbers)),
        11 => Statement::Table((0..3).map(|_| label(numbers)).collect()),
        12 => Statement::Return,
        13..=15 => {
            let body = inside(numbers, open, room, Open::Plain);
            let mut tags = vec![Tag::Number, Tag::None, Tag::All];
            tags.retain(|_| numbers.below(2) == 0);
            let handler = |tag| Handler {
                tag,
                body: inside(numbers, open, room, Open::Handler),
            };
            Statement::Try(body, tags.into_iter().map(handler).collect())
        }
        16 | 17 => {
            let body = inside(numbers, open, room, Open::Plain);
            // One further out than all blocks is the function.
            Statement::Delegate(body, numbers.below(open.len() as u64 + 1) as usize)
        }
        _ => {
            let handlers: Vec<usize> = (0..open.len())
                .filter(|label| open[open.len() - 1 - label] == Open::Handler)
                .collect();
            let handler = numbers.below(handlers.len().max(1) as u64) as usize;
            Statement::Rethrow(*handlers.get(handler)?)
        }
    })
}

fn write_all(statements: &[Statement], out: &mut String) {
    for statement in statements {
        statement.write(out);
    }
}

const NOTE: &str = "local.set $value local.get $noted i32.const 31 i32.mul local.get $value i32.add local.set $noted";

impl Statement {
    fn write(&self, out: &mut String) {
        match self {
            Statement::Note(number) => writeln!(out, "i32.const {number} {NOTE}").unwrap(),
            Statement::Throw(Some(number)) => writeln!(out, "i32.const {number} throw $i").unwrap(),
            Statement::Throw(None) => out.push_str("throw $none\n"),
            Statement::Call => out.push_str("local.get $input call $throw\n"),
            Statement::Block(body) => {
                out.push_str("block\n");
                write_all(body, out);
                out.push_str("end\n");
            }
            Statement::Loop(body) => {
                out.push_str("loop\n");
                write_all(body, out);
                out.push_str(
                    "local.get $count i32.const 1 i32.add local.tee $count local.get $input i32.lt_s br_if 0 end\n",
                );
            }
            Statement::If(yes, no) => {
                out.push_str("local.get $input i32.const 1 i32.and if\n");
                write_all(yes, out);
                out.push_str("else\n");
                write_all(no, out);
                out.push_str("end\n");
            }
            Statement::Branch(number, label) => {
                writeln!(out, "local.get $input i32.const {number} i32.eq br_if {label}").unwrap();
            }
            Statement::Table(labels) => {
                let labels: Vec<String> = labels.iter().map(usize::to_string).collect();
                writeln!(out, "local.get $input br_table {}", labels.join(" ")).unwrap();
            }
            Statement::Return => out.push_str("local.get $noted return\n"),
            Statement::Try(body, handlers) => {
                out.push_str("try\n");
                write_all(body, out);
                for handler in handlers {
                    match handler.tag {
                        Tag::Number => writeln!(out, "catch $i {NOTE}").unwrap(),
                        Tag::None => out.push_str("catch $none\n"),
                        Tag::All => out.push_str("catch_all\n"),
                    }
                    write_all(&handler.body, out);
                }
                out.push_str("end\n");
            }
            Statement::Delegate(body, label) => {
                out.push_str("try\n");
                write_all(body, out);
                writeln!(out, "delegate {label}").unwrap();
            }
            Statement::Rethrow(label) => writeln!(out, "rethrow {label}").unwrap(),
        }
    }
}

/// Tag and payload.
#[derive(Clone, Copy)]
enum Exception {
    Number(i32),
    Pair,
    None,
}

/// How a statement goes on.
enum Flow {
    Next,
    /// To the end of the block with this label, or its start if it is a loop.
    Branch(usize),
    Return,
    /// To the first handler that fits; the number says how many blocks outwards handlers are passed by, if any.
    Thrown(Exception, Option<usize>),
}

struct Machine {
    input: i32,
    noted: i32,
    count: i32,
    steps: u32,
    /// For each open block, the exception if it is a handler.
    caught: Vec<Option<Exception>>,
}

impl Machine {
    fn note(&mut self, number: i32) {
        self.noted = self.noted.wrapping_mul(31).wrapping_add(number);
    }

    /// Runs what is inside of a block, and leaves the block. A branch to it is over then; `None` if it takes too long.
    fn block(&mut self, body: &[Statement]) -> Option<Flow> {
        self.open(None, body)
    }

    fn open(&mut self, caught: Option<Exception>, body: &[Statement]) -> Option<Flow> {
        self.caught.push(caught);
        let mut flow = Flow::Next;
        for statement in body {
            flow = self.statement(statement)?;
            if !matches!(flow, Flow::Next) {
                break;
            }
        }
        self.caught.pop();
        Some(flow)
    }

    fn statement(&mut self, statement: &Statement) -> Option<Flow> {
        self.steps += 1;
        if self.steps > 10_000 {
            return None;
        }
        Some(match statement {
            Statement::Note(number) => {
                self.note(*number);
                Flow::Next
            }
            Statement::Throw(Some(number)) => Flow::Thrown(Exception::Number(*number), None),
            Statement::Throw(None) => Flow::Thrown(Exception::None, None),
            Statement::Call => match self.input {
                1 => Flow::Thrown(Exception::None, None),
                2 => Flow::Thrown(Exception::Number(2), None),
                3 => Flow::Thrown(Exception::Pair, None),
                _ => Flow::Next,
            },
            Statement::Block(body) => leave(self.block(body)?),
            Statement::If(yes, no) => leave(self.block(if self.input & 1 == 1 { yes } else { no })?),
            Statement::Loop(body) => loop {
                let flow = match self.block(body)? {
                    Flow::Next => {
                        self.count += 1;
                        if self.count < self.input {
                            Flow::Branch(0)
                        } else {
                            Flow::Next
                        }
                    }
                    flow => flow,
                };
                self.steps += 1;
                if self.steps > 10_000 {
                    return None;
                }
                if !matches!(flow, Flow::Branch(0)) {
                    break leave(flow);
                }
            },
            Statement::Branch(number, label) if self.input == *number => Flow::Branch(*label),
            Statement::Branch(..) => Flow::Next,
            Statement::Table(labels) => Flow::Branch(labels[(self.input as usize).min(labels.len() - 1)]),
            Statement::Return => Flow::Return,
            Statement::Rethrow(label) => {
                let frame = self.caught[self.caught.len() - 1 - label];
                Flow::Thrown(frame.expect("a handler"), None)
            }
            Statement::Delegate(body, label) => match self.block(body)? {
                // Delegating to this one is delegating on.
                Flow::Thrown(exception, None | Some(0)) => Flow::Thrown(exception, Some(*label)),
                flow => leave(flow),
            },
            Statement::Try(body, handlers) => {
                let exception = match self.block(body)? {
                    Flow::Thrown(exception, None | Some(0)) => exception,
                    flow => return Some(leave(flow)),
                };
                let fits = |handler: &&Handler| {
                    handler.tag == Tag::All
                        || matches!(
                            (handler.tag, exception),
                            (Tag::Number, Exception::Number(_)) | (Tag::None, Exception::None)
                        )
                };
                let Some(handler) = handlers.iter().find(fits) else {
                    return Some(Flow::Thrown(exception, None));
                };
                if let (Tag::Number, Exception::Number(number)) = (handler.tag, exception) {
                    self.note(number);
                }
                leave(self.open(Some(exception), &handler.body)?)
            }
        })
    }
}

/// What a flow is outside of a block that it leaves, which catches nothing.
fn leave(flow: Flow) -> Flow {
    match flow {
        Flow::Branch(0) => Flow::Next,
        Flow::Branch(label) => Flow::Branch(label - 1),
        Flow::Thrown(exception, Some(0)) => Flow::Thrown(exception, None),
        Flow::Thrown(exception, Some(label)) => Flow::Thrown(exception, Some(label - 1)),
        flow => flow,
    }
}
