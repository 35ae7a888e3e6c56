//! Import statements in Python code, without a parser.

use std::collections::BTreeSet;

/// Most names that are taken from one text.
const MAX_NAMES: usize = 1_000;
/// How deeply f-strings are followed into each other.
const MAX_DEPTH: usize = 32;

/// The top-level names that code imports, sorted: those of statements `import a.b` and `from a.b import c`, wherever they stand.
/// Nothing inside of strings and comments counts, nor do relative imports. Code that is not Python gives some names or none.
pub fn imported_names(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let tokens = Scanner::new(code).tokens();
    let mut starts_statement = true;
    let mut at = 0;
    while at < tokens.len() && names.len() < MAX_NAMES {
        match tokens[at] {
            Token::Name("import") if starts_statement => at = modules(&tokens, at + 1, &mut names),
            Token::Name("from") if starts_statement => {
                let (module, end) = dotted(&tokens, at + 1);
                if let (Some(module), Some(Token::Name("import"))) = (module, tokens.get(end)) {
                    names.insert(module.to_owned());
                }
                at = end;
            }
            _ => at += 1,
        }
        // A colon may also stand in an annotation or a lambda; what follows there is no keyword.
        starts_statement = at == 0 || matches!(tokens.get(at - 1), Some(Token::End | Token::Colon));
    }
    names.remove("__future__");
    names
}

/// What `import` is followed by: `a.b as c, d`.
fn modules(tokens: &[Token<'_>], mut at: usize, names: &mut BTreeSet<String>) -> usize {
    while names.len() < MAX_NAMES {
        let (module, end) = dotted(tokens, at);
        let Some(module) = module else { return end.max(at) };
        names.insert(module.to_owned());
        at = end;
        if let (Some(Token::Name("as")), Some(Token::Name(_))) = (tokens.get(at), tokens.get(at + 1)) {
            at += 2;
        }
        match tokens.get(at) {
            Some(Token::Comma) => at += 1,
            _ => break,
        }
    }
    at
}

/// The first part of a dotted name and where the name ends.
fn dotted<'c>(tokens: &[Token<'c>], mut at: usize) -> (Option<&'c str>, usize) {
    let Some(Token::Name(first)) = tokens.get(at) else {
        return (None, at);
    };
    at += 1;
    while let (Some(Token::Dot), Some(Token::Name(_))) = (tokens.get(at), tokens.get(at + 1)) {
        at += 2;
    }
    (Some(first), at)
}

/// As much of Python's tokens as import statements need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'c> {
    /// A name or keyword, or a number.
    Name(&'c str),
    Dot,
    Comma,
    Colon,
    /// The end of a statement: a line break outside of brackets, or a semicolon.
    End,
    Other,
}

struct Scanner<'c> {
    code: &'c str,
    at: usize,
    brackets: usize,
}

impl<'c> Scanner<'c> {
    fn new(code: &'c str) -> Scanner<'c> {
        Scanner {
            code,
            at: 0,
            brackets: 0,
        }
    }

    fn tokens(mut self) -> Vec<Token<'c>> {
        let mut tokens = vec![];
        while let Some(character) = self.peek() {
            let start = self.at;
            self.at += character.len_utf8();
            let token = match character {
                '#' => {
                    self.skip_comment();
                    continue;
                }
                '\\' if self.skip_line_break() => continue,
                '\n' | '\r' if self.brackets > 0 => continue,
                '\n' | '\r' => Token::End,
                _ if character.is_whitespace() => continue,
                '"' | '\'' => {
                    self.skip_string(character, Prefix::default(), 0);
                    Token::Other
                }
                '(' | '[' | '{' => {
                    self.brackets += 1;
                    Token::Other
                }
                ')' | ']' | '}' => {
                    self.brackets = self.brackets.saturating_sub(1);
                    Token::Other
                }
                '.' => Token::Dot,
                ',' => Token::Comma,
                ':' if self.brackets == 0 => Token::Colon,
                ';' => Token::End,
                _ if is_name(character) => self.name(start),
                _ => Token::Other,
            };
            tokens.push(token);
        }
        tokens
    }

