//! `docs/error-codes.md`, written from the table of codes. Run `causeway error-codes > docs/error-codes.md`.

use std::fmt::Write as _;

use super::row;
use crate::failure::Code;

const HEAD: &str = "\
<!-- Generated: `cargo run -- error-codes > docs/error-codes.md`. Edit src/triggers/problem/table.rs instead. -->

# Error codes

Every failed call answers JSON with the members of RFC 9457 and a stable `code`:

| member                    | what it holds                                                                           |
| ------------------------- | --------------------------------------------------------------------------------------- |
| `type`                    | `urn:causeway:error:{code}`: a name, not an address; see the code's section below       |
| `title`, `status`, `code` | as in the table below                                                                   |
| `detail`, `message`       | what happened and what to do, in words; both hold the same, since flows show `message`  |
| `requestId`               | the id of the call, also in the header `x-request-id` and on every log line of the call |
| `runId`, `step`           | the run and the step that failed                                                        |
| `upstream`                | `{service, status, code, requestId}` of the neighbour that refused                      |
| `sqlState`, `errorClass`  | what Databricks says of a failed statement                                              |
| `retryAfterSeconds`       | when to try again; also in the header `Retry-After`; always there on 429 and 503        |
| `place`                   | the field, parameter, header or line at fault                                           |
| `claims`                  | of `claims-challenge`: what the user's next token must say, as JSON text                |

The media type is `application/json`; `application/problem+json` when `Accept` names it. Once an effect may have
happened the answer is never 408, 429 or 5xx, since callers send those again: it is 409 `outcome-unknown`.

";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let width = Code::ALL.iter().map(|code| link(*code).len()).max().unwrap_or(0);
    let title_width = Code::ALL.iter().map(|code| row(*code).title.len()).max().unwrap_or(0);
    // Writing to a String cannot fail.
    let _ = writeln!(page, "| {:<width$} | status | {:<title_width$} |", "code", "title");
    let _ = writeln!(page, "| {:-<width$} | ------ | {:-<title_width$} |", "", "");
    for code in Code::ALL {
        let row = row(*code);
        let _ = writeln!(page, "| {:<width$} | {:<6} | {:<title_width$} |", link(*code), row.status, row.title);
    }
    for code in Code::ALL {
        let row = row(*code);
        let _ = write!(page, "\n## {code}\n\n{}. Status {}.\n\n", row.title, row.status);
        let _ = write!(page, "- **Maker:** {}\n- **Operator:** {}\n", row.maker, row.operator);
    }
    page
}

fn link(code: Code) -> String {
    format!("[`{code}`](#{code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_table() {
        let kept = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/error-codes.md"));
        assert!(
            kept == page(),
            "docs/error-codes.md is stale: run `cargo run -- error-codes > docs/error-codes.md` and commit it"
        );
    }
}
