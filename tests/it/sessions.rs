//! State that survives a run.

use prims_interpreter::{Interpreter, Prepared};
use prims_sandbox::{Discarded, Exit, Invocation, Kept, Options, State, StatefulRun};
use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// More than any state here.
const ROOMY: u64 = 256 << 20;

/// An interpreter with the guest package as it lies in this repository.
fn interpreter() -> &'static Interpreter {
    static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python-wasm/prims_runtime");
    INTERPRETER.get_or_init(|| {
        prims_wasm::interpreter_overlaid(None, Options::default(), &package).expect("the guest compiles")
    })
}

fn prepared(packages: &[&str]) -> Prepared {
    let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    interpreter().prepare(&packages).expect("the packages are bundled")
}

/// A session as the sandbox knows it: an image and the state of the last call that left one.
struct Session {
    prepared: Prepared,
    state: Option<State>,
}

impl Session {
    fn new(packages: &[&str]) -> Session {
        Session {
            prepared: prepared(packages),
            state: None,
        }
    }

    fn fork(&self) -> Session {
        Session {
            prepared: self.prepared.clone(),
            state: self.state.clone(),
        }
    }

    fn call(&mut self, invocation: &Invocation) -> StatefulRun {
        let run = self.prepared.image.run_stateful(self.state.as_ref(), invocation, ROOMY);
        let run = run.expect("the host does its part");
        if let Kept::State(state) = &run.kept {
            self.state = Some(state.clone());
        }
        run
    }

    /// The `repr` of the value, or what happened instead.
    fn value(&mut self, code: &str) -> String {
        super::value(&self.call(&Invocation::new(code)).outcome)
    }
}

#[test]
fn names_imports_functions_and_generators_survive() {
    let mut session = Session::new(&[]);
    session.value("import math\nx = [1, 2]\ndef f(n): return math.floor(n) + len(x)\ndef g():\n    for i in range(9): yield i\nit = g()\nnext(it)");
    assert_eq!(session.value("x.append(3)\nf(2.5)"), "5");
    assert_eq!(session.value("(next(it), next(it), x)"), "(1, 2, [1, 2, 3])");
    assert_eq!(session.value("_[2]"), "[1, 2, 3]");
    assert_eq!(
        session.value("class P: pass\nimport pickle\ntype(pickle.loads(pickle.dumps(P()))) is P"),
        "True"
    );
    // The image knows nothing of it.
    let run = prepared(&[]).image.run(&Invocation::new("'x' in globals()")).unwrap();
    assert_eq!(super::value(&run), "False");
}
