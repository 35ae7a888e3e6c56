//! Which functions must look at the budget when they are entered, so that no chain of calls goes on for ever.
//!
//! A cycle of calls is broken if one of its functions is metered. Calls that leave the module are the difficulty: the other side
//! may call back. Side modules break *every* cycle that leads out of them and back in, whatever lies outside. A cycle that
//! passes through a side module is therefore broken there, and a main module needs to break only those that stay inside it.
//! That lets it tell indirect calls apart by their signature.

use super::{Role, TransformError, scan::Scan};
use std::collections::HashMap;
use wasmparser::{ElementItems, ElementKind, ExternalKind, Operator};

/// How a function breaks the cycles it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// It does not, others do.
    No,
    /// It looks at the budget when it is entered.
    Entry,
    /// It looks at the budget before it calls unknown code: there is one such call, which may be on a path that is rarely taken.
    Calls,
}

/// What a call of unknown code in a loop counts as.
const MANY: u32 = 1000;
/// Edges of the call graph that are followed at most to find functions which need not be metered after all.
const MAX_STEPS: u64 = 200_000_000;

/// What calls what, in terms of defined functions (the first one is 0).
pub(super) struct CallGraph {
    /// Number of functions imported.
    imported: u32,
    /// Direct calls, sorted, without duplicates.
    pub(super) calls: Vec<Vec<u32>>,
    /// Whether something outside of the module may call the function: it is exported, or its address is taken.
    pub(super) external: Vec<bool>,
    /// How many calls of unknown code a function contains; one in a loop counts as many.
    unknown_calls: Vec<u32>,
    /// Bytes of the functions.
    sizes: Vec<usize>,
    /// Groups of calls whose target is not known: each of the first may call each of the second.
    indirect: Vec<(Vec<u32>, Vec<u32>)>,
}

/// Host functions that never call the guest. `prims.dlopen` does, it runs constructors.
fn is_leaf(module: &str, name: &str) -> bool {
    module == "wasi_snapshot_preview1"
        || (module == "prims" && matches!(name, "respond" | "dlsym" | "dlerror" | "fd_dup" | "fd_dup2"))
}

