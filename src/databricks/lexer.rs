//! Databricks SQL cut into words, only as far as telling reads from writes needs. What the words mean is
//! `statement_kind.rs`.
//!
//! Where Databricks' own reading depends on its version or on a setting (nested comments, a backslash at the end of a
//! line comment, a backslash in double quotes, white space outside of ASCII), there is no answer, which makes a write.
//! Words are put in upper case as its lexer does it, letter by letter beyond ASCII: `\u{131}nsert` is INSERT to it (Spark,
//! UpperCaseCharStream).

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word or number outside of quotes, in upper case.
    Word(String),
    /// What stood in backticks or double quotes, in upper case.
    Quoted(String),
    /// A string.
    Text,
    /// Any other character.
    Mark(char),
}

/// What cannot be read with certainty, in words that stand after "because of", and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub what: &'static str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// The tokens, without comments.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, Unreadable> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        rest = piece(rest, first, &mut found).map_err(|what| unreadable(sql, sql.len() - rest.len(), what))?;
    }
    Ok(found)
}

fn unreadable(sql: &str, at: usize, what: &'static str) -> Unreadable {
    let before = &sql[..at];
    let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    Unreadable { what, line: before.matches('\n').count() + 1, column: before[line_begins..].chars().count() + 1 }
}

/// Takes the piece that `rest` begins with, and gives what follows it.
fn piece<'a>(rest: &'a str, first: char, found: &mut Vec<Token>) -> Result<&'a str, &'static str> {
    Ok({
        match first {
            ' ' | '\t' | '\r' | '\n' => &rest[1..],
            '-' if rest.starts_with("--") => line_comment(rest)?,
            '/' if rest.starts_with("/*") => block_comment(rest)?,
            '\'' => {
                found.push(Token::Text);
                string(rest, '\'').ok_or(OPEN_STRING)?.1
            }
            '"' => {
                let (inside, behind) = string(rest, '"').ok_or(OPEN_STRING)?;
                if inside.contains('\\') {
                    return Err("a backslash between double quotes");
                }
                found.push(Token::Quoted(inside.to_uppercase()));
                behind
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("a backtick that nothing closes")? + 1;
                found.push(Token::Quoted(rest[1..end].to_uppercase()));
                &rest[end + 1..]
            }
            '$' if rest.starts_with("$$") => return Err("a text between $$"),
            _ if is_word(first) => {
                let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                match behind.chars().next() {
                    Some(quote @ ('\'' | '"')) if word.eq_ignore_ascii_case("r") => {
                        // A raw string ends at the next quote, whatever stands before it.
                        let end = behind[1..].find(quote).ok_or(OPEN_STRING)? + 1;
                        found.push(Token::Text);
                        &behind[end + 1..]
                    }
                    _ => {
                        found.push(Token::Word(word.to_uppercase()));
                        behind
                    }
                }
            }
            _ if first.is_control() || first.is_whitespace() || !first.is_ascii() => {
                return Err("a character outside of ASCII, or a control character, that stands in no quotes");
            }
            _ => {
                found.push(Token::Mark(first));
                &rest[1..]
            }
        }
    })
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

const OPEN_STRING: &str = "a string that nothing closes";

fn line_comment(text: &str) -> Result<&str, &'static str> {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    // Spark joins the next line to the comment when a backslash ends this one.
    if text[..end].ends_with('\\') { Err("a line comment that ends with a backslash") } else { Ok(&text[end..]) }
}

fn block_comment(text: &str) -> Result<&str, &'static str> {
    let inside = &text[2..];
    let end = inside.find("*/").ok_or("a comment that nothing closes")?;
    // Newer servers nest comments, older ones do not.
    if inside[..end].contains("/*") { Err("a comment within a comment") } else { Ok(&inside[end + 2..]) }
}

/// What stands between the quotes, and what follows them. A backslash escapes; a doubled quote is two strings side by
/// side, which reads the same.
fn string(text: &str, quote: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}
