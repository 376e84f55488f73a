//! Which names an expression may use at its place, checked when the file is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::Context;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::compile::ENVIRONMENT;
use super::functions;

/// What an expression at some place of the file may name.
#[derive(Clone, Debug, Default)]
pub(in crate::operations) struct Names {
    pub(in crate::operations) parameters: BTreeSet<String>,
    pub(in crate::operations) sensitive: BTreeSet<String>,
    /// Whether what stands here is told to others: no sensitive parameter may be named.
    pub(in crate::operations) told: bool,
    /// Parameters that become timestamps.
    pub(in crate::operations) dates: Arc<BTreeSet<String>>,
    /// Steps that are done by then.
    pub(in crate::operations) steps: BTreeSet<String>,
    /// Steps that exist and are not.
    pub(in crate::operations) later: BTreeSet<String>,
    pub(in crate::operations) variables: BTreeSet<String>,
    /// Whether a parameter or step may be named at all: a schedule sees neither.
    pub(in crate::operations) schedule: bool,
    /// Whether `event` is there: only in `events`, which see no more than a schedule otherwise.
    pub(in crate::operations) event: bool,
    /// Whether `run.error` is there: only in `on_failure`.
    pub(in crate::operations) failed: bool,
    /// Whether `item` and `item_index` are there: only in a step with `for_each`.
    pub(in crate::operations) item: bool,
    /// Whether `result` is there: only in `until` of `wait_for`.
    pub(in crate::operations) result: bool,
}

/// CEL's own words, which cannot be names of parameters or steps.
pub(in crate::operations) const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

const RUN: &[&str] = &["id", "operation", "startTime", "dueTime"];

#[derive(Debug, Default)]
pub(super) struct Found {
    /// Offset in characters, and what is wrong.
    pub(super) problems: Vec<(usize, String)>,
    pub(super) needs: BTreeMap<String, Option<BTreeSet<String>>>,
}

struct Walk<'a> {
    places: &'a SourceInfo,
    names: &'a Names,
    bound: Vec<String>,
    /// Loops around this place.
    loops: usize,
    found: Found,
}

/// Loops within loops. A step keeps up to 1,000 rows, so that a third would take as many steps as nobody waits for.
const MOST_LOOPS: usize = 2;

pub(super) fn check(tree: &IdedExpr, places: &SourceInfo, names: &Names) -> Found {
    let mut walk = Walk { places, names, bound: Vec::new(), loops: 0, found: Found::default() };
    walk.expression(tree);
    walk.found
}

