//! Kinds of every class of recovery, over the simulated neighbour. Each does what the engine may rely on and no more: one
//! whose key the neighbour knows is not doubled by sending it again, a history lags, numbered parts can be told.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::neighbour::Work;
use super::transit::Travelled;
use super::world::World;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};
use crate::steps::{
    EveryKind, InHand, Kind, Kinds, Neighbours, PartTurn, Polled, Prepared, Ready, Recovery, Sent, Settled,
};

/// What may be done about a step of which nobody knows whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Again,
    Read,
    LookUp,
    LookUpFirst,
    Parts,
    Unnumbered,
    Unknown,
}

const CLASSES: [(&str, Class); 7] = [
    ("again", Class::Again),
    ("read", Class::Read),
    ("look-up", Class::LookUp),
    ("look-up-first", Class::LookUpFirst),
    ("parts", Class::Parts),
    ("unnumbered", Class::Unnumbered),
    ("unknown", Class::Unknown),
];

#[derive(Debug)]
pub(super) struct SimulatedKinds(Vec<Simulated>);

impl SimulatedKinds {
    pub(super) fn of(world: &Arc<World>) -> Self {
        Self(CLASSES.iter().map(|(_, class)| Simulated { class: *class, world: world.clone() }).collect())
    }
}

impl Kinds for SimulatedKinds {
    fn of(&self, step: &StepKind) -> &dyn Kind {
        let StepKind::Sql(sql) = step else { return EveryKind.of(step) };
        let word = sql.statement.split(' ').next().unwrap();
        let class = class_of(word);
        self.0.iter().find(|kind| kind.class == class).unwrap()
    }
}

fn class_of(word: &str) -> Class {
    CLASSES.iter().find(|(name, _)| *name == word).unwrap().1
}

#[derive(Clone, Debug)]
pub(super) struct Simulated {
    pub(super) class: Class,
    pub(super) world: Arc<World>,
}

/// The rendered inputs.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) run: String,
    pub(super) step: String,
    /// The secret that it is asked with.
    pin: Option<String>,
    fails: bool,
    part: u64,
    parts: u64,
}

impl Asked {
    fn of(inputs: &Value) -> Self {
        let text = |name: &str| inputs[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| inputs[name].as_u64().unwrap_or_default();
        Self {
            run: text("run"),
            step: text("step"),
            pin: inputs["pin"].as_str().map(str::to_owned),
            fails: inputs["fails"] == json!(true),
            part: number("part"),
            parts: number("parts"),
        }
    }
}

impl Simulated {
    /// What is asked for, which goes into the book as well.
    fn asked(&self, inputs: &Value) -> Asked {
        let asked = Asked::of(inputs);
        let given = (asked.run.clone(), asked.step.clone(), asked.pin.clone());
        self.world.neighbour.lock().unwrap().given.insert(given);
        asked
    }

    /// It happens.
    pub(super) fn act(&self, asked: &Asked, key: &str) -> Work {
        let world = &self.world;
        let mut neighbour = world.neighbour.lock().unwrap();
        if self.class == Class::Again
            && let Some(standing) = neighbour.under(key, asked.part)
        {
            return standing.clone();
        }
        let now = world.now();
        let (takes, lag, succeeds) = world.draw(|dice| {
            let takes = match dice.below(20) {
                0..=9 => 0,
                10..=15 => dice.below(5),
                16..=18 => dice.below(120),
                _ => dice.below(900),
            };
            (takes, dice.below(60), !asked.fails || asked.parts > 1 || dice.chance(600))
        });
        let for_long = world.plan.impatient && world.draw(|dice| dice.chance(300));
        let takes = match takes {
            _ if asked.parts > 1 => 0,
            _ if for_long => world.draw(|dice| dice.between(1800, 3600)),
            takes => takes,
        };
        let seconds = |seconds: u64| SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        let work = Work {
            id: format!("{}-{}", asked.step, neighbour.works.len()),
            run: asked.run.clone(),
            step: asked.step.clone(),
            key: key.to_owned(),
            part: asked.part,
            began: now,
            ends: now + seconds(takes),
            shows: now + seconds(lag),
            class: self.class,
            succeeds,
            canceled: false,
            pin: asked.pin.clone(),
        };
        if !succeeds {
            neighbour.failures.insert((asked.run.clone(), asked.step.clone()));
        }
        world.note(|| format!("effect: {} {} part {} under {}", work.run, work.step, work.part, &work.key[..8]));
        neighbour.works.push(work.clone());
        work
    }

