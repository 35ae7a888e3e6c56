//! One run must not see what another did, whatever it did.

use prims_sandbox::Invocation;
use std::collections::HashSet;
use std::time::Duration;

/// Looks for traces of an earlier run, then leaves as many as it can.
const LITTER: &str = r#"
import builtins, sys, os, json, random, gc, decimal, tempfile, warnings
seen = [hasattr(builtins, "leak"), "leak" in sys.modules, json.dumps is len, os.environ.get("LEAK"), list(sys.argv),
        os.listdir("/workspace"), os.listdir("/tmp"), decimal.getcontext().prec, sys.getrecursionlimit(), os.getcwd()]
builtins.leak = 1
sys.modules["leak"] = sys
json.dumps = len
os.environ["LEAK"] = "1"
sys.argv.append("leak")
decimal.getcontext().prec = 3
sys.setrecursionlimit(500)
open("/workspace/leak", "w").write("x")
open("/tmp/leak", "w").write("x")
os.chdir("/tmp")
keep = [bytearray(b"leak" * 1250) for _ in range(4000)]
for piece in keep[::7]: piece[0] = 255
gc.disable()
seen
"#;

#[test]
fn nothing_of_a_run_is_seen_by_the_next() {
    let first = super::value(&super::run(LITTER));
    assert!(first.starts_with("[False, False, False, None, ['']"), "{first}");
    for _ in 0..50 {
        assert_eq!(super::value(&super::run(LITTER)), first);
        assert_eq!(super::value(&super::run(&little_litter())), first);
    }
}

/// The same in memory that the image has, so that the next run has the instance.
fn little_litter() -> String {
    LITTER.replace("range(4000)", "range(100)")
}

#[test]
fn a_reset_slot_equals_its_image_in_every_byte() {
    let image = super::prepared(&[]).image;
    let mut programs = vec![
        LITTER.to_owned(),
        "1+1".to_owned(),
        "raise SystemExit(3)".to_owned(),
        "1/0".to_owned(),
    ];
    // Grown far, sparse, dropped again, ended in the middle of things by a limit or a trap.
    programs.push("b = bytearray(200 << 20)\nfor i in range(0, len(b), 1 << 16): b[i] = 1\ndel b".into());
    programs.push("x = [bytes([i % 256]) * 100_000 for i in range(500)]\nwhile True: x = x[1:] + x[:1]".into());
    programs.push("import os\nos.abort()".into());
    programs.push("def f(): return f()\ntry:\n f()\nexcept RecursionError: pass".into());
    for k in 0..400 {
        let mut invocation = Invocation::new(programs[k % programs.len()].clone());
        invocation.limits.wall_clock = Duration::from_millis(150);
        image.run(&invocation).expect("the host does its part");
        if k % 40 == 0 {
            let (slots, differing) = image.verify_slots().expect("it looks");
            assert_eq!(differing, 0, "{slots} slots after run {k}");
        }
    }
    assert_eq!(image.verify_slots().expect("it looks").1, 0);
}

#[test]
fn clones_draw_different_randomness() {
    const DRAW: &str = "import random, uuid, os, secrets, tempfile\n\
        (random.random(), str(uuid.uuid4()), os.urandom(8).hex(), secrets.token_hex(8), tempfile.mktemp(), str(uuid.uuid1()))";
    let image = super::prepared(&[]).image;
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let outcome = image.run(&Invocation::new(DRAW)).expect("the host does its part");
        let value = super::value(&outcome);
        for piece in value.trim_matches(['(', ')']).split(", ") {
            assert!(seen.insert(piece.to_owned()), "{piece} was drawn twice");
        }
    }
}

#[test]
fn numpy_clones_draw_different_randomness() {
    const DRAW: &str = "import numpy as np\n(float(np.random.rand()), float(np.random.default_rng().random()))";
    let image = super::prepared(&["numpy"]).image;
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let outcome = image.run(&Invocation::new(DRAW)).expect("the host does its part");
        let value = super::value(&outcome);
        for piece in value.trim_matches(['(', ')']).split(", ") {
            assert!(seen.insert(piece.to_owned()), "{piece} was drawn twice");
        }
    }
}

#[test]
fn runs_in_parallel_keep_to_themselves() {
    let image = super::prepared(&[]).image;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let image = &image;
            scope.spawn(move || {
                for k in 0..100 {
                    let code = format!("x = {thread} * 1000 + {k}\nprint(x)\nx");
                    let outcome = image.run(&Invocation::new(code)).expect("the host does its part");
                    let expected = format!("{}", thread * 1000 + k);
                    assert_eq!(super::value(&outcome), expected);
                    assert_eq!(outcome.output.stdout.text(), format!("{expected}\n"));
                }
            });
        }
    });
}