impl Walk<'_> {
    fn problem(&mut self, id: u64, message: String) {
        let offset = self.places.offset_for(id).map_or(0, |(start, _)| usize::try_from(start).unwrap_or(0));
        self.found.problems.push((offset, message));
    }

    fn expression(&mut self, tree: &IdedExpr) {
        match &tree.expr {
            Expr::Ident(name) => self.root(tree.id, name, None),
            Expr::Select(select) => self.member(&select.operand, &select.field),
            Expr::Call(call) => {
                if call.target.is_none() {
                    self.function(tree.id, &call.func_name);
                }
                if call.func_name == operators::INDEX
                    && let [of, index] = call.args.as_slice()
                    && let Expr::Literal(LiteralValue::String(name)) = &index.expr
                {
                    self.member(of, name.inner());
                    return;
                }
                if let Some(target) = &call.target {
                    self.expression(target);
                }
                call.args.iter().for_each(|argument| self.expression(argument));
            }
            Expr::Comprehension(comprehension) => self.comprehension(tree.id, comprehension),
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(fields) => {
                self.problem(tree.id, format!("there is no type `{}`", fields.type_name));
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key);
                self.expression(&entry.value);
            }
        }
    }

    fn comprehension(&mut self, id: u64, comprehension: &ComprehensionExpr) {
        self.expression(&comprehension.iter_range);
        self.expression(&comprehension.accu_init);
        let before = self.bound.len();
        self.bound.push(comprehension.iter_var.clone());
        self.bound.extend(comprehension.iter_var2.clone());
        self.bound.push(comprehension.accu_var.clone());
        self.loops += 1;
        if self.loops > MOST_LOOPS {
            self.problem(id, format!("loops nest deeper than {MOST_LOOPS} here"));
        }
        self.expression(&comprehension.loop_cond);
        self.expression(&comprehension.loop_step);
        self.loops -= 1;
        self.expression(&comprehension.result);
        self.bound.truncate(before);
    }

    fn member(&mut self, of: &IdedExpr, member: &str) {
        match &of.expr {
            Expr::Ident(root) => self.root(of.id, root, Some(member)),
            _ => self.expression(of),
        }
    }

    fn function(&mut self, id: u64, name: &str) {
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || functions::FILTERS.contains(&name) {
            return;
        }
        // A name that cannot be added is one that CEL has already.
        let free = Context::with_env(Arc::clone(&ENVIRONMENT)).add_function(name, || true).is_ok();
        if free {
            self.problem(id, format!("there is no function `{name}`"));
        }
    }

    fn root(&mut self, id: u64, root: &str, member: Option<&str>) {
        if root.starts_with('@') || self.bound.iter().any(|bound| bound == root) {
            return;
        }
        let root = root.trim_start_matches('.');
        let names = self.names;
        let problem = match (root, member) {
            ("event", _) if names.event => None,
            ("event", _) => Some("`event` exists only in `events`; hand what you need over as a parameter".to_owned()),
            ("run", Some("dueTime")) if names.event => Some("only a schedule has `run.dueTime`".to_owned()),
            ("parameters" | "steps", _) if names.event => {
                Some(format!("`events` see `event`, `run` and `variables`, not `{root}`"))
            }
            ("parameters" | "steps", _) if names.schedule => {
                Some(format!("a schedule sees `run` and `variables`, not `{root}`"))
            }
            ("parameters", name) if names.told && hides(names, name) => Some(
                "a sensitive parameter may not be told: not in `output`, a message or a key of `concurrency`"
                    .to_owned(),
            ),
            ("parameters", Some(name)) => unknown("parameter", name, &names.parameters),
            ("variables", Some(name)) => unknown("variable", name, &names.variables)
                .map(|message| format!("{message}; set CAUSEWAY_VAR_{}", name.to_ascii_uppercase())),
            ("steps", Some(name)) if names.later.contains(name) => {
                Some(format!("step `{name}` comes later, or is this one"))
            }
            ("steps", Some(name)) => unknown("step", name, &names.steps),
            ("run", Some("error")) if !names.failed => Some("`run.error` exists only in on_failure".to_owned()),
            ("run", Some(name)) if !RUN.contains(&name) && name != "error" => {
                Some(format!("`run` has no `{name}`; it has {}, error", RUN.join(", ")))
            }
            ("parameters" | "variables" | "steps" | "run", _) => None,
            ("item" | "item_index", _) if names.item => None,
            ("result", _) if names.result => None,
            ("item" | "item_index", _) => {
                Some(format!("`{root}` exists only in a step with for_each, and not in its `when`"))
            }
            ("result", _) => Some("`result` exists only in `until` of wait_for".to_owned()),
            (type_name, None) if ENVIRONMENT.types().find_type(type_name).is_some() => None,
            _ => Some(format!("`{root}` is not declared; there are parameters, steps, run and variables")),
        };
        if let Some(message) = problem {
            self.problem(id, message);
            return;
        }
        let entry = self.found.needs.entry(root.to_owned()).or_insert_with(|| Some(BTreeSet::new()));
        match (entry.as_mut(), member) {
            (Some(members), Some(member)) => {
                members.insert(member.to_owned());
            }
            (_, None) => *entry = None,
            (None, Some(_)) => {}
        }
    }
}

/// Whether `name`, or all parameters together, would tell a sensitive one.
fn hides(names: &Names, name: Option<&str>) -> bool {
    name.map_or(!names.sensitive.is_empty(), |name| names.sensitive.contains(name))
}

fn unknown(what: &str, name: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(name) {
        return None;
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let known =
        if known.is_empty() { "there are none here".to_owned() } else { format!("known here: {}", known.join(", ")) };
    Some(format!("there is no {what} `{name}`; {known}"))
}
