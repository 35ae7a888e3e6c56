//! Programs that would never end, or not soon, are stopped; programs that end are charged what they did.

use super::super::{MeterStats, Role, transform};
use super::{Running, linking, transformed};

/// A main module with these functions; it also has what some of them use.
fn main(functions: &str) -> String {
    format!(
        r#"(module
            (import "prims" "dlopen" (func $dlopen))
            (memory (export "memory") 64 64)
            (table $table (export "__indirect_function_table") 10 10000000 funcref)
            (tag $tag (export "__cpp_exception") (param i32))
            (type $plain (func))
            {functions})"#
    )
}

/// Functions named `run` that do not end (soon).
const ENDLESS: &[(&str, &str)] = &[
    ("a loop", r#"(func (export "run") (loop (br 0)))"#),
    (
        "a loop with a condition",
        r#"(func (export "run") (loop (br_if 0 (i32.const 1))))"#,
    ),
    (
        "a loop that does things",
        r#"(func (export "run") (local i32)
        (loop (i32.store (i32.const 8) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) (br 0)))"#,
    ),
    (
        "a loop through a table of branches",
        r#"(func (export "run")
        (loop $a (block $b (br_table $b $a (i32.const 1))) (br $a)))"#,
    ),
    (
        "a loop around a loop that ends",
        r#"(func (export "run") (local $k i32)
        (loop $outer (local.set $k (i32.const 3))
            (loop $inner (br_if $inner (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
            (br $outer)))"#,
    ),
    (
        "loops that go from one to the other",
        r#"(func (export "run")
        (loop $a (loop $b (br_if $a (i32.const 1)) (br $b))))"#,
    ),
    (
        "a loop that carries values",
        r#"(func (export "run")
        (i32.const 1) (i64.const 2) (loop (param i32 i64) (br 0)) )"#,
    ),
    (
        "a loop in a try",
        r#"(func (export "run") (block $caught
        (try_table (catch_all $caught) (loop (br 0)))))"#,
    ),
    (
        "a loop around a try that throws",
        r#"(func (export "run")
        (loop $again (block $caught (result i32)
            (try_table (catch $tag $caught) (throw $tag (i32.const 3))) (unreachable))
            (drop) (br $again)))"#,
    ),
    (
        "a handler that is the loop",
        r#"(func (export "run")
        (loop $again (result i32) (try_table (catch_all $again) (throw $tag (i32.const 3))) (i32.const 1)) (drop))"#,
    ),
    (
        "recursion with many branches",
        r#"(func $run (export "run") (call $down (i32.const 200)))
        (func $down (param i32) (if (local.get 0) (then
            (call $down (i32.sub (local.get 0) (i32.const 1))) (call $down (i32.sub (local.get 0) (i32.const 1))))))"#,
    ),
    (
        "mutual recursion with many branches",
        r#"(func $run (export "run") (call $a (i32.const 200)))
        (func $a (param i32) (if (local.get 0) (then
            (call $b (i32.sub (local.get 0) (i32.const 1))) (call $b (i32.sub (local.get 0) (i32.const 1))))))
        (func $b (param i32) (call $a (local.get 0)))"#,
    ),
    (
        "recursion through the table",
        r#"(elem (i32.const 0) $down)
        (func $run (export "run") (call $down (i32.const 200)))
        (func $down (param i32) (if (local.get 0) (then
            (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
            (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))"#,
    ),
    (
        "recursion through a function whose address is taken",
        r#"(elem declare func $down) (func $run (export "run")
            (table.set (i32.const 0) (ref.func $down)) (call $down (i32.const 200)))
        (func $down (param i32) (if (local.get 0) (then
            (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
            (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))"#,
    ),
    (
        "recursion through the host",
        r#"(global $depth (mut i32) (i32.const 30))
        (func $run (export "run") (call $dlopen))
        (func (export "callback") (if (global.get $depth) (then
            (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
            (call $dlopen) (call $dlopen)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1))))))"#,
    ),
    (
        "a loop in a function that is called once",
        r#"(func $run (export "run") (call $forever))
        (func $forever (loop (br 0)))"#,
    ),
    (
        "huge copies in a loop",
        r#"(func (export "run")
        (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 4000000)) (br 0)))"#,
    ),
    (
        "huge fills of a table",
        r#"(func (export "run")
        (drop (table.grow $table (ref.null func) (i32.const 9000000)))
        (loop (table.fill $table (i32.const 0) (ref.null func) (i32.const 9000000)) (br 0)))"#,
    ),
];

