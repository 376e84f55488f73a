//! Reading page by page: a list up to as many items as are wanted, or one thing that takes several pages, whole.

use serde::de::DeserializeOwned;
use url::Url;

use super::Databricks;
use super::error::DatabricksError;
use super::subject::Subject;
use crate::http::{Deadline, Outbound, RequestKind};

/// Pages read for one part of a list: Databricks may answer empty pages with a token for the next.
const MOST_PAGES: usize = 20;

/// Pages of one thing, which then counts as whole: a job has at most 1,000 tasks, 100 a page.
const MOST_PARTS: usize = 100;

/// Part of a list, and the token of its next part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// What is listed, and where.
#[derive(Debug)]
pub(super) struct List {
    pub(super) kind: RequestKind,
    pub(super) url: Url,
    pub(super) subject: Subject,
    /// The query parameter that sizes a page, and the largest page; `None` where the address says it already.
    pub(super) page: Option<(&'static str, usize)>,
}

/// One page of a list.
pub(super) trait ListPage {
    type Item;

    /// What it holds, and the token of the next.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// One page of a thing that comes in several.
pub(super) trait Part {
    /// The token of the next page, taken out.
    fn next(&mut self) -> Option<String>;

    /// Adds what the next page brought.
    fn append(&mut self, page: Self);
}

impl Databricks {
    /// All pages of one thing.
    pub(super) async fn whole<P: Part + DeserializeOwned>(
        &self,
        kind: RequestKind,
        url: &Url,
        subject: &Subject,
        deadline: Deadline,
    ) -> Result<P, DatabricksError> {
        let mut whole: P = self.ask(kind, Outbound::get(url.clone()), subject, deadline).await?;
        let mut token = whole.next().filter(|token| !token.is_empty());
        for _ in 1..MOST_PARTS {
            let Some(at) = token else { break };
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("page_token", &at);
            let mut page: P = self.ask(kind, Outbound::get(url), subject, deadline).await?;
            token = page.next().filter(|token| !token.is_empty());
            whole.append(page);
            if token.as_deref() == Some(&at) {
                return Err(goes_round(subject));
            }
        }
        Ok(whole)
    }

    /// Pages until there are `most` items. Each page is asked for no more than is still wanted, so that none is cut.
    pub(super) async fn list<P: ListPage + DeserializeOwned>(
        &self,
        list: &List,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<P::Item>, DatabricksError> {
        let mut listed = Listed { items: Vec::new(), next: from.map(str::to_owned) };
        for _ in 0..MOST_PAGES {
            let mut url = list.url.clone();
            if let Some((name, largest)) = list.page {
                let wanted = most.saturating_sub(listed.items.len()).min(largest).to_string();
                url.query_pairs_mut().append_pair(name, &wanted);
            }
            if let Some(token) = &listed.next {
                url.query_pairs_mut().append_pair("page_token", token);
            }
            let page: P = self.ask(list.kind, Outbound::get(url), &list.subject, deadline).await?;
            let (items, next) = page.into_parts();
            listed.items.extend(items);
            let next = next.filter(|token| !token.is_empty());
            if next.is_some() && next == listed.next {
                return Err(goes_round(&list.subject));
            }
            listed.next = next;
            if listed.next.is_none() || listed.items.len() >= most {
                break;
            }
        }
        Ok(listed)
    }
}

/// A page whose next one is itself.
fn goes_round(subject: &Subject) -> DatabricksError {
    DatabricksError::nonsense(subject, "its next page is the page itself")
}
