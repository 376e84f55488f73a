//! Telling a read from a write by its words. Anything that is not surely a read is a write. The words come from
//! `lexer.rs`; what is done with the answer (sending again, claims) is not decided here.
//!
//! A user's own function is taken for a read: it cannot write to tables, and the engine itself may call it again for
//! the same row. The built-in functions that reach outside
//! (`http_request`, `ai_query`, `remote_query`, `reflect`, …) make a SELECT a write, since sending it twice may act twice.

use super::lexer::{Token, tokens};

/// Words that make a write of what begins like a query (`FROM s INSERT INTO t …`). None of them belongs in a query, but
/// for a column or alias of that name, which then costs no more than a retry that is not made.
const WRITING: &[&str] =
    &["INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "OVERWRITE", "CREATE", "DROP", "ALTER", "TRUNCATE"];

/// Built-in functions that act outside of the query: over HTTP, in another database, in the JVM, or at a model.
const REACHING_OUT: &[&str] =
    &["HTTP_REQUEST", "REMOTE_QUERY", "REFLECT", "TRY_REFLECT", "JAVA_METHOD", "VECTOR_SEARCH"];

/// True only for one statement that surely changes nothing: SELECT, VALUES, TABLE, FROM, SHOW, DESCRIBE, EXPLAIN, or
/// WITH that ends in one of the first four, with nothing after it.
pub fn is_surely_a_read(sql: &str) -> bool {
    let Some(mut tokens) = tokens(sql) else { return false };
    if tokens.last() == Some(&Token::Mark(';')) {
        tokens.pop();
    }
    if tokens.contains(&Token::Mark(';')) || !is_balanced(&tokens) {
        return false;
    }
    match tokens.first() {
        Some(Token::Word(word)) => match word.as_str() {
            "SHOW" | "DESCRIBE" | "DESC" => true,
            // Explaining runs nothing, whatever is explained; ANALYZE, where a dialect has it, would run it.
            "EXPLAIN" => !matches!(tokens.get(1), Some(Token::Word(second)) if second == "ANALYZE"),
            _ => is_query(&tokens),
        },
        Some(Token::Mark('(')) => is_query(&tokens),
        _ => false,
    }
}

fn is_query(tokens: &[Token]) -> bool {
    begins_as_query(tokens) && !tokens.iter().any(|token| is_word(token, WRITING)) && !reaches_out(tokens)
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

fn reaches_out(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| match (&pair[0], &pair[1]) {
        // Quoted or not, and behind a catalog and schema too, the last name before the parenthesis is the function's.
        (Token::Word(name) | Token::Quoted(name), Token::Mark('(')) => {
            REACHING_OUT.contains(&name.as_str()) || name.starts_with("AI_")
        }
        // IDENTIFIER(:name)(…) calls a function that only the server knows.
        (Token::Mark(')'), Token::Mark('(')) => true,
        // TRANSFORM … USING 'program' runs a program; JOIN … USING takes parentheses.
        (Token::Word(word), Token::Text) => word == "USING",
        _ => false,
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
