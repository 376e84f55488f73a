//! The part of OData's `$filter` that makers use of workspaces: `name eq 'x'`, `tolower(name) eq 'x'`, `id eq 'x'`,
//! `contains(name,'x')`, `startswith(name,'x')`, `isOnDedicatedCapacity eq true`, joined with `and`.

use super::model::Workspace;

pub(super) struct Filter(Vec<Term>);

enum Term {
    Name(String),
    Id(String),
    OnCapacity(bool),
    Contains(String),
    StartsWith(String),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, ()> {
        text.split(" and ").map(|term| Term::parse(term.trim())).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn takes(&self, workspace: &Workspace) -> bool {
        let name = workspace.name.to_lowercase();
        self.0.iter().all(|term| match term {
            Term::Name(wanted) => name == wanted.to_lowercase(),
            Term::Id(wanted) => workspace.id.eq_ignore_ascii_case(wanted),
            Term::OnCapacity(wanted) => workspace.capacity.is_some() == *wanted,
            Term::Contains(part) => name.contains(&part.to_lowercase()),
            Term::StartsWith(start) => name.starts_with(&start.to_lowercase()),
        })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, ()> {
        let call = |function: &str| text.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')?.split_once(',');
        let of_name = |(field, value): (&str, &str)| match field.trim() {
            "name" | "tolower(name)" => unquoted(value.trim()),
            _ => Err(()),
        };
        if let Some(arguments) = call("contains") {
            return of_name(arguments).map(Self::Contains);
        }
        if let Some(arguments) = call("startswith") {
            return of_name(arguments).map(Self::StartsWith);
        }
        let (field, value) = text.split_once(" eq ").ok_or(())?;
        match (field.trim(), value.trim()) {
            ("name" | "tolower(name)", value) => unquoted(value).map(Self::Name),
            ("id", value) => unquoted(value).map(Self::Id),
            ("isOnDedicatedCapacity", value) => value.parse().map(Self::OnCapacity).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

fn unquoted(text: &str) -> Result<String, ()> {
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or(())?;
    Ok(inner.replace("''", "'"))
}
