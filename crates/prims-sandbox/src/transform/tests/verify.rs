//! Proves that the output of the transform counts, with code that shares nothing with the transform: it looks at the output only.
//!
//! * Right behind every loop header stands the counting sequence, with the function's own counter and a positive cost.
//! * Nothing else writes the counter, and nothing but the metering sequences touches the budget.
//! * A function with loops charges the counter at its single way out, but for a small rest.
//! * Every cycle of calls contains a function that looks at the budget first thing, or a call with a look right before it.
//! * In huge functions of a main module, and only there, loops without any call may count without charging.

use super::super::{BUDGET, REFILL, Role};
use std::collections::{HashMap, HashSet};
use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FuncType, Operator as O, Parser, Payload, TypeRef, Validator,
};

type Check<T = ()> = Result<T, String>;

#[derive(Default)]
struct Module<'a> {
    types: Vec<FuncType>,
    functions: Vec<u32>,
    imports: Vec<(&'a str, &'a str)>,
    budget: Option<u32>,
    globals: u32,
    refill: Option<u32>,
    bodies: Vec<Vec<O<'a>>>,
    locals: Vec<u32>,
    sizes: Vec<usize>,
    external: HashSet<u32>,
    exported: HashMap<&'a str, u32>,
    /// Signature of the function's type, equal for equal types.
    canonical: Vec<usize>,
}

fn read<'a>(wasm: &'a [u8]) -> Result<Module<'a>, wasmparser::Error> {
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                module.types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>()?;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) => {
                            if (import.module, import.name) == REFILL {
                                module.refill = Some(module.functions.len() as u32);
                            }
                            module.functions.push(ty);
                            module.imports.push((import.module, import.name));
                        }
                        TypeRef::Global(_) => {
                            if import.name == BUDGET {
                                module.budget = Some(module.globals);
                            }
                            module.globals += 1;
                        }
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    module.functions.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    match export.kind {
                        ExternalKind::Global if export.name == BUDGET => module.budget = Some(export.index),
                        ExternalKind::Func => {
                            module.exported.insert(export.name, export.index);
                            if !export.name.starts_with("__prims_") {
                                module.external.insert(export.index);
                            }
                        }
                        _ => {}
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    match element.items {
                        _ if matches!(element.kind, ElementKind::Declared) => {}
                        ElementItems::Functions(items) => {
                            for item in items {
                                module.external.insert(item?);
                            }
                        }
                        ElementItems::Expressions(_, items) => {
                            for item in items {
                                for operator in item?.get_operators_reader() {
                                    if let O::RefFunc { function_index } = operator? {
                                        module.external.insert(function_index);
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    for operator in global?.init_expr.get_operators_reader() {
                        if let O::RefFunc { function_index } = operator? {
                            module.external.insert(function_index);
                        }
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let operators = body
                    .get_operators_reader()?
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()?;
                for operator in &operators {
                    if let O::RefFunc { function_index } = operator {
                        module.external.insert(*function_index);
                    }
                }
                module.sizes.push(body.range().len());
                module.bodies.push(operators);
                module.locals.push(
                    body.get_locals_reader()?
                        .into_iter()
                        .map(|l| l.map_or(0, |l| l.0))
                        .sum(),
                );
            }
            _ => {}
        }
    }
    let mut first = HashMap::new();
    module.canonical = module
        .types
        .iter()
        .enumerate()
        .map(|(k, ty)| *first.entry(ty.clone()).or_insert(k))
        .collect();
    Ok(module)
}

/// What was found out about one function.
#[derive(Clone, Default)]
struct Facts {
    /// It looks at the budget before anything else.
    metered: bool,
    calls: Vec<u32>,
    indirect: Vec<usize>,
}

/// Checks everything this file promises.
pub(super) fn verify(wasm: &[u8], role: Role) -> Check {
    Validator::new().validate_all(wasm).map_err(|error| error.to_string())?;
    let module = read(wasm).map_err(|error| error.to_string())?;
    let refill = module.refill.ok_or("refill is not imported")?;
    let budget = module.budget.ok_or("there is no budget")?;
    let imported = module.imports.len() as u32;
    // charge and top_up are recognized by what they do.
    let top_up = [
        O::GlobalGet { global_index: budget },
        O::Call { function_index: refill },
        O::GlobalSet { global_index: budget },
        O::End,
    ];
    let find = |body: &[O]| {
        module
            .bodies
            .iter()
            .position(|b| b == body)
            .map(|k| imported + k as u32)
    };
    let top_up = find(&top_up).ok_or("no function tops the budget up")?;
    let look = look(budget, top_up);
    let charge: Vec<O> = subtract(budget, &[O::LocalGet { local_index: 0 }, O::I64ExtendI32U])
        .into_iter()
        .chain(look.clone())
        .chain([O::End])
        .collect();
    let charge = find(&charge).ok_or("no function charges the budget")?;

    let mut facts = vec![Facts::default(); module.bodies.len()];
    for (k, fact) in facts.iter_mut().enumerate() {
        let function = imported + k as u32;
        if function != top_up && function != charge {
            *fact = verify_function(&module, k, [budget, top_up, charge], role)
                .map_err(|error| format!("function {function}: {error}"))?;
        }
    }
    verify_cycles(&module, &facts, role, [top_up, charge, refill])
}

/// `if budget < 0 { top_up() }`
fn look(budget: u32, top_up: u32) -> Vec<O<'static>> {
    vec![
        O::GlobalGet { global_index: budget },
        O::I64Const { value: 0 },
        O::I64LtS,
        O::If {
            blockty: wasmparser::BlockType::Empty,
        },
        O::Call { function_index: top_up },
        O::End,
    ]
}

/// `budget -= what`
fn subtract<'a>(budget: u32, what: &[O<'a>]) -> Vec<O<'a>> {
    let mut code = vec![O::GlobalGet { global_index: budget }];
    code.extend_from_slice(what);
    code.extend([O::I64Sub, O::GlobalSet { global_index: budget }]);
    code
}

