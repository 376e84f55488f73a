//! Reports exported to files: start and wait, look, fetch. An export changes nothing, so a lost one is started again.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed};
use super::pump::{Pieces, Pump};
use super::token::{Signer, Target};
use super::{Answer, AnswerBody, AnswerStream, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Incoming};
use crate::power_bi::{Export, ExportRequest, ExportState};
use crate::steps::Recovery;
use crate::telemetry::carried;

/// Pieces that wait for the caller.
const WAITING: usize = 2;

impl Requests {
    /// `POST …/reports/{r}/exports`.
    pub async fn start_export(&self, call: &Call, w: &str, r: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let target = format!("{w}/{r}");
        let claimant =
            Claimant { call, route: "exports", target: &target, body: &body, recovery: |_| Recovery::SendAgain };
        let inputs = super::body::inputs(&body, |mut request: ExportRequest| {
            request.check()?;
            super::to_value(&request)
        })?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let request: ExportRequest = super::from_value(&ours.inputs)?;
                let sent = self.0.neighbours.power_bi.start_export(w, r, &request, ours.window).await;
                self.had(ours, call, sent.map(|id| json!(id)).map_err(Failure::from)).await?
            }
        };
        let id = effected.upstream.as_str().unwrap_or_default();
        let seen = if call.mode == Mode::Start { None } else { self.wait_for_export(w, r, id, wait).await };
        if let Some(export) = &seen
            && let Some(value) = self.export_value(call, &signer, w, r, export).map_err(Failure::settled)?
        {
            return Ok(Answer { replayed: effected.replayed, ..done(&value) });
        }
        let going = going(w, r, id, effected.replayed);
        self.going(call, &signer, going, call.mode == Mode::Start)
    }

    /// `GET …/reports/{r}/exports/{e}`: always 200 with the state.
    pub async fn get_export(&self, call: &Call, w: &str, r: &str, e: &str) -> Result<Answer, Failure> {
        let export = self.0.neighbours.power_bi.export(w, r, e, call.deadline).await?;
        let signer = self.signer(call.deadline).await?;
        let value = match self.export_value(call, &signer, w, r, &export) {
            Ok(value) => value.unwrap_or_else(|| shown(&export)),
            Err(failure) => {
                let mut value = shown(&export);
                value["error"] = json!({"code": failure.code, "message": failure.detail});
                value
            }
        };
        Ok(done(&value))
    }

    /// What the status address of an export answers.
    pub(super) async fn export_status(&self, call: &Call, w: &str, r: &str, e: &str) -> Result<Answer, Failure> {
        let export = self.0.neighbours.power_bi.export(w, r, e, call.deadline).await?;
        let signer = self.signer(call.deadline).await?;
        match self.export_value(call, &signer, w, r, &export).map_err(Failure::settled)? {
            Some(value) => Ok(done(&value)),
            None => self.going(call, &signer, going(w, r, e, false), false),
        }
    }

    /// `GET …/reports/{r}/exports/{e}/file`, and the `fileUrl` of an export: the file as it is, streamed.
    pub async fn export_file(&self, call: &Call, w: &str, r: &str, e: &str) -> Result<Answer, Failure> {
        let power_bi = &self.0.neighbours.power_bi;
        let export = power_bi.export(w, r, e, call.deadline).await?;
        if outcome(&export)?.is_none() {
            return Err(Failure::new(Code::ExportNotFound, "The export has not ended, so there is no file yet."));
        }
        let body = power_bi.export_file(w, r, e, call.deadline).await?;
        let (sender, parts) = mpsc::channel(WAITING);
        let rows = Arc::<AtomicU64>::default();
        let pump = Pump {
            of: export.id.clone(),
            source: File { body, deadline: call.stream_deadline },
            parts: sender,
            rows: Arc::clone(&rows),
            deadline: call.stream_deadline,
            pause: call.stream_pause,
        };
        tokio::spawn(carried(pump.run(Some(Bytes::new()))).in_current_span());
        let headers = vec![("content-disposition", disposition(&export))];
        let content_type = content_type(export.extension.as_deref().unwrap_or_default());
        Ok(Answer::of(AnswerBody::Stream(AnswerStream { content_type, headers, parts, rows })))
    }

    /// What the export stands at when it has ended or the wait is over; `None` when it could not be seen.
    async fn wait_for_export(&self, w: &str, r: &str, id: &str, wait: Deadline) -> Option<Export> {
        let mut pause = Duration::from_millis(500);
        let mut seen = None;
        loop {
            let mut asked = Duration::ZERO;
            match self.0.neighbours.power_bi.export(w, r, id, super::looking(wait)).await {
                Ok(export) if matches!(export.state, ExportState::Succeeded | ExportState::Failed) => {
                    return Some(export);
                }
                Ok(export) => {
                    asked = export.retry_after.unwrap_or_default();
                    seen = Some(export);
                }
                Err(error) => {
                    tracing::warn!(error = Failure::from(error).chain(), "could not look at the export");
                }
            }
            let next = pause.max(asked);
            if wait.remaining() <= next {
                return seen;
            }
            tokio::time::sleep(next).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(5));
        }
    }

    /// An export that has succeeded, with the address of its file, which needs no key.
    fn export_value(
        &self,
        call: &Call,
        signer: &Signer,
        w: &str,
        r: &str,
        export: &Export,
    ) -> Result<Option<Value>, Failure> {
        let Some(()) = outcome(export)? else { return Ok(None) };
        let file = Target::ExportFile { w: w.to_owned(), r: r.to_owned(), e: export.id.clone() };
        let mut value = shown(export);
        value["fileUrl"] = self.url(call, &format!("/api/status/{}", signer.sign(&file)?)).into();
        Ok(Some(value))
    }
}