    fn answer(&self, asked: &Asked, inputs: &Value, work: &Work) -> Sent {
        if let Some(part) = next_part(asked, inputs) {
            return part;
        }
        let at_once = asked.parts > 1 || self.world.draw(|dice| dice.chance(500));
        if at_once && work.succeeds && work.ends <= self.world.now() {
            return Sent::Done { upstream_id: Some(work.id.clone()), output: output(work) };
        }
        Sent::Submitted { upstream_id: work.id.clone() }
    }
}

/// What is left once this part is done.
fn next_part(asked: &Asked, inputs: &Value) -> Option<Sent> {
    let next = asked.part + 1;
    (next < asked.parts).then(|| {
        let mut rest = inputs.clone();
        rest["part"] = json!(next);
        Sent::Part { inputs: rest, progress: json!({"parts": next}) }
    })
}

fn output(work: &Work) -> Value {
    json!({"rowCount": 1, "effect": work.id, "said": work.pin})
}

/// It quotes what it was sent, as neighbours like to.
fn unlike(what: &str, pin: Option<&String>) -> Failure {
    Failure::new(Code::StatementFailed, format!("{what} {pin:?}")).caused_by(format!("sent {pin:?}"))
}

fn away() -> Failure {
    Failure::new(Code::UpstreamUnavailable, "away")
}

#[async_trait]
impl Kind for Simulated {
    fn prepare(&self, step: &StepKind, scope: &Scope, _: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Sql(sql) = step else { panic!("only statements are simulated") };
        let words: Vec<&str> = sql.statement.split(' ').collect();
        let parts = if self.in_parts() { self.world.draw(|dice| dice.between(2, 4)) } else { 1 };
        let given = sql.parameters.as_ref().map_or(Value::Null, |given| given.render(scope).unwrap());
        let inputs = json!({
            "run": scope.run["id"], "step": words[1], "fails": words.get(2).is_some(), "part": 0, "parts": parts,
            "pin": given["pin"],
        });
        Ok(Prepared { inputs, effect: self.class != Class::Read })
    }

    async fn make_ready(&self, _: &Neighbours, inputs: &Value, _: &str, _: Deadline) -> Result<Ready, Failure> {
        let (world, asked) = (&self.world, Asked::of(inputs));
        world.pause(Duration::ZERO).await;
        if world.goes_wrong(world.plan.busy) {
            world.note(|| format!("not made ready: {} {}", asked.run, asked.step));
            return Err(away().effect_possible());
        }
        Ok(Ready::plain())
    }

    async fn send(
        &self,
        _: &Neighbours,
        inputs: &Value,
        _: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let (world, asked) = (&self.world, self.asked(inputs));
        if world.goes_wrong(world.plan.busy) {
            world.note(|| format!("busy: {} {}", asked.run, asked.step));
            let after = Duration::from_secs(world.draw(|dice| dice.below(30)));
            return Ok(Sent::NotYet { after, because: Box::new(away()) });
        }
        if asked.fails && world.goes_wrong(world.plan.refused) {
            world.note(|| format!("refused: {} {}", asked.run, asked.step));
            world.neighbour.lock().unwrap().failures.insert((asked.run, asked.step));
            return Err(unlike("refused", asked.pin.as_ref()));
        }
        match self.travels(&asked, key, deadline).await {
            Travelled::Answered(work) => Ok(self.answer(&asked, inputs, &work)),
            Travelled::NotSent => Err(Failure::new(Code::UpstreamTimeout, "no connection")),
            Travelled::Lost => {
                world.doubt(&asked.run, &asked.step, "the answer was lost");
                Err(Failure::new(Code::UpstreamTimeout, "no answer").effect_possible())
            }
        }
    }

    fn recovery(&self, _: &Value) -> Recovery {
        match self.class {
            Class::Again | Class::Read => Recovery::SendAgain,
            Class::LookUp => Recovery::LookUp,
            Class::LookUpFirst => Recovery::LookUpFirst,
            Class::Parts | Class::Unnumbered => Recovery::Settle,
            Class::Unknown => Recovery::Unknown,
        }
    }

