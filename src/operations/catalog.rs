//! All operations of a folder. A file that cannot be read disables its own operation and no other.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::yaml::MAX_FILE;
use super::{Definition, Operation, calls};

/// Something wrong in a file, at its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Diagnostic {
    /// Relative to the folder.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
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
    pub fn load(folder: &Path, variables: &BTreeMap<String, String>) -> std::io::Result<Self> {
        let mut entries = BTreeMap::new();
        let files = match std::fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        for file in files {
            let path = file?.path();
            let Some(file_name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            let Some((name, extension)) = file_name.rsplit_once('.') else { continue };
            if name.is_empty() || path.is_dir() {
                continue;
            }
            let entry = match extension {
                "yaml" => load_file(folder, &path, name, variables),
                "yml" => refused(name, &file_name, "the file must end in .yaml; rename it"),
                _ => continue,
            };
            // `a.yaml` beside `a.yml`: the one that counts stays.
            if extension == "yaml" || !entries.contains_key(name) {
                entries.insert(name.to_owned(), entry);
            }
        }
        calls::check(&mut entries);
        Ok(Self { entries })
    }

    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Everything wrong in the folder, by file and place.
    pub fn diagnostics(&self) -> Vec<&Diagnostic> {
        self.entries.values().filter_map(|entry| entry.operation.as_ref().err()).flatten().collect()
    }
}

fn load_file(folder: &Path, path: &Path, name: &str, variables: &BTreeMap<String, String>) -> Entry {
    let yaml = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(yaml)) => yaml,
        Ok(Err(_)) => return refused(name, &format!("{name}.yaml"), "the file is not UTF-8 text"),
        Err(error) => return refused(name, &format!("{name}.yaml"), &format!("the file cannot be read: {error}")),
    };
    let mut definition = Definition { name: name.to_owned(), yaml, files: BTreeMap::new() };
    for file in definition.named_files() {
        if let Some(text) = read_beside(folder, &file) {
            definition.files.insert(file, text);
        }
    }
    let operation = definition.parse(variables).map(Arc::new);
    Entry { definition, operation }
}

/// A file in the folder itself. A link that leads out of it is not read, nor is more than a run could pin.
fn read_beside(folder: &Path, file: &str) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let path = folder.join(file).canonicalize().ok()?;
    let length = path.metadata().ok()?.len();
    if !path.starts_with(&folder) || usize::try_from(length).ok()? > MAX_FILE {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

fn refused(name: &str, file: &str, message: &str) -> Entry {
    let diagnostic = Diagnostic { file: file.to_owned(), line: 1, column: 1, message: message.to_owned() };
    Entry {
        definition: Definition { name: name.to_owned(), yaml: String::new(), files: BTreeMap::new() },
        operation: Err(vec![diagnostic]),
    }
}
