//! The sample: one workspace on a capacity with a push dataset and an import model, one on shared capacity, one that
//! our identity is no member of, and the My Workspace of a person.

use super::DataType;
use super::model::{Dashboard, Dataflow, Dataset, Parameter, Report, Table, Workspace};

/// On a capacity: enhanced refreshes work.
pub const WORKSPACE: &str = "0c3f7f6e-2f55-4f0b-9d3c-5a1d7c9b1a01";
/// The push dataset `Sales Live` in [`WORKSPACE`], with the table [`DAILY_SALES`].
pub const SALES_LIVE: &str = "5b7f0a54-6c1e-4a38-8f0e-2f3f8d1c2b02";
/// The import model `Sales` in [`WORKSPACE`], with the tables `DailySales`, `Orders`, `Customers`.
pub const SALES: &str = "9d2e4c8a-7b36-4f1d-a2c5-6e8f0b1d3c03";
/// On shared capacity.
pub const SHARED_WORKSPACE: &str = "1f9a6d3b-4e72-4c85-b0d6-7a2c9e5f4d04";
/// The import model `Team Sales` in [`SHARED_WORKSPACE`].
pub const TEAM_SALES: &str = "c4e8b2f6-1a3d-4957-8e60-3b5d7f9a5e05";
/// A workspace without us.
pub const FOREIGN_WORKSPACE: &str = "e7b1c5d9-8f24-4a6c-9b38-0d4f2e6a6f06";
/// A dataset in [`FOREIGN_WORKSPACE`].
pub const FOREIGN_DATASET: &str = "2a6c8e0f-5b7d-4193-a4c2-8f1e3d5b7a07";
/// The table that rows are pushed to.
pub const DAILY_SALES: &str = "DailySales";
/// The report `Sales Overview` over [`SALES`].
pub const SALES_OVERVIEW: &str = "6e0b4d92-3c7a-4f58-9d1e-b2a6c8f04b09";
/// The paginated report `Monthly Statement` in [`WORKSPACE`].
pub const MONTHLY_STATEMENT: &str = "8a5c1f37-d9e2-4b60-8c4f-07e3b9d65c10";
/// The dashboard `Sales Today` in [`WORKSPACE`].
pub const SALES_TODAY: &str = "3d7e9b15-a04c-4e86-b2f8-61c5d7a90d11";
/// The push dataset `Notes` in My Workspace, with the table [`DAILY_SALES`].
pub const NOTES: &str = "b19f6c84-5e2d-4a73-8d06-f4e7a3c81e12";

/// The dataflow `Customers` in [`WORKSPACE`].
pub const CUSTOMERS_FLOW: &str = "f2c7a4e9-1b83-4d65-a0f7-9e3b6d58c214";

const CAPACITY: &str = "D0A1B2C3-4E5F-4678-9ABC-DEF012345608";
const MY_WORKSPACE: &str = "47a2e8d0-6b9c-4f15-93e4-c8d1b5f72f13";

pub fn workspaces() -> Vec<Workspace> {
    let daily_sales = || {
        Table::new(
            DAILY_SALES,
            &[
                ("day", DataType::DateTime),
                ("category", DataType::String),
                ("orders", DataType::Int64),
                ("quantity", DataType::Int64),
                ("amount", DataType::Double),
            ],
        )
    };
    let orders = || {
        Table::new(
            "Orders",
            &[("order_id", DataType::Int64), ("day", DataType::DateTime), ("amount", DataType::Decimal)],
        )
    };
    let customers = || Table::new("Customers", &[("customer_id", DataType::Int64), ("name", DataType::String)]);
    let report = |id: &str, name: &str, dataset: Option<&str>| Report {
        id: id.into(),
        name: name.into(),
        dataset: dataset.map(Into::into),
    };
    let parameter = |name: &str, kind: &str, value: &str| Parameter {
        name: name.into(),
        kind: kind.into(),
        value: value.into(),
        required: true,
    };
    let mut sales = Dataset::new(SALES, "Sales", false, vec![daily_sales(), orders(), customers()]);
    sales.parameters = vec![
        parameter("ServerName", "Text", "adb-1234567890123456.7.azuredatabricks.net"),
        parameter("FromDate", "DateTime", "1/1/2025 12:00:00 AM"),
        parameter("MaxId", "Number", "77"),
        parameter("FilterBlanks", "Logical", "TRUE"),
        parameter("AnyParam", "Any", "uu63"),
    ];
    let mut team_sales = Dataset::new(TEAM_SALES, "Team Sales", false, vec![daily_sales()]);
    // A colleague's.
    team_sales.owned = false;
    let mut retail = Workspace::new(
        WORKSPACE,
        "Retail Analytics",
        Some(CAPACITY),
        vec![Dataset::new(SALES_LIVE, "Sales Live", true, vec![daily_sales()]), sales],
    );
    retail.reports = vec![
        report(SALES_OVERVIEW, "Sales Overview", Some(SALES)),
        report(MONTHLY_STATEMENT, "Monthly Statement", None),
    ];
    retail.dashboards = vec![Dashboard { id: SALES_TODAY.into(), name: "Sales Today".into() }];
    retail.dataflows = vec![Dataflow::new(CUSTOMERS_FLOW, "Customers")];
    let mut foreign = Workspace::new(
        FOREIGN_WORKSPACE,
        "Finance",
        Some(CAPACITY),
        vec![Dataset::new(FOREIGN_DATASET, "Ledger", false, vec![orders()])],
    );
    foreign.member = false;
    let mut mine = Workspace::new(
        MY_WORKSPACE,
        "My workspace",
        None,
        vec![Dataset::new(NOTES, "Notes", true, vec![daily_sales()])],
    );
    mine.personal = true;
    vec![retail, Workspace::new(SHARED_WORKSPACE, "Retail Team", None, vec![team_sales]), foreign, mine]
}
