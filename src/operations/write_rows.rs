//! The operation behind rows that a caller hands over: one step a batch. No file declares it; its text is the list of
//! batches, which a run pins as it pins any other definition.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Definition, Diagnostic, Entry, Operation, RunAs, Step, StepKind, Template, WriteRowsStep};

/// No file's name: those hold no underscore.
const NAME: &str = "write_rows";

/// The operation for batches with these first and last rows.
pub fn entry(batches: &[(u64, u64)]) -> Entry {
    let text = batches.iter().fold(String::new(), |mut text, (first, last)| {
        let _ = writeln!(text, "{first} {last}");
        text
    });
    let definition = Definition { name: NAME.to_owned(), yaml: text, files: BTreeMap::new() };
    let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
    Entry { definition, operation }
}

/// `None` when the definition is another.
pub(super) fn read(definition: &Definition) -> Option<Result<Operation, Vec<Diagnostic>>> {
    (definition.name == NAME).then(|| {
        let batches: Option<Vec<(u64, u64)>> = definition.yaml.lines().map(batch).collect();
        batches.filter(|batches| !batches.is_empty()).map(|batches| operation(&batches)).ok_or_else(|| {
            let message = "the list of batches cannot be read".to_owned();
            vec![Diagnostic { file: NAME.to_owned(), line: 1, column: 1, message }]
        })
    })
}

fn batch(line: &str) -> Option<(u64, u64)> {
    let (first, last) = line.split_once(' ')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The id names the rows, since it stands in every failure.
fn step_id((first, last): (u64, u64)) -> String {
    format!("rows_{first}_to_{last}")
}

fn operation(batches: &[(u64, u64)]) -> Operation {
    let step = |(batch, rows): (usize, &(u64, u64))| {
        let kind = StepKind::WriteRows(WriteRowsStep { batch, batches: batches.len(), rows: *rows });
        Step::plain(step_id(*rows), kind)
    };
    Operation {
        name: NAME.to_owned(),
        summary: "Write rows".to_owned(),
        description: None,
        run_as: RunAs::App,
        schedule: None,
        events: Vec::new(),
        parameters: Vec::new(),
        steps: batches.iter().enumerate().map(step).collect(),
        on_failure: Vec::new(),
        concurrency: None,
        // Each batch counts on from the one before it, so the last has the sums.
        output: batches.last().map(|last| Template::step(&step_id(*last), NAME)),
        variables: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_list_of_batches_reads_back_to_the_same_steps() {
        let entry = entry(&[(1, 4000), (4001, 5000)]);
        let operation = entry.definition.parse(&BTreeMap::new()).unwrap();
        let ids: Vec<_> = operation.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["rows_1_to_4000", "rows_4001_to_5000"]);
        let StepKind::WriteRows(last) = &operation.steps[1].kind else { panic!("another kind") };
        assert_eq!((last.batch, last.batches, last.rows), (1, 2, (4001, 5000)));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_an_error_and_no_operation_without_steps() {
        for text in ["", "1", "1 x", "1 2\n\n"] {
            let definition = Definition { name: NAME.into(), yaml: text.into(), files: BTreeMap::new() };
            assert!(definition.parse(&BTreeMap::new()).is_err(), "{text:?}");
        }
    }
}
