//! JSON trees whose strings may hold `{{ expression }}`. A string that is one expression alone keeps its type; inside
//! text it is written as text, and null, booleans, lists and objects are errors there.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::expression::{Names, Origin, compile, kind_of};
use super::typed::{OutputType, convert};
use super::yaml::{Node, Place, Tree};
use super::{Expression, ExpressionError, Scope};

/// A JSON tree whose strings may hold `{{ expression }}`, with their places.
#[derive(Clone, Debug)]
pub struct Template {
    shape: Arc<Shape>,
    origin: Origin,
}

#[derive(Debug)]
enum Shape {
    Literal(Value),
    /// What one step gave, whole.
    Step(String),
    Alone(Expression),
    Text(Vec<Part>),
    List(Vec<Template>),
    Members(Vec<(String, Template)>),
    /// A member of `output` that declares its type.
    Typed(Template, OutputType),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(Expression),
}

impl Template {
    /// The output of one step, for an operation that stands in no file.
    pub(super) fn step(id: &str, file: &str) -> Self {
        let origin = Origin { file: Arc::from(file), place: Place::START, step: None };
        Self { shape: Arc::new(Shape::Step(id.to_owned())), origin }
    }

    /// Fills it. A string that is one expression alone keeps that expression's type.
    pub fn render(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        match &*self.shape {
            Shape::Literal(value) => Ok(value.clone()),
            Shape::Step(id) => {
                scope.steps.get(id).cloned().ok_or_else(|| self.origin.error(format!("step {id} gave nothing")))
            }
            Shape::Alone(expression) => expression.evaluate(scope),
            Shape::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(part) => text.push_str(part),
                        Part::Expression(expression) => {
                            text.push_str(&as_text(expression.evaluate(scope)?, expression.origin())?);
                        }
                    }
                }
                Ok(Value::String(text))
            }
            Shape::List(items) => {
                items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>().map(Value::Array)
            }
            Shape::Members(members) => {
                let members = members.iter().map(|(name, member)| Ok((name.clone(), member.render(scope)?)));
                Ok(Value::Object(members.collect::<Result<Map<_, _>, ExpressionError>>()?))
            }
            Shape::Typed(template, kind) => {
                convert(template.render(scope)?, *kind).map_err(|message| self.origin.error(message))
            }
        }
    }

    /// Fills it to a text; null or a boolean is an error.
    pub fn render_text(&self, scope: &Scope) -> Result<String, ExpressionError> {
        as_text(self.render(scope)?, &self.origin)
    }

    /// The members of an object and, where declared, their types.
    pub(super) fn declared_types(&self) -> Vec<(&str, Option<OutputType>)> {
        let Shape::Members(members) = &*self.shape else { return Vec::new() };
        let kind_of = |member: &Self| match &*member.shape {
            Shape::Typed(_, kind) => Some(*kind),
            _ => None,
        };
        members.iter().map(|(name, member)| (name.as_str(), kind_of(member))).collect()
    }
}

fn as_text(value: Value, origin: &Origin) -> Result<String, ExpressionError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(origin.error(format!("{} cannot be written into text", kind_of(&other)))),
    }
}

/// Builds templates from nodes of one file.
pub(super) struct Templates<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) yaml: &'a str,
    pub(super) step: Option<&'a Arc<str>>,
    pub(super) names: &'a Names,
    pub(super) problems: &'a mut Vec<(Place, String)>,
}

