//! Bounds on what compiling a side module can cost.
//!
//! The compiler's memory and time grow faster than the code for some shapes of code, and it cannot be interrupted. It carries every
//! local through every point where paths meet, and writes down at every call which references are alive. So the products are
//! bounded.

use super::TransformError;
use super::scan::Scan;
use wasmparser::{Catch, FunctionBody, Operator, ValType};

/// Bytes of one function. The largest seen, from Rust, has 1.1 MB.
const MAX_BODY: u64 = 2 << 20;
/// Bytes of a function that counts as large: compiling takes about 500 bytes of memory for one of code, and functions are compiled
/// at the same time on as many threads as there are processors.
const LARGE: u64 = 256 << 10;
/// Bytes of large functions in a module.
const MAX_LARGE_IN_ALL: u64 = 8 << 20;
/// Parameters and results of one type. The most seen are 30 parameters, of Fortran code.
const MAX_VALUES: u64 = 128;
/// Points where paths may meet times locals, in one function. The most seen are 5 million; 20 million take the compiler
/// 8 seconds and half a gigabyte in the worst case that was tried.
const MAX_MERGES: u64 = 20_000_000;
/// The same in a module.
const MAX_MERGES_IN_ALL: u64 = 200_000_000;
/// Calls times places that references to exceptions come from, in one function. The most seen are 16 million.
const MAX_ROOTS: u64 = 50_000_000;

/// What makes a function hard to compile.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    blocks: u64,
    calls: u64,
    locals: u64,
    references: u64,
}

/// Refuses modules that would take too much to compile.
pub(super) fn check(scan: &Scan) -> Result<(), TransformError> {
    let bound = |what, found: u64, limit: u64| match found > limit {
        true => Err(TransformError::TooMany {
            what,
            found: usize::try_from(found).unwrap_or(usize::MAX),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }),
        false => Ok(()),
    };
    for ty in &scan.types {
        let values = ty.params().len() + ty.results().len();
        bound("parameters and results of a function", values as u64, MAX_VALUES)?;
    }
    let (mut merges, mut large) = (0u64, 0u64);
    for (function, body) in (scan.imported_functions..).zip(&scan.bodies) {
        let bytes = body.range().len() as u64;
        bound("bytes in a function", bytes, MAX_BODY)?;
        large += if bytes >= LARGE { bytes } else { 0 };
        bound("bytes in large functions", large, MAX_LARGE_IN_ALL)?;
        let parameters = scan.function_type(function).map_or(&[][..], |ty| ty.params());
        let effort = Effort::of(parameters, body)?;
        let in_function = effort.blocks.saturating_mul(effort.locals);
        merges = merges.saturating_add(in_function);
        bound("blocks times locals in a function", in_function, MAX_MERGES)?;
        let roots = effort.calls.saturating_mul(effort.references);
        bound("calls times references in a function", roots, MAX_ROOTS)?;
    }
    bound("blocks times locals", merges, MAX_MERGES_IN_ALL)
}

impl Effort {
    fn of(parameters: &[ValType], body: &FunctionBody) -> Result<Effort, TransformError> {
        let mut effort = Effort::default();
        let mut local = |count: u64, ty: ValType| {
            effort.locals += count;
            effort.references += count * u64::from(is_exception(ty));
        };
        for ty in parameters {
            local(1, *ty);
        }
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            local(u64::from(count), ty);
        }
        for operator in body.get_operators_reader()? {
            effort.operator(&operator?);
        }
        Ok(effort)
    }

    fn operator(&mut self, operator: &Operator) {
        use Operator as O;
        match operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else => self.blocks += 1,
            O::TryTable { try_table } => {
                self.blocks += 1;
                for catch in &try_table.catches {
                    self.blocks += 1;
                    self.references += u64::from(matches!(catch, Catch::OneRef { .. } | Catch::AllRef { .. }));
                }
            }
            O::BrIf { .. } => self.blocks += 1,
            O::BrTable { targets } => self.blocks += u64::from(targets.len()),
            O::Call { .. } | O::CallIndirect { .. } | O::Throw { .. } | O::ThrowRef => self.calls += 1,
            O::RefNull { .. } => self.references += 1,
            _ => {}
        }
    }
}

fn is_exception(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(reference) if !reference.is_func_ref())
}
