//! From text to a checked tree, and from there to a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Env};
use serde_json::Value;

use super::names::{self, Names};
use super::{Expression, Origin, Scope, explain, functions, values};

/// Longer expressions are refused, in bytes.
const MAX_LENGTH: usize = 1024;

/// Deeper nesting is refused: the parser and the evaluation descend on the stack.
const MAX_DEPTH: u16 = 16;

/// Longer rows of operators are refused, for the same reason.
const MAX_HEIGHT: usize = 32;

pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Offsets in characters, and what is wrong there.
type Slips = Vec<(usize, String)>;

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) origin: Origin,
    tree: IdedExpr,
    /// Set when the expression only names a value: it is then handed over untouched, digits and order kept.
    path: Option<Vec<Segment>>,
    /// The roots it needs, and of each the members, or all of them.
    needs: BTreeMap<String, Option<BTreeSet<String>>>,
    /// Parameters that are timestamps here.
    dates: Arc<BTreeSet<String>>,
}

#[derive(Clone, Debug)]
enum Segment {
    Member(String),
    Index(usize),
}

/// Compiles `text`, which begins at `origin`. Problems come as the offset in characters and a message.
pub(in crate::operations) fn compile(text: &str, origin: Origin, names: &Names) -> Result<Expression, Slips> {
    if text.trim().is_empty() {
        return Err(vec![(0, "an expression is missing".to_owned())]);
    }
    if text.len() > MAX_LENGTH {
        return Err(vec![(0, format!("the expression has {} bytes; at most {MAX_LENGTH}", text.len()))]);
    }
    if let Some(at) = too_deep(text) {
        return Err(vec![(at, format!("the expression nests deeper than {MAX_DEPTH}"))]);
    }
    let (source, filters) = split_filters(text)?;
    let parser = ENVIRONMENT.parser().max_recursion_depth(MAX_DEPTH);
    let (mut tree, places) = parser.parse_with_source_info(source).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        vec![first.map_or((0, "not an expression".to_owned()), |error| parse_problem(source, &error))]
    })?;
    if is_tall(&tree) {
        return Err(vec![(0, format!("the expression has more than {MAX_HEIGHT} operations in a row"))]);
    }
    for filter in filters {
        let call = CallExpr { func_name: filter, target: None, args: vec![tree] };
        tree = IdedExpr { id: 0, expr: Expr::Call(call) };
    }
    let mut found = names::check(&tree, &places, names);
    if !found.problems.is_empty() {
        found.problems.sort();
        found.problems.dedup();
        return Err(found.problems);
    }
    let path = path_of(&tree);
    rewrite(&mut tree);
    let compiled = Compiled { origin, tree, path, needs: found.needs, dates: Arc::clone(&names.dates) };
    Ok(Expression { compiled: Arc::new(compiled) })
}

/// Whether the tree is higher than the evaluation, which descends on the stack, should go.
fn is_tall(tree: &IdedExpr) -> bool {
    let mut open = vec![(tree, 1_usize)];
    while let Some((tree, height)) = open.pop() {
        if height > MAX_HEIGHT {
            return true;
        }
        let mut push = |child| open.push((child, height + 1));
        match &tree.expr {
            Expr::Call(call) => call.args.iter().chain(call.target.as_deref()).for_each(push),
            Expr::Select(select) => push(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(push),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        push(&entry.key);
                        push(&entry.value);
                    }
                }
            }
            Expr::Comprehension(comprehension) => {
                push(&comprehension.iter_range);
                push(&comprehension.loop_step);
            }
            _ => {}
        }
    }
    false
}

/// Where brackets nest too deep, in characters. Counted before parsing, since the parser's own limit comes after it has
/// looked ahead over the whole nest (cel 0.15: a stack overflow at 500 brackets). Texts are counted too: simpler is safer.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_u16;
    text.chars().position(|character| {
        match character {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

fn parse_problem(source: &str, error: &cel::ParseError) -> (usize, String) {
    let (line, column) = error.pos;
    let line = usize::try_from(line).unwrap_or(0).saturating_sub(1);
    let before: usize = source.split_inclusive('\n').take(line).map(|line| line.chars().count()).sum();
    let offset = before + usize::try_from(column).unwrap_or(0).saturating_sub(1);
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    (offset.min(source.chars().count()), format!("not an expression: {message}"))
}

/// `x | date` is another way to write `date(x)`. CEL itself has no single `|`.
fn split_filters(text: &str) -> Result<(&str, Vec<String>), Slips> {
    let mut cuts = Vec::new();
    let mut quote = None;
    let mut depth = 0_usize;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '|') if characters.peek().is_some_and(|(_, next)| *next == '|') => {
                characters.next();
            }
            (None, '|') if depth == 0 => cuts.push(at),
            _ => {}
        }
    }
    let Some(first) = cuts.first() else { return Ok((text, Vec::new())) };
    let mut filters = Vec::new();
    for (index, cut) in cuts.iter().enumerate() {
        let end = cuts.get(index + 1).copied().unwrap_or(text.len());
        let filter = text[cut + 1..end].trim();
        if !functions::FILTERS.contains(&filter) {
            let offset = text[..*cut].chars().count();
            let message = format!("unknown filter `{filter}`; known: {}", functions::FILTERS.join(", "));
            return Err(vec![(offset, message)]);
        }
        filters.push(filter.to_owned());
    }
    Ok((&text[..*first], filters))
}

