//! The sample: one workspace on a capacity with a push dataset and an import model, one on shared capacity, and one
//! that our identity is no member of.

use super::model::{DataType, Dataset, Table, Workspace};

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

const CAPACITY: &str = "D0A1B2C3-4E5F-4678-9ABC-DEF012345608";

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
    let mut foreign = Workspace::new(
        FOREIGN_WORKSPACE,
        "Finance",
        Some(CAPACITY),
        vec![Dataset::new(FOREIGN_DATASET, "Ledger", false, vec![orders()])],
    );
    foreign.member = false;
    vec![
        Workspace::new(
            WORKSPACE,
            "Retail Analytics",
            Some(CAPACITY),
            vec![
                Dataset::new(SALES_LIVE, "Sales Live", true, vec![daily_sales()]),
                Dataset::new(SALES, "Sales", false, vec![daily_sales(), orders(), customers()]),
            ],
        ),
        Workspace::new(
            SHARED_WORKSPACE,
            "Retail Team",
            None,
            vec![Dataset::new(TEAM_SALES, "Team Sales", false, vec![daily_sales()])],
        ),
        foreign,
    ]
}
