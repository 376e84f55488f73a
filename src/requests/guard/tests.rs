//! What each mode lets through.

use super::*;
use crate::settings::ResultDisposition;

fn sql(mode: SqlMode) -> Sql {
    Sql {
        mode,
        disposition: ResultDisposition::Auto,
        max_rows: None,
        max_bytes: None,
        concurrency: 2,
        streams: 1,
        result_budget: 1,
    }
}

fn refusal(statement: &str, mode: SqlMode) -> Option<String> {
    match allowed(statement, &sql(mode)) {
        Ok(()) => None,
        Err(failure) => {
            assert_eq!((failure.code, failure.place.as_deref()), (Code::StatementNotAllowed, Some("statement")));
            Some(failure.detail)
        }
    }
}

#[rstest::rstest]
#[case("SELECT 1")]
#[case("select * from t where a = 'DROP TABLE t; --';")]
#[case("-- DELETE\nSELECT 1 /* ; DROP TABLE t */")]
#[case("WITH a AS (SELECT 1) SELECT * FROM a")]
#[case("VALUES (1)")]
#[case("TABLE t")]
#[case("FROM t |> WHERE a > 1")]
#[case("SHOW TABLES IN main.sales")]
#[case("DESCRIBE HISTORY t")]
#[case("EXPLAIN DELETE FROM t")]
#[case("EXPLAIN EXTENDED WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a")]
#[case("SELECT `update`, t.delete, replace(a, 'x', 'y') FROM t")]
#[case("SELECT main.tools.clean(a) FROM t")]
fn reads_are_allowed_in_both_modes(#[case] statement: &str) {
    assert_eq!(refusal(statement, SqlMode::ReadOnly), None);
    assert_eq!(refusal(statement, SqlMode::ReadWrite), None);
}

#[rstest::rstest]
#[case("INSERT INTO t VALUES (1)", "INSERT")]
#[case("/* SELECT */ delete from t", "DELETE")]
#[case("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "INSERT")]
#[case("WITH a AS (DELETE FROM t) SELECT 1", "DELETE")]
#[case("FROM s INSERT INTO a SELECT * INSERT INTO b SELECT *", "INSERT")]
#[case("FROM s \u{131}n\u{17f}ert \u{131}nto a SELECT *", "INSERT")]
#[case("(SELECT 1) INSERT INTO t VALUES (1)", "INSERT")]
#[case("SELECT * INTO a FROM t", "INTO")]
#[case("SELECT update FROM t", "backticks")]
#[case("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "MERGE")]
#[case("CREATE TABLE t (a INT)", "CREATE")]
#[case("REPLACE TABLE t AS SELECT 1", "REPLACE")]
#[case("COPY INTO t FROM 's3://x'", "COPY")]
#[case("GRANT SELECT ON t TO u", "GRANT")]
#[case("OPTIMIZE t", "OPTIMIZE")]
#[case("USE CATALOG main", "`catalog` and `schema`")]
#[case("SET x = 1", "`parameters`")]
#[case("DECLARE x INT", "`parameters`")]
#[case("CALL p()", "CALL")]
#[case("EXECUTE IMMEDIATE 'DROP TABLE t'", "EXECUTE")]
#[case("EXPLAIN EXECUTE IMMEDIATE 'DROP TABLE t'", "EXPLAIN EXECUTE")]
#[case("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE")]
#[case("EXPLAIN SELECT http_request(conn => 'c', method => 'POST')", "http_request")]
#[case("SELECT http_request(conn => 'c', method => 'POST')", "http_request")]
#[case("SELECT * FROM remote_query('c', query => 'DELETE FROM t')", "remote_query")]
#[case("SELECT ai_query('model', 'text')", "ai_query")]
#[case("SELECT java_method('java.lang.System', 'exit', 1)", "java_method")]
#[case("SELECT IDENTIFIER(:f)(1)", "IDENTIFIER")]
#[case("SELECT TRANSFORM (a) USING 'sh' FROM t", "TRANSFORM")]
#[case("SELECT 1 /* open", "line 1, column 10")]
#[case("SELECT 1\n  , 'open", "line 2, column 5")]
#[case("SELECT /* /* */ */ 1", "a comment within a comment")]
#[case("SELECT \"a\\\"\"", "backslash")]
#[case("SELECT\u{a0}1", "outside of ASCII")]
#[case("SELECT (1", "parentheses")]
fn what_is_not_surely_a_read_is_refused_by_name_unless_writes_are_allowed(#[case] statement: &str, #[case] says: &str) {
    let detail = refusal(statement, SqlMode::ReadOnly).expect(statement);
    assert!(detail.contains(says), "{detail}");
    assert!(detail.contains("CAUSEWAY_SQL_MODE"), "{detail}");
    assert_eq!(refusal(statement, SqlMode::ReadWrite), None);
}

#[rstest::rstest]
#[case("SELECT 1; SELECT 2")]
#[case("INSERT INTO t VALUES (1); DELETE FROM t")]
#[case("SELECT 1;;")]
#[case("SELECT 1; BEGIN SELECT 1; END")]
fn one_call_runs_one_statement_in_every_mode(#[case] statement: &str) {
    for mode in [SqlMode::ReadOnly, SqlMode::ReadWrite] {
        assert!(refusal(statement, mode).expect(statement).contains("One call runs one statement"));
    }
}

#[rstest::rstest]
#[case("BEGIN INSERT INTO t VALUES (1); UPDATE t SET a = 2; END")]
#[case("BEGIN\n  DECLARE n INT DEFAULT 1;\n  IF n > 0 THEN DELETE FROM t; END IF;\nEND;")]
#[case("CREATE PROCEDURE p() LANGUAGE SQL AS BEGIN SELECT 1; SELECT 2; END")]
fn a_script_is_one_statement_and_a_write(#[case] statement: &str) {
    assert!(refusal(statement, SqlMode::ReadOnly).is_some());
    assert_eq!(refusal(statement, SqlMode::ReadWrite), None);
}

#[test]
fn when_it_is_off_nothing_runs() {
    let failure = allowed("SELECT 1", &sql(SqlMode::Off)).unwrap_err();
    assert_eq!(failure.code, Code::StatementNotAllowed);
    assert!(failure.detail.contains("CAUSEWAY_SQL_MODE=off"), "{}", failure.detail);
}

#[test]
fn comments_alone_are_no_statement() {
    assert_eq!(allowed("-- nothing", &sql(SqlMode::ReadWrite)).unwrap_err().code, Code::BodyInvalid);
}

#[test]
fn a_call_without_a_place_may_come_again_when_one_is_free() {
    let places = Places::new(1);
    let first = places.take().unwrap();
    let refused = places.take().unwrap_err();
    assert_eq!((refused.code, refused.retry_after_seconds), (Code::TooManyCalls, Some(2)));
    drop(first);
    assert!(places.take().is_ok());
}