fn constant(operator: Option<&O>) -> Check<i64> {
    match operator {
        Some(O::I64Const { value }) => Ok(*value),
        Some(O::I32Const { value }) => Ok(i64::from(*value)),
        other => Err(format!("expected a constant, found {other:?}")),
    }
}

fn expect(code: &[O], at: usize, expected: &[O]) -> Check {
    let found = code.get(at..at + expected.len()).unwrap_or_default();
    if found != expected {
        Err(format!("at {at}: expected {expected:?}, found {found:?}"))
    } else {
        Ok(())
    }
}

fn verify_function(module: &Module, k: usize, [budget, top_up, charge]: [u32; 3], role: Role) -> Check<Facts> {
    let code = &module.bodies[k];
    let look = look(budget, top_up);
    let mut facts = Facts::default();
    // The instructions that were added, by position: all others must leave budget and counter alone.
    let mut added = HashSet::new();

    // The entry.
    let (mut at, mut advance) = (0, 0);
    if matches!(code.first(), Some(O::GlobalGet { global_index }) if *global_index == budget) {
        advance = constant(code.get(1))?;
        let entry = subtract(budget, &[O::I64Const { value: advance }]);
        expect(code, 0, &entry)?;
        at = entry.len();
        if advance < 1 {
            return Err(format!("entering costs {advance}"));
        }
        if expect(code, at, &look).is_ok() {
            at += look.len();
            facts.metered = true;
        }
        added.extend(0..at);
    }

    // Calls of unknown code that look at the budget.
    let length = subtract(budget, &[O::I64Const { value: 1 }]).len() + look.len();
    let mut metered_calls = HashSet::new();
    for call in at + length..code.len() {
        let unknown = match &code[call] {
            O::CallIndirect { .. } => true,
            O::Call { function_index } => (*function_index as usize) < module.imports.len(),
            _ => false,
        };
        let start = call - length;
        if !unknown || !matches!(constant(code.get(start + 1)), Ok(1..)) {
            continue;
        }
        let mut check = subtract(budget, &code[start + 1..start + 2]);
        check.extend(look.clone());
        if expect(code, start, &check).is_ok() {
            added.extend(start..call);
            metered_calls.insert(call);
        }
    }

    let loops: Vec<usize> = (0..code.len()).filter(|k| matches!(code[*k], O::Loop { .. })).collect();
    if let Some(first) = loops.first() {
        let Some(O::LocalGet { local_index: spent }) = code.get(first + 1).cloned() else {
            return Err(format!("at {first}: a loop that does not count"));
        };
        let ty = &module.types[module.functions[module.imports.len() + k] as usize];
        let parameters = ty.params().len() as u32;
        if spent < parameters || spent >= parameters + module.locals[k] {
            return Err("the counter is a parameter".into());
        }
        let huge = role == Role::Main && module.sizes[k] > 30_000;
        for header in &loops {
            let counted = verify_loop(code, *header, spent, charge, huge)?;
            added.extend(header + 1..header + 1 + counted);
        }
        let may_leave = |k: usize| !added.contains(&k) && leaves(&code[k], [charge, top_up]);
        let prepaid = role == Role::Side && (0..code.len()).any(may_leave);
        if prepaid && advance < LIMIT {
            return Err(format!("an exception may leave without paying {LIMIT}"));
        }
        let tail = verify_way_out(code, at, &|rest| {
            let mut charged = vec![O::LocalGet { local_index: spent }, O::I64ExtendI32U];
            if prepaid {
                charged.extend([O::I64Const { value: LIMIT }, O::I64Sub]);
            }
            let mut charged = subtract(budget, &charged);
            if !facts.metered {
                charged.extend(look.clone());
            }
            if !prepaid {
                let blockty = wasmparser::BlockType::Empty;
                let test = [
                    O::LocalGet { local_index: spent },
                    O::I32Const { value: rest },
                    O::I32GtU,
                    O::If { blockty },
                ];
                charged.splice(0..0, test);
                charged.push(O::End);
            }
            charged.push(O::End);
            charged
        })?;
        added.extend(tail..code.len());
        for (k, operator) in code.iter().enumerate().filter(|(k, _)| !added.contains(k)) {
            if matches!(operator, O::LocalSet { local_index } | O::LocalTee { local_index } if *local_index == spent) {
                return Err(format!("at {k}: the counter is written"));
            }
        }
    }

    for (k, operator) in code.iter().enumerate() {
        match operator {
            O::GlobalGet { global_index } | O::GlobalSet { global_index }
                if *global_index == budget && !added.contains(&k) =>
            {
                return Err(format!("at {k}: the budget is touched"));
            }
            O::Call { function_index } if added.contains(&k) && *function_index == top_up => {}
            O::Call { .. } | O::CallIndirect { .. } if metered_calls.contains(&k) => {}
            O::Call { function_index } => facts.calls.push(*function_index),
            O::CallIndirect { type_index, .. } => facts.indirect.push(module.canonical[*type_index as usize]),
            O::ReturnCall { .. } | O::ReturnCallIndirect { .. } | O::CallRef { .. } | O::ReturnCallRef { .. } => {
                return Err(format!("at {k}: {operator:?} is not known here"));
            }
            _ => {}
        }
    }
    Ok(facts)
}

