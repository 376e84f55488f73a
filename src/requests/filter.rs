//! Filters of lists that the neighbour cannot filter: a small part of OData, read strictly. Texts compare without regard to
//! capitals, as makers search.
//!
//! `name eq 'x'`, `name ne 'x'`, `contains(name,'x')`, `startswith(name,'x')`, `endswith(name,'x')`, `isRefreshable eq
//! true`; joined by `and` and `or`, of which `and` binds more.

use serde_json::Value;

use crate::failure::{Code, Failure};

/// Longer ones would make links that nobody can follow.
pub(super) const LONGEST: usize = 1_000;

/// What may be asked of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub texts: &'static [&'static str],
    pub flags: &'static [&'static str],
}

/// One of these, all of whose terms hold.
#[derive(Debug)]
pub(super) struct Filter(Vec<Vec<Term>>);

#[derive(Debug)]
enum Term {
    Text { field: &'static str, how: How, than: String },
    Flag { field: &'static str, is: bool },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Equal,
    Other,
    Contains,
    Begins,
    Ends,
}

impl Filter {
    pub(super) fn read(text: &str, fields: Fields) -> Result<Self, Failure> {
        if text.len() > LONGEST {
            return Err(invalid(format!("A filter has at most {LONGEST} characters.")));
        }
        let mut reader = Reader { whole: text, rest: text, fields };
        let mut any = vec![vec![reader.term()?]];
        while !reader.is_at_end() {
            let before = reader.rest;
            match reader.word() {
                "and" => {
                    let term = reader.term()?;
                    if let Some(last) = any.last_mut() {
                        last.push(term);
                    }
                }
                "or" => any.push(vec![reader.term()?]),
                _ => {
                    reader.rest = before;
                    return Err(reader.wrong("`and`, `or` or the end"));
                }
            }
        }
        Ok(Self(any))
    }

    pub(super) fn takes(&self, entry: &Value) -> bool {
        self.0.iter().any(|all| all.iter().all(|term| term.holds(entry)))
    }
}

impl Term {
    fn holds(&self, entry: &Value) -> bool {
        match self {
            Self::Flag { field, is } => entry[*field].as_bool().unwrap_or_default() == *is,
            Self::Text { field, how, than } => {
                let text = entry[*field].as_str().unwrap_or_default().to_lowercase();
                match how {
                    How::Equal => text == *than,
                    How::Other => text != *than,
                    How::Contains => text.contains(than),
                    How::Begins => text.starts_with(than),
                    How::Ends => text.ends_with(than),
                }
            }
        }
    }
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    fields: Fields,
}

impl<'a> Reader<'a> {
    fn term(&mut self) -> Result<Term, Failure> {
        let before = self.rest;
        let word = self.word();
        let how = match word {
            "contains" => Some(How::Contains),
            "startswith" => Some(How::Begins),
            "endswith" => Some(How::Ends),
            _ => None,
        };
        if let Some(how) = how {
            self.mark('(')?;
            let before = self.rest;
            let word = self.word();
            let Some(field) = named(self.fields.texts, word) else {
                self.rest = before;
                return Err(self.wrong("a field of text"));
            };
            self.mark(',')?;
            let than = self.text()?;
            self.mark(')')?;
            return Ok(Term::Text { field, how, than });
        }
        let (text, flag) = (named(self.fields.texts, word), named(self.fields.flags, word));
        if text.is_none() && flag.is_none() {
            self.rest = before;
            return Err(self.wrong("a field, `contains`, `startswith` or `endswith`"));
        }
        let before = self.rest;
        let equal = match self.word() {
            "eq" => true,
            "ne" => false,
            _ => {
                self.rest = before;
                return Err(self.wrong("`eq` or `ne`"));
            }
        };
        if let Some(field) = text {
            let how = if equal { How::Equal } else { How::Other };
            return Ok(Term::Text { field, how, than: self.text()? });
        }
        let before = self.rest;
        let is = match self.word() {
            "true" => true,
            "false" => false,
            _ => {
                self.rest = before;
                return Err(self.wrong("`true` or `false`"));
            }
        };
        Ok(Term::Flag { field: flag.unwrap_or_default(), is: is == equal })
    }

    /// Letters, up to what is none.
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn mark(&mut self, mark: char) -> Result<(), Failure> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.wrong(&format!("`{mark}`"))),
        }
    }

    /// Between quotes, of which two say one; in small letters.
    fn text(&mut self) -> Result<String, Failure> {
        const EXPECTED: &str = "a text between single quotes";
        self.rest = self.rest.trim_start();
        let Some(mut quoted) = self.rest.strip_prefix('\'') else { return Err(self.wrong(EXPECTED)) };
        let mut text = String::new();
        loop {
            let Some((part, after)) = quoted.split_once('\'') else { return Err(self.wrong(EXPECTED)) };
            text.push_str(part);
            let Some(more) = after.strip_prefix('\'') else {
                self.rest = after;
                return Ok(text.to_lowercase());
            };
            text.push('\'');
            quoted = more;
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty()
    }

    fn wrong(&self, expected: &str) -> Failure {
        let at = self.whole.len() - self.rest.trim_start().len();
        let at = self.whole[..at].chars().count() + 1;
        let fields = [self.fields.texts, self.fields.flags].concat().join(", ");
        invalid(format!(
            "The filter cannot be read at character {at}, where {expected} should be. Such as: name eq 'Sales', \
             contains(name,'sales'), joined by `and` and `or`. Fields: {fields}."
        ))
    }
}

fn named(known: &'static [&'static str], word: &str) -> Option<&'static str> {
    known.iter().find(|known| known.eq_ignore_ascii_case(word)).copied()
}

pub(super) fn invalid(detail: String) -> Failure {
    Failure::new(Code::QueryInvalid, detail).at("query.filter")
}

#[cfg(test)]
mod tests;
