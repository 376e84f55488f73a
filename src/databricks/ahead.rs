//! A result behind links: several chunks fetched at once, within the budget, and handed on in order.

use std::collections::VecDeque;

use tokio::task::JoinHandle;
use tracing::Instrument;

use super::budget::Share;
use super::chunks::{Access, Arrived};
use super::links::{Fetched, Link};
use super::{ChunkInfo, DatabricksError, Statement};
use crate::failure::{Code, Failure};
use crate::telemetry::carried;

/// Chunks of one result that are fetched or wait for their turn. More of them bring little: between 32 and 96 at once a
/// result of 400 chunks took the same time (arrowbricks, AGENTS.md), and here the budget ends it sooner.
const MOST_AT_ONCE: usize = 8;
/// What a chunk is taken to hold when neither manifest nor link says it.
const UNTOLD: u64 = 20 * 1024 * 1024;

/// The chunks that are left of a result behind links.
#[derive(Debug)]
pub(super) struct Ahead {
    statement_id: String,
    /// In order. Where the manifest lists no chunks it holds one at most, and each link names the next.
    plan: VecDeque<ChunkInfo>,
    listed: bool,
    /// Links that came with the statement.
    links: Vec<Link>,
    /// In order too.
    under_way: VecDeque<Fetch>,
    /// Bytes of the chunk before as they are stored, and as the manifest told them (before compression).
    stored: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Fetch {
    chunk: ChunkInfo,
    task: JoinHandle<Result<(Fetched, Share), DatabricksError>>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ahead {
    /// Fails when the manifest's list of chunks has a gap, an empty chunk, or one of them twice.
    pub(super) fn new(statement: &Statement, from_row: u64) -> Result<Self, DatabricksError> {
        let whole = listed(statement)?;
        let plan = if whole {
            statement.chunks.iter().skip_while(|chunk| !chunk.holds(from_row)).cloned().collect()
        } else {
            // Each link names the next, so there is no other way than from the first.
            VecDeque::from([ChunkInfo::default()])
        };
        if plan.is_empty() {
            return Err(incomplete(&statement.statement_id, format!("there is no row {from_row}")));
        }
        Ok(Self {
            statement_id: statement.statement_id.clone(),
            plan,
            listed: whole,
            links: statement.links.clone(),
            under_way: VecDeque::new(),
            stored: None,
        })
    }

    /// The next chunk, once it is here; meanwhile those behind it are fetched. May be dropped while it waits.
    pub(super) async fn next(&mut self, access: &Access) -> Result<Option<Arrived>, DatabricksError> {
        if self.under_way.is_empty() {
            let Some(chunk) = self.plan.front() else { return Ok(None) };
            access.in_time()?;
            let share = access.share(self.bytes_of(chunk)).await?;
            self.begin(access, share);
        }
        self.read_ahead(access);
        let Some(head) = self.under_way.front_mut() else { return Ok(None) };
        let ended = (&mut head.task).await;
        let told = head.chunk.clone();
        self.under_way.pop_front();
        let (fetched, share) =
            ended.map_err(|error| Failure::new(Code::Internal, "A chunk could not be fetched.").caused_by(error))??;
        self.stored = told.byte_count.map(|bytes| (fetched.body.len() as u64, bytes));
        if let Some(next) = fetched.next_chunk_index.filter(|_| !self.listed) {
            self.plan.push_back(ChunkInfo { chunk_index: next, ..ChunkInfo::default() });
        }
        // It knows better now how much the others hold.
        self.read_ahead(access);
        self.arrived(&told, fetched, share).map(Some)
    }

    /// Leaves out the chunks that begin at this row or behind it.
    pub(super) fn stop_at(&mut self, row: u64) {
        self.plan.retain(|chunk| chunk.row_offset.is_none_or(|offset| offset < row));
    }

    pub(super) fn is_over(&self) -> bool {
        self.plan.is_empty() && self.under_way.is_empty()
    }

    fn read_ahead(&mut self, access: &Access) {
        while self.under_way.len() < MOST_AT_ONCE
            && let Some(chunk) = self.plan.front()
            && let Some(share) = access.portion.take_free(self.bytes_of(chunk))
        {
            self.begin(access, share);
        }
    }

    /// Starts the first chunk of the plan.
    fn begin(&mut self, access: &Access, mut share: Share) {
        let Some(chunk) = self.plan.pop_front() else { return };
        let known = self.links.iter().position(|link| link.leads_to(&chunk));
        let link = known.map(|at| self.links.swap_remove(at));
        let (databricks, budget) = (access.databricks.clone(), access.budget.clone());
        let (id, deadline, wanted) = (self.statement_id.clone(), access.deadline, chunk.clone());
        let fetch = async move {
            let fetched = databricks.fetch_linked(&id, &wanted, link, deadline).await?;
            share.fit(&budget, fetched.body.len() as u64);
            Ok((fetched, share))
        };
        self.under_way.push_back(Fetch { chunk, task: tokio::spawn(carried(fetch).in_current_span()) });
    }

    /// Bytes to take of the budget. The manifest tells those before compression, the link those that are stored, which
    /// is what is held.
    fn bytes_of(&self, chunk: &ChunkInfo) -> u64 {
        let link = self.links.iter().find(|link| link.leads_to(chunk)).and_then(|link| link.chunk.byte_count);
        let told = || match (chunk.byte_count, self.stored) {
            (Some(bytes), Some((stored, told))) if told > 0 => {
                let likely = u128::from(bytes) * u128::from(stored) / u128::from(told) * 9 / 8;
                Some(u64::try_from(likely).unwrap_or(u64::MAX))
            }
            (bytes, _) => bytes,
        };
        link.or_else(told).unwrap_or(UNTOLD)
    }

    /// Holds what the link says of itself against the manifest.
    fn arrived(&self, told: &ChunkInfo, fetched: Fetched, share: Share) -> Result<Arrived, DatabricksError> {
        let index = told.chunk_index;
        let Fetched { chunk: link, body, .. } = fetched;
        let differs = |told: Option<u64>, link: Option<u64>| told.is_some() && link.is_some() && told != link;
        if differs(told.row_offset, link.row_offset) || differs(told.row_count, link.row_count) {
            let what = format!("the link to chunk {index} is one to other rows than the manifest says");
            return Err(incomplete(&self.statement_id, what));
        }
        let row_count = told.row_count.or(link.row_count).ok_or_else(|| {
            incomplete(&self.statement_id, format!("chunk {index} does not say how many rows it has"))
        })?;
        let row_offset = told.row_offset.or(link.row_offset);
        Ok(Arrived { chunk_index: index, row_offset, row_count, body, share })
    }
}

/// Whether the manifest lists every chunk, each beginning where the one before ends.
fn listed(statement: &Statement) -> Result<bool, DatabricksError> {
    let mut due = 0;
    for chunk in statement.chunks.iter() {
        let (Some(offset), Some(rows)) = (chunk.row_offset, chunk.row_count) else { return Ok(false) };
        if offset != due || rows == 0 {
            let index = chunk.chunk_index;
            let what = format!("the manifest has chunk {index} with {rows} rows at row {offset} where {due} is due");
            return Err(incomplete(&statement.statement_id, what));
        }
        due = rows.saturating_add(due);
    }
    let whole = statement.truncated || statement.total_row_count.is_none_or(|total| total == due);
    Ok(due > 0 && whole)
}

fn incomplete(statement_id: &str, what: String) -> DatabricksError {
    DatabricksError::Incomplete { statement_id: statement_id.to_owned(), what }
}
