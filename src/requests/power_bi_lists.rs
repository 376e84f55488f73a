//! Lists of Power BI, all with `top`, `skip` and `filter`, and `nextLink` while there is more. The service filters and pages
//! workspaces; of everything else it hands over all there is, so that is done here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::done;
use super::filter::{self, Fields, Filter};
use super::token::Target;
use super::{Answer, Call, Requests};
use crate::failure::{Code, Failure};
use crate::power_bi::Portion;

/// Entries of a page when the call does not say (`top`), and at most.
const DEFAULT_TOP: usize = 1_000;
const MOST_TOP: usize = 5_000;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "camelCase")]
pub(super) enum Listing {
    Workspaces,
    Datasets { w: String },
    Reports { w: String },
    Dataflows { w: String },
    Tables { w: String, d: String },
}

/// Which part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    skip: usize,
    top: usize,
}

impl Page {
    fn of(call: &Call) -> Result<Self, Failure> {
        let top = call.whole("top", 1..=MOST_TOP)?.unwrap_or(DEFAULT_TOP);
        let skip = call.whole("skip", 0..=1_000_000)?.unwrap_or(0);
        let filter = call.query("filter").map(str::to_owned);
        if filter.as_ref().is_some_and(|filter| filter.len() > filter::LONGEST) {
            return Err(filter::invalid(format!("A filter has at most {} characters.", filter::LONGEST)));
        }
        Ok(Self { filter, skip, top })
    }
}

impl Listing {
    /// What can be asked of its entries; `None` where the service filters.
    fn fields(&self) -> Option<Fields> {
        match self {
            Self::Workspaces => None,
            Self::Datasets { .. } => Some(Fields {
                texts: &["name", "id", "configuredBy", "targetStorageMode"],
                flags: &["addRowsAPIEnabled", "isRefreshable"],
            }),
            Self::Reports { .. } => Some(Fields { texts: &["name", "id", "datasetId", "reportType"], flags: &[] }),
            Self::Dataflows { .. } => Some(Fields { texts: &["name", "id", "configuredBy"], flags: &[] }),
            Self::Tables { .. } => Some(Fields { texts: &["name"], flags: &["isHidden"] }),
        }
    }
}

impl Requests {
    /// `GET /api/power-bi/workspaces`.
    pub async fn list_workspaces(&self, call: &Call) -> Result<Answer, Failure> {
        self.power_bi_list(call, Listing::Workspaces, Page::of(call)?).await
    }

    /// `GET …/{w}/datasets`.
    pub async fn list_datasets(&self, call: &Call, w: &str) -> Result<Answer, Failure> {
        self.power_bi_list(call, Listing::Datasets { w: w.to_owned() }, Page::of(call)?).await
    }

    /// `GET …/{w}/reports`.
    pub async fn list_reports(&self, call: &Call, w: &str) -> Result<Answer, Failure> {
        self.power_bi_list(call, Listing::Reports { w: w.to_owned() }, Page::of(call)?).await
    }

    /// `GET …/{w}/dataflows`.
    pub async fn list_dataflows(&self, call: &Call, w: &str) -> Result<Answer, Failure> {
        self.power_bi_list(call, Listing::Dataflows { w: w.to_owned() }, Page::of(call)?).await
    }

    /// `GET …/{w}/datasets/{d}/tables`.
    pub async fn list_dataset_tables(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let tables = Listing::Tables { w: w.to_owned(), d: d.to_owned() };
        self.power_bi_list(call, tables, Page::of(call)?).await
    }

    /// `GET …/{w}/datasets/{d}`.
    pub async fn get_dataset(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let dataset = self.0.neighbours.power_bi.dataset(w, d, call.deadline).await?;
        Ok(done(&super::to_value(&dataset)?))
    }

    /// One page.
    pub(super) async fn power_bi_list(&self, call: &Call, of: Listing, page: Page) -> Result<Answer, Failure> {
        let filter = match (&page.filter, of.fields()) {
            (Some(text), Some(fields)) => Some(Filter::read(text, fields)?),
            _ => None,
        };
        let power_bi = &self.0.neighbours.power_bi;
        let (w, deadline) = (of.workspace(), call.deadline);
        let mut value = match &of {
            Listing::Workspaces => {
                // One more than is shown tells whether there is more.
                let portion =
                    Portion { filter: page.filter.as_deref(), top: page.top.saturating_add(1), skip: page.skip };
                let found = power_bi.workspaces(&portion, deadline).await.map_err(Failure::from);
                entries(&found.map_err(|failure| about_the_filter(failure, &page))?)?
            }
            Listing::Datasets { .. } => entries(&power_bi.datasets(w, deadline).await?)?,
            Listing::Reports { .. } => entries(&power_bi.reports(w, deadline).await?)?,
            Listing::Dataflows { .. } => entries(&power_bi.dataflows(w, deadline).await?)?,
            Listing::Tables { d, .. } => entries(&power_bi.tables(w, d, deadline).await?)?,
        };
        if of != Listing::Workspaces {
            value.retain(|entry| filter.as_ref().is_none_or(|filter| filter.takes(entry)));
            value.drain(..page.skip.min(value.len()));
        }
        let more = value.len() > page.top;
        value.truncate(page.top);
        let next = Page { skip: page.skip.saturating_add(page.top), ..page };
        self.listed(call, value, more.then_some(Target::PowerBiList { list: of, page: next })).await
    }
}

impl Listing {
    fn workspace(&self) -> &str {
        match self {
            Self::Workspaces => "",
            Self::Datasets { w } | Self::Reports { w } | Self::Dataflows { w } | Self::Tables { w, .. } => w,
        }
    }
}

fn entries<T: Serialize>(found: &[T]) -> Result<Vec<Value>, Failure> {
    found.iter().map(super::to_value).collect()
}

/// The service reads the filter of workspaces.
fn about_the_filter(failure: Failure, page: &Page) -> Failure {
    let refused = failure.upstream.as_ref().is_some_and(|upstream| upstream.status == Some(400));
    if refused && page.filter.is_some() && failure.code == Code::PowerBiRefused {
        return Failure { code: Code::QueryInvalid, ..failure }.at("query.filter");
    }
    failure
}