impl CallGraph {
    /// Collects the calls of a module.
    pub(super) fn new(scan: &Scan, role: Role) -> Result<Self, TransformError> {
        let imported = scan.imported_functions;
        let mut graph = Self {
            imported,
            calls: Vec::with_capacity(scan.bodies.len()),
            external: vec![false; scan.bodies.len()],
            unknown_calls: Vec::with_capacity(scan.bodies.len()),
            sizes: scan.bodies.iter().map(|body| body.range().len()).collect(),
            indirect: Vec::new(),
        };
        graph.find_external(scan)?;
        let functions = scan
            .imports
            .iter()
            .filter(|i| matches!(i.ty, wasmparser::TypeRef::Func(_)));
        let leaves: Vec<bool> = functions
            .map(|i| role == Role::Main && is_leaf(i.module, i.name))
            .collect();
        let signatures = signatures(scan);
        let mut outward = Vec::new();
        let mut by_signature: HashMap<u32, (Vec<u32>, Vec<u32>)> = HashMap::new();
        for (function, body) in (0u32..).zip(&scan.bodies) {
            let (mut calls, mut leaves_module, mut indirect) = (Vec::new(), false, Vec::new());
            // For each open block, whether it is a loop or in one.
            let (mut blocks, mut unknown) = (Vec::new(), 0u32);
            let in_loop = |blocks: &Vec<bool>| blocks.last().copied().unwrap_or(false);
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::Call { function_index } => match function_index.checked_sub(imported) {
                        Some(callee) => calls.push(callee),
                        None if leaves.get(function_index as usize).copied().unwrap_or(false) => {}
                        None => {
                            leaves_module = true;
                            unknown = unknown.saturating_add(if in_loop(&blocks) { MANY } else { 1 });
                        }
                    },
                    Operator::CallIndirect { type_index, .. } => {
                        indirect.extend(signatures.get(type_index as usize));
                        unknown = unknown.saturating_add(if in_loop(&blocks) { MANY } else { 1 });
                    }
                    Operator::Loop { .. } => blocks.push(true),
                    Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                        blocks.push(in_loop(&blocks));
                    }
                    Operator::End => drop(blocks.pop()),
                    Operator::RefFunc { function_index } => graph.take_address(function_index),
                    _ => {}
                }
            }
            sort(&mut calls);
            sort(&mut indirect);
            graph.calls.push(calls);
            graph.unknown_calls.push(unknown);
            match role {
                Role::Side if leaves_module || !indirect.is_empty() => outward.push(function),
                Role::Side => {}
                Role::Main => {
                    if leaves_module {
                        outward.push(function);
                    }
                    for signature in indirect {
                        by_signature.entry(signature).or_default().0.push(function);
                    }
                }
            }
        }
        let external = (0u32..)
            .zip(&graph.external)
            .filter_map(|(f, is)| is.then_some(f))
            .collect::<Vec<_>>();
        for &function in &external {
            let ty = scan.functions.get((imported + function) as usize);
            if let Some(signature) = ty.and_then(|ty| signatures.get(*ty as usize))
                && let Some(group) = by_signature.get_mut(signature)
            {
                group.1.push(function);
            }
        }
        let mut groups: Vec<_> = by_signature.into_iter().collect();
        groups.sort_unstable_by_key(|(signature, _)| *signature);
        graph.indirect.extend(groups.into_iter().map(|(_, group)| group));
        graph.indirect.push((outward, external));
        Ok(graph)
    }

    fn take_address(&mut self, function: u32) {
        let defined = function
            .checked_sub(self.imported)
            .and_then(|f| self.external.get_mut(f as usize));
        if let Some(external) = defined {
            *external = true;
        }
    }

    fn find_external(&mut self, scan: &Scan) -> Result<(), TransformError> {
        for export in &scan.exports {
            if export.kind == ExternalKind::Func {
                self.take_address(export.index);
            }
        }
        let mut expressions = Vec::new();
        for element in &scan.elements {
            match &element.items {
                // A declaration only allows a ref.func, which is found where it is.
                _ if matches!(element.kind, ElementKind::Declared) => {}
                ElementItems::Functions(functions) => {
                    for function in functions.clone() {
                        self.take_address(function?);
                    }
                }
                ElementItems::Expressions(_, items) => {
                    for item in items.clone() {
                        expressions.push(item?);
                    }
                }
            }
        }
        expressions.extend(scan.globals.iter().map(|global| global.init_expr.clone()));
        for table in &scan.tables {
            if let wasmparser::TableInit::Expr(expression) = &table.init {
                expressions.push(expression.clone());
            }
        }
        for expression in expressions {
            for operator in expression.get_operators_reader() {
                if let Operator::RefFunc { function_index } = operator? {
                    self.take_address(function_index);
                }
            }
        }
        Ok(())
    }

    /// Chooses functions so that every cycle is broken. Not the smallest choice there is, but one of which nothing can be left out.
    pub(super) fn break_cycles(&self) -> Vec<Break> {
        let count = self.calls.len();
        let mut chosen = vec![false; count];
        // Unknown calls of a kind are one node, after the functions: its callers lead to it, it leads to its targets.
        let mut edges = self.calls.clone();
        edges.resize(count + self.indirect.len(), Vec::new());
        for (node, (callers, targets)) in (count..).zip(&self.indirect) {
            for caller in callers {
                edges[*caller as usize].push(node as u32);
            }
            edges[node] = targets.clone();
        }
        let mut components = Components::new(&edges);
        let all: Vec<u32> = (0..edges.len() as u32).collect();
        let mut work = components.among(&all, &chosen);
        while let Some(component) = work.pop() {
            self.break_component(&component, &edges, &mut chosen);
            work.extend(components.among(&component, &chosen));
        }
        self.relax(edges, chosen)
    }

    /// Of the chosen functions, those that are needed, and how. The smallest functions are spared first, because they are
    /// called most often for what they do.
    fn relax(&self, mut edges: Vec<Vec<u32>>, mut chosen: Vec<bool>) -> Vec<Break> {
        let count = self.calls.len() as u32;
        let mut order: Vec<u32> = (0..count).filter(|function| chosen[*function as usize]).collect();
        order.sort_by_key(|function| (self.sizes[*function as usize], *function));
        let mut breaks: Vec<Break> = chosen
            .iter()
            .map(|chosen| if *chosen { Break::Entry } else { Break::No })
            .collect();
        let mut search = Search {
            visited: vec![0; edges.len()],
            round: 0,
            steps: 0,
        };
        for function in order {
            if search.steps > MAX_STEPS {
                break;
            }
            let at = function as usize;
            if !search.returns(&edges, &chosen, function) {
                breaks[at] = Break::No;
            } else if self.unknown_calls[at] == 1 {
                let all = edges[at].clone();
                edges[at].retain(|node| *node < count);
                if search.returns(&edges, &chosen, function) {
                    edges[at] = all;
                    continue;
                }
                breaks[at] = Break::Calls;
            } else {
                continue;
            }
            chosen[at] = false;
        }
        breaks
    }

    /// Chooses at least one function of a component in which every node reaches every other.
    fn break_component(&self, component: &[u32], edges: &[Vec<u32>], chosen: &mut [bool]) {
        let count = self.calls.len();
        let member = |node: &u32| component.binary_search(node).is_ok();
        let functions = component.partition_point(|node| (*node as usize) < count);
        if functions < component.len() {
            // A kind of unknown calls is cut off at its callers or at its targets, whatever are fewer.
            for node in &component[functions..] {
                let (callers, targets) = &self.indirect[*node as usize - count];
                let inside = |side: &[u32]| -> Vec<u32> {
                    side.iter()
                        .copied()
                        .filter(|f| !chosen[*f as usize] && member(f))
                        .collect()
                };
                let (callers, targets) = (inside(callers), inside(targets));
                let cut = if callers.len() <= targets.len() {
                    callers
                } else {
                    targets
                };
                for function in cut {
                    chosen[function as usize] = true;
                }
            }
            return;
        }
        // Direct recursion: through a function with many calls in and out lead many cycles. A large component
        // gives up several at once, so that the number of rounds stays small.
        let mut incoming: HashMap<u32, usize> = HashMap::new();
        let mut outgoing: HashMap<u32, usize> = HashMap::new();
        for node in component {
            for callee in edges[*node as usize].iter().filter(|callee| member(callee)) {
                *incoming.entry(*callee).or_default() += 1;
                *outgoing.entry(*node).or_default() += 1;
            }
        }
        let degree = |node: &u32| {
            let of = |degrees: &HashMap<u32, usize>| degrees.get(node).copied().unwrap_or(0);
            of(&incoming).saturating_mul(of(&outgoing))
        };
        let mut order = component.to_vec();
        order.sort_by_key(|node| (std::cmp::Reverse(degree(node)), *node));
        let share = if component.len() > 4096 { 8 } else { 32 };
        for node in order.iter().take((component.len() / share).max(1)) {
            chosen[*node as usize] = true;
        }
    }

    /// All functions, callees before their callers; calls of functions in `cut` (which break every cycle) do not count.
    pub(super) fn callees_first(&self, cut: &[bool]) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.calls.len());
        let mut seen = vec![false; self.calls.len()];
        let mut stack: Vec<(u32, usize)> = Vec::new();
        for root in 0..self.calls.len() as u32 {
            if std::mem::replace(&mut seen[root as usize], true) {
                continue;
            }
            stack.push((root, 0));
            while let Some((function, next)) = stack.last_mut() {
                let Some(&callee) = self.calls[*function as usize].get(*next) else {
                    order.push(*function);
                    stack.pop();
                    continue;
                };
                *next += 1;
                if !cut[callee as usize] && !std::mem::replace(&mut seen[callee as usize], true) {
                    stack.push((callee, 0));
                }
            }
        }
        order
    }
}

