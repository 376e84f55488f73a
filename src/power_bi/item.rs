//! What a call is about besides refreshes and rows: how a maker is told of it, and what a refusal of it means.

use std::fmt;

use super::error::{MY_WORKSPACE, Place};
use crate::failure::Code;

/// Something in Power BI, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Workspaces,
    /// What a workspace holds, such as `datasets`.
    Held {
        workspace: String,
        what: &'static str,
    },
    Dataset(Place),
    /// The tables of a push dataset, or one of them.
    Table {
        place: Place,
        table: Option<String>,
    },
    /// A DAX query.
    Query(Place),
}

impl Item {
    /// A workspace's id, or `me`.
    pub(super) fn workspace(&self) -> Option<&str> {
        match self {
            Self::Workspaces => None,
            Self::Held { workspace, .. } => Some(workspace),
            Self::Dataset(place) | Self::Table { place, .. } | Self::Query(place) => Some(&place.workspace),
        }
    }

    /// The code for an item that is not there.
    pub(super) fn missing(&self) -> Code {
        match self {
            Self::Workspaces => Code::PowerBiRefused,
            Self::Held { .. } => Code::WorkspaceNotFound,
            Self::Dataset(_) | Self::Query(_) | Self::Table { table: None, .. } => Code::DatasetNotFound,
            Self::Table { table: Some(_), .. } => Code::TableNotFound,
        }
    }

    /// The code for a refusal of what was asked, where it says more than that it was refused.
    pub(super) fn refused(&self, status: u16) -> Option<Code> {
        match (self, status) {
            (Self::Query(_), 400) => Some(Code::QueryFailed),
            _ => None,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspaces => f.write_str("the workspaces"),
            Self::Held { workspace, what } => write!(f, "the {what} of {}", named(workspace)),
            Self::Dataset(place) => place.fmt(f),
            Self::Table { place, table: None } => write!(f, "the tables of {place}"),
            Self::Table { place, table: Some(table) } => write!(f, "table `{table}` of {place}"),
            // Without the right to build on a dataset the service says that there is none (docs/power-bi.md).
            Self::Query(place) => write!(f, "{place}, or Causeway's identity lacks Build permission on it"),
        }
    }
}

fn named(workspace: &str) -> String {
    if workspace == MY_WORKSPACE { "My Workspace".to_owned() } else { format!("workspace {workspace}") }
}
