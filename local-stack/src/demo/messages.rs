//! The parts of the demo that come by message and by clock: an operation with its reply, the schedule, a poison message.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::Client;
use super::teller::Teller;
use crate::power_bi::sample;
use crate::service_bus::{Message, NewMessage, Queue};
use crate::stack::{LEDGER_CONTAINER, Stack};

const PATIENCE: Duration = Duration::from_secs(90);

/// SQL, then rows pushed, then a refresh; the reply comes on its own queue.
pub(super) async fn operation(stack: &Stack, client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("A message runs an operation: SQL, rows, refresh; and a reply");
    let body = json!({
        "operation": "push-daily-sales",
        "parameters": {"first_day": "2026-10-05", "days": 7},
        "replyTo": "causeway-replies",
    });
    tell.line("message", body.to_string());
    queue(stack, "causeway-requests")?.send(NewMessage::new(body.to_string()).message_id("demo-1"));
    let reply = next(stack, "causeway-replies", tell).await?;
    let body: Value = serde_json::from_slice(&reply.body)?;
    tell.line("reply", format!("to {}: {body}", reply.properties.correlation_id.as_deref().unwrap_or("nobody")));
    ensure!(body["state"] == "succeeded", "the run did not succeed: {body}");
    let run = client.get(&format!("/api/runs/{}", body["runId"].as_str().unwrap_or_default())).await?.expect(200)?;
    steps(tell, &run.body);
    let pushed = stack.power_bi.rows(sample::SALES_LIVE, sample::DAILY_SALES).len();
    let refreshes = stack.history.of("powerBi", "refresh").len();
    tell.line("effects", format!("{pushed} rows in Power BI, {refreshes} refresh"));
    ensure!(pushed > 0 && refreshes == 1, "not exactly one push and one refresh");
    Ok(())
}

/// The app was away since yesterday; the first tick starts what is due once, with its due time.
pub(super) async fn schedule(stack: &Stack, client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("The scheduled operation starts on a timer tick");
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let mark = json!({"writer": "demo", "until": yesterday, "last": {}});
    stack.blob.write(LEDGER_CONTAINER, "slots/tick-watermark/00000000", mark.to_string())?;
    tell.line("schedule", "refresh-sales: daily at 06:00 UTC; the last tick was 24 hours ago");
    let host = stack.host.as_ref().context("no host")?;
    host.fire_timer("tick", true).await?;
    let run = stack
        .blob
        .names(LEDGER_CONTAINER)
        .into_iter()
        .find_map(|name| name.strip_prefix("open/").and_then(|rest| rest.split('/').next().map(str::to_owned)))
        .or_else(|| scheduled(stack))
        .context("the tick started nothing")?;
    let ended = ended(client, &run).await?;
    tell.line("run", format!("{run} {} ({})", text(&ended, "state"), text(&ended, "trigger")));
    steps(tell, &ended);
    ensure!(ended["state"] == "succeeded", "the scheduled run did not succeed: {}", ended["error"]);
    host.fire_timer("tick", false).await?;
    tell.line("again", "a second tick starts nothing: one due time is one run");
    Ok(())
}

/// What can never work is set aside at once, with its bytes and the reason.
pub(super) async fn poison(stack: &Stack, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("A poison message is parked at once, with its reason");
    let bytes = "{\"operation\": \"push-daily-sales\", \"parametres\": {}}";
    tell.line("message", bytes);
    queue(stack, "causeway-requests")?.send(NewMessage::new(bytes).message_id("demo-poison"));
    let parked = next(stack, "causeway-parking", tell).await?;
    ensure!(parked.body == bytes, "the parked bytes are not the ones that were sent");
    let said = |name: &str| parked.application_properties.get(name).and_then(Value::as_str).unwrap_or_default();
    tell.line("parked", said("causeway-reason"));
    tell.line("because", said("causeway-detail"));
    ensure!(said("causeway-reason") == "message-malformed", "another reason than expected");
    Ok(())
}

fn queue(stack: &Stack, name: &str) -> anyhow::Result<Queue> {
    stack.service_bus.queue(name).with_context(|| format!("there is no queue {name}"))
}

/// The next message of a queue, saying every few seconds that it is still awaited.
async fn next(stack: &Stack, name: &str, tell: &Teller) -> anyhow::Result<Message> {
    let queue = queue(stack, name)?;
    let waiting = async {
        loop {
            let arrived = queue.wait_until(|messages| !messages.is_empty());
            match tokio::time::timeout(Duration::from_secs(5), arrived).await {
                Ok(_) => return queue.drain().into_iter().next(),
                Err(_) => tell.line("…", format!("waiting for {name}")),
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.ok().flatten().with_context(|| format!("nothing came to {name}"))
}

async fn ended(client: &Client, run: &str) -> anyhow::Result<Value> {
    let looked = async {
        loop {
            let reply = client.get(&format!("/api/runs/{run}")).await?.expect(200)?;
            if !matches!(text(&reply.body, "state"), "running" | "waiting") {
                return anyhow::Ok(reply.body);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.context("the run did not end")?
}

/// The run of the schedule, by the history that it leaves when it ends.
fn scheduled(stack: &Stack) -> Option<String> {
    let names = stack.blob.names(LEDGER_CONTAINER);
    let name = names.iter().rev().find(|name| name.starts_with("history/") && name.contains("/refresh-sales/"))?;
    name.rsplit('-').nth(1).map(str::to_owned)
}

fn steps(tell: &Teller, run: &Value) {
    for step in run["steps"].as_array().into_iter().flatten() {
        let took = step["durationMs"].as_u64().map_or_else(String::new, |took| format!("{took} ms"));
        tell.line("step", format!("{:<8} {:<10} {took}", text(step, "id"), text(step, "state")));
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
