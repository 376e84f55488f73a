//! What `disposition.rs` promises.

use rstest::rstest;

use super::Disposition::{ExternalLinks, Inline};
use super::*;
use crate::settings::SqlMode;

const LARGE: &str = "SELECT * FROM t";

fn sql(disposition: ResultDisposition) -> Sql {
    Sql {
        mode: SqlMode::ReadWrite,
        disposition,
        max_rows: None,
        max_bytes: None,
        concurrency: 1,
        streams: 1,
        result_budget: 1,
    }
}

#[rstest]
#[case::any_read(LARGE, None, None, ExternalLinks)]
#[case::a_small_read("SELECT 1", None, None, Inline)]
#[case::a_write("INSERT INTO t SELECT * FROM u", None, None, Inline)]
#[case::few_rows(LARGE, Some(1_000), None, Inline)]
#[case::more_rows(LARGE, Some(1_001), None, ExternalLinks)]
#[case::few_bytes(LARGE, None, Some(25 << 20), Inline)]
#[case::more_bytes(LARGE, None, Some((25 << 20) + 1), ExternalLinks)]
fn auto_goes_by_what_is_sure(
    #[case] statement: &str,
    #[case] rows: Option<u64>,
    #[case] bytes: Option<u64>,
    #[case] expected: Disposition,
) {
    let links = Links::default();
    assert_eq!(of(statement, None, rows, bytes, &sql(ResultDisposition::Auto), &links), expected);
}

#[test]
fn the_caller_goes_before_the_setting_and_the_setting_before_auto() {
    let links = Links::default();
    for (set, other) in [(ResultDisposition::Inline, ExternalLinks), (ResultDisposition::ExternalLinks, Inline)] {
        assert_eq!(of(LARGE, Some(other), None, None, &sql(set), &links), other);
        assert_ne!(of("SELECT 1", None, None, None, &sql(set), &links), other);
    }
    let ceiling = Sql { max_rows: Some(500), ..sql(ResultDisposition::Auto) };
    assert_eq!(of(LARGE, None, Some(100_000), None, &ceiling, &links), Inline);
}

#[tokio::test(start_paused = true)]
async fn blocked_links_are_tried_again_after_ten_minutes() {
    let links = Links::default();
    let auto = sql(ResultDisposition::Auto);
    links.block("No way to the storage account.");
    assert_eq!(of(LARGE, None, None, None, &auto, &links), Inline);
    assert_eq!(of(LARGE, Some(ExternalLinks), None, None, &auto, &links), ExternalLinks);
    tokio::time::advance(BLOCKED_FOR).await;
    assert_eq!(of(LARGE, None, None, None, &auto, &links), ExternalLinks);
}
