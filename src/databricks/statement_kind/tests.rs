//! Reads, writes and everything that only looks like a read.

use proptest::prelude::*;

use super::is_surely_a_read;

#[rstest::rstest]
#[case("SELECT 1")]
#[case("  select * from t where a = 'INSERT INTO x; DROP' ; ")]
#[case("-- first\nSELECT 1 /* done; */ ; -- the end")]
#[case("/*+ BROADCAST(t) */ SELECT /*+ REPARTITION(3) */ a FROM t")]
#[case("SELECT 'it''s', \"two\", 'a\\'; DELETE FROM t', r'C:\\' AS path")]
#[case("SELECT `delete`, `a``;b` FROM `drop`.`t`")]
#[case("SELECT * FROM t WHERE id = :id AND n > 1e5 AND j:a.b[0]::int = 3")]
#[case("VALUES (1, 'a'), (2, 'b')")]
#[case("TABLE main.default.t")]
#[case("(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1")]
#[case("((SELECT 1))")]
#[case("FROM t SELECT a")]
#[case("FROM t |> WHERE a > 1 |> SELECT a")]
#[case("WITH a AS (SELECT 1), b (x, y) AS (SELECT 1, 2) SELECT * FROM a, b")]
#[case("WITH RECURSIVE r(n) MAX RECURSION LEVEL 5 AS (VALUES (1) UNION ALL SELECT n + 1 FROM r) SELECT * FROM r")]
#[case("(WITH a AS (SELECT 1) SELECT * FROM a)")]
#[case("SHOW CREATE TABLE t")]
#[case("SHOW TABLES IN main.default")]
#[case("DESC TABLE EXTENDED t")]
#[case("describe history t")]
#[case("EXPLAIN FORMATTED INSERT INTO t VALUES (1)")]
#[case("SELECT transform(a, x -> x + 1) FROM t JOIN u USING (id)")]
#[case("SELECT * FROM größe")]
fn these_are_surely_reads(#[case] sql: &str) {
    assert!(is_surely_a_read(sql), "{sql}");
}

#[rstest::rstest]
#[case("")]
#[case(";")]
#[case("-- SELECT 1")]
#[case("INSERT INTO t SELECT 1")]
#[case("SELECT 1; DELETE FROM t")]
#[case("SELECT 1;;")]
#[case("SELECT 1; SELECT 2")]
#[case("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a")]
#[case("WITH a AS (SELECT ')') MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE")]
#[case("WITH a AS (SELECT 1)")]
#[case("WITH SELECT 1")]
#[case("FROM s INSERT INTO a SELECT * INSERT OVERWRITE b SELECT *")]
#[case("SELECT * INTO t2 FROM t")]
#[case("SELECT 'open FROM t")]
#[case("SELECT `open FROM t")]
#[case("SELECT 1 /* open")]
#[case("SELECT 1 /* /* */ ; DELETE FROM t; /* */ */")]
#[case("SELECT 1 -- \\\n/*\n; DELETE FROM t -- */")]
#[case("SELECT 1 /* /* */ 'x */ ; DELETE FROM t -- '")]
#[case("SELECT 1 -- \\\n; DELETE FROM t")]
#[case("SELECT \"a\\\"; DELETE FROM t; --\"")]
#[case("SELECT 1\u{a0}; DELETE FROM t")]
#[case("SELECT $$ ; DELETE FROM t; $$")]
#[case("SELECT (1")]
#[case("SELECT 1)")]
#[case("EXPLAIN SELECT 1; DROP TABLE t")]
#[case("EXPLAIN ANALYZE INSERT INTO t VALUES (1)")]
#[case("BEGIN SELECT 1; END")]
#[case("EXECUTE IMMEDIATE 'SELECT 1'")]
#[case("CALL p()")]
#[case("SET x = 1")]
#[case("USE main")]
#[case("REFRESH TABLE t")]
#[case("CACHE SELECT * FROM t")]
#[case("OPTIMIZE t")]
#[case("SELECT http_request(conn => 'c', method => 'POST')")]
#[case("SELECT `HTTP_Request` (conn => 'c')")]
#[case("SELECT ai_query('m', 'p')")]
#[case("SELECT reflect('java.lang.System', 'exit')")]
#[case("SELECT IDENTIFIER(:f)(1)")]
#[case("SELECT * FROM remote_query('c', query => 'DELETE FROM t')")]
#[case("SELECT TRANSFORM (a) USING 'rm -rf /' FROM t")]
#[case("SELECT TRANSFORM (a) USING \"rm -rf /\" FROM t")]
#[case("FROM t MAP a USING :program")]
#[case("r'SELECT 1'")]
fn these_are_not(#[case] sql: &str) {
    assert!(!is_surely_a_read(sql), "{sql}");
}

