//! The query history: finding a statement again by the key that it carries. A hit proves that it was submitted; a miss
//! proves nothing, since nobody says how soon the history shows a statement (SDK, QueryHistoryAPI).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::failure::Failure;
use crate::http::{Deadline, Outbound, RequestKind};

/// The tag that a write's key stands in, and the word of its leading comment.
pub const KEY_TAG: &str = "causeway-key";
/// Rows of a page ("must be less than 1000").
const PAGE: &str = "500";
/// Pages that are read, newest first: a look must end.
const MOST_PAGES: usize = 6;
/// Databricks' clock may be behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);
/// Pauses between looks: the first and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    res: Vec<Shown>,
    next_page_token: Option<String>,
    #[serde(default)]
    has_next_page: bool,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(rename = "query_id")]
    id: Option<String>,
    #[serde(rename = "query_text")]
    text: Option<String>,
    #[serde(rename = "query_tags", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Me {
    id: Option<String>,
}

/// A statement with its key in front, where the history shows it also when it drops the tags.
pub fn with_key(statement: &str, key: &str) -> String {
    format!("{}{statement}", comment(key))
}

/// How many characters stand before a statement that carries a key of 64 digits.
pub(super) fn before_statement() -> u32 {
    u32::try_from(comment(&"0".repeat(64)).len()).unwrap_or(u32::MAX)
}

fn comment(key: &str) -> String {
    format!("/* {KEY_TAG}: {key} */ ")
}

impl Shown {
    fn carries(&self, key: &str) -> bool {
        let is_ours = |tag: &Tag| tag.key.as_deref() == Some(KEY_TAG) && tag.value.as_deref() == Some(key);
        // Only at the beginning: a statement may well speak of another's key.
        let begins = || self.text.as_deref().is_some_and(|text| text.starts_with(comment(key).trim_end()));
        self.tags.iter().any(is_ours) || begins()
    }
}

impl Databricks {
    /// The id of the statement that carries `key`, submitted to `warehouse` since then, if the history shows it.
    pub async fn find_statement(
        &self,
        warehouse: &str,
        key: &str,
        since: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<String>, DatabricksError> {
        let user = self.own_id(deadline).await?;
        let subject = Subject::Warehouse(warehouse.to_owned());
        let since = since.checked_sub(CLOCKS).unwrap_or(since).as_millisecond().to_string();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.address(&["api", "2.0", "sql", "history", "queries"])?;
            url.query_pairs_mut()
                .append_pair("filter_by.warehouse_ids", warehouse)
                .append_pair("filter_by.query_start_time_range.start_time_ms", &since)
                .append_pair("max_results", PAGE);
            if let Some(user) = &user {
                url.query_pairs_mut().append_pair("filter_by.user_ids", user);
            }
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("page_token", token);
            }
            let page: Found = self.ask(RequestKind::QueryHistory, Outbound::get(url), &subject, deadline).await?;
            if let Some(found) = page.res.into_iter().find(|query| query.carries(key)) {
                return Ok(found.id);
            }
            token = page.next_page_token.filter(|token| page.has_next_page && !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// The same, looking again with growing pauses until `until`. A look that fails is one that found nothing.
    pub async fn search_statement(
        &self,
        warehouse: &str,
        key: &str,
        since: Timestamp,
        until: Deadline,
    ) -> Option<String> {
        let mut pause = FIRST_LOOK;
        loop {
            match self.find_statement(warehouse, key, since, until).await {
                Ok(Some(id)) => return Some(id),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = Failure::from(error).chain(), "could not look into the query history");
                }
            }
            if until.remaining() <= pause {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// The id of who we are there. Without the right to ask, the history is searched without it.
    async fn own_id(&self, deadline: Deadline) -> Result<Option<String>, DatabricksError> {
        let asked = self.me.get_or_try_init(|| async {
            let url = self.address(&["api", "2.0", "preview", "scim", "v2", "Me"])?;
            let me: Me = self.ask(RequestKind::OwnIdentity, Outbound::get(url), &Subject::Workspace, deadline).await?;
            // The filter takes numbers, which is what ids of users and service principals are.
            Ok(me.id.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())))
        });
        match asked.await {
            Ok(id) => Ok(id.clone()),
            Err(DatabricksError::Refused(refused)) if refused.status < 429 => Ok(None),
            Err(error) => Err(error),
        }
    }
}