/// What a loop counts by itself at most.
const LIMIT: i64 = 4096;

/// Checks what stands behind a loop header, and returns how many instructions that are.
fn verify_loop(code: &[O], header: usize, spent: u32, charge: u32, huge: bool) -> Check<usize> {
    let cost = constant(code.get(header + 2))?;
    if !(1..=1 << 30).contains(&cost) {
        return Err(format!("an iteration costs {cost}"));
    }
    let mut count = vec![
        O::LocalGet { local_index: spent },
        O::I32Const { value: cost as i32 },
        O::I32Add,
    ];
    if huge && matches!(code.get(header + 4), Some(O::LocalSet { .. })) {
        // In the main module's interpreter, loops without calls only count.
        count.push(O::LocalSet { local_index: spent });
        expect(code, header + 1, &count)?;
        let mut depth = 0;
        for operator in &code[header..] {
            match operator {
                O::Block { .. } | O::Loop { .. } | O::If { .. } | O::TryTable { .. } => depth += 1,
                O::End => depth -= 1,
                O::Call { .. } | O::CallIndirect { .. } => {
                    return Err(format!("at {header}: a loop with calls that does not charge"));
                }
                _ => {}
            }
            if depth == 0 {
                return Ok(count.len());
            }
        }
        return Err(format!("at {header}: a loop without end"));
    }
    count.extend([
        O::LocalTee { local_index: spent },
        O::I32Const { value: LIMIT as i32 },
        O::I32GtU,
        O::If {
            blockty: wasmparser::BlockType::Empty,
        },
        O::LocalGet { local_index: spent },
        O::Call { function_index: charge },
        O::I32Const { value: 0 },
        O::LocalSet { local_index: spent },
        O::End,
    ]);
    expect(code, header + 1, &count)?;
    Ok(count.len())
}

