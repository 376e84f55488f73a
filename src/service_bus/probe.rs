//! Whether we may send to a queue or topic, without sending anything.

use super::ServiceBus;
use super::rest::refused;
use crate::failure::Failure;
use crate::http::{Deadline, Outbound, RequestKind};

/// A batch of messages, by its content type.
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

impl ServiceBus {
    /// Asks with a batch that holds no message: who may not send is refused before it is read (401), a queue that is not
    /// there is told (404, 410), and whether the empty batch then pleases (201) or not (400) is all the same.
    pub async fn may_send(&self, entity: &str, deadline: Deadline) -> Result<(), Failure> {
        let mut request = Outbound::post(self.messages_of(entity)?).header("content-type", BATCH);
        request.body = Some("[]".into());
        let reply = self.call(RequestKind::Probe, entity, request, deadline).await?;
        if reply.is_success() || reply.status == 400 { Ok(()) } else { Err(refused(entity, &reply)) }
    }
}