/// Looks for cycles through one node.
struct Search {
    /// The round in which a node was seen last.
    visited: Vec<u32>,
    round: u32,
    /// Edges followed so far.
    steps: u64,
}

impl Search {
    /// Whether a path from `start` leads back to it without passing through a function that is `cut`.
    fn returns(&mut self, edges: &[Vec<u32>], cut: &[bool], start: u32) -> bool {
        self.round += 1;
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            for next in &edges[node as usize] {
                self.steps += 1;
                if *next == start {
                    return true;
                }
                let seen = std::mem::replace(&mut self.visited[*next as usize], self.round) == self.round;
                if !seen && !cut.get(*next as usize).copied().unwrap_or(false) {
                    open.push(*next);
                }
            }
        }
        false
    }
}

fn sort(numbers: &mut Vec<u32>) {
    numbers.sort_unstable();
    numbers.dedup();
}

/// For each type index, the first index of the same type: a module may have the same signature twice.
fn signatures(scan: &Scan) -> Vec<u32> {
    let mut first = HashMap::new();
    (0u32..)
        .zip(&scan.types)
        .map(|(index, ty)| *first.entry(ty).or_insert(index))
        .collect()
}

/// Finds strongly connected components (Tarjan's algorithm, without recursion).
struct Components<'a> {
    edges: &'a [Vec<u32>],
    /// When a node was found, or one of the two constants. Nodes that are not asked about are done.
    number: Vec<u32>,
    /// The earliest node that is known to be reachable and not done.
    low: Vec<u32>,
    open: Vec<u32>,
}

