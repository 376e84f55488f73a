//! Telling a read from a write by its words. Anything that is not surely a read is a write. The words come from
//! `lexer.rs`; what is done with the answer (sending again, claims, refusals) is not decided here.
//!
//! A user's own function is taken for a read: it cannot write to tables, and the engine itself may call it again for
//! the same row. The built-in functions that reach outside
//! (`http_request`, `ai_query`, `remote_query`, `reflect`, …) make a SELECT a write, since sending it twice may act twice.

use super::lexer::{Token, Unreadable, tokens};

/// Words that make a write of what begins like a query (`FROM s INSERT INTO t …`). None of them belongs in a query, but
/// for a column or alias of that name, which then costs no more than a retry that is not made.
const WRITING: &[&str] =
    &["INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "OVERWRITE", "CREATE", "DROP", "ALTER", "TRUNCATE"];

/// Built-in functions that act outside of the query: over HTTP, in another database, in the JVM, or at a model.
const REACHING_OUT: &[&str] =
    &["HTTP_REQUEST", "REMOTE_QUERY", "REFLECT", "TRY_REFLECT", "JAVA_METHOD", "VECTOR_SEARCH"];

/// Words that may follow EXPLAIN and are not run by it. What runs while it is being analysed is not among them: EXECUTE
/// IMMEDIATE, CALL.
const EXPLAINED: &[&str] = &["INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "REPLACE"];

/// What a text is, as far as its words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// One statement that surely changes nothing: SELECT, VALUES, TABLE, FROM, SHOW, DESCRIBE, EXPLAIN, or WITH that ends
    /// in one of the first four, with nothing after it.
    Read,
    /// Nothing but comments.
    Empty,
    /// More than one statement, or a script.
    Several,
    /// Where Databricks' reading depends on its version or settings, or where quotes or parentheses do not close.
    Unreadable(Unreadable),
    Unbalanced,
    /// One statement, not of the reading kind because of this word.
    Writes(String),
    /// A query that calls this, which acts outside of it.
    ReachesOut(String),
}

/// True only for one statement that surely changes nothing.
pub fn is_surely_a_read(sql: &str) -> bool {
    reading(sql) == Reading::Read
}

/// What the text is. Never wrong about [`Reading::Read`]; the rest is as good a reason as words can give.
pub fn reading(sql: &str) -> Reading {
    let mut tokens = match tokens(sql) {
        Ok(tokens) => tokens,
        Err(unreadable) => return Reading::Unreadable(unreadable),
    };
    if tokens.last() == Some(&Token::Mark(';')) {
        tokens.pop();
    }
    if tokens.is_empty() {
        return Reading::Empty;
    }
    if tokens.contains(&Token::Mark(';')) {
        return Reading::Several;
    }
    if !is_balanced(&tokens) {
        return Reading::Unbalanced;
    }
    match &tokens[0] {
        Token::Word(word) if matches!(word.as_str(), "SHOW" | "DESCRIBE" | "DESC") => Reading::Read,
        Token::Word(word) if word == "EXPLAIN" => explain(&tokens[1..]),
        _ => query(&tokens),
    }
}

/// Whether it is one script, `BEGIN … END`, or a definition with such a body: its semicolons are within one statement.
pub fn is_a_script(sql: &str) -> bool {
    let Ok(mut tokens) = tokens(sql) else { return false };
    if tokens.last() == Some(&Token::Mark(';')) {
        tokens.pop();
    }
    let begin = tokens.iter().position(|token| is_word(token, &["BEGIN"]));
    let first = tokens.iter().position(|token| *token == Token::Mark(';'));
    let opens = begin.zip(first).is_some_and(|(begin, first)| begin < first);
    opens && tokens.last().is_some_and(|token| is_word(token, &["END"]))
}

/// Whether it is one statement that commits once or not at all, and acts on nothing but its table.
pub fn is_plain_dml(sql: &str) -> bool {
    let Ok(mut tokens) = tokens(sql) else { return false };
    if tokens.last() == Some(&Token::Mark(';')) {
        tokens.pop();
    }
    if tokens.contains(&Token::Mark(';')) || !is_balanced(&tokens) || reaches_out(&tokens).is_some() {
        return false;
    }
    let verb = match tokens.first() {
        Some(token) if is_word(token, &["WITH"]) => behind_tables(&tokens[1..]).and_then(<[_]>::first),
        first => first,
    };
    let replaces = || {
        tokens.windows(3).next().is_some_and(|words| {
            is_word(&words[0], &["CREATE"]) && is_word(&words[1], &["OR"]) && is_word(&words[2], &["REPLACE"])
        })
    };
    verb.is_some_and(|verb| is_word(verb, &["INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "REPLACE", "TRUNCATE"]))
        || replaces()
}

/// Explaining runs nothing of a query or of a write; ANALYZE, where a dialect has it, would run it.
fn explain(tokens: &[Token]) -> Reading {
    let how = ["EXTENDED", "CODEGEN", "COST", "FORMATTED"];
    let explained = &tokens[tokens.iter().take_while(|token| is_word(token, &how)).count()..];
    match explained.first() {
        Some(token) if is_word(token, EXPLAINED) => match reaches_out(explained) {
            Some(name) => Reading::ReachesOut(name),
            None => Reading::Read,
        },
        _ if begins_as_query(explained) => reaches_out(explained).map_or(Reading::Read, Reading::ReachesOut),
        // A write behind common tables is explained as well as one without.
        Some(token) if is_word(token, &["WITH"]) => match behind_tables(&explained[1..]).and_then(<[_]>::first) {
            Some(verb) if is_word(verb, EXPLAINED) => reaches_out(explained).map_or(Reading::Read, Reading::ReachesOut),
            _ => Reading::Writes("EXPLAIN WITH".to_owned()),
        },
        Some(Token::Word(word)) => Reading::Writes(format!("EXPLAIN {word}")),
        _ => Reading::Writes("EXPLAIN".to_owned()),
    }
}

fn query(tokens: &[Token]) -> Reading {
    if !begins_as_query(tokens) {
        return Reading::Writes(main_word(tokens));
    }
    if let Some(word) = writing_word(tokens) {
        return Reading::Writes(word);
    }
    reaches_out(tokens).map_or(Reading::Read, Reading::ReachesOut)
}

/// The first word that makes a write; what follows a dot is a name, whatever it is.
fn writing_word(tokens: &[Token]) -> Option<String> {
    let named = |at: usize| at > 0 && tokens[at - 1] == Token::Mark('.');
    tokens.iter().enumerate().find_map(|(at, token)| match token {
        Token::Word(word) if WRITING.contains(&word.as_str()) && !named(at) => Some(word.clone()),
        _ => None,
    })
}

/// The word that a statement which is no query is known by.
fn main_word(tokens: &[Token]) -> String {
    let verb = match tokens.first() {
        Some(token) if is_word(token, &["WITH"]) => behind_tables(&tokens[1..]).and_then(<[_]>::first),
        first => first,
    };
    match verb {
        Some(Token::Word(word)) => word.clone(),
        Some(Token::Mark(mark)) => mark.to_string(),
        Some(Token::Quoted(_) | Token::Text) | None => "WITH".to_owned(),
    }
}

/// The main verb, behind opening parentheses and common table expressions, is a query's.
fn begins_as_query(tokens: &[Token]) -> bool {
    let opening = tokens.iter().take_while(|token| **token == Token::Mark('(')).count();
    let tokens = &tokens[opening..];
    match tokens.first() {
        Some(Token::Word(word)) if word == "WITH" => behind_tables(&tokens[1..]).is_some_and(begins_as_query),
        Some(token) => is_word(token, &["SELECT", "VALUES", "TABLE", "FROM"]),
        None => false,
    }
}

/// What follows `name [(columns)] … AS (query), …` after WITH.
fn behind_tables(tokens: &[Token]) -> Option<&[Token]> {
    let mut rest = tokens;
    loop {
        let mut depth = 0_u32;
        let is_as = |token: &Token| is_word(token, &["AS"]);
        let at = rest.windows(2).position(|pair| {
            match pair[0] {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && is_as(&pair[0]) && pair[1] == Token::Mark('(')
        })?;
        rest = behind_parentheses(&rest[at + 1..])?;
        match rest.split_first() {
            Some((Token::Mark(','), more)) => rest = more,
            _ => return Some(rest),
        }
    }
}

/// What follows the parenthesis that closes the first one.
fn behind_parentheses(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return tokens.get(at + 1..);
                }
            }
            _ => {}
        }
    }
    None
}

/// What is called that acts outside of the query.
fn reaches_out(tokens: &[Token]) -> Option<String> {
    tokens.windows(2).find_map(|pair| match (&pair[0], &pair[1]) {
        // Quoted or not, and behind a catalog and schema too, the last name before the parenthesis is the function's.
        (Token::Word(name) | Token::Quoted(name), Token::Mark('(')) => {
            (REACHING_OUT.contains(&name.as_str()) || name.starts_with("AI_")).then(|| name.to_lowercase())
        }
        // IDENTIFIER(:name)(…) calls a function that only the server knows.
        (Token::Mark(')'), Token::Mark('(')) => Some("IDENTIFIER".to_owned()),
        // TRANSFORM … USING 'program' runs a program; JOIN … USING takes parentheses. Between double quotes stands a string
        // too, unless the workspace has it otherwise, and a marker may stand for one.
        (Token::Word(word), Token::Text | Token::Quoted(_) | Token::Mark(':')) if word == "USING" => {
            Some("TRANSFORM".to_owned())
        }
        _ => None,
    })
}

fn is_balanced(tokens: &[Token]) -> bool {
    let mut depth = 0_i64;
    for token in tokens {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

fn is_word(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if words.contains(&word.as_str()))
}

#[cfg(test)]
mod tests;
