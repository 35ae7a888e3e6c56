//! Environment markers (PEP 508): `python_version >= "3.9" and extra == "test"`.
//!
//! They are evaluated as they are: for one fixed target nothing needs to be simplified, and so no marker, however it is built, takes
//! more time or memory than its length.

use crate::name::Name;
use crate::target::Target;
use pep440_rs::{Version, VersionSpecifier};
use std::str::FromStr;

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// A condition on the target and on the extras that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    All(Vec<Marker>),
    Any(Vec<Marker>),
    Compare {
        left: Value,
        operator: Operator,
        right: Value,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Variable(String),
    Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Version(&'static str),
    In,
    NotIn,
}

/// Longer operators first, so that the longest one that fits is found.
const OPERATORS: [&str; 8] = ["===", "<=", "!=", "==", ">=", "~=", "<", ">"];

impl Marker {
    pub(crate) fn parse(text: &str) -> Result<Marker, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let marker = parser.any()?;
        parser.skip_space();
        if parser.rest.is_empty() {
            Ok(marker)
        } else {
            Err(format!("unexpected `{}` in its marker", parser.rest))
        }
    }

    /// Whether the condition holds, with one extra active or none.
    pub(crate) fn holds(&self, target: &Target, extra: Option<&Name>) -> bool {
        match self {
            Marker::All(markers) => markers.iter().all(|marker| marker.holds(target, extra)),
            Marker::Any(markers) => markers.iter().any(|marker| marker.holds(target, extra)),
            Marker::Compare { left, operator, right } => compare(left, *operator, right, target, extra),
        }
    }
}

fn compare(left: &Value, operator: Operator, right: &Value, target: &Target, extra: Option<&Name>) -> bool {
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        // Variables are checked when a marker is parsed.
        Value::Variable(name) => target.marker(name).unwrap_or_default(),
        Value::Extra => extra.map(|name| name.as_str().to_owned()).unwrap_or_default(),
    };
    let is_extra = matches!(left, Value::Extra) || matches!(right, Value::Extra);
    let normal = |text: String| {
        if is_extra {
            Name::parse(&text).map_or(text, |name| name.to_string())
        } else {
            text
        }
    };
    let (left_text, right_text) = (normal(text(left)), normal(text(right)));
    let operator = match operator {
        Operator::In => return right_text.contains(&left_text),
        Operator::NotIn => return !right_text.contains(&left_text),
        Operator::Version(operator) => operator,
    };
    let by_version = match (left, right) {
        (Value::Variable(name), _) if is_version(name) => compare_versions(&left_text, operator, &right_text),
        (_, Value::Variable(name)) if is_version(name) => compare_versions(&right_text, mirrored(operator), &left_text),
        _ => None,
    };
    by_version.unwrap_or_else(|| match operator {
        "==" | "===" => left_text == right_text,
        "!=" => left_text != right_text,
        "<" => left_text < right_text,
        "<=" => left_text <= right_text,
        ">" => left_text > right_text,
        ">=" => left_text >= right_text,
        _ => false,
    })
}

fn is_version(variable: &str) -> bool {
    matches!(
        variable,
        "python_version" | "python_full_version" | "implementation_version"
    )
}

/// `None` when the right side is not a version.
fn compare_versions(left: &str, operator: &str, right: &str) -> Option<bool> {
    let specifier = VersionSpecifier::from_str(&format!("{operator}{right}")).ok()?;
    Some(specifier.contains(&Version::from_str(left).ok()?))
}