#[test]
fn many_runs_leave_nothing_behind() {
    let image = super::prepared(&[]).image;
    let count = |folder: &str| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let run = |n: usize| {
        for _ in 0..n {
            image
                .run(&Invocation::new("open('/tmp/x', 'w').write('x')\n1+1"))
                .expect("the host does its part");
        }
    };
    run(200);
    let (descriptors, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    run(1000);
    // Other tests run beside this one, so a few more or less mean nothing; a leak would be a thousand.
    assert!(count("/proc/self/fd") < descriptors + 100, "descriptors leak");
    assert!(count("/proc/self/task") < threads + 50, "threads leak");
}

#[test]
fn an_instance_is_used_again_only_if_all_of_it_can_be_reset() {
    let interpreter = super::states::interpreter_alone();
    let made_by = |packages: &[String], code: &str| {
        let image = interpreter.prepare(packages).expect("they are bundled").image;
        let before = image.instances_made();
        let first = image.run(&Invocation::new(code)).expect("the host does its part").exit;
        for _ in 0..30 {
            let exit = image.run(&Invocation::new(code)).expect("the host does its part").exit;
            assert_eq!(format!("{exit:?}"), format!("{first:?}"), "{code}");
        }
        let (kept, differing) = image.verify_slots().expect("it looks");
        assert!(
            kept > 0 && differing == 0,
            "{kept} memories, {differing} bytes differ after {code}"
        );
        image.instances_made() - before
    };
    for code in ["1+1", "raise SystemExit(3)", "1/0", &little_litter()] {
        let made = made_by(&[], code);
        assert!(made < 15, "{made} instances for 31 runs of {code}");
    }
    // In the end every instance is replaced.
    let image = interpreter.prepare(&[]).expect("it needs no packages").image;
    let before = image.instances_made();
    for _ in 0..2500 {
        image.run(&Invocation::new("1")).expect("the host does its part");
    }
    let made = image.instances_made() - before;
    assert!((1..100).contains(&made), "{made} instances for 2,500 runs");
    let numpy = ["numpy".to_owned()];
    let made = made_by(&numpy, "import numpy as np\nnp.linalg.inv(np.eye(3)).sum()");
    assert!(made < 15, "{made} instances for 31 runs with numpy");
    // What grew stays as long as its instance, a module that was loaded does, and what was cut off may be in any state.
    let grows = made_by(&[], "x = bytearray(100 << 20)");
    let aborts = made_by(&[], "import os\nos.abort()");
    let loads = made_by(&numpy, "import numpy.linalg.lapack_lite as module\nmodule.__name__");
    assert!(
        grows.min(aborts).min(loads) >= 25,
        "{grows}, {aborts}, {loads} instances for 31 runs"
    );
}

#[test]
fn nothing_is_used_twice_where_that_is_wanted() {
    let options = prims_sandbox::Options {
        slots: prims_sandbox::SlotPolicy::Fresh,
        ..prims_sandbox::Options::default()
    };
    let interpreter = prims_wasm::interpreter_with(None, options).expect("the guest compiles");
    let image = interpreter.prepare(&[]).expect("it needs no packages").image;
    for _ in 0..20 {
        let outcome = image.run(&Invocation::new("1+1")).expect("the host does its part");
        assert_eq!(super::value(&outcome), "2");
    }
    assert!(image.instances_made() >= 20, "{}", image.instances_made());
    assert_eq!(image.verify_slots().expect("it looks").1, 0);
}

#[test]
fn what_a_run_leaves_of_its_budget_is_not_the_next_ones() {
    let image = super::prepared(&[]).image;
    let (mut spent, mut invocation) = (HashSet::new(), Invocation::new("sum(range(100))"));
    for _ in 0..20 {
        let outcome = image.run(&invocation).expect("the host does its part");
        spent.insert(outcome.usage.fuel);
    }
    assert_eq!(spent.len(), 1, "the same code spends the same: {spent:?}");
    invocation.limits.fuel = spent.iter().min().expect("one") / 2;
    for _ in 0..20 {
        let outcome = image.run(&invocation).expect("the host does its part");
        let expected = prims_sandbox::Exit::Stopped(prims_sandbox::StopReason::Fuel);
        assert_eq!(format!("{:?}", outcome.exit), format!("{expected:?}"));
        let again = image.run(&Invocation::new("1+1")).expect("the host does its part");
        assert_eq!(super::value(&again), "2");
    }
}
