//! What `route.rs` promises.

use super::super::FUNCTIONS;
use super::*;

fn found(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
    find(FUNCTIONS, method, path).ok().map(|found| (found.route.path, found.parts))
}

#[test]
fn parts_are_decoded_and_fixed_segments_compare_without_case() {
    let (path, parts) = found("POST", "/api/JOBS/Nightly%20load%2Feu/runs").unwrap();
    assert_eq!((path, parts), ("/api/jobs/{job}/runs", vec!["Nightly load/eu".to_owned()]));
}

#[test]
fn path_tricks_find_nothing() {
    for path in [
        "/api/sql//statements",
        "/api/sql/statements/",
        "/api/sql/statements/..",
        "/api/sql/statements/%2e%2E",
        "/api/sql/statements/..%2fsecrets",
        "/api/sql/statements/..%5Csecrets",
        "/api/sql/statements/a%00b",
        "/api/sql/statements/%ff",
        "api/sql/statements/1",
    ] {
        assert!(matches!(find(FUNCTIONS, "GET", path), Err(Missed::Path)), "{path}");
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    match find(FUNCTIONS, "PUT", "/api/operations/refresh-sales") {
        Err(Missed::Method(allowed)) => assert_eq!(allowed, "GET, POST"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_run_is_not_taken_for_the_runs_of_a_job() {
    assert_eq!(found("GET", "/api/jobs/runs/7").unwrap().0, "/api/jobs/runs/{id}");
    assert_eq!(found("POST", "/api/jobs/7/runs").unwrap().0, "/api/jobs/{job}/runs");
}
