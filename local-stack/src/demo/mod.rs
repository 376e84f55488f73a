//! The main job from end to end, printed as it happens. One file for each part; each part asks the running stack over
//! the wire and in its history, and fails loudly.

use crate::stack::Stack;

/// Runs every part over a stack whose handler is ready; an error names the part that did not do what it should.
pub async fn run(stack: &Stack) -> anyhow::Result<()> {
    stack.ready().await
}
