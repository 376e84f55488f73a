//! All operations of a folder. A file that cannot be read disables its own operation and no other.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Definition, Operation};

/// Something wrong in a file, at its place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// Relative to the folder.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    pub message: String,
}

/// One file of the folder.
#[derive(Clone, Debug)]
pub struct Entry {
    pub definition: Definition,
    pub operation: Result<Arc<Operation>, Vec<Diagnostic>>,
}

/// Operations by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub entries: BTreeMap<String, Entry>,
}

impl Catalog {
    /// Reads `folder`; one that is absent is an empty catalog. `variables` are what expressions see as `variables.*`.
    pub fn load(_folder: &Path, _variables: &BTreeMap<String, String>) -> std::io::Result<Self> {
        unimplemented!()
    }

    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }
}
