//! Databricks SQL cut into words, only as far as telling reads from writes needs. What the words mean is
//! `statement_kind.rs`.
//!
//! Where Databricks' own reading depends on its version or on a setting (nested comments, a backslash at the end of a
//! line comment, a backslash in double quotes, white space outside of ASCII), there is no answer, which makes a write.

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

/// The tokens, without comments; `None` when the text cannot be read with certainty.
pub(super) fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            ' ' | '\t' | '\r' | '\n' => &rest[1..],
            '-' if rest.starts_with("--") => line_comment(rest)?,
            '/' if rest.starts_with("/*") => block_comment(rest)?,
            '\'' => {
                found.push(Token::Text);
                string(rest, '\'')?.1
            }
            '"' => {
                let (inside, behind) = string(rest, '"')?;
                if inside.contains('\\') {
                    return None;
                }
                found.push(Token::Quoted(inside.to_ascii_uppercase()));
                behind
            }
            '`' => {
                let end = rest[1..].find('`')? + 1;
                found.push(Token::Quoted(rest[1..end].to_ascii_uppercase()));
                &rest[end + 1..]
            }
            '$' if rest.starts_with("$$") => return None,
            _ if is_word(first) => {
                let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                match behind.chars().next() {
                    Some(quote @ ('\'' | '"')) if word.eq_ignore_ascii_case("r") => {
                        // A raw string ends at the next quote, whatever stands before it.
                        let end = behind[1..].find(quote)? + 1;
                        found.push(Token::Text);
                        &behind[end + 1..]
                    }
                    _ => {
                        found.push(Token::Word(word.to_ascii_uppercase()));
                        behind
                    }
                }
            }
            _ if first.is_control() || first.is_whitespace() || !first.is_ascii() => return None,
            _ => {
                found.push(Token::Mark(first));
                &rest[1..]
            }
        };
    }
    Some(found)
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

fn line_comment(text: &str) -> Option<&str> {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    // Spark joins the next line to the comment when a backslash ends this one.
    if text[..end].ends_with('\\') { None } else { Some(&text[end..]) }
}

fn block_comment(text: &str) -> Option<&str> {
    let inside = &text[2..];
    let end = inside.find("*/")?;
    // Newer servers nest comments, older ones do not.
    if inside[..end].contains("/*") { None } else { Some(&inside[end + 2..]) }
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
