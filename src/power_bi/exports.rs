//! Reports exported to files: started, looked at, fetched ("Export Power BI report to file", Power BI docs).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::call::{body, is_guid, known_workspace, read, token_was_refused};
use super::item::Item;
use super::refusal::{success, unexpected};
use super::{PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Incoming, Opened, Outbound, RequestKind};

/// Those of Power BI reports, and those of paginated reports besides (Microsoft's swagger, `FileFormat`).
const FORMATS: [&str; 10] = ["PDF", "PPTX", "PNG", "IMAGE", "XLSX", "DOCX", "CSV", "XML", "MHTML", "ACCESSIBLEPDF"];
/// Longer than any that has been seen.
const LONGEST_ID: usize = 1_000;

/// What is exported. The configurations are handed through as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportRequest {
    pub format: String,
    #[serde(rename = "powerBIReportConfiguration", default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Map<String, Value>>,
    #[serde(rename = "paginatedReportConfiguration", default, skip_serializing_if = "Option::is_none")]
    pub paginated: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExportState {
    NotStarted,
    Running,
    Succeeded,
    Failed,
}

/// An export as it stands.
#[derive(Clone, Debug)]
pub struct Export {
    pub id: String,
    pub state: ExportState,
    pub percent_complete: Option<u32>,
    pub report_name: Option<String>,
    /// With its dot.
    pub extension: Option<String>,
    /// Until when the file can be fetched.
    pub expires: Option<String>,
    /// With a failure: another try may do better, after this.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExportBody {
    id: Option<String>,
    status: Option<String>,
    percent_complete: Option<u32>,
    report_name: Option<String>,
    #[serde(alias = "ResourceFileExtension")]
    resource_file_extension: Option<String>,
    expiration_time: Option<String>,
}

impl ExportRequest {
    /// Refuses what the service would refuse, and spells it as it does.
    pub fn check(&mut self) -> Result<(), Failure> {
        let invalid = |place: &str, detail: String| Err(Failure::new(Code::BodyInvalid, detail).at(place));
        let Some(known) = FORMATS.iter().find(|known| known.eq_ignore_ascii_case(&self.format)) else {
            let detail = format!("`format` is one of {}; `{}` is not.", FORMATS.join(", "), self.format);
            return invalid("format", detail);
        };
        (*known).clone_into(&mut self.format);
        if self.report.is_some() && self.paginated.is_some() {
            let detail = "A report is a Power BI report or a paginated one: give one configuration.";
            return invalid("paginatedReportConfiguration", detail.to_owned());
        }
        Ok(())
    }
}

impl PowerBi {
    /// The id of the export that was accepted.
    pub async fn start_export(
        &self,
        workspace: &str,
        report: &str,
        request: &ExportRequest,
        deadline: Deadline,
    ) -> Result<String, PowerBiError> {
        let url = self.of_report(workspace, report, &["ExportTo"])?;
        let subject = Subject::Item(Item::Report { workspace: workspace.to_owned(), report: report.to_owned() });
        let kind = RequestKind::ExportStart;
        let reply = self.call(kind, Outbound::post(url).json(body(request)?), &subject, deadline).await?;
        let started: ExportBody = read(&reply, kind, &subject)?;
        match started.id {
            Some(id) => Ok(id),
            None => Err(unexpected(&reply, kind, &subject, "no id of the export that was accepted")),
        }
    }

    pub async fn export(
        &self,
        workspace: &str,
        report: &str,
        export: &str,
        deadline: Deadline,
    ) -> Result<Export, PowerBiError> {
        let (url, subject) = self.of_export(workspace, report, export, &[])?;
        let kind = RequestKind::PowerBiGet;
        let reply = self.call(kind, Outbound::get(url), &subject, deadline).await?;
        let body: ExportBody = read(&reply, kind, &subject)?;
        let state = match body.status.as_deref() {
            Some("Succeeded") => ExportState::Succeeded,
            Some("Failed") => ExportState::Failed,
            Some("Running") => ExportState::Running,
            // `Undefined`, and what is new: it has not ended.
            _ => ExportState::NotStarted,
        };
        Ok(Export {
            id: export.to_owned(),
            state,
            percent_complete: body.percent_complete,
            report_name: body.report_name,
            extension: body.resource_file_extension,
            expires: body.expiration_time,
            retry_after: reply.retry_after(),
        })
    }

    /// The file of an export that has succeeded, on its way in.
    pub async fn export_file(
        &self,
        workspace: &str,
        report: &str,
        export: &str,
        deadline: Deadline,
    ) -> Result<Incoming, PowerBiError> {
        let (url, subject) = self.of_export(workspace, report, export, &["file"])?;
        let kind = RequestKind::ExportFile;
        let request = Outbound::get(url);
        let opened = self.way.open(kind, request, deadline, token_was_refused(kind, &subject)).await?;
        match opened {
            Opened::Body(body) => Ok(body),
            Opened::Refused(reply) => match success(reply, kind, &subject) {
                Ok(_) => Err(Failure::new(Code::Internal, "A success was taken for a refusal.").into()),
                Err(error) => Err(error),
            },
        }
    }

    fn of_report(&self, workspace: &str, report: &str, segments: &[&str]) -> Result<Url, PowerBiError> {
        known_workspace(workspace)?;
        if !is_guid(report) {
            let detail = format!(
                "`{report}` is not a report's id; it stands in the report's address after `reports/`. A name will not do."
            );
            return Err(Failure::new(Code::ReportNotFound, detail).into());
        }
        self.address_within(workspace, &[&["reports", report], segments].concat())
    }

    fn of_export(
        &self,
        workspace: &str,
        report: &str,
        export: &str,
        segments: &[&str],
    ) -> Result<(Url, Subject), PowerBiError> {
        let url = self.of_report(workspace, report, &[&["exports", export], segments].concat())?;
        // URLs drop such segments, however they are encoded: the rest would be another address.
        if matches!(export, "" | "." | "..") || export.len() > LONGEST_ID {
            return Err(Failure::new(Code::ExportNotFound, format!("There is no export `{export}`.")).into());
        }
        let item =
            Item::Export { workspace: workspace.to_owned(), report: report.to_owned(), export: export.to_owned() };
        Ok((url, Subject::Item(item)))
    }
}