impl Templates<'_> {
    fn origin(&self, place: Place) -> Origin {
        Origin { file: Arc::clone(self.file), place, step: self.step.cloned() }
    }

    /// A whole tree; `None` when something in it is wrong, which `problems` then tells.
    pub(super) fn template(&mut self, node: &Node) -> Option<Template> {
        let shape = match &node.tree {
            Tree::Text(text) => self.text(node, text)?,
            Tree::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.template(item)).collect();
                Shape::List(items.into_iter().collect::<Option<_>>()?)
            }
            Tree::Mapping(members) => {
                let members: Vec<_> =
                    members.iter().map(|(key, member)| Some((key.name.clone(), self.template(member)?))).collect();
                Shape::Members(members.into_iter().collect::<Option<_>>()?)
            }
            _ => Shape::Literal(node.to_json()),
        };
        Some(Template { shape: Arc::new(shape), origin: self.origin(node.place) })
    }

    /// The object `output`, whose members may be `{value, type}`.
    pub(super) fn output(&mut self, node: &Node) -> Option<Template> {
        let members: Vec<_> = node
            .members()
            .iter()
            .map(|(key, member)| {
                let typed = member.members().len() == 2 && member.get("value").is_some();
                let template = match member.get("type").filter(|_| typed) {
                    Some(kind) => self.typed(member, kind)?,
                    None => self.template(member)?,
                };
                Some((key.name.clone(), template))
            })
            .collect();
        let shape = Shape::Members(members.into_iter().collect::<Option<_>>()?);
        Some(Template { shape: Arc::new(shape), origin: self.origin(node.place) })
    }

    fn typed(&mut self, member: &Node, kind: &Node) -> Option<Template> {
        let template = self.template(member.get("value")?);
        let Some(kind) = kind.text().and_then(OutputType::of) else {
            self.problems.push((kind.place, format!("`type` must be one of: {}", OutputType::NAMES.join(", "))));
            return None;
        };
        let template = template?;
        let origin = template.origin.clone();
        Some(Template { shape: Arc::new(Shape::Typed(template, kind)), origin })
    }

    /// A bare expression, as in `when`.
    pub(super) fn expression(&mut self, node: &Node) -> Option<Expression> {
        let text = node.text()?;
        if text.contains("{{") {
            self.problems.push((node.place, "an expression stands here without {{ }}".to_owned()));
            return None;
        }
        let mut cursor = 0;
        let place = self.place_in(node, text, &mut cursor);
        self.compile(text, place)
    }

    fn compile(&mut self, text: &str, place: Place) -> Option<Expression> {
        match compile(text, self.origin(place), self.names) {
            Ok(expression) => Some(expression),
            Err(problems) => {
                for (offset, message) in problems {
                    // Over a line break the offset says little: the beginning is exact.
                    let same_line = !text.chars().take(offset).any(|character| character == '\n');
                    let place = if same_line { place.right(offset) } else { place };
                    self.problems.push((place, message));
                }
                None
            }
        }
    }

    fn text(&mut self, node: &Node, text: &str) -> Option<Shape> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut cursor = 0;
        let mut whole = true;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let inner = &rest[open + 2..];
            let Some(end) = closing(inner) else {
                let place = self.place_in(node, "{{", &mut cursor);
                self.problems.push((place, "`{{` is never closed".to_owned()));
                return None;
            };
            let source = inner[..end].trim();
            self.place_in(node, "{{", &mut cursor);
            let place = self.place_in(node, source, &mut cursor);
            match self.compile(source, place) {
                Some(expression) => parts.push(Part::Expression(expression)),
                None => whole = false,
            }
            rest = &inner[end + 2..];
        }
        if !whole {
            return None;
        }
        if parts.is_empty() {
            return Some(Shape::Literal(Value::from(text)));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        match parts.as_slice() {
            [Part::Expression(expression)] => Some(Shape::Alone(expression.clone())),
            _ => Some(Shape::Text(parts)),
        }
    }

    /// Where `part` stands in the file, from `cursor` on inside the node, which moves behind it. A text that is written
    /// otherwise in the file (escapes, folded lines) has the place of its node.
    fn place_in(&self, node: &Node, part: &str, cursor: &mut usize) -> Place {
        let Some(range) = node.bytes.clone() else { return node.place };
        let from = range.start + *cursor;
        match self.yaml.get(from..range.end.min(self.yaml.len())).and_then(|raw| raw.find(part)) {
            Some(at) => {
                *cursor += at + part.len();
                Place::of(self.yaml, from + at)
            }
            None => node.place,
        }
    }
}

/// Where the `}}` that ends an expression begins: not inside a text, nor inside a map of the expression.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}