/// `==`, `!=` and `in` become functions of ours, which refuse to compare different kinds; a zone's name becomes the zone's
/// offset at the time that it is asked of.
fn rewrite(tree: &mut IdedExpr) {
    match &mut tree.expr {
        Expr::Call(call) => {
            if let Some(target) = &mut call.target {
                rewrite(target);
            }
            call.args.iter_mut().for_each(rewrite);
            if let (Some(time), [zone]) = (&call.target, call.args.as_mut_slice())
                && functions::ZONED.contains(&call.func_name.as_str())
            {
                let args = vec![(**time).clone(), zone.clone()];
                let offset = CallExpr { func_name: functions::OFFSET.to_owned(), target: None, args };
                *zone = IdedExpr { id: 0, expr: Expr::Call(offset) };
            }
            if call.target.is_none() && call.args.len() == 2 {
                let ours = match call.func_name.as_str() {
                    operators::EQUALS => functions::EQUAL,
                    operators::NOT_EQUALS => functions::UNEQUAL,
                    operators::IN => functions::MEMBER,
                    _ => return,
                };
                ours.clone_into(&mut call.func_name);
            }
        }
        Expr::Comprehension(comprehension) => {
            rewrite(&mut comprehension.iter_range);
            rewrite(&mut comprehension.accu_init);
            rewrite(&mut comprehension.loop_cond);
            rewrite(&mut comprehension.loop_step);
            rewrite(&mut comprehension.result);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(rewrite),
        Expr::Select(select) => rewrite(&mut select.operand),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr)),
        Expr::Struct(fields) => fields.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr)),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

fn rewrite_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => rewrite(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            rewrite(&mut entry.key);
            rewrite(&mut entry.value);
        }
    }
}

fn path_of(tree: &IdedExpr) -> Option<Vec<Segment>> {
    match &tree.expr {
        Expr::Ident(name) => Some(vec![Segment::Member(name.clone())]),
        Expr::Select(select) if !select.test => {
            let mut path = path_of(&select.operand)?;
            path.push(Segment::Member(select.field.clone()));
            Some(path)
        }
        Expr::Call(call) if call.func_name == operators::INDEX && call.target.is_none() => {
            let [of, index] = call.args.as_slice() else { return None };
            let mut path = path_of(of)?;
            path.push(match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => Segment::Member(name.inner().to_owned()),
                Expr::Literal(LiteralValue::Int(index)) => Segment::Index(usize::try_from(*index.inner()).ok()?),
                _ => return None,
            });
            Some(path)
        }
        _ => None,
    }
}

impl Compiled {
    pub(super) fn evaluate(&self, scope: &Scope) -> Result<Value, String> {
        if let Some(path) = &self.path {
            return follow(path, scope);
        }
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        functions::declare(&mut context).map_err(|error| error.to_string())?;
        for (root, members) in &self.needs {
            if let Some(value) = values::root(scope, root, members.as_ref(), &self.dates)? {
                context.add_variable_from_value(root.clone(), value);
            }
        }
        let value = context.resolve(&self.tree).map_err(|error| explain::explain(&error))?;
        values::to_json(&value)
    }
}

fn follow(path: &[Segment], scope: &Scope) -> Result<Value, String> {
    let mut segments = path.iter();
    let Some(Segment::Member(root)) = segments.next() else { return Err("not a value".to_owned()) };
    if let Some(value) = scope.single(root) {
        return descend(&value, segments);
    }
    let first = segments.next();
    let map = match root.as_str() {
        "parameters" => &scope.parameters,
        "steps" => &scope.steps,
        "run" => &scope.run,
        "variables" => &scope.variables,
        "event" => &scope.event,
        _ => return Err(format!("`{root}` is not declared")),
    };
    let Some(first) = first else { return Ok(Value::Object(map.clone())) };
    let value = match first {
        Segment::Member(name) => map.get(name),
        Segment::Index(_) => None,
    }
    .ok_or_else(|| no_member(first))?;
    descend(value, segments)
}

fn descend<'a>(value: &Value, segments: impl Iterator<Item = &'a Segment>) -> Result<Value, String> {
    let mut value = value;
    for segment in segments {
        value = match (segment, value) {
            (Segment::Member(name), Value::Object(members)) => members.get(name),
            (Segment::Index(index), Value::Array(items)) => items.get(*index),
            (_, other) => {
                return Err(format!("{} is {}, which has no such member", named(segment), super::kind_of(other)));
            }
        }
        .ok_or_else(|| no_member(segment))?;
    }
    Ok(value.clone())
}

fn named(segment: &Segment) -> String {
    match segment {
        Segment::Member(name) => format!("what `{name}` is asked of"),
        Segment::Index(index) => format!("what [{index}] is asked of"),
    }
}

fn no_member(segment: &Segment) -> String {
    match segment {
        Segment::Member(name) => explain::no_such_member(name),
        Segment::Index(index) => format!("there is no item {index}"),
    }
}