/// Many functions, each calling the next one twice: 2^40 calls.
fn exponential(extra: &str) -> String {
    let mut functions = String::from(r#"(func $f0 (i32.store (i32.const 0) (i32.const 1)))"#);
    for k in 1..=40 {
        functions += &format!("(func $f{k} {extra} (call $f{p}) (call $f{p}))", p = k - 1);
    }
    functions + r#"(func (export "run") (call $f40))"#
}

#[test]
fn what_does_not_end_is_stopped() {
    let chains = [
        ("an exponential chain", exponential("")),
        (
            "an exponential chain of short loops",
            exponential(
                "(local i32) (loop (br_if 0 (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))))",
            ),
        ),
    ];
    let endless = ENDLESS
        .iter()
        .map(|(name, functions)| (*name, functions.to_string()))
        .chain(chains);
    for (name, functions) in endless {
        let mut running = Running::new(&main(&functions), 3_000_000);
        let start = std::time::Instant::now();
        let error = running.call("run").expect_err(name);
        assert!(format!("{error:?}").contains("out of budget"), "{name}: {error:?}");
        assert!(
            start.elapsed().as_secs() < 20,
            "{name}: stopped only after {:?}",
            start.elapsed()
        );
        assert!(
            running.store.data().refills >= 2,
            "{name}: asked {} times",
            running.store.data().refills
        );
    }
}

#[test]
fn what_does_not_end_in_a_side_module_is_stopped() {
    for (name, functions) in ENDLESS {
        if functions.contains("$dlopen") || functions.contains("table.grow") {
            continue;
        }
        let wat = format!(
            r#"(module (@dylink.0 (mem-info))
                (import "env" "memory" (memory 1))
                (import "env" "__indirect_function_table" (table $table 1 funcref))
                (import "env" "__cpp_exception" (tag $tag (param i32)))
                {functions})"#
        );
        let mut running = Running::new(&linking::MAIN.replace("\"memory\") 2", "\"memory\") 64"), 3_000_000);
        let side = linking::instantiate(&mut running, &transformed(&wat, Role::Side).wasm);
        let restore = side
            .get_typed_func::<u32, ()>(&mut running.store, super::super::RESTORE)
            .unwrap();
        restore.call(&mut running.store, 0).unwrap();
        let run = side.get_typed_func::<(), ()>(&mut running.store, "run").unwrap();
        let error = run.call(&mut running.store, ()).expect_err(name);
        assert!(format!("{error:?}").contains("out of budget"), "{name}: {error:?}");
    }
}

#[test]
fn recursion_between_side_modules_is_stopped() {
    // Each calls slot 0 of the table twice, and each puts itself there before it returns.
    let side = |name: &str, other: i32, own: i32| {
        format!(
            r#"(module (@dylink.0 (mem-info))
                (import "env" "memory" (memory 1))
                (import "env" "__indirect_function_table" (table $table 1 funcref))
                (elem declare func $down)
                (func (export "{name}") (table.set (i32.const {own}) (ref.func $down)))
                (func (export "run") (call $down (i32.const 100)))
                (func $down (param i32) (if (local.get 0) (then
                    (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const {other}))
                    (call_indirect (param i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const {other}))))))"#
        )
    };
    let mut running = Running::new(linking::MAIN, 3_000_000);
    let first = linking::instantiate(&mut running, &transformed(&side("enter", 1, 0), Role::Side).wasm);
    let second = linking::instantiate(&mut running, &transformed(&side("enter", 0, 1), Role::Side).wasm);
    for instance in [first, second] {
        let enter = instance.get_typed_func::<(), ()>(&mut running.store, "enter").unwrap();
        enter.call(&mut running.store, ()).unwrap();
    }
    let run = first.get_typed_func::<(), ()>(&mut running.store, "run").unwrap();
    let error = run.call(&mut running.store, ()).unwrap_err();
    assert!(format!("{error:?}").contains("out of budget"), "{error:?}");
}

/// Fuel of `run` in a main module with these functions.
fn fuel(functions: &str) -> i64 {
    let mut running = Running::new(&main(functions), 1 << 50);
    running.call("run").unwrap();
    running.used()
}

fn counting(iterations: u32) -> String {
    format!(
        r#"(func (export "run") (local $k i32)
            (loop (br_if 0 (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const {iterations})))))"#
    )
}

#[test]
fn fuel_is_the_same_every_time_and_grows_with_the_work() {
    for (_, functions) in [("few", counting(10)), ("many", counting(1_000_000))] {
        assert_eq!(fuel(&functions), fuel(&functions));
    }
    let (few, many) = (fuel(&counting(1_000)), fuel(&counting(1_000_000)));
    assert!(
        (many - 1000 * few).abs() < 1000 * 64,
        "{few} for 1,000, {many} for 1,000,000"
    );
    // Seven instructions, of which the price is a share, because an iteration can also end early.
    assert!((2_000_000..12_000_000).contains(&many), "{many}");
    // However the loop is left.
    let ways = |exit: &str| {
        fuel(&format!(
            r#"(func (export "run") (drop (call $f)))
            (func $f (result i32) (local $k i32)
                (loop (if (i32.gt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 1000)) (then {exit})) (br 0))
                (unreachable))"#
        ))
    };
    assert_eq!(ways("(return (i32.const 1))"), ways("(br 2 (i32.const 1))"));
    assert!(ways("(return (i32.const 1))") > 5_000);
}