const NEW: u32 = u32::MAX;
const DONE: u32 = u32::MAX - 1;

impl<'a> Components<'a> {
    fn new(edges: &'a [Vec<u32>]) -> Self {
        let (number, low) = (vec![DONE; edges.len()], vec![0; edges.len()]);
        Self {
            edges,
            number,
            low,
            open: Vec::new(),
        }
    }

    /// The components that contain a cycle among `nodes`, without those that are `cut`, each sorted.
    fn among(&mut self, nodes: &[u32], cut: &[bool]) -> Vec<Vec<u32>> {
        for node in nodes {
            if !cut.get(*node as usize).copied().unwrap_or(false) {
                self.number[*node as usize] = NEW;
            }
        }
        let (mut found, mut path, mut counter) = (Vec::new(), Vec::<(u32, usize)>::new(), 0);
        for root in nodes {
            if self.number[*root as usize] != NEW {
                continue;
            }
            self.enter(*root, &mut counter);
            path.push((*root, 0));
            while let Some((node, next)) = path.last_mut() {
                let (node, successor) = (*node, self.edges[*node as usize].get(*next).copied());
                *next += 1;
                match successor.map(|successor| (successor, self.number[successor as usize])) {
                    Some((_, DONE)) => {}
                    Some((successor, NEW)) => {
                        self.enter(successor, &mut counter);
                        path.push((successor, 0));
                    }
                    Some((_, number)) => self.lower(node, number),
                    None => {
                        path.pop();
                        if let Some((parent, _)) = path.last() {
                            self.lower(*parent, self.low[node as usize]);
                        }
                        found.extend(self.leave(node));
                    }
                }
            }
        }
        found
    }

    fn enter(&mut self, node: u32, counter: &mut u32) {
        self.number[node as usize] = *counter;
        self.low[node as usize] = *counter;
        self.open.push(node);
        *counter += 1;
    }

    fn lower(&mut self, node: u32, to: u32) {
        let low = &mut self.low[node as usize];
        *low = to.min(*low);
    }

    /// The component of which `node` was found first, if it is that and has a cycle.
    fn leave(&mut self, node: u32) -> Option<Vec<u32>> {
        if self.number[node as usize] != self.low[node as usize] {
            return None;
        }
        let first = self.open.iter().rposition(|open| *open == node)?;
        let mut component = self.open.split_off(first);
        for member in &component {
            self.number[*member as usize] = DONE;
        }
        component.sort_unstable();
        (component.len() > 1 || self.edges[node as usize].contains(&node)).then_some(component)
    }
}
