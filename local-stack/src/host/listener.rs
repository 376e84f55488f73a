//! The Service Bus trigger: receives, renews the lock while the handler works, settles by the outcome.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::definition::{Function, Trigger};
use super::group::Group;
use super::logs::Source;
use super::{Context, Outcome, envelope, invocation};
use crate::service_bus::{Delivery, Queue};

/// The processor renews this long before the lock ends, or at half its time if that is shorter.
const RENEWAL_BUFFER: Duration = Duration::from_secs(10);

/// Settling takes a round trip to the broker. Without it a message would come again before the death of the handler
/// that failed it is noticed, faster than anywhere else.
const ROUND_TRIP: Duration = Duration::from_millis(2);

/// Listens until dropped, which is how a host ends: without settling what is in flight.
pub(super) async fn run(context: Arc<Context>, group: Arc<Group>, function: Function) {
    let Trigger::Queue { queue: name, .. } = &function.trigger else { return };
    let Some(queue) = context.options.service_bus.as_ref().and_then(|broker| broker.queue(name)) else {
        let text = format!(
            "The listener for function 'Functions.{}' was unable to start: the messaging entity '{name}' could not be \
             found",
            function.name
        );
        context.logs.push(&group.name, Source::Host, text);
        return;
    };
    let function = Arc::new(function);
    let calls = Arc::new(Semaphore::new(context.host_json.max_concurrent_calls));
    let mut deliveries = JoinSet::new();
    loop {
        let Ok(call) = calls.clone().acquire_owned().await else { return };
        let delivery = queue.receive().await;
        while deliveries.try_join_next().is_some() {}
        let (context, group, function, queue) = (context.clone(), group.clone(), function.clone(), queue.clone());
        deliveries.spawn(async move {
            deliver(&context, &group, &function, &queue, delivery).await;
            drop(call);
        });
    }
}

async fn deliver(context: &Context, group: &Group, function: &Function, queue: &Queue, delivery: Delivery) {
    let Trigger::Queue { binary, auto_complete, .. } = function.trigger else { return };
    let message = &delivery.message;
    let mut detail = invocation::detail("serviceBus");
    detail["queue"] = queue.name().into();
    detail["messageId"] = json!(message.properties.message_id);
    detail["sequenceNumber"] = message.sequence_number.into();
    detail["deliveryCount"] = message.delivery_count.into();
    let envelope = envelope::message(&function.name, &function.binding, &delivery, binary);
    let outcome = {
        let work = invocation::run(context, group, function, &envelope, detail);
        let renewal = renew(context, queue, &delivery);
        tokio::pin!(work, renewal);
        tokio::select! {
            outcome = &mut work => outcome,
            // The lock is left to itself; the handler goes on, and so may a second delivery of the same message.
            () = &mut renewal => work.await,
        }
    };
    tokio::time::sleep(ROUND_TRIP).await;
    let settled = match outcome {
        Outcome::Succeeded if auto_complete => ("complete", queue.complete(delivery.lock_token)),
        // Locked until the lock ends, then delivered again.
        Outcome::Succeeded => return,
        Outcome::Failed(_) => ("abandon", queue.abandon(delivery.lock_token)),
    };
    if let (action, Err(lost)) = settled {
        let name = &function.name;
        let text = format!("Message processing error (Action={action}, Functions.{name}): MessageLockLost: {lost}");
        context.logs.push(&group.name, Source::Host, text);
        let detail = json!({
            "function": name, "queue": queue.name(), "action": action,
            "sequenceNumber": message.sequence_number, "messageId": message.properties.message_id,
        });
        context.history.record("host", "lockLost", detail);
    }
}

/// Renews the lock until maxAutoLockRenewalDuration is over or the lock is lost.
async fn renew(context: &Context, queue: &Queue, delivery: &Delivery) {
    let end = Instant::now() + context.host_json.max_auto_lock_renewal;
    let lock = queue.options().lock_duration;
    let pause = lock.saturating_sub(RENEWAL_BUFFER.min(lock / 2));
    loop {
        tokio::time::sleep(pause).await;
        if Instant::now() >= end || queue.renew(delivery.lock_token).is_err() {
            return;
        }
    }
}