#[test]
fn values_pass_the_way_out_of_a_function_with_loops() {
    let wat = main(
        r#"(func $pair (param i32) (result i32 i64)
            (loop $again
                (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 10) (i64.const 20))))
                (if (i32.eq (local.get 0) (i32.const 2)) (then (br 2 (i32.const 30) (i64.const 40))))
                (drop (br_if 1 (i32.const 50) (i64.const 60) (i32.eq (local.get 0) (i32.const 3)))) (drop)
                (block $four (br_table $four 2 (i32.const 70) (i64.const 80) (i32.eq (local.get 0) (i32.const 4)))))
            (i32.const 90) (i64.const 100))
        (func (export "run") (param i32) (result i32) (local i64)
            (call $pair (local.get 0)) (local.set 1) (i32.add (i32.wrap_i64 (local.get 1))))"#,
    );
    // br_table to blocks of different types is not valid; keep to those that are.
    let wat = wat.replace(
        "(block $four (br_table $four 2 (i32.const 70) (i64.const 80) (i32.eq (local.get 0) (i32.const 4))))",
        "",
    );
    let mut running = Running::new(&wat, 1 << 40);
    for (argument, result) in [(1, 30), (2, 70), (3, 110), (4, 190)] {
        assert_eq!(running.call_with("run", argument).unwrap(), result);
    }
}

#[test]
fn long_instructions_are_charged_by_their_length() {
    let fill = |length: u32| {
        fuel(&format!(
            r#"(global $n i32 (i32.const {length}))
            (func (export "run") (memory.fill (i32.const 0) (i32.const 7) (global.get $n)))"#
        ))
    };
    assert_eq!(fill(16), fill(4096));
    assert_eq!(fill(4_000_000) - fill(16), 4_000_000 / 16);
}

#[test]
fn exceptions_do_not_carry_uncharged_work_away() {
    // Each iteration burns a bit less than what a loop counts by itself, then throws past the loop.
    let wat = r#"(module (@dylink.0 (mem-info))
        (import "env" "memory" (memory 1))
        (import "env" "__cpp_exception" (tag $tag (param i32)))
        (func $burn (local $k i32)
            (loop (br_if 0 (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 400))))
            (throw $tag (i32.const 1)))
        (func (export "run") (local $k i32)
            (loop $again
                (block $caught (try_table (catch_all $caught) (call $burn)))
                (br_if $again (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 1000))))))"#;
    let mut running = Running::new(linking::MAIN, 1 << 40);
    let side = linking::instantiate(&mut running, &transformed(wat, Role::Side).wasm);
    let run = side.get_typed_func::<(), ()>(&mut running.store, "run").unwrap();
    run.call(&mut running.store, ()).unwrap();
    let used = running.used();
    assert!(used > 1000 * 400 * 5, "{used}");
}

#[test]
fn heavy_code_of_a_side_module_is_charged_its_share() {
    let heavy = "(i32.store (i32.const 0) (i32.mul (i32.load (i32.const 0)) (i32.const 3)))".repeat(2000);
    let wat = format!(
        r#"(module (@dylink.0 (mem-info))
        (import "env" "memory" (memory 1))
        (func (export "run") (local $k i32)
            (loop {heavy} (br_if 0 (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 1000))))))"#
    );
    let mut running = Running::new(linking::MAIN, 1 << 40);
    let side = linking::instantiate(&mut running, &transformed(&wat, Role::Side).wasm);
    let run = side.get_typed_func::<(), ()>(&mut running.store, "run").unwrap();
    run.call(&mut running.store, ()).unwrap();
    // 12,000 instructions each.
    let used = running.used();
    assert!(used >= 1000 * 12_000 / 4, "{used}");
}

fn stats(functions: &str) -> MeterStats {
    transform(&wat::parse_str(main(functions)).unwrap(), Role::Main)
        .unwrap()
        .stats
}

#[test]
fn few_functions_look_at_the_budget() {
    // Small functions without cycles do not.
    let small = stats(r#"(func $a (call $b)) (func $b (call $c)) (func $c) (func (export "run") (call $a))"#);
    assert_eq!(
        small,
        MeterStats {
            functions: 4,
            ..MeterStats::default()
        }
    );
    // One of a cycle does.
    let cycle = stats(r#"(func $a (call $b)) (func $b (call $c)) (func $c (call $a)) (func (export "run") (call $a))"#);
    assert_eq!((cycle.entries, cycle.cycle_entries), (1, 1));
    // Indirect calls reach only functions of their type.
    let other = stats(
        r#"(elem (i32.const 0) $a) (func $a (param i32) (call_indirect (i32.const 0)))
        (func (export "run") (call_indirect (param i32) (i32.const 1) (i32.const 0)))"#,
    );
    assert_eq!((other.entries, other.metered_calls), (0, 1));
    let loops = stats(r#"(func $a (loop (loop))) (func (export "run") (loop (br 0)))"#);
    assert_eq!((loops.loops, loops.looping_functions, loops.entries), (3, 2, 0));
    let bulk = stats(
        r#"(func (param i32) (memory.fill (i32.const 0) (i32.const 0) (local.get 0))
            (memory.fill (i32.const 0) (i32.const 0) (i32.const 64)))"#,
    );
    assert_eq!(bulk.bulk_operations, 1);
}