    fn peek(&self) -> Option<char> {
        self.code[self.at..].chars().next()
    }

    /// A name, or a string if the name is the prefix of one.
    fn name(&mut self, start: usize) -> Token<'c> {
        while self.peek().is_some_and(is_name) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
        let name = &self.code[start..self.at];
        match (self.peek(), Prefix::of(name)) {
            (Some(quote @ ('"' | '\'')), Some(prefix)) => {
                self.at += 1;
                self.skip_string(quote, prefix, 0);
                Token::Other
            }
            _ => Token::Name(name),
        }
    }

    fn skip_comment(&mut self) {
        let rest = &self.code[self.at..];
        self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    /// Takes a line break if it comes next.
    fn skip_line_break(&mut self) -> bool {
        let rest = &self.code[self.at..];
        let length = ["\r\n", "\n", "\r"]
            .iter()
            .find(|line_break| rest.starts_with(**line_break))
            .map_or(0, |one| one.len());
        self.at += length;
        length > 0
    }

    /// Skips the rest of a string after its first quote. One that is not closed ends with its line, as for Python.
    fn skip_string(&mut self, quote: char, prefix: Prefix, depth: usize) {
        let long = String::from_iter([quote, quote]);
        let is_long = self.code[self.at..].starts_with(&long);
        self.at += if is_long { long.len() } else { 0 };
        let end = if is_long {
            String::from_iter([quote; 3])
        } else {
            quote.to_string()
        };
        self.skip_text(&end, prefix, depth, false);
    }

    /// Skips text up to its end, or up to the brace that ends a format specification.
    fn skip_text(&mut self, end: &str, prefix: Prefix, depth: usize, is_specification: bool) {
        while let Some(character) = self.peek() {
            let rest = &self.code[self.at..];
            if rest.starts_with(end) {
                // A specification leaves the quote to the text around it.
                self.at += if is_specification { 0 } else { end.len() };
                return;
            }
            self.at += character.len_utf8();
            match character {
                '\\' if !is_specification || !prefix.is_raw => {
                    // Also in raw strings a quote behind a backslash does not end the string.
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                '\n' if end.len() == 1 => return,
                '{' if prefix.is_formatted && rest.starts_with("{{") && !is_specification => self.at += 1,
                '{' if prefix.is_formatted && depth < MAX_DEPTH => self.skip_field(end, prefix, depth + 1),
                '}' if is_specification => return,
                _ => {}
            }
        }
    }

    /// Skips the expression of an f-string after its opening brace. It may contain strings with the same quotes.
    fn skip_field(&mut self, end: &str, prefix: Prefix, depth: usize) {
        let mut brackets = 0usize;
        while let Some(character) = self.peek() {
            let start = self.at;
            self.at += character.len_utf8();
            match character {
                '"' | '\'' => self.skip_string(character, Prefix::default(), depth),
                '#' => self.skip_comment(),
                '(' | '[' | '{' => brackets += 1,
                '}' if brackets == 0 => return,
                ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
                ':' if brackets == 0 => return self.skip_text(end, prefix, depth, true),
                _ if is_name(character) => {
                    while self.peek().is_some_and(is_name) {
                        self.at += self.peek().map_or(0, char::len_utf8);
                    }
                    let prefix = Prefix::of(&self.code[start..self.at]);
                    if let (Some(quote @ ('"' | '\'')), Some(prefix)) = (self.peek(), prefix) {
                        self.at += 1;
                        if depth < MAX_DEPTH {
                            self.skip_string(quote, prefix, depth);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The letters in front of a string.
#[derive(Clone, Copy, Default)]
struct Prefix {
    is_raw: bool,
    is_formatted: bool,
}

impl Prefix {
    fn of(name: &str) -> Option<Prefix> {
        let lower = name.to_ascii_lowercase();
        let is_prefix = ["r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt"].contains(&lower.as_str());
        is_prefix.then(|| Prefix {
            is_raw: lower.contains('r'),
            is_formatted: lower.contains(['f', 't']),
        })
    }
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> String {
        imported_names(code).into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_are_found_wherever_they_stand() {
        for (code, names) in [
            ("import a", "a"),
            ("import a.b.c as d, e", "a e"),
            ("from a.b import c, d as e", "a"),
            ("from a import (\n  b,\n  c,\n)\nimport d", "a d"),
            ("import a, \\\n  b", "a b"),
            ("if x: import a; import b\nelse: from c import d", "a b c"),
            ("try:\n\timport a\nexcept ImportError:\n\timport b as a\n", "a b"),
            ("def f():\n    def g():\n        from a import *\n", "a"),
            ("class A: import a", "a"),
            ("x = 1; import a", "a"),
            ("import ünïcode\r\nimport b", "b ünïcode"),
            ("from . import a\nfrom .b import c\nfrom .. import d", ""),
            ("from __future__ import annotations\nimport a", "a"),
            ("def f():\n    yield from a\n    raise b from c\n", ""),
            ("x = {\n  'a': 1}\nimport a", "a"),
            ("lambda: 0\nimport a", "a"),
            ("x: int = 3\nimport a", "a"),
            ("importlib.import_module('a')\nimported = 1\nfrom_ = 2", ""),
            ("print(a) # import b\nimport c # import d", "c"),
            ("async def f():\n  async with a as b: import c", "c"),
        ] {
            assert_eq!(found(code), names, "{code:?}");
        }
    }

    #[test]
    fn nothing_inside_of_strings_counts() {
        for code in [
            "'''\nimport a\n'''",
            "\"\"\"x\\\"\"\"\nimport a\n\"\"\"",
            "x = '\\\nimport a'",
            "x = r'\\'; import a; '",
            "f'{x}; import a'",
            "f'{x[\"'\"]}; import a'",
            "f\"{d[\"k\"]}; import a\"",
            "f'{x!r:>{width}}; import a'",
            "f'{{; import a'",
            "f'''{\nx # }\n}\nimport a\n'''",
            "rb'\\';import a'",
            "F\"{f'{f\"{1}\"}'}; import a\"",
            "x = ''\"\"; y = ';import a'",
            "f'{x:\\\n}; import a'",
            "t'{x}; import a'",
        ] {
            assert_eq!(found(code), "", "{code:?}");
            assert_eq!(found(&format!("{code}\nimport b")), "b", "{code:?}");
        }
    }

    #[test]
    fn what_is_not_python_ends_too() {
        for code in [
            "'",
            "f'{",
            "f'{x:",
            "import",
            "from",
            "from a",
            "import a,",
            "import a as",
            "((((",
            "))\nimport a",
            "\\",
            "f'{'{'{",
        ] {
            assert!(found(code).len() < 2, "{code:?}");
        }
        let deep = "f'{".repeat(100_000);
        assert_eq!(found(&deep), "");
        let nested = "f'{f\"{".repeat(10_000);
        assert_eq!(found(&nested), "");
        let many: String = (0..5_000).map(|index| format!("import m{index}\n")).collect();
        assert_eq!(imported_names(&many).len(), MAX_NAMES);
        let many: Vec<String> = (0..5_000).map(|index| format!("m{index}")).collect();
        let many = format!("import {}", many.join(", "));
        assert_eq!(imported_names(&many).len(), MAX_NAMES);
    }

    #[test]
    fn any_mixture_of_tokens_is_read_to_its_end() {
        let pieces = [
            "import", " a", "from ", ".", ",", "(", ")", "{", "}", "'", "\"", "'''", "f'", "rb\"", "\\", "\n", "\r\n",
            ":", ";", "#", "ü", "{{", " as ",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..5_000 {
            let mut code = String::new();
            for _ in 0..30 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                code.push_str(pieces[(state >> 11) as usize % pieces.len()]);
            }
            let names = imported_names(&code);
            assert!(
                names.iter().all(|name| !name.is_empty() && name.chars().all(is_name)),
                "{code:?}"
            );
        }
    }
}
