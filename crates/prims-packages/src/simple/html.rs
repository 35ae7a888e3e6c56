//! Pages in HTML (PEP 503): the anchors, and what tells such a page from any other.
//!
//! Not a parser of HTML. It finds tags and their attributes in one pass over the text, in time and memory of its length,
//! whatever the text is.

use std::borrow::Cow;

/// Longest attribute that is looked at.
const MAX_VALUE: usize = 64 << 10;
/// Attributes of a tag that are looked at.
const MAX_ATTRIBUTES: usize = 32;

/// A tag and its attributes, in the order they have. Names are as they are written.
pub(super) struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Tag<'a> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn kind(&self) -> Kind {
        let known = KINDS.iter().find(|(name, _)| self.is(name));
        known.map_or(Kind::Other, |(_, kind)| *kind)
    }

    /// The value of an attribute with its entities decoded; empty if it has none.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = self
            .attributes
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(decoded(found.1))
    }
}

/// What a tag means on a page of an index.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Anchor,
    Base,
    Meta,
    /// On no page of an index: somebody is to fill something in, or a browser to run something.
    Interactive,
    Other,
}

const KINDS: [(&str, Kind); 8] = [
    ("a", Kind::Anchor),
    ("base", Kind::Base),
    ("meta", Kind::Meta),
    ("form", Kind::Interactive),
    ("input", Kind::Interactive),
    ("script", Kind::Interactive),
    ("iframe", Kind::Interactive),
    ("frameset", Kind::Interactive),
];

/// A piece of a page.
pub(super) enum Token<'a> {
    Tag(Tag<'a>),
    Text(&'a str),
}

/// Splits a page into tags that open something, and text. Comments, scripts and what closes are left out.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The name of a tag whose content is text that is not for reading.
    raw: Option<&'static str>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(page: &'a str) -> Tokens<'a> {
        Tokens { rest: page, raw: None }
    }

    fn skip_past(&mut self, end: &str) {
        self.rest = match self.rest.find(end) {
            Some(at) => &self.rest[at + end.len()..],
            None => "",
        };
    }

    /// Skips a script up to the tag that closes it.
    fn skip_raw(&mut self, name: &str) {
        loop {
            self.skip_past("</");
            let closes = self
                .rest
                .get(..name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name));
            if self.rest.is_empty() || closes {
                return;
            }
        }
    }

    /// Reads a tag after its `<`.
    fn tag(&mut self) -> Tag<'a> {
        let end = |text: &str| text.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/');
        let (name, rest) = self.rest.split_at(end(self.rest).unwrap_or(self.rest.len()));
        self.rest = rest;
        let mut attributes = vec![];
        loop {
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break;
            }
            if self.rest.is_empty() {
                break;
            }
            let attribute = self.attribute();
            if attributes.len() < MAX_ATTRIBUTES && attribute.1.len() <= MAX_VALUE {
                attributes.push(attribute);
            }
        }
        Tag { name, attributes }
    }

    fn attribute(&mut self) -> (&'a str, &'a str) {
        let ends_name = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
        // The first character belongs to the name whatever it is, so there is always progress.
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let len = self.rest[first..]
            .find(ends_name)
            .map_or(self.rest.len(), |at| first + at);
        let (name, rest) = self.rest.split_at(len);
        self.rest = rest;
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            return (name, "");
        };
        let value = value.trim_ascii_start();
        let (value, rest) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => {
                let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>');
                value.split_at(end.unwrap_or(value.len()))
            }
        };
        self.rest = rest;
        (name, value)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take() {
            self.skip_raw(name);
        }
        loop {
            let at = self.rest.find('<').unwrap_or(self.rest.len());
            if at > 0 {
                let (text, rest) = self.rest.split_at(at);
                self.rest = rest;
                if !text.trim_ascii().is_empty() {
                    return Some(Token::Text(text));
                }
                continue;
            }
            let rest = self.rest.strip_prefix('<')?;
            self.rest = rest;
            if let Some(comment) = rest.strip_prefix("!--") {
                self.rest = comment;
                self.skip_past("-->");
            } else if rest.starts_with(['!', '?', '/']) {
                self.skip_past(">");
            } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                let tag = self.tag();
                self.raw = ["script", "style"].into_iter().find(|name| tag.is(name));
                return Some(Token::Tag(tag));
            }
        }
    }
}

/// Decodes the entities that occur in URLs and versions; others stay as they are.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        // Entities are short; without this, many `&` and no `;` would take time that grows with the square.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                decoded.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(page: &str) -> Vec<(String, Option<String>)> {
        let tags = Tokens::new(page).filter_map(|token| match token {
            Token::Tag(tag) if tag.is("a") => Some(tag),
            _ => None,
        });
        tags.map(|tag| {
            let value = |name| tag.get(name).map(Cow::into_owned);
            (value("href").unwrap_or_default(), value("data-yanked"))
        })
        .collect()
    }

    #[test]
    fn anchors_are_found_however_they_are_written() {
        let page = "<!DOCTYPE html><!-- <a href='no'> --><HTML><script>if (a<b) '<a href=no>'</SCRIPT >\n\
            <A\nHREF=\"a&amp;b#x=&#39;&#x3C;\" data-Yanked>1</a><a data-yanked='' href = 'c'/><a href=d>text</a>< a href=no>\
            <a class=x href=\"q?a&b&copy;\" data-yanked=\"why &gt; that\">";
        let expected = [
            ("a&b#x='<", Some("")),
            ("c", Some("")),
            ("d", None),
            ("q?a&b&copy;", Some("why > that")),
        ];
        let expected = expected.map(|(href, yanked)| (href.to_owned(), yanked.map(str::to_owned)));
        assert_eq!(anchors(page), expected);
    }

    #[test]
    fn whatever_comes_the_end_is_reached() {
        let seeds = [
            "<a href=\"",
            "<!--",
            "<script>",
            "</",
            "&",
            "&#x",
            "<a ",
            "=",
            "'",
            ">",
            "é",
            "<",
            "/",
            "\0",
        ];
        let mut state = 7u64;
        for _ in 0..20_000 {
            let mut page = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                page.push_str(seeds[(state >> 33) as usize % seeds.len()]);
            }
            let count = Tokens::new(&page).count();
            assert!(count <= page.len(), "{page:?}");
            let _ = decoded(&page);
        }
        for hostile in [
            "<a ".repeat(500_000),
            "&".repeat(2_000_000),
            "<a href=\"".repeat(200_000),
            "<a x".repeat(300_000),
        ] {
            assert!(anchors(&hostile).len() <= hostile.len());
            assert_eq!(decoded(&hostile).len(), hostile.len());
        }
        let long = format!(
            "<a href='{}'><a href=b {}>",
            "x".repeat(MAX_VALUE + 1),
            "y ".repeat(100_000)
        );
        assert_eq!(anchors(&long), [(String::new(), None), ("b".to_owned(), None)]);
    }
}
