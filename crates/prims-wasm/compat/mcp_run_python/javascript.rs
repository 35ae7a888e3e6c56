//! JSON as JavaScript writes what it has read: numbers are doubles, and keys that look like places in an array come first.

use serde_json::Value;

/// What `JSON.stringify` makes of a value.
pub(super) fn stringify(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => text.push_str(&decimal(number.as_f64().unwrap_or_default())),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut ordered: Vec<(Option<u32>, &String, &Value)> =
                fields.iter().map(|(key, value)| (place(key), key, value)).collect();
            ordered.sort_by_key(|(place, ..)| place.map_or(u64::MAX, u64::from));
            text.push('{');
            for (at, (_, key, value)) in ordered.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// The number that a key is as a place in an array.
fn place(key: &str) -> Option<u32> {
    let number: u32 = key.parse().ok()?;
    (number != u32::MAX && number.to_string() == key).then_some(number)
}

/// `Number::toString` (ECMA-262, 6.1.6.1.20): the shortest digits that are read as the same number, plain from 1e-7 to 1e21.
fn decimal(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    if !number.is_finite() {
        return "null".into();
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let written = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or_default());
        format!("{whole}.{rest}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let sign = if point > 0 { '+' } else { '-' };
        format!("{mantissa}e{sign}{}", (point - 1).abs())
    };
    if number < 0.0 { format!("-{written}") } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_keys_are_those_of_javascript() {
        for (text, expected) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("-1.5", "-1.5"),
            ("18446744073709551615", "18446744073709552000"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("1.5e-10", "1.5e-10"),
            ("123.456", "123.456"),
            (
                "[true, null, \"é\\u007f\\n\\u0001\"]",
                "[true,null,\"é\u{7f}\\n\\u0001\"]",
            ),
            (
                "{\"b\":1,\"2\":2,\"1\":3,\"01\":4}",
                "{\"1\":3,\"2\":2,\"b\":1,\"01\":4}",
            ),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(stringify(&value), expected, "{text}");
        }
    }
}
