//! People who ask for runs: by a message, by a call that waits, or by one that wants to be told at an address of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, json};

use super::bus::Bus;
use super::hosts::{Came, Hosts};
use super::operations::is_sealed;
use super::plan::Request;
use super::receivers::address_of;
use super::vault::pin_of;
use super::world::World;
use crate::http::Deadline;
use crate::runs::TellAt;
use crate::service_bus::Message;

/// Somebody asks for a run, and again until it is taken.
pub(super) async fn ask(
    world: Arc<World>,
    hosts: Arc<Hosts>,
    bus: Arc<Bus>,
    number: usize,
    request: Request,
    run: String,
) {
    tokio::time::sleep(Duration::from_secs(request.at)).await;
    let Request { operation, over_http, sent_twice, wants_reply, told, .. } = request;
    let mut parameters = Map::new();
    if is_sealed(operation) {
        parameters.insert("pin".to_owned(), pin_of(&run).into());
    }
    if !over_http && !told {
        for _ in 0..=usize::from(sent_twice) {
            let body = json!({"operation": operation, "parameters": parameters}).to_string();
            let message = Message { body: body.into(), ..Message::default() };
            let reply_to = wants_reply.then(|| "replies".to_owned());
            bus.enqueue("requests", Some(format!("request-{number}")), &message, reply_to);
            // Who is not sure that it was taken sends it again, also much later.
            let pause = if world.draw(|dice| dice.chance(500)) { 0 } else { world.draw(|dice| dice.below(300)) };
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        return;
    }
    let begun = AtomicU64::new(0);
    loop {
        let (id, deadline, begun) = (run.clone(), Deadline::after(Duration::from_secs(110)), &begun);
        let parameters = parameters.clone();
        let came = hosts.invoke("a call", Some(run.clone()), |runs| async move {
            let entry = runs.catalog().get(operation).unwrap();
            if told {
                let to = TellAt { url: address_of(&id), base: "https://causeway".to_owned() };
                return runs.begin_telling(entry, &id, parameters, "test", &to, deadline).await;
            }
            let own = runs.begin(entry, &id, parameters, "test", true, deadline).await?;
            begun.store(1, Ordering::Relaxed);
            runs.carry_on(own, Deadline::after(Duration::from_secs(90)), deadline).await.map(|_| ())
        });
        // What has begun ends without its caller.
        if let Came::Ok(()) = came.await {
            return;
        }
        if begun.load(Ordering::Relaxed) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(world.draw(|dice| dice.between(1, 30)))).await;
    }
}
