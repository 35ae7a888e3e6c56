//! Turns the exception instructions that were never standardized (`try`, `catch`, `catch_all`, `delegate`, `rethrow`) into the standard
//! ones (`try_table`, `throw_ref`), which are the only ones the engine takes. Toolchains emitted the old form for years, and
//! wheels in use are full of it.
//!
//! ```text
//!  try (P -> R)              block $end (P -> R)
//!    body                      block $2 (P -> exnref)
//!  catch $tag                    block $1 (P -> T)
//!    first                         try_table (P -> R) (catch $tag $1) (catch_all_ref $2)
//!  catch_all                         body
//!    second                        end
//!    rethrow 0                     br $end
//!  end                           end
//!                                first
//!                                br $end
//!                              end
//!                              local.set $exception
//!                              second
//!                              local.get $exception throw_ref
//!                            end
//! ```
//!
//! * **Labels.** A branch to a `try`, from its body or from a handler, goes to the outer block. All branches are counted anew.
//! * **`rethrow`** needs the exception itself: the handlers of a `try` that something is rethrown from get it as a reference, and
//!   keep it in a local. Handlers inside each other use different locals, others share them.
//! * **`delegate`** throws what its `try` catches from the place of another `try`, passing by all handlers in between. The body of
//!   the receiving `try` is wrapped in a block, to which the exception is carried by a branch, and thrown behind it:
//!
//! ```text
//!  try_table ... (its handlers)
//!    block $receive (P -> exnref)
//!      ... try_table (catch_all_ref $receive) ... end ...
//!      br $end
//!    end
//!    throw_ref
//!  end
//! ```
//!
//! If there is nothing in between, delegating is what happens anyway, and the `try` becomes a block. Where a `delegate` leads out
//! of all of them, the function is the receiver.
//!
//! Validation makes sure that the input is what this code takes for granted; the output is validated again by whoever
//! reads it. Types of blocks that take parameters or leave several values are added to the module's.

mod body;
mod survey;

use super::TransformError;
use super::scan::{self, Scan};
use std::borrow::Cow;
use std::collections::HashMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, CodeSection, Module, RawSection, TypeSection, ValType};
use wasmparser::{Parser, Payload};

/// Types that are added at most. Real modules need a few; hostile ones could combine thousands of parameters with thousands of tags.
const MAX_TYPES: usize = 4096;

/// The module without legacy exception instructions; the same bytes if it has none.
///
/// # Errors
/// It has some and is not valid, or what it would become is too large.
pub(super) fn translate(wasm: &[u8]) -> Result<Cow<'_, [u8]>, TransformError> {
    if !has_legacy_exceptions(wasm) {
        return Ok(wasm.into());
    }
    let scan = scan::read(wasm, scan::FEATURES.union(wasmparser::WasmFeatures::LEGACY_EXCEPTIONS))?;
    let mut types = Types::new(&scan)?;
    let mut code = CodeSection::new();
    for (k, function) in scan.bodies.iter().enumerate() {
        match survey::Survey::of(function)? {
            Some(survey) => {
                let index = scan.imported_functions + k as u32;
                let parameters = scan.function_type(index).map_or(0, |ty| ty.params().len() as u32);
                code.function(&body::translate(function, parameters, &survey, &mut types)?);
            }
            None => drop(code.raw(function.as_bytes())),
        }
        if code.byte_len() > scan::MAX_MODULE_BYTES {
            return Err(TransformError::TooLarge {
                found: code.byte_len(),
                limit: scan::MAX_MODULE_BYTES,
            });
        }
    }
    replace(wasm, &types.section, &code).map(Cow::Owned)
}

/// Whether a module has one of these instructions, valid or not.
fn has_legacy_exceptions(wasm: &[u8]) -> bool {
    use wasmparser::Operator as O;
    let bodies = Parser::new(0)
        .parse_all(wasm)
        .map_while(Result::ok)
        .filter_map(|payload| match payload {
            Payload::CodeSectionEntry(body) => body.get_operators_reader().ok(),
            _ => None,
        });
    bodies
        .flat_map(|reader| reader.into_iter().map_while(Result::ok))
        .any(|operator| {
            matches!(
                operator,
                O::Try { .. } | O::Catch { .. } | O::CatchAll | O::Rethrow { .. } | O::Delegate { .. }
            )
        })
}

/// The module with other types and other code. Custom sections that speak of instructions by their place are left out.
fn replace(wasm: &[u8], types: &TypeSection, code: &CodeSection) -> Result<Vec<u8>, TransformError> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::TypeSection(_) => drop(module.section(types)),
            Payload::CodeSectionStart { .. } => drop(module.section(code)),
            Payload::CustomSection(custom) if !matches!(custom.name(), "dylink.0" | "name") => {}
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let data = wasm.get(range).unwrap_or_default();
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(module.finish())
}

/// The types of a module, and those that are added for blocks.
struct Types<'a> {
    scan: &'a Scan<'a>,
    section: TypeSection,
    added: HashMap<(Vec<ValType>, Vec<ValType>), u32>,
}

impl<'a> Types<'a> {
    fn new(scan: &'a Scan<'a>) -> Result<Self, TransformError> {
        let mut section = TypeSection::new();
        if let Some(types) = &scan.type_section {
            RoundtripReencoder.parse_type_section(&mut section, types.clone())?;
        }
        Ok(Self {
            scan,
            section,
            added: HashMap::new(),
        })
    }

    /// What a block of this type takes from the stack.
    fn parameters(&self, ty: wasmparser::BlockType) -> Result<Vec<ValType>, TransformError> {
        let wasmparser::BlockType::FuncType(index) = ty else {
            return Ok(Vec::new());
        };
        let ty = self.scan.types.get(index as usize);
        values(ty.map(|ty| ty.params()).unwrap_or_default())
    }

    /// What an exception with this tag carries.
    fn payload(&self, tag: u32) -> Result<Vec<ValType>, TransformError> {
        let ty = self.scan.tag_types.get(tag as usize);
        let ty = ty.and_then(|ty| self.scan.types.get(*ty as usize));
        values(ty.map(|ty| ty.params()).unwrap_or_default())
    }

    /// The type of a block that takes and leaves these values.
    fn block(&mut self, parameters: &[ValType], results: Vec<ValType>) -> Result<BlockType, TransformError> {
        match (parameters, &results[..]) {
            ([], []) => return Ok(BlockType::Empty),
            ([], [one]) => return Ok(BlockType::Result(*one)),
            _ => {}
        }
        let key = (parameters.to_vec(), results);
        if let Some(known) = self.added.get(&key) {
            return Ok(BlockType::FunctionType(*known));
        }
        if self.added.len() >= MAX_TYPES {
            return Err(TransformError::TooMany {
                what: "types of exception handlers",
                found: self.added.len() + 1,
                limit: MAX_TYPES,
            });
        }
        let index = self.section.len();
        self.section.ty().function(key.0.iter().copied(), key.1.iter().copied());
        self.added.insert(key, index);
        Ok(BlockType::FunctionType(index))
    }
}

fn values(types: &[wasmparser::ValType]) -> Result<Vec<ValType>, TransformError> {
    Ok(RoundtripReencoder.val_types(types.to_vec())?)
}
