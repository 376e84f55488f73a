//! The main job from end to end, printed as it happens. Each part asks the running stack over the wire and in its
//! history, and fails loudly. What a part does is `calls.rs` and `messages.rs`; how it is printed is `teller.rs`.

mod calls;
mod client;
mod messages;
mod teller;

use anyhow::Context;

use crate::stack::{Stack, StackOptions};
use client::Client;
use teller::Teller;

/// Starts a stack and runs every part over it; an error names the part that did not do what it should.
pub async fn run(options: StackOptions) -> anyhow::Result<()> {
    let mut tell = Teller::new();
    tell.part("The stack starts, and the handler in it");
    let stack = Stack::start(options).await?;
    let done = parts(&stack, &mut tell).await;
    stack.stop().await;
    done?;
    tell.summary();
    Ok(())
}

/// The same parts over a stack that runs already; every answer that a caller got, as text.
pub async fn over(stack: &Stack) -> anyhow::Result<Vec<String>> {
    parts(stack, &mut Teller::new()).await
}

async fn parts(stack: &Stack, tell: &mut Teller) -> anyhow::Result<Vec<String>> {
    stack.ready().await.context("the handler did not become ready")?;
    let host = stack.host.as_ref().context("the demo needs the host")?;
    let endpoints = stack.endpoints();
    let base = endpoints.host.clone().unwrap_or_default();
    for (name, url) in [
        ("host", base.as_str()),
        ("databricks", &endpoints.databricks),
        ("power bi", &endpoints.power_bi),
        ("key vault", &endpoints.key_vault),
        ("entra", &endpoints.entra),
        ("bus", &endpoints.service_bus),
        ("ledger", &endpoints.blob),
    ] {
        tell.line(name, url);
    }
    tell.line("functions", host.functions().join(", "));
    let client = Client::new(base, stack.credentials().host_key.unwrap_or_default());

    calls::secret(stack, &client, tell).await.context("reading a secret")?;
    calls::statement(&client, tell).await.context("SQL over HTTP")?;
    calls::long_statement(stack, &client, tell).await.context("a statement that outlasts its wait")?;
    calls::job(&client, tell).await.context("a job run")?;
    messages::operation(stack, &client, tell).await.context("a message that runs an operation")?;
    messages::schedule(stack, &client, tell).await.context("the scheduled operation")?;
    messages::poison(stack, tell).await.context("a poison message")?;
    Ok(client.heard())
}