    async fn look_up(
        &self,
        _: &Neighbours,
        inputs: &Value,
        key: &str,
        _since: Timestamp,
        _: Deadline,
    ) -> Result<Option<String>, Failure> {
        let (world, asked) = (&self.world, self.asked(inputs));
        world.pause(Duration::ZERO).await;
        if world.goes_wrong(world.plan.busy) {
            return Err(away());
        }
        let neighbour = world.neighbour.lock().unwrap();
        let found = neighbour.under(key, asked.part).filter(|work| work.shows <= world.now());
        world.note(|| format!("looked up: {} {}: {}", asked.run, asked.step, found.is_some()));
        Ok(found.map(|work| work.id.clone()))
    }

    fn found_by_sending(&self) -> bool {
        self.class == Class::Again
    }

    async fn has_come(&self, _: &Neighbours, inputs: &Value, _: Deadline) -> Result<Option<Sent>, Failure> {
        let asked = Asked::of(inputs);
        if !self.in_parts() {
            return Ok(None);
        }
        Ok(Some(
            next_part(&asked, inputs)
                .unwrap_or_else(|| Sent::Done { upstream_id: None, output: json!({"rowCount": 1}) }),
        ))
    }

    fn in_parts(&self) -> bool {
        matches!(self.class, Class::Parts | Class::Unnumbered)
    }

    async fn turn(&self, _: &Neighbours, _: &Value, _: Deadline) -> Result<PartTurn, Failure> {
        let world = &self.world;
        world.pause(Duration::ZERO).await;
        Ok(match world.draw(|dice| dice.below(10)) {
            0 => PartTurn::After(Duration::from_millis(world.draw(|dice| dice.below(30_000))), None),
            1 => PartTurn::Look,
            _ => PartTurn::Now(None),
        })
    }

    async fn settle(&self, _: &Neighbours, inputs: &Value, certain: bool, _: Deadline) -> Result<Settled, Failure> {
        let (world, asked) = (&self.world, self.asked(inputs));
        world.pause(Duration::ZERO).await;
        if self.class == Class::Unnumbered {
            return Ok(Settled::Unknown(Box::new(away().effect_possible())));
        }
        if world.goes_wrong(world.plan.busy) {
            return Err(away());
        }
        let neighbour = world.neighbour.lock().unwrap();
        let standing = neighbour
            .works
            .iter()
            .find(|work| (&work.run, &work.step, work.part) == (&asked.run, &asked.step, asked.part));
        world.note(|| format!("settled: {} {} part {}: {}", asked.run, asked.step, asked.part, standing.is_some()));
        let standing = standing.cloned();
        drop(neighbour);
        Ok(match standing {
            Some(work) => match self.answer(&asked, inputs, &work) {
                Sent::Submitted { .. } => Settled::Happened(Sent::Done { upstream_id: None, output: output(&work) }),
                answer => Settled::Happened(answer),
            },
            None if certain => Settled::NotSent,
            None => Settled::NotYet(Box::new(away().effect_possible())),
        })
    }

    async fn poll(&self, _: &Neighbours, inputs: &Value, id: &str, _: Deadline) -> Result<Polled, Failure> {
        let (world, asked) = (&self.world, self.asked(inputs));
        world.pause(Duration::ZERO).await;
        if world.goes_wrong(world.plan.busy) {
            return Err(away());
        }
        let now = world.now();
        let mut neighbour = world.neighbour.lock().unwrap();
        let Some(work) = neighbour.by_id(id) else {
            return Err(Failure::new(Code::StatementNotFound, format!("{} {} {id}", asked.run, asked.step)));
        };
        if work.canceled {
            return Err(Failure::new(Code::StatementCanceled, "canceled"));
        }
        if work.ends > now {
            return Ok(Polled::Running);
        }
        if work.succeeds {
            return Ok(Polled::Done { output: output(work) });
        }
        Err(unlike("failed", work.pin.as_ref()))
    }

    async fn cancel(&self, _: &Neighbours, inputs: &Value, id: &str, _: Deadline) -> Result<(), Failure> {
        self.asked(inputs);
        self.world.pause(Duration::ZERO).await;
        if self.world.goes_wrong(self.world.plan.busy) {
            return Err(away());
        }
        let now = self.world.now();
        if let Some(work) = self.world.neighbour.lock().unwrap().by_id(id).filter(|work| work.ends > now) {
            self.world.note(|| format!("canceled: {} {}", work.run, work.step));
            work.canceled = true;
        }
        Ok(())
    }
}
