//! Exception instructions of the old form, translated and run. What must come out was written down by hand for [`FORMS`], and is computed
//! by an interpreter of the old semantics for programs made at random; `scripts/legacy-exceptions` has both confirmed by a
//! JavaScript engine, which still runs the old form.

mod programs;

use super::super::{Role, TransformError, transform};
use super::{Running, transformed};
use programs::{Numbers, Program};

/// How a call ends that nobody catches the exception of.
const UNCAUGHT: i32 = -1;

/// Functions named `run`, and what they return for 0, 1, 2 and so on. They have the tags `$i` (one i32), `$two` (i32 and i64) and `$none`, and
/// functions that throw.
const FORMS: &[(&str, &str, &[i32])] = &[
    (
        "a handler gets what was thrown",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32) i32.const 41 throw $i catch $i i32.const 1 i32.add end)"#,
        &[42],
    ),
    (
        "what is not thrown is not caught",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32) i32.const 7 catch $i drop i32.const 8 catch_all i32.const 9 end)"#,
        &[7],
    ),
    (
        "the first handler that fits",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                local.get 0 call $throw
                i32.const 10
            catch $none i32.const 1
            catch $i i32.const 100 i32.add
            catch $two i32.wrap_i64 i32.add
            catch_all i32.const 4
            end)"#,
        &[10, 1, 102, 3 + 4],
    ),
    (
        "no handler that fits",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try (result i32) local.get 0 call $throw i32.const 10 catch $none i32.const 1 end
                i32.const 1000 i32.add
            catch_all i32.const 4 end)"#,
        &[1010, 1001, 4, 4],
    ),
    (
        "a try without handlers",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try local.get 0 call $throw local.get 0 i32.eqz br_if 0 end
                i32.const 5
            catch_all i32.const 6 end)"#,
        &[5, 6, 6, 6],
    ),
    (
        "parameters and several results",
        r#"(func (export "run") (param i32) (result i32) (local $long i64)
            i32.const 3
            i64.const 4
            try (param i32 i64) (result i64 i32)
                i32.wrap_i64 i32.add drop
                local.get 0 call $throw
                i64.const 20 i32.const 1
            catch $two
                local.set $long drop
                local.get $long i32.const 5
            catch_all
                i64.const 30 i32.const 2
            end
            i32.const 100 i32.mul
            local.set 0
            i32.wrap_i64
            local.get 0 i32.add)"#,
        &[120, 230, 230, 504],
    ),
    (
        "rethrow to the try around",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try (result i32)
                    local.get 0 call $throw
                    i32.const 0
                catch_all
                    rethrow 0
                end
            catch $i i32.const 50 i32.add
            catch $none i32.const 1
            end)"#,
        &[0, 1, 52, UNCAUGHT],
    ),
    (
        "rethrow in a handler inside a handler",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try (result i32)
                    i32.const 5 throw $i
                catch $i
                    drop
                    try (result i32)
                        i32.const 6 throw $i
                    catch $i
                        drop
                        local.get 0
                        if (result i32)
                            rethrow 2
                        else
                            rethrow 1
                        end
                    end
                end
            catch $i end)"#,
        &[6, 5],
    ),
    (
        "rethrow twice",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try
                    i32.const 9 throw $i
                catch $i
                    drop
                    try rethrow 1 catch_all end
                    rethrow 0
                end
                i32.const 0
            catch $i end)"#,
        &[9],
    ),
    (
        "handlers one after the other keep their own exception",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try i32.const 1 throw $i
                catch $i drop try i32.const 2 throw $i catch $i drop end rethrow 0
                end
                i32.const 0
            catch $i end)"#,
        &[1],
    ),
    (
        "a rethrown exception is not caught by the same try",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try (result i32) i32.const 3 throw $i
                catch $i drop rethrow 0
                catch_all i32.const 77
                end
            catch $i end)"#,
        &[3],
    ),
    (
        "delegate to the try around is what happens anyway",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try (result i32) local.get 0 call $throw i32.const 0 delegate 0
            catch $i i32.const 10 i32.add
            catch_all i32.const 20 end)"#,
        &[0, 20, 12, 20],
    ),
    (
        "delegate past a try",
        r#"(func (export "run") (param i32) (result i32)
            try $outer (result i32)
                try (result i32)
                    try (result i32) local.get 0 call $throw i32.const 0 delegate $outer
                catch_all i32.const 1000 end
                i32.const 1 i32.add
            catch $i i32.const 10 i32.add
            catch_all i32.const 20 end)"#,
        &[1, 20, 12, 20],
    ),
    (
        "delegate to a block is to what is around it",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                block $target (result i32)
                    try (result i32)
                        try (result i32) local.get 0 call $throw i32.const 0 delegate $target
                    catch_all i32.const 1000 end
                end
            catch $i i32.const 10 i32.add
            catch_all i32.const 20 end)"#,
        &[0, 20, 12, 20],
    ),
    (
        "delegate to the function",
        r#"(func (export "run") (param i32) (result i32)
            local.get 0 i32.const 3 i32.eq
            if i32.const 33 return end
            try (result i32)
                try (result i32) local.get 0 call $throw i32.const 2 delegate 1
                i32.const 1 i32.add
            catch_all i32.const 1000 end)"#,
        &[3, UNCAUGHT, UNCAUGHT, 33],
    ),
    (
        "delegate to a handler is to what is around its try",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try $inner (result i32)
                    throw $none
                catch_all
                    try (result i32)
                        try (result i32) local.get 0 call $throw i32.const 0 delegate $inner
                    catch_all i32.const 1000 end
                end
            catch $i i32.const 10 i32.add
            catch $none i32.const 30
            catch_all i32.const 20 end)"#,
        &[0, 30, 12, 20],
    ),
    (
        "delegate to a try that delegates",
        r#"(func (export "run") (param i32) (result i32)
            try $outer (result i32)
                try (result i32)
                    try $second (result i32)
                        try (result i32)
                            try (result i32) local.get 0 call $throw i32.const 0 delegate $second
                        catch_all i32.const 1000 end
                    delegate $outer
                catch_all i32.const 2000 end
            catch $i i32.const 10 i32.add
            catch_all i32.const 20 end)"#,
        &[0, 20, 12, 20],
    ),
    (
        "delegate to a try without handlers",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                try $empty (result i32)
                    try (result i32)
                        try (result i32) local.get 0 call $throw i32.const 0 delegate $empty
                    catch_all i32.const 1000 end
                end
            catch $i i32.const 10 i32.add
            catch_all i32.const 20 end)"#,
        &[0, 20, 12, 20],
    ),
    (
        "branches out of a try, its handlers, and past delegates",
        r#"(func (export "run") (param i32) (result i32)
            block $out (result i32)
                try $a (result i32)
                    try $b (result i32)
                        try
                            i32.const 5 local.get 0 i32.eqz br_if $out drop
                            i32.const 6 local.get 0 i32.const 1 i32.eq br_if $b drop
                            local.get 0 call $throw
                        delegate $a
                        i32.const 7
                    catch_all i32.const 1000 end
                    i32.const 100 i32.add
                catch $i
                    i32.const 200 i32.add br $a
                catch_all
                    i32.const 8 br $out
                end
                i32.const 10000 i32.add
            end)"#,
        &[5, 10106, 10202, 8],
    ),
    (
        "a table of branches out of handlers",
        r#"(func (export "run") (param i32) (result i32)
            block $c block $b block $a
                try i32.const 0 throw $i
                catch $i drop local.get 0 br_table $a $b 0 $c
                end
                i32.const 1 return
            end i32.const 2 return
            end i32.const 3 return
            end i32.const 4)"#,
        &[2, 3, 1, 4],
    ),
    (
        "a loop around a try, and a branch back from its handler",
        r#"(func (export "run") (param i32) (result i32) (local $n i32)
            loop $again
                try
                    local.get $n i32.const 1 i32.add local.tee $n
                    local.get 0 i32.lt_s
                    if throw $none end
                catch $none
                    br $again
                end
            end
            local.get $n)"#,
        &[1, 1, 2, 3],
    ),
    (
        "a return from a try and from a handler",
        r#"(func (export "run") (param i32) (result i32)
            try
                local.get 0 i32.eqz if i32.const 4 return end
                local.get 0 call $throw
            catch_all
                i32.const 5 return
            end
            i32.const 6)"#,
        &[4, 5, 5, 5],
    ),
    (
        "code that cannot be reached",
        r#"(func (export "run") (param i32) (result i32)
            try (result i32)
                i32.const 3 return
                try (result i32) unreachable i32.add catch $i i32.const 2 i32.mul catch_all rethrow 0 end
                try i32.const 1 throw $i i32.add drop delegate 1
                br 0
            catch $i
                unreachable
                rethrow 0
            catch_all
                unreachable
            end)"#,
        &[3],
    ),
    (
        "the old form beside the new one",
        r#"(func (export "run") (param i32) (result i32)
            block $caught (result i32)
                try_table (result i32) (catch $i $caught)
                    try (result i32)
                        try (result i32) local.get 0 call $throw i32.const 0 delegate 0
                    catch $none i32.const 1 end
                    br $caught
                end
            end)"#,
        &[0, 1, 2, UNCAUGHT],
    ),
    (
        "exceptions of calls that were caught on their way",
        r#"(func $middle (param i32) (result i32)
            try (result i32) local.get 0 call $throw i32.const 0 catch $none rethrow 0 end)
        (func (export "run") (param i32) (result i32)
            try (result i32) local.get 0 call $middle catch $none i32.const 1 catch_all i32.const 2 end)"#,
        &[0, 1, 2, 2],
    ),
];