/// Checks that a function which starts at `at` is one block with `expected` behind it and no other way out, and returns where that is.
/// `expected` gets what the function may keep to itself.
fn verify_way_out<'a>(code: &[O<'a>], at: usize, expected: &dyn Fn(i32) -> Vec<O<'a>>) -> Check<usize> {
    if !matches!(code.get(at), Some(O::Block { .. })) {
        return Err("a function with loops has ways out that are not charged".into());
    }
    let rest = 256;
    let expected = expected(rest);
    let tail = code
        .len()
        .checked_sub(expected.len())
        .ok_or("the function is too short")?;
    expect(code, tail, &expected)?;
    let mut depth = 0;
    for (k, operator) in code.iter().enumerate().take(tail).skip(at) {
        match operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } | O::TryTable { .. } => depth += 1,
            O::End => depth -= 1,
            O::Return => return Err("a return that is not charged".into()),
            _ => {}
        }
        if depth == 0 && k + 1 != tail {
            return Err(format!(
                "at {k}: the block around a function with loops is not around all of it"
            ));
        }
    }
    if depth != 0 {
        Err("the block around a function with loops does not end".into())
    } else {
        Ok(tail)
    }
}

fn leaves(operator: &O, harmless: [u32; 2]) -> bool {
    match operator {
        // Charging may stop the run, but throws nothing.
        O::Call { function_index } => !harmless.contains(function_index),
        O::CallIndirect { .. } | O::Throw { .. } | O::ThrowRef => true,
        _ => false,
    }
}

/// What is left of the call graph without metered functions must have no cycle. A call to the outside of a side module may lead to
/// anything, so any of its functions that may be called from there may come next.
fn verify_cycles(module: &Module, facts: &[Facts], role: Role, harmless: [u32; 3]) -> Check {
    let imported = module.imports.len() as u32;
    let leaf = |function: u32| match module.imports[function as usize] {
        ("wasi_snapshot_preview1", _) => role == Role::Main,
        ("prims", name) => role == Role::Main && ["respond", "dlsym", "dlerror", "fd_dup", "fd_dup2"].contains(&name),
        _ => false,
    };
    // Nodes: the functions, then what may be called through each signature, then anything outside.
    let count = facts.len();
    let outside = count + module.types.len();
    let mut edges = vec![Vec::new(); outside + 1];
    for (k, facts) in facts.iter().enumerate() {
        for call in facts.calls.iter().filter(|call| !harmless.contains(call)) {
            match call.checked_sub(imported) {
                Some(callee) => edges[k].push(callee as usize),
                None if leaf(*call) => {}
                None => edges[k].push(outside),
            }
        }
        edges[k].extend(facts.indirect.iter().map(|signature| count + signature));
    }
    for function in module.external.iter().filter(|function| **function >= imported) {
        let signature = module.canonical[module.functions[*function as usize] as usize];
        edges[count + signature].push((function - imported) as usize);
        edges[outside].push((function - imported) as usize);
    }
    if role == Role::Side {
        for node in &mut edges[count..outside] {
            node.push(outside);
        }
    }
    // Remove metered functions, then whatever nothing leads to, as long as there is such a node. A cycle is what is left.
    let metered = |node: usize| facts.get(node).is_some_and(|facts| facts.metered);
    let mut incoming = vec![0; edges.len()];
    for (_, targets) in edges.iter().enumerate().filter(|(node, _)| !metered(*node)) {
        for target in targets {
            incoming[*target] += 1;
        }
    }
    let mut free: Vec<usize> = (0..edges.len())
        .filter(|node| !metered(*node) && incoming[*node] == 0)
        .collect();
    let mut left = (0..edges.len()).filter(|node| !metered(*node)).count();
    while let Some(node) = free.pop() {
        left -= 1;
        for target in &edges[node] {
            incoming[*target] -= 1;
            if incoming[*target] == 0 && !metered(*target) {
                free.push(*target);
            }
        }
    }
    if left > 0 {
        Err(format!(
            "{left} functions and kinds of calls are in or behind cycles without metering"
        ))
    } else {
        Ok(())
    }
}
