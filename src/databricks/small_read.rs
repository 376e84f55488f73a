//! Telling a read with a small result by its words. Nothing depends on being right: what proves too large for an answer
//! is read again behind links. Whether it is a read at all is `statement_kind.rs`.

use super::is_surely_a_read;
use super::lexer::{Token, tokens};

/// Rows that are taken to fit in one answer.
const FEW: u64 = 1_000;

/// Functions that make many rows, or much of one cell, out of nothing.
const MAKING_MORE: &[&str] = &[
    "EXPLODE",
    "EXPLODE_OUTER",
    "POSEXPLODE",
    "POSEXPLODE_OUTER",
    "INLINE",
    "INLINE_OUTER",
    "STACK",
    "VARIANT_EXPLODE",
    "VARIANT_EXPLODE_OUTER",
    "SEQUENCE",
    "ARRAY_REPEAT",
    "REPEAT",
    "SPACE",
    "LPAD",
    "RPAD",
    "RECURSIVE",
];

/// True for SHOW, DESCRIBE and EXPLAIN, for a query that reads from nowhere, and for one that ends in `LIMIT n` with
/// `n` of at most 1,000.
pub fn is_surely_small_read(sql: &str) -> bool {
    if !is_surely_a_read(sql) {
        return false;
    }
    let Ok(mut tokens) = tokens(sql) else { return false };
    if tokens.last() == Some(&Token::Mark(';')) {
        tokens.pop();
    }
    let describes = tokens.first().is_some_and(|first| is_one_of(first, &["SHOW", "DESCRIBE", "DESC", "EXPLAIN"]));
    describes || is_limited(&tokens) || reads_from_nowhere(&tokens)
}

/// The tail belongs to the whole query: what stands in parentheses ends with one.
fn is_limited(tokens: &[Token]) -> bool {
    let tail = match tokens {
        [before @ .., offset, Token::Word(rows)] if is_one_of(offset, &["OFFSET"]) && is_number(rows) => before,
        all => all,
    };
    matches!(tail, [.., limit, Token::Word(rows)]
        if is_one_of(limit, &["LIMIT"]) && is_number(rows) && rows.parse().is_ok_and(|rows: u64| rows <= FEW))
}

fn reads_from_nowhere(tokens: &[Token]) -> bool {
    !tokens.iter().any(|token| is_one_of(token, &["FROM", "TABLE"]) || is_one_of(token, MAKING_MORE))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if words.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("SELECT 1")]
    #[case("select 1 as a, 'FROM t' as b;")]
    #[case("VALUES (1), (2)")]
    #[case("SHOW TABLES IN main.sales")]
    #[case("DESCRIBE TABLE t")]
    #[case("EXPLAIN SELECT * FROM t")]
    #[case("SELECT * FROM t LIMIT 1000")]
    #[case("SELECT * FROM t ORDER BY a LIMIT 10 OFFSET 5000 -- the sixth page")]
    #[case("(SELECT * FROM t) UNION ALL (SELECT * FROM u) LIMIT 10")]
    fn these_are_small(#[case] sql: &str) {
        assert!(is_surely_small_read(sql), "{sql}");
    }

    #[rstest]
    #[case::any_table("SELECT * FROM t")]
    #[case::a_large_limit("SELECT * FROM t LIMIT 1001")]
    #[case::an_inner_limit("SELECT * FROM (SELECT * FROM t LIMIT 10) JOIN u")]
    #[case::an_inner_limit_at_the_end("SELECT * FROM u JOIN (SELECT * FROM t LIMIT 10)")]
    #[case::a_bound_limit("SELECT * FROM t LIMIT :n")]
    #[case::every_row("SELECT * FROM t LIMIT ALL")]
    #[case::a_column_named_limit("SELECT limit FROM t WHERE limit = 10")]
    #[case::a_table("TABLE t")]
    #[case::rows_out_of_nothing("SELECT explode(sequence(1, 100000000))")]
    #[case::a_write("INSERT INTO t VALUES (1)")]
    #[case::two("SELECT 1; SELECT 2")]
    fn these_may_be_large(#[case] sql: &str) {
        assert!(!is_surely_small_read(sql), "{sql}");
    }
}