/// The operator for the same comparison with its sides exchanged.
fn mirrored(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Marker, String> {
        let mut markers = vec![self.all()?];
        while self.word("or") {
            markers.push(self.all()?);
        }
        Ok(if markers.len() == 1 {
            markers.remove(0)
        } else {
            Marker::Any(markers)
        })
    }

    fn all(&mut self) -> Result<Marker, String> {
        let mut markers = vec![self.one()?];
        while self.word("and") {
            markers.push(self.one()?);
        }
        Ok(if markers.len() == 1 {
            markers.remove(0)
        } else {
            Marker::All(markers)
        })
    }

    fn one(&mut self) -> Result<Marker, String> {
        self.skip_space();
        let Some(inner) = self.rest.strip_prefix('(') else {
            let left = self.value()?;
            let operator = self.operator()?;
            return Ok(Marker::Compare {
                left,
                operator,
                right: self.value()?,
            });
        };
        if self.depth == MAX_DEPTH {
            return Err("its marker is nested too deeply".into());
        }
        (self.rest, self.depth) = (inner, self.depth + 1);
        let marker = self.any()?;
        self.skip_space();
        self.rest = self.rest.strip_prefix(')').ok_or("expected `)` in its marker")?;
        self.depth -= 1;
        Ok(marker)
    }

    fn value(&mut self) -> Result<Value, String> {
        self.skip_space();
        for quote in ['"', '\''] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let (text, rest) = rest.split_once(quote).ok_or("a quote in its marker is not closed")?;
                self.rest = rest;
                return Ok(Value::Text(text.to_owned()));
            }
        }
        let name = self.take(|character| character.is_ascii_alphanumeric() || "_.".contains(character));
        match name {
            "extra" => Ok(Value::Extra),
            name if Target::default().marker(name).is_some() => Ok(Value::Variable(name.to_owned())),
            name => Err(format!("expected a marker variable or a quoted text, found `{name}`")),
        }
    }

    fn operator(&mut self) -> Result<Operator, String> {
        self.skip_space();
        for operator in OPERATORS {
            if let Some(rest) = self.rest.strip_prefix(operator) {
                self.rest = rest;
                return Ok(Operator::Version(operator));
            }
        }
        if self.word("in") {
            return Ok(Operator::In);
        }
        if self.word("not") && self.word("in") {
            return Ok(Operator::NotIn);
        }
        Err("expected a comparison in its marker".into())
    }

    /// Takes a whole word if it comes next.
    fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(is_part) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self
            .rest
            .find(|character| !belongs(character))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(marker: &str, extra: Option<&str>) -> bool {
        let extra = extra.map(|extra| Name::parse(extra).unwrap());
        Marker::parse(marker).unwrap().holds(&Target::default(), extra.as_ref())
    }

    #[test]
    fn markers_are_evaluated_for_the_target() {
        for (marker, expected) in [
            ("python_version >= '3.9'", true),
            ("python_version < '3.9'", false),
            ("python_version >= '3.9' and python_version < \"4\"", true),
            ("'3.9' <= python_version", true),
            ("'3.9' > python_version", false),
            ("python_version ~= '3.12'", true),
            ("python_version == '3.*'", true),
            ("python_version in '3.12 3.13'", true),
            ("python_version not in '3.12, 3.13'", false),
            ("python_full_version >= '3.13.15'", true),
            ("sys_platform == 'win32'", false),
            ("sys_platform != 'win32'", true),
            ("sys_platform=='wasi'and os_name=='posix'", true),
            ("'linux' in sys_platform", false),
            ("platform_machine in 'x86_64 wasm32'", true),
            (
                "implementation_name == 'cpython' and platform_python_implementation == 'CPython'",
                true,
            ),
            (
                "sys_platform == 'win32' or (os_name == 'posix' and python_version >= '3')",
                true,
            ),
            (
                "sys_platform == 'win32' and os_name == 'nt' or python_version >= '3'",
                true,
            ),
            ("platform_release >= '20'", false),
            ("extra == 'test'", false),
        ] {
            assert_eq!(holds(marker, None), expected, "{marker}");
        }
    }

    #[test]
    fn extras_are_compared_by_normal_form() {
        assert!(holds("extra == 'Test_Extra'", Some("test-extra")));
        assert!(!holds("extra == 'other'", Some("test")));
        assert!(holds("extra == 'test' and python_version >= '3'", Some("test")));
    }

    #[test]
    fn what_is_no_marker_is_refused() {
        let deep = format!("{}'a' == 'a'{}", "(".repeat(40), ")".repeat(40));
        for bad in [
            "",
            "python_version",
            "python_version >=",
            "python_version >= 3",
            "python_version >= '3",
            "(python_version >= '3'",
            "python_version >= '3')",
            "python_version >= '3' and",
            "nonsense == '1'",
            "python_version is '3'",
            "python_version >= '3' xor os_name == 'nt'",
            &deep,
        ] {
            assert!(Marker::parse(bad).is_err(), "{bad:?}");
        }
    }
}
