//! Beginning a child: found when it was begun before.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::advance::Worker;
use super::super::create::{NewRun, runnable};
use super::super::identity::run_id;
use super::super::record::{Item, Parent, Record, StepState, Trigger};
use super::super::scope::run_of;
use super::super::{Engine, insist, parameters_invalid};
use super::{Children, Of};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::operations::{DEEPEST, Entry, Scope, Step, StepKind};

impl Engine {
    /// The id of a step's child: the same whoever starts it and however often, also in a later attempt.
    pub(in crate::runs) fn child_id(parent: &Record, index: usize, item: usize) -> String {
        let step = &parent.steps[index];
        let attempt = if step.children_since == 0 { step.attempt } else { step.children_since };
        run_id(&["child", &parent.run, &step.id, &item.to_string(), &attempt.to_string()])
    }
}

impl Engine {
    /// Notes that a child is to end, and wakes it.
    pub(super) async fn cancel_child(&self, child: &str, parent: &str, deadline: Deadline) -> Result<(), Failure> {
        let Some(newest) = self.newest(child, deadline).await? else { return Ok(()) };
        if newest.state.at_rest() {
            return Ok(());
        }
        self.note_cancel(&newest, &format!("run:{parent}"), deadline).await?;
        self.wake_anew(child, None, deadline).await
    }

    /// The children that a run has started and that have not ended, as far as is on record: whoever cancels the run
    /// cancels them.
    pub(in crate::runs) async fn children_under_way(
        &self,
        parent: &Record,
        deadline: Deadline,
    ) -> Result<Vec<String>, Failure> {
        let mut under_way = Vec::new();
        for (index, step) in parent.steps.iter().enumerate() {
            let Some(children) = Children::of(step) else { continue };
            let ended = self.ended_children(parent, index, deadline).await?;
            let going = (0..children.started).filter(|item| !ended.0.contains_key(item));
            under_way.extend(going.map(|item| Engine::child_id(parent, index, item)));
        }
        Ok(under_way)
    }
}

impl Worker<'_> {
    /// The one child of an `operation` step.
    pub(super) fn called(&self, step: &Step, scope: &Scope) -> Result<Children, Failure> {
        let StepKind::Operation(call) = &step.kind else {
            return Err(Failure::new(Code::Internal, "A step without children was to have some."));
        };
        let prepared = self.engine.kinds.of(&step.kind).prepare(&step.kind, scope, &self.engine.neighbours)?;
        let Value::Object(parameters) = prepared.inputs else {
            return Err(Failure::new(Code::Internal, "The parameters of an operation are no object."));
        };
        Ok(Children { count: 1, started: 0, of: Of::Operation { name: call.name.clone(), parameters } })
    }

    /// The outer failure is the invocation's, the inner one the step's.
    pub(super) async fn start_child(
        &mut self,
        index: usize,
        step: &Step,
        children: &Children,
        list: &mut Option<Value>,
    ) -> Result<Result<(), Failure>, Failure> {
        let item = children.started;
        let depth = self.pinned.trigger.depth() + 1;
        if depth > DEEPEST {
            let detail = format!("Runs nest at most {DEEPEST} deep, and this one would be deeper.");
            return Ok(Err(Failure::new(Code::NestedTooDeep, detail)));
        }
        let (engine, deadline) = (self.engine, self.deadline);
        let (entry, parameters, of) = match &children.of {
            Of::Operation { name, parameters } => match self.other_operation(name, parameters) {
                Ok((entry, parameters)) => (entry, parameters, None),
                Err(failure) => return Ok(Err(failure)),
            },
            Of::Items { items, .. } => {
                let run = self.record.run.clone();
                if list.is_none() {
                    *list = Some(insist(deadline, || engine.output(&run, items, deadline)).await?);
                }
                let value = list.as_ref().and_then(|list| list.get(item)).cloned().unwrap_or(Value::Null);
                let definition = self.pinned.definition.clone();
                let entry = Entry { definition, operation: Ok(self.operation.clone()) };
                (entry, self.pinned.parameters.clone(), Some(self.item(value)))
            }
        };
        let run = Engine::child_id(&self.record, index, item);
        let parent = Parent {
            run: self.record.run.clone(),
            step: step.id.clone(),
            attempt: self.record.steps[index].attempt,
            item,
            depth,
            of,
        };
        let trigger = Trigger::Parent(Box::new(parent));
        let new = NewRun { run, parameters, caller: self.pinned.caller.clone(), trigger };
        match insist(deadline, || engine.create(&entry, &new, false, deadline)).await {
            Ok(_) => {}
            // It may stand: whoever comes next finds it.
            Err(failure) if failure.effect == Effect::Possible || super::super::is_outage(&failure) => {
                return Err(failure);
            }
            Err(failure) => return Ok(Err(failure)),
        }
        Ok(Ok(()))
    }

    fn other_operation(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Result<(Entry, Map<String, Value>), Failure> {
        let Some(entry) = self.engine.catalog.get(name) else {
            return Err(Failure::new(Code::OperationNotFound, format!("No operation is called \"{name}\".")));
        };
        let operation = runnable(entry)?;
        let parameters =
            operation.accept(parameters).map_err(|problems| parameters_invalid(&problems, "parameters."))?;
        Ok((entry.clone(), parameters))
    }

    /// Where the outputs of the steps before are kept.
    pub(super) fn outputs_of_steps(&self) -> BTreeMap<String, String> {
        let succeeded = self.record.steps.iter().filter(|step| step.state == StepState::Succeeded);
        succeeded.filter_map(|step| Some((step.id.clone(), step.output_ref.clone()?))).collect()
    }

    /// What the run of an item sees of this one.
    fn item(&self, value: Value) -> Item {
        let outputs = self.outputs_of_steps();
        let mut run = run_of(&self.record, &self.pinned);
        run.remove("id");
        run.insert("operation".into(), json!(self.pinned.definition.name));
        Item { value, run, outputs }
    }
}