/// Whether it has ended, and how.
fn outcome(export: &Export) -> Result<Option<()>, Failure> {
    match export.state {
        ExportState::NotStarted | ExportState::Running => Ok(None),
        ExportState::Succeeded => Ok(Some(())),
        ExportState::Failed => {
            let again = match export.retry_after {
                Some(after) => format!("It may succeed when it is started again in {} s.", after.as_secs()),
                None => "It will fail again: check the format and the configuration, and that the report opens in the \
                         portal."
                    .to_owned(),
            };
            Err(Failure::new(Code::ExportFailed, format!("Power BI could not export the report. {again}")))
        }
    }
}

fn going<'a>(w: &str, r: &str, e: &str, replayed: bool) -> Going<'a> {
    let encoded = utf8_percent_encode(e, NON_ALPHANUMERIC);
    Going {
        id: json!(e),
        state: "running",
        resource: format!("/api/power-bi/workspaces/{w}/reports/{r}/exports/{encoded}"),
        target: Target::Export { w: w.to_owned(), r: r.to_owned(), e: e.to_owned() },
        replayed,
    }
}

fn shown(export: &Export) -> Value {
    let mut value = json!({
        "exportId": export.id,
        "state": export.state,
        "percentComplete": export.percent_complete,
        "reportName": export.report_name,
        "fileName": file_name(export),
        "expirationTime": export.expires,
    });
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

fn file_name(export: &Export) -> Option<String> {
    let extension = export.extension.as_deref()?;
    Some(format!("{}{extension}", export.report_name.as_deref().unwrap_or("report")))
}

/// The name for old readers, and for those of today (RFC 6266).
fn disposition(export: &Export) -> String {
    let name = file_name(export).unwrap_or_else(|| "report".to_owned());
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || " ._-".contains(letter) { letter } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, NON_ALPHANUMERIC))
}

fn content_type(extension: &str) -> &'static str {
    match extension.trim_start_matches('.').to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "png" => "image/png",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "mhtml" => "multipart/related",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// A file on its way in.
struct File {
    body: Incoming,
    deadline: Deadline,
}

impl Pieces for File {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.body.next(self.deadline).await
    }

    fn rows(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_for_every_reader() {
        let export = Export {
            id: "e".into(),
            state: ExportState::Succeeded,
            percent_complete: None,
            report_name: Some("Umsatz \"größer\"".into()),
            extension: Some(".pdf".into()),
            expires: None,
            retry_after: None,
        };
        assert_eq!(
            disposition(&export),
            "attachment; filename=\"Umsatz _gr__er_.pdf\"; filename*=UTF-8''Umsatz%20%22gr%C3%B6%C3%9Fer%22%2Epdf"
        );
    }
}