/// A module with a function of [`FORMS`].
fn module(function: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") 1)
            (tag $i (param i32)) (tag $two (param i32 i64)) (tag $none)
            (func $throw (param i32)
                local.get 0 i32.const 1 i32.eq if throw $none end
                local.get 0 i32.const 2 i32.eq if i32.const 2 throw $i end
                local.get 0 i32.const 3 i32.eq if i32.const 3 i64.const 4 throw $two end)
            {function})"#
    )
}

/// The same as a side module, for the verifier.
fn side(wat: &str) -> String {
    let imported = r#"(@dylink.0 (mem-info)) (import "env" "memory" (memory 1))"#;
    wat.replace(r#"(memory (export "memory") 1)"#, imported)
}

/// What a call returns; a trap counts as nothing that was expected.
fn call(running: &mut Running, input: i32) -> i32 {
    match running.call_with("run", input) {
        Ok(result) => result,
        Err(error) if error.is::<wasmtime::ThrownException>() => UNCAUGHT,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn every_form_does_what_it_did() {
    for (name, function, expected) in FORMS {
        let wat = module(function);
        save(name, &wat, expected);
        transformed(&side(&wat), Role::Side);
        let mut running = Running::new(&wat, 1 << 40);
        for (input, expected) in (0..).zip(*expected) {
            assert_eq!(call(&mut running, input), *expected, "{name} of {input}");
        }
    }
}

#[test]
fn programs_made_at_random_do_what_they_did() {
    let mut numbers = Numbers(1);
    let (mut thrown, mut delegated, mut rethrown) = (0, 0, 0);
    for k in 0..400 {
        let program = Program::random(&mut numbers);
        let expected: Option<Vec<i32>> = (0..4).map(|input| program.interpret(input)).collect();
        // One that does not end soon says nothing.
        let Some(expected) = expected else { continue };
        let text = program.text();
        thrown += u32::from(text.contains("throw"));
        delegated += u32::from(text.contains("delegate"));
        rethrown += u32::from(text.contains("rethrow"));
        let wat = module(&text);
        save(&format!("random {k}"), &wat, &expected);
        transformed(&side(&wat), Role::Side);
        let mut running = Running::new(&wat, 1 << 40);
        for (input, expected) in (0..).zip(&expected) {
            assert_eq!(call(&mut running, input), *expected, "{text} of {input}");
        }
    }
    assert!(
        thrown > 100 && delegated > 50 && rethrown > 50,
        "{thrown} {delegated} {rethrown}"
    );
}

/// For `scripts/legacy-exceptions`: the modules as they are before the translation, and what is expected of them.
fn save(name: &str, wat: &str, expected: &[i32]) {
    let Some(folder) = std::env::var_os("PRIMS_LEGACY_EXCEPTIONS") else {
        return;
    };
    let path = std::path::Path::new(&folder).join(name.replace(' ', "-"));
    std::fs::write(path.with_extension("wasm"), wat::parse_str(wat).unwrap()).unwrap();
    std::fs::write(path.with_extension("json"), format!("{expected:?}")).unwrap();
}

#[test]
fn deep_and_wide_functions_take_no_stack_and_bounded_time() {
    let wide = "try nop catch $i drop catch_all rethrow 0 end ".repeat(3_000);
    let open = "try ".repeat(10_000);
    let delegates = format!("{open} {}", "delegate 0 ".repeat(10_000));
    let far = |k: u32| format!("delegate {} ", 9_999 - k);
    let outwards: String = (0..10_000).map(far).collect();
    let handlers = format!(
        "{} {}",
        "try nop catch_all ".repeat(2_000),
        "rethrow 0 end ".repeat(2_000)
    );
    let blocks = format!(
        "{} {open} {}{}",
        "block ".repeat(10_000),
        "delegate 10000 ".repeat(10_000),
        "end ".repeat(10_000)
    );
    for body in [wide, delegates, format!("{open} {outwards}"), handlers, blocks] {
        transformed(&side(&module(&format!("(func (export \"run\") {body})"))), Role::Side);
    }
}

#[test]
fn types_of_handlers_are_bounded() {
    let tags: String = (0..100)
        .map(|k| format!("(tag $t{k} (param{}))", " i32".repeat(k)))
        .collect();
    let blocks: String = (0..100)
        .map(|k| {
            let drops = "drop ".repeat(k);
            let handlers: String = (0..100)
                .map(|t| format!("catch $t{t} {} ", "drop ".repeat(t)))
                .collect();
            let values = "i64.const 0 ".repeat(k);
            format!("{values} try (param{}) {drops} {handlers} end ", " i64".repeat(k))
        })
        .collect();
    let wat = format!("(module (memory 1) {tags} (func {blocks}))");
    let error = transform(&wat::parse_str(wat).unwrap(), Role::Main)
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, TransformError::TooMany { .. }), "{error}");
}
