//! The `files:` of a pipeline: where files of records go, where their bytes are, which are taken.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::names::absolute;
use crate::record::FileOrder;
use crate::source::fetch::{PathMap, UrlRules};
use crate::yaml::{Checker, Fields, Node};

/// How bytes come into the location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are copied.
    Copy,
    /// The location gets another name for the same file.
    Link,
    /// They stay where they are, and the store knows that place.
    Reference,
}

/// What becomes of a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is held in quarantine, and makes the run end with 1.
    Quarantine,
    /// It is left out and counted.
    Skip,
}

/// `files:` of a pipeline.
pub struct FileRules {
    /// `location.name`
    pub location: String,
    /// `location.uri`: an absolute path or `s3://BUCKET/PREFIX`.
    pub uri: String,
    /// `mode`
    pub mode: Mode,
    /// `verify`: of references, whether they are read at all.
    pub verify: bool,
    /// `hidden: keep`
    pub keeps_hidden: bool,
    /// `subformats: keep`
    pub keeps_subformats: bool,
    /// `missing`
    pub missing: Missing,
    /// `parallel`: files at once.
    pub parallel: usize,
    /// `in_flight_bytes`: of files that are being copied, at most.
    pub in_flight_bytes: u64,
    /// `path_map`
    pub map: Arc<PathMap>,
    /// `urls`
    pub urls: UrlRules,
    /// `attempts`: how often a file is tried when what failed may pass.
    pub attempts: u32,
}

impl FileRules {
    /// The code of the reason why a version is not wanted; none when it is.
    pub(super) fn leaves_out(&self, order: &FileOrder) -> Option<&'static str> {
        let tagged = |key: &str| order.tags.iter().any(|(tag, _)| tag == key);
        if !self.keeps_hidden && tagged("hidden") {
            return Some("files.skipped_hidden");
        }
        (!self.keeps_subformats && tagged("subformat")).then_some("files.skipped_subformat")
    }
}

const KEYS: &[&str] = &[
    "location",
    "mode",
    "verify",
    "hidden",
    "subformats",
    "missing",
    "parallel",
    "in_flight_bytes",
    "path_map",
    "urls",
    "attempts",
];
const URL_KEYS: &[&str] = &["allowed", "allow_private", "max_redirects", "max_bytes", "timeout"];
const MEBIBYTE: u64 = 1024 * 1024;

/// Reads `files:`; paths are relative to `folder`.
pub(super) fn read(check: &mut Checker, node: &Node, folder: &Path) -> FileRules {
    let fields = check.fields(node, "files", KEYS);
    let (mut location, mut uri) = (String::new(), String::new());
    if let Some(node) = check.required(fields, "location", "files") {
        let inner = check.fields(node, "location", &["name", "uri"]);
        for (key, text) in [("name", &mut location), ("uri", &mut uri)] {
            if let Some(node) = check.required(inner, key, "the location") {
                *text = check.text(node, key).unwrap_or_default();
            }
        }
    }
    if !uri.contains("://") {
        uri = absolute(&folder.join(&uri));
    }
    let defaults = UrlRules::default();
    let urls = fields.get("urls").map(|node| url_rules(check, node)).unwrap_or(defaults);
    let mode = word(
        check,
        fields,
        "mode",
        &[("copy", Mode::Copy), ("link", Mode::Link), ("reference", Mode::Reference)],
        Mode::Copy,
    );
    let verify = fields.get("verify").and_then(|node| check.boolean(node, "verify"));
    if let (Some(false), Some(node)) = (verify, fields.get("verify"))
        && mode != Mode::Reference
    {
        let message =
            "verify is false, which only `mode: reference` allows: what is copied is read";
        check.error("E0103", node.span, message);
    }
    let policy = [("keep", true), ("skip", false)];
    FileRules {
        location,
        uri,
        mode,
        verify: verify.unwrap_or(true),
        keeps_hidden: word(check, fields, "hidden", &policy, true),
        keeps_subformats: word(check, fields, "subformats", &policy, true),
        missing: word(
            check,
            fields,
            "missing",
            &[("quarantine", Missing::Quarantine), ("skip", Missing::Skip)],
            Missing::Quarantine,
        ),
        parallel: usize::try_from(number(check, fields, "parallel", 8)).unwrap_or(8),
        in_flight_bytes: number(check, fields, "in_flight_bytes", 256 * MEBIBYTE),
        map: Arc::new(path_map(check, fields, folder)),
        urls,
        attempts: u32::try_from(number(check, fields, "attempts", 4)).unwrap_or(4),
    }
}

fn url_rules(check: &mut Checker, node: &Node) -> UrlRules {
    let fields = check.fields(node, "urls", URL_KEYS);
    let defaults = UrlRules::default();
    let mut flag = |key: &str, default| {
        fields.get(key).and_then(|node| check.boolean(node, key)).unwrap_or(default)
    };
    let allowed = flag("allowed", defaults.allowed);
    let allow_private = flag("allow_private", defaults.allow_private);
    let redirects = fields.get("max_redirects");
    let redirects = redirects.and_then(|node| check.number(node, "max_redirects"));
    let timeout = number(check, fields, "timeout", defaults.timeout.as_secs());
    UrlRules {
        allowed,
        allow_private,
        max_redirects: redirects
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(defaults.max_redirects),
        max_bytes: number(check, fields, "max_bytes", defaults.max_bytes),
        timeout: Duration::from_secs(timeout),
    }
}

fn path_map(check: &mut Checker, fields: Fields<'_>, folder: &Path) -> PathMap {
    let mut map = PathMap::default();
    let Some(node) = fields.get("path_map") else { return map };
    for entry in check.mapping(node, "path_map").entries() {
        let Some(target) = check.text(&entry.value, "a folder or an archive") else { continue };
        if let Err(message) = map.add(&entry.key, &folder.join(target)) {
            check.error("E0103", entry.value.span, message);
        }
    }
    map
}

/// One of a few words; the first of them when none is given.
fn word<T: Copy, const N: usize>(
    check: &mut Checker,
    fields: Fields<'_>,
    key: &str,
    words: &[(&'static str, T); N],
    default: T,
) -> T {
    let Some(node) = fields.get(key) else { return default };
    let Some(text) = check.text(node, key) else { return default };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return *value;
    }
    check.unknown("E0106", node.span, key, &text, words.iter().map(|(word, _)| *word));
    default
}

fn number(check: &mut Checker, fields: Fields<'_>, key: &str, default: u64) -> u64 {
    let Some(node) = fields.get(key) else { return default };
    match check.number(node, key) {
        Some(0) => {
            check.error("E0103", node.span, format!("{key} is 0, expected at least 1"));
            default
        }
        Some(number) => number,
        None => default,
    }
}