const VERBS: &[&str] = &[
    "INSERT INTO t VALUES (1)",
    "INSERT OVERWRITE t SELECT 1",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "CREATE TABLE t (a INT)",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMN b INT",
    "TRUNCATE TABLE t",
    "COPY INTO t FROM 's'",
    "OPTIMIZE t",
    "VACUUM t",
    "GRANT SELECT ON t TO u",
    "REVOKE SELECT ON t FROM u",
    "RESTORE TABLE t TO VERSION AS OF 1",
    "CALL p()",
    "REPLACE TABLE t AS SELECT 1",
    "REFRESH TABLE t",
    "SET a = 1",
    "USE c",
    "ANALYZE TABLE t COMPUTE STATISTICS",
    "MSCK REPAIR TABLE t",
    "COMMENT ON TABLE t IS 'x'",
    "CACHE TABLE t",
    "DECLARE x INT",
    "EXECUTE IMMEDIATE 'x'",
    "BEGIN SELECT 1; END",
    "UNDROP TABLE t",
    "SYNC TABLE a FROM b",
    "LOAD DATA INPATH 'x' INTO TABLE t",
];

/// What may stand before a statement without changing it.
fn blank() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just(" ".to_owned()),
            Just("\n\t".to_owned()),
            "--[a-z '\"`;(]{0,10}\n",
            "/\\*[a-z '\"`;(]{0,10}\\*/",
        ],
        0..4,
    )
    .prop_map(|parts| parts.concat())
}

/// Strings, names and comments that try to hide what follows them.
fn noise() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            "'([a-zA-Z;\"` -]|\\\\.|'')*'",
            "`[a-zA-Z;\"' -]*`",
            "\"[a-zA-Z;'` -]*\"",
            "[rR]'[a-zA-Z;\\\\\"-]*'",
            "--[a-zA-Z;'\"`]*\n",
            "/\\*[a-zA-Z;'\"` ]*\\*/",
            "[a-z0-9_]{1,6}",
            Just(",".to_owned()),
        ],
        0..6,
    )
    .prop_map(|parts| parts.join(" "))
}

fn any_case(sql: &str, seed: u64) -> String {
    let flip = |at: usize| seed >> (at % 64) & 1 == 1;
    sql.char_indices().map(|(at, letter)| if flip(at) { letter.to_ascii_lowercase() } else { letter }).collect()
}

proptest! {
    #[test]
    fn no_statement_whose_main_verb_writes_is_a_read(
        before in blank(), verb in prop::sample::select(VERBS), seed: u64, behind in blank(),
    ) {
        let sql = format!("{before}{}{behind}", any_case(verb, seed));
        prop_assert!(!is_surely_a_read(&sql), "{sql}");
    }

    #[test]
    fn no_write_behind_common_tables_is_a_read(
        names in prop::collection::vec("[a-z]{1,5}", 1..3), hidden in noise(), verb in 0..5_usize, seed: u64,
    ) {
        let tables: Vec<String> = names.iter().map(|name| format!("{name} AS (SELECT {hidden})")).collect();
        let sql = format!("WITH {} {}", tables.join(", "), any_case(VERBS[verb], seed));
        prop_assert!(!is_surely_a_read(&sql), "{sql}");
    }

    #[test]
    fn no_second_statement_hides_behind_a_read(hidden in noise(), verb in prop::sample::select(VERBS), seed: u64) {
        let sql = format!("SELECT {hidden} ; {}", any_case(verb, seed));
        prop_assert!(!is_surely_a_read(&sql), "{sql}");
    }

    #[test]
    fn quoted_words_never_make_a_write(word in prop::sample::select(VERBS)) {
        let word = word.replace('\'', "\\'");
        let sql = format!("SELECT '{word}' AS `{word}` FROM t");
        prop_assert!(is_surely_a_read(&sql), "{sql}");
    }

    #[test]
    fn any_text_gets_an_answer(sql in ".*") {
        let _ = is_surely_a_read(&sql);
    }
}
