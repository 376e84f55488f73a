//! Operations that call each other: what is wrong is told where the call stands.

use crate::operations::Catalog;

use super::variables;

const LEAF: &str = "summary: s\nparameters: {n: {type: integer, required: true, max: 9}, note: {type: string}}\nsteps: [{id: a, job: {job: j}}]\n";

/// The problems of a folder with these files.
fn told(files: &[(&str, String)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, yaml) in files {
        std::fs::write(folder.path().join(format!("{name}.yaml")), yaml).unwrap();
    }
    let catalog = Catalog::load(folder.path(), &variables()).unwrap();
    catalog.diagnostics().iter().map(ToString::to_string).collect()
}

fn calls(what: &str) -> String {
    format!("summary: s\nsteps:\n  - id: call\n    operation: {what}\n")
}

fn each(what: &str) -> String {
    format!("summary: s\nsteps:\n  - id: call\n    for_each: {{in: [1, 2]}}\n    operation: {what}\n")
}

#[test]
fn a_call_that_fits_is_no_problem() {
    let good = calls("{name: leaf, parameters: {n: 3, note: \"{{ run.id }}\"}}");
    assert_eq!(told(&[("leaf", LEAF.into()), ("top", good)]), Vec::<String>::new());
}

#[test]
fn what_is_sensitive_goes_only_where_it_is_so_too() {
    let caller = |to: &str| {
        format!(
            "summary: s\nparameters: {{code: {{type: string, sensitive: true}}}}\nsteps:\n  - id: call\n    \
             operation: {{name: leaf, parameters: {{{to}: \"{{{{ parameters.code }}}}\"}}}}\n"
        )
    };
    let leaf = "summary: s\nparameters: {note: {type: string}, code: {type: string, sensitive: true}}\n\
                steps: [{id: a, assert: {that: 1 < 2, message: m}}]\n";
    assert_eq!(told(&[("leaf", leaf.into()), ("top", caller("code"))]), Vec::<String>::new());
    let refused = told(&[("leaf", leaf.into()), ("top", caller("note"))]);
    assert!(refused.len() == 1 && refused[0].contains("`leaf` does not declare `note` as one"), "{refused:?}");
}

#[test]
fn a_call_of_nobody_and_its_parameters_are_told_at_their_places() {
    let cases = [
        ("{name: leef}", "top.yaml:4:23: there is no operation `leef`; there are leaf"),
        ("{name: leaf}", "top.yaml:4:16: `leaf` needs the parameter `n`"),
        ("{name: leaf, parameters: {note: x}}", "top.yaml:4:41: `leaf` needs the parameter `n`"),
        ("{name: leaf, parameters: {n: 10}}", "top.yaml:4:45: parameter `n` must be at most 9"),
        ("{name: leaf, parameters: {n: 1, m: 2}}", "top.yaml:4:51: there is no parameter `m`; `leaf` takes n, note"),
    ];
    for (call, expected) in cases {
        assert_eq!(told(&[("leaf", LEAF.into()), ("top", calls(call))]), [expected], "{call}");
    }
}

#[test]
fn a_circle_is_told_in_each_operation_of_it_and_in_whoever_enters_it() {
    let files = [
        ("a", calls("{name: b}")),
        ("b", calls("{name: c}")),
        ("c", calls("{name: b}")),
        ("own", calls("{name: own}")),
        ("leaf", LEAF.into()),
    ];
    assert_eq!(
        told(&files),
        [
            "a.yaml:4:23: operations call each other in a circle: b → c → b",
            "b.yaml:4:23: operations call each other in a circle: b → c → b",
            "c.yaml:4:23: operations call each other in a circle: c → b → c",
            "own.yaml:4:25: operations call each other in a circle: own → own",
        ]
        .map(|told| told.replace("own.yaml:4:25", "own.yaml:4:23"))
    );
}

#[test]
fn runs_nest_three_deep_and_no_deeper() {
    let leaf = ("d", "summary: s\nsteps: [{id: a, job: {job: j}}]\n".to_owned());
    let three = [("a", calls("{name: b}")), ("b", calls("{name: c}")), ("c", calls("{name: d}")), leaf.clone()];
    assert_eq!(told(&three), Vec::<String>::new());
    // The run of an item is one more.
    let four = [("a", calls("{name: b}")), ("b", each("{name: c}")), ("c", calls("{name: d}")), leaf];
    assert_eq!(told(&four), ["a.yaml:4:23: runs would nest 4 deep here; at most 3"]);
}

#[test]
fn for_each_inside_for_each_is_refused_also_through_another_operation() {
    let inner = ("inner", "summary: s\nsteps: [{id: a, for_each: {in: [1]}, job: {job: j}}]\n".to_owned());
    let files = [("outer", each("{name: inner}")), inner];
    assert_eq!(told(&files), ["outer.yaml:5:23: `for_each` inside `for_each`: operation `inner` has one itself"]);
}
