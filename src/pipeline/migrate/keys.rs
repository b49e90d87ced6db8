//! The keys of a pipeline's `source` with `type: invenio-v1`.

use jiff::tz::TimeZone;

use crate::yaml::{Checker, Fields};

/// The keys of such a source.
pub(in crate::pipeline) const KEYS: &[&str] =
    &["type", "name", "paths", "policy", "revisions", "timezone"];

/// Which revisions of a record are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revisions {
    /// All of them, each with its date.
    All,
    /// The last one.
    Latest,
}

/// What a pipeline says of its dumps of Invenio v1.
#[derive(Debug, Clone)]
pub struct Migration {
    /// `revisions`
    pub revisions: Revisions,
    /// `timezone`: of times that name none; without it they are taken as UTC, with a warning.
    pub zone: Option<TimeZone>,
}

/// Reads the keys that only these sources have.
pub(in crate::pipeline) fn read(check: &mut Checker, fields: Fields<'_>) -> Migration {
    let zone = fields.get("timezone").and_then(|node| {
        let name = check.text(node, "timezone")?;
        let zone = TimeZone::get(&name);
        if zone.is_err() {
            let expected = "expected a name such as Europe/Berlin";
            check.error("E0103", node.span, format!("timezone is `{name}`, {expected}"));
        }
        zone.ok()
    });
    let revisions =
        fields.get("revisions").and_then(|node| match check.text(node, "revisions")?.as_str() {
            "all" => Some(Revisions::All),
            "latest" => Some(Revisions::Latest),
            other => {
                check.unknown("E0106", node.span, "revisions", other, ["all", "latest"]);
                None
            }
        });
    Migration { revisions: revisions.unwrap_or(Revisions::All), zone }
}
