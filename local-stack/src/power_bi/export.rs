//! One export of a report to a file: which formats there are, what comes out, and how far it is.

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::progress::{Progress, Stage};

/// A format, the file's extension, its media type, and the kinds of report that it is for (swagger,
/// `ExportReportRequest`; "Export paginated reports").
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
    pub(super) media_type: &'static str,
    pub(super) of_reports: bool,
    pub(super) of_paginated: bool,
}

const OFFICE: [&str; 3] = [
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
];
const FORMATS: [Format; 10] = [
    Format::of("PPTX", ".pptx", OFFICE[0], true, true),
    Format::of("PDF", ".pdf", "application/pdf", true, true),
    Format::of("PNG", ".png", "image/png", true, false),
    Format::of("IMAGE", ".tiff", "image/tiff", false, true),
    Format::of("XLSX", ".xlsx", OFFICE[1], false, true),
    Format::of("DOCX", ".docx", OFFICE[2], false, true),
    Format::of("CSV", ".csv", "text/csv", false, true),
    Format::of("XML", ".xml", "text/xml", false, true),
    Format::of("MHTML", ".mhtml", "multipart/related", false, true),
    Format::of("ACCESSIBLEPDF", ".pdf", "application/pdf", false, true),
];

impl Format {
    const fn of(
        name: &'static str,
        extension: &'static str,
        media_type: &'static str,
        of_reports: bool,
        of_paginated: bool,
    ) -> Self {
        Self { name, extension, media_type, of_reports, of_paginated }
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name))
    }

    /// A file that begins as such files do; nobody draws anything here.
    pub(super) fn sample(&self) -> Bytes {
        Bytes::from_static(match self.extension {
            ".pdf" => b"%PDF-1.7\n%made by a stand-in\n%%EOF\n",
            ".png" => b"\x89PNG\r\n\x1a\n",
            ".tiff" => b"II*\0",
            ".csv" => b"day,orders\r\n2026-01-31,3\r\n",
            ".xml" => b"<?xml version=\"1.0\"?><Report/>",
            ".mhtml" => b"MIME-Version: 1.0\r\n\r\n",
            _ => b"PK\x03\x04",
        })
    }
}

/// How an export fails: with a time, "retry the whole export"; without, for good.
#[derive(Clone, Copy, Debug)]
pub struct FailedExport {
    pub retry_after_seconds: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Export {
    pub(super) id: String,
    pub(super) report: String,
    pub(super) report_name: String,
    pub(super) format: &'static str,
    pub(super) created: Timestamp,
    pub(super) progress: Progress,
    pub(super) failure: Option<FailedExport>,
    pub(super) file: Bytes,
    /// How often it was asked after.
    pub(super) polls: u64,
}

/// A file can be had for a day ("Export Power BI report to file").
const LIFE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

impl Export {
    pub(super) fn status(&self) -> &'static str {
        match (self.progress.stage(), self.failure) {
            (Stage::NotStarted, _) => "NotStarted",
            (Stage::Running, _) => "Running",
            (Stage::Ended, None) => "Succeeded",
            (Stage::Ended, Some(_)) => "Failed",
        }
    }

    /// `place` is where the export is.
    pub(super) fn shown(&self, place: &str) -> Value {
        let status = self.status();
        let mut shown = json!({
            "id": self.id,
            "createdDateTime": self.created,
            "lastActionDateTime": Timestamp::now(),
            "reportId": self.report,
            "reportName": self.report_name,
            "status": status,
            "percentComplete": match status { "NotStarted" => 0, "Succeeded" => 100, _ => 50 },
        });
        if status == "Succeeded" {
            shown["resourceLocation"] = json!(format!("{place}/file"));
            shown["resourceFileExtension"] = json!(Format::named(self.format).map(|format| format.extension));
            shown["expirationTime"] = json!(self.created.saturating_add(LIFE).ok());
        }
        shown
    }
}
