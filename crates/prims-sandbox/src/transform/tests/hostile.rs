//! Bytes that are no module, or were one.

use super::super::{Role, transform};
use super::{form, linking, verify};

/// A small generator of numbers that look random, the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// What comes out is an error, or a module that counts.
fn try_both(wasm: &[u8]) -> bool {
    let mut accepted = false;
    for role in [Role::Main, Role::Side] {
        if let Ok(output) = transform(wasm, role) {
            verify::verify(&output.wasm, role).unwrap();
            accepted = true;
        }
    }
    accepted
}

fn samples() -> [Vec<u8>; 3] {
    [form::MAIN, linking::MAIN, linking::SIDE].map(|wat| wat::parse_str(wat).unwrap())
}

#[test]
fn random_bytes_are_refused() {
    let mut numbers = Numbers(1);
    for length in 0..2000 {
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
        assert!(!try_both(&bytes));
        // With the right header, too.
        let header = [0, b'a', b's', b'm', 1, 0, 0, 0];
        let length = header.len().min(bytes.len());
        bytes[..length].copy_from_slice(&header[..length]);
        assert!(!try_both(&bytes) || bytes.len() == 8);
    }
}

#[test]
fn truncated_modules_do_no_harm() {
    for wasm in samples() {
        for length in 0..wasm.len() {
            try_both(&wasm[..length]);
        }
        assert!(try_both(&wasm));
    }
}

#[test]
fn changed_modules_do_no_harm() {
    let mut numbers = Numbers(2);
    let mut accepted = 0;
    for wasm in samples() {
        for _ in 0..4000 {
            let mut changed = wasm.clone();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(changed.len());
                match numbers.below(4) {
                    0 => drop(changed.remove(at)),
                    1 => changed.insert(at, numbers.next() as u8),
                    2 => changed[at] ^= 1 << numbers.below(8),
                    _ => changed[at] = numbers.next() as u8,
                }
            }
            accepted += u32::from(try_both(&changed));
        }
    }
    assert!(
        accepted > 100,
        "only {accepted} of the changed modules were accepted, the test says little"
    );
}

#[test]
fn deep_and_long_modules_take_no_stack() {
    let nested = |open: &str, close: &str| {
        format!(
            "(module (memory 1) (func {} {}))",
            open.repeat(20_000),
            close.repeat(20_000)
        )
    };
    let calls: String = (0..20_000)
        .map(|k| format!("(func $f{k} (call $f{}))", k + 1))
        .collect();
    let ring: String = (0..20_000)
        .map(|k| format!("(func $f{k} (call $f{}))", (k + 1) % 20_000))
        .collect();
    for wat in [
        nested("block ", "end "),
        nested("loop ", "end "),
        nested("i32.const 0 if ", "else end "),
        format!("(module (memory 1) {calls} (func $f20000))"),
        format!("(module (memory 1) {ring})"),
    ] {
        assert!(try_both(&wat::parse_str(&wat).unwrap()));
    }
}

#[test]
fn everybody_calling_everybody_takes_bounded_time() {
    let calls: String = (0..600).map(|k| format!("(call {k})")).collect();
    let functions = format!("(func {calls})").repeat(600);
    let wasm = wat::parse_str(format!("(module (memory 1) {functions})")).unwrap();
    let start = std::time::Instant::now();
    assert!(try_both(&wasm));
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

#[test]
fn what_compiling_a_side_module_costs_is_bounded() {
    let side = |rest: &str| format!(r#"(module (@dylink.0 (mem-info)) (import "env" "memory" (memory 1)) {rest})"#);
    let locals = |count: usize, ty: &str| format!("(local{})", format!(" {ty}").repeat(count));
    let blocks = |count: usize| "block end ".repeat(count);
    let merging = format!("(func {} {})", locals(1990, "i32"), blocks(10_000));
    let calls = "call $f ".repeat(50_001);
    let cases = [
        (
            format!("(func {})", "nop ".repeat((2 << 20) + 1)),
            "bytes in a function",
        ),
        (
            format!("(type (func (param{})))", " i32".repeat(129)),
            "parameters and results",
        ),
        (
            format!("(func {} {})", locals(2001, "i32"), blocks(10_000)),
            "blocks times locals in a function",
        ),
        (merging.repeat(11), "blocks times locals, at most"),
        (
            format!("(func $f {} {calls})", locals(1000, "exnref")),
            "calls times references",
        ),
    ];
    for (functions, expected) in cases {
        let wasm = wat::parse_str(side(&functions)).unwrap();
        let error = transform(&wasm, Role::Side).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
    // What is just within the bounds is not refused.
    let wasm = wat::parse_str(side(&merging.repeat(10))).unwrap();
    assert!(transform(&wasm, Role::Side).is_ok());
}
