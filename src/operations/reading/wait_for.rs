//! `wait_for`: a delay, a time, or a condition that is looked at again and again.

use std::sync::Arc;
use std::time::Duration;

use super::super::yaml::{Node, Tree};
use super::super::{ConditionStep, Expression, HttpStep, Look, WaitForStep};
use super::Reader;

const WAYS: &[&str] = &["delay", "time", "sql", "http"];
/// Keys that say something of a condition.
const OF_A_CONDITION: &[&str] = &["until", "every", "timeout"];
/// Pauses between looks where none are named.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(5);
/// No condition is looked at more often.
const LEAST: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_hours(24);

impl Reader<'_> {
    pub(super) fn wait_for(&mut self, step: &Arc<str>, node: &Node) -> Option<WaitForStep> {
        let ways: Vec<_> = node.members().iter().filter(|(key, _)| WAYS.contains(&key.name.as_str())).collect();
        if let [first, others @ ..] = ways.as_slice() {
            for (key, _) in others {
                self.problem(key.place, format!("`{}` stands beside `{}`; only one may", key.name, first.0.name));
            }
        } else if matches!(node.tree, Tree::Mapping(_)) {
            self.problem(node.place, "wait_for lacks `delay`, `time`, `sql` or `http`");
        }
        let (key, body) = ways.first()?;
        if matches!(key.name.as_str(), "delay" | "time") {
            for (other, _) in node.members().iter().filter(|(key, _)| OF_A_CONDITION.contains(&key.name.as_str())) {
                let message = format!("`{}` belongs to a condition, and here is `{}`", other.name, key.name);
                self.problem(other.place, message);
            }
        }
        match key.name.as_str() {
            "delay" => self.duration(body).map(WaitForStep::Delay),
            "time" => {
                self.time(Some(body));
                self.optional(step, node, "time").map(WaitForStep::Time)
            }
            "sql" => {
                let look = self.sql(step, body).map(Look::Sql);
                self.condition(step, node, look).map(WaitForStep::Condition)
            }
            _ => {
                let look = self.look_outside(step, body).map(Look::Http);
                self.condition(step, node, look).map(WaitForStep::Condition)
            }
        }
    }

    fn look_outside(&mut self, step: &Arc<str>, node: &Node) -> Option<HttpStep> {
        let http = self.http(step, node)?;
        if !matches!(http.method, "GET" | "HEAD") {
            let place = node.get("method").or(node.get("body")).map_or(node.place, |at| at.place);
            self.problem(place, "a look changes nothing: only GET and HEAD may stand here");
        }
        Some(http)
    }

    fn condition(&mut self, step: &Arc<str>, node: &Node, look: Option<Look>) -> Option<Box<ConditionStep>> {
        let until = if let Some(until) = node.get("until") {
            self.until(step, until)
        } else {
            self.problem(node.place, "wait_for lacks `until`");
            None
        };
        let (first, longest) = self.every(node.get("every"))?;
        let timeout = match node.get("timeout") {
            Some(timeout) => self.duration(timeout)?,
            None => TIMEOUT,
        };
        Some(Box::new(ConditionStep { look: look?, until: until?, first, longest, timeout }))
    }

    fn until(&mut self, step: &Arc<str>, node: &Node) -> Option<Expression> {
        let before = std::mem::replace(&mut self.names.result, true);
        let until = self.templates(Some(step), |templates| templates.expression(node));
        self.names.result = before;
        until
    }

    fn every(&mut self, node: Option<&Node>) -> Option<(Duration, Duration)> {
        let Some(node) = node else { return Some((FIRST, LONGEST)) };
        if !matches!(node.tree, Tree::Mapping(_)) {
            let fixed = self.pause(node)?;
            return Some((fixed, fixed));
        }
        let first = node.get("first").map(|first| self.pause(first));
        let longest = node.get("longest").map(|longest| self.pause(longest));
        let (first, longest) = (first.flatten()?, longest.flatten()?);
        if longest < first {
            self.problem(node.place, "`longest` is shorter than `first`");
        }
        Some((first, longest))
    }

    fn pause(&mut self, node: &Node) -> Option<Duration> {
        let pause = self.duration(node)?;
        if pause < LEAST {
            self.problem(node.place, "a pause of at least 1s is wanted");
        }
        Some(pause)
    }

    /// How long to wait stands in `wait_for`, where its failure has a code of its own.
    pub(super) fn no_timeout_beside(&mut self, step: &Node) {
        if let Some((key, _)) = step.members().iter().find(|(key, _)| key.name == "timeout") {
            self.problem(key.place, "how long to wait stands inside `wait_for`: move `timeout` there");
        }
    }
}
