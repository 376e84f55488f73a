//! The parts of the demo that are HTTP calls: a secret, SQL, a long statement, a job run.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::teller::Teller;
use crate::stack::Stack;

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);

/// Readiness needs the key that signs status URLs, so it makes the handler read Key Vault.
pub(super) async fn secret(stack: &Stack, client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("A secret is read from Key Vault");
    let ready = client.get("/api/health/ready").await?.expect(200)?;
    let read = stack
        .history
        .of("keyVault", "request")
        .into_iter()
        .filter_map(|entry| entry.detail["target"].as_str().map(str::to_owned))
        .find(|target| target.contains("causeway-status-key"))
        .context("Key Vault was not asked for causeway-status-key")?;
    tell.line("GET", read.split('?').next().unwrap_or_default());
    tell.line("as", "the managed identity, over TLS, after Key Vault's challenge");
    tell.line("ready", ready.body["neighbours"].to_string());
    Ok(())
}

/// Parameters are bound, values are typed.
pub(super) async fn statement(client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("SQL over HTTP, with parameters and typed rows");
    let sql = "SELECT category, count(*) AS orders, CAST(sum(amount) AS DECIMAL(12,2)) AS amount, max(order_date) AS last \
               FROM main.sales.orders WHERE order_date >= :since AND quantity >= :least \
               GROUP BY category ORDER BY amount DESC LIMIT 3";
    let parameters = json!({"since": {"value": "2026-10-01", "type": "DATE"}, "least": 2});
    tell.line("POST", "/api/sql/statements");
    tell.line("with", parameters.to_string());
    let reply = client.post("/api/sql/statements", &json!({"statement": sql, "parameters": parameters})).await?;
    let reply = reply.expect(200)?;
    let rows = reply.body["rows"].as_array().context("no rows")?;
    ensure!(rows.len() == 3, "{} rows instead of 3", rows.len());
    for row in rows {
        ensure!(row["orders"].is_number() && row["amount"].is_number(), "a number came as something else: {row}");
        tell.line("row", row.to_string());
    }
    Ok(())
}

/// 202 and a `Location` that needs no key.
pub(super) async fn long_statement(stack: &Stack, client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("A statement outlasts its wait and is polled through Location");
    let sql = "SELECT count(*) AS customers FROM main.sales.customers /* demo: slow */";
    stack.databricks.hold("demo: slow", Some(Duration::from_secs(3)));
    let reply = client.post("/api/sql/statements?waitSeconds=1", &json!({"statement": sql})).await?.expect(202)?;
    let location = reply.header("location")?.to_owned();
    tell.line("202", format!("Location: {}…  Retry-After: {} s", shortened(&location), reply.header("retry-after")?));
    let done = follow(client, &location, tell).await?;
    tell.line("200", format!("{} {}", done.text("/state"), done.body["rows"]));
    ensure!(done.body["rows"][0]["customers"].is_u64(), "no count in {}", done.body);
    Ok(())
}

/// One call for a whole job run, with the outputs of its tasks.
pub(super) async fn job(client: &Client, tell: &mut Teller) -> anyhow::Result<()> {
    tell.part("A Databricks job runs to its end in one call");
    tell.line("POST", "/api/jobs/rebuild-daily-sales/runs {\"parameters\":{\"day\":\"2026-10-31\"}}");
    let body = json!({"parameters": {"day": "2026-10-31"}});
    let reply = client.post("/api/jobs/rebuild-daily-sales/runs?waitSeconds=60", &body).await?.expect(200)?;
    tell.line("run", format!("{} {} in {} ms", reply.text("/runId"), reply.text("/state"), reply.body["durationMs"]));
    for output in reply.body["outputs"].as_array().context("no outputs")? {
        tell.line("output", format!("{}: {}", output["taskKey"].as_str().unwrap_or_default(), output["text"]));
    }
    Ok(())
}

/// Polls until the answer is no longer 202, as a flow does, only sooner.
pub(super) async fn follow(client: &Client, location: &str, tell: &Teller) -> anyhow::Result<Reply> {
    let polled = async {
        let mut pause = Duration::from_millis(500);
        loop {
            let reply = client.get(location).await?;
            if reply.status != 202 {
                return reply.expect(200);
            }
            tell.line("202", format!("state {}", reply.body.get("state").unwrap_or(&Value::Null)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.context("the status never became final")?
}

fn shortened(url: &str) -> &str {
    url.char_indices().nth(60).map_or(url, |(end, _)| &url[..end])
}
