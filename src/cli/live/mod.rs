//! `causeway check --live`: who we are to each neighbour and what it lets us do, in one table, with a hint for each refusal.
//! What is asked is `probes.rs`. Nothing is changed, but for one entry of the ledger that is deleted again; no token and no
//! secret is ever printed.

mod identity;
mod probes;

use std::fmt::Write as _;

use super::check::Report;
use super::table::table;
use crate::app::Identities;
use crate::failure::Failure;
use crate::settings::Settings;

/// One question.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) neighbour: &'static str,
    pub(super) identity: String,
    /// What role assignments name, where it is known.
    pub(super) object_id: Option<String>,
    pub(super) asked: String,
    pub(super) answer: Answer,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// Granted.
    Yes(String),
    /// Neither: not asked, or nothing to be seen; with a hint or an empty text.
    Open(String, String),
    /// Refused, or not answered.
    No(Box<Failure>),
}

/// Asks everybody at once; the exit code is 1 when anything was refused or not answered.
pub(super) async fn run(settings: &Settings) -> Report {
    match Identities::new(settings) {
        Ok(identities) => report(&Box::pin(probes::all(settings, &identities)).await),
        Err(failure) => Report { text: format!("{}: {}\n", failure.code, failure.detail), exit_code: 1 },
    }
}

fn report(rows: &[Row]) -> Report {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| vec![row.neighbour.to_owned(), row.identity.clone(), row.asked.clone(), row.answer.word()])
        .collect();
    let mut text = table(&["NEIGHBOUR", "IDENTITY", "ASKED", "ANSWER"], &cells);
    for row in rows {
        let hint = row.hint();
        if !hint.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{}, {}: {}\n  {hint}\n", row.neighbour, row.asked, row.answer.word());
        }
    }
    let refused = rows.iter().filter(|row| matches!(row.answer, Answer::No(_))).count();
    let _ = writeln!(text, "\n{} asked, {refused} refused", rows.len());
    Report { text, exit_code: u8::from(refused > 0) }
}

impl Answer {
    fn word(&self) -> String {
        match self {
            Self::Yes(word) | Self::Open(word, _) => word.clone(),
            Self::No(failure) => match failure.upstream.as_ref().and_then(|upstream| upstream.status) {
                Some(status) => format!("no, {} ({status})", failure.code),
                None => format!("no, {}", failure.code),
            },
        }
    }
}

impl Row {
    fn hint(&self) -> String {
        match &self.answer {
            Answer::Yes(_) => String::new(),
            Answer::Open(_, hint) => hint.clone(),
            Answer::No(failure) => {
                // A right is missing: it is given to this id.
                let denied = matches!(failure.upstream.as_ref().and_then(|upstream| upstream.status), Some(401 | 403));
                let id = self.object_id.as_ref().filter(|_| denied);
                let id = id.map(|id| format!(" The identity's object id is {id}.")).unwrap_or_default();
                format!("{}{id}", failure.detail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    fn row(asked: &str, answer: Answer) -> Row {
        Row {
            neighbour: "Power BI",
            identity: "managed identity 1".to_owned(),
            object_id: Some("o-1".to_owned()),
            asked: asked.to_owned(),
            answer,
        }
    }

    #[test]
    fn what_is_granted_exits_with_0_and_says_no_more() {
        let report = report(&[row("list workspaces", Answer::Yes("2 seen".to_owned()))]);
        let text = "  NEIGHBOUR  IDENTITY            ASKED            ANSWER
  Power BI   managed identity 1  list workspaces  2 seen

1 asked, 0 refused
";
        assert_eq!(report, Report { text: text.to_owned(), exit_code: 0 });
    }

    #[test]
    fn a_refusal_has_its_hint_and_exits_with_1() {
        let failure = Failure::new(Code::PowerBiAccessDenied, "Ask the tenant.");
        let report = report(&[row("list workspaces", Answer::No(Box::new(failure)))]);
        assert_eq!(report.exit_code, 1);
        let hint = "\nPower BI, list workspaces: no, power-bi-access-denied\n  Ask the tenant.\n\n1 asked, 1 refused\n";
        assert!(report.text.ends_with(hint), "{}", report.text);
    }
}
