//! `causeway openapi`: the OpenAPI document of the routes and of the operations in the configured folder.

use crate::operations::Catalog;
use crate::triggers::{FUNCTIONS, openapi_document};

/// The document, a line feed at its end. Relative to wherever it is served, since no caller's address is known here.
pub fn run(catalog: &Catalog) -> String {
    format!("{:#}\n", openapi_document(FUNCTIONS, catalog, "/"))
}
