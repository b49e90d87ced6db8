//! The versions of a record's files, as the store takes them.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::Parts;
use super::access::{is_hidden, of_file};
use super::file_names::{LONGEST, Names, key};
use super::times::Times;
use crate::formats::invenio_v1::access::Access;
use crate::formats::invenio_v1::{Broken, Dump, File};
use crate::pipeline::worker::{Bench, Stop};
use crate::record::{DOCUMENT_TAG, FileOrder, FilePlace, Locator, Rejection, Stage, Warning};
use crate::store::{CopyBytes, Quarantined};

/// The orders of all file versions that a record has; one that makes no sense is held by itself.
pub(super) fn orders(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    today: Date,
    (locator, names): (&Locator, &Names<'_>),
    (times, parts): (&mut Times, &mut Parts),
    warnings: &mut Vec<Warning>,
) -> Result<Vec<FileOrder>, Stop> {
    let mut orders: Vec<(FileOrder, &File<'_>)> = Vec::with_capacity(dump.files.len());
    let mut of_source_id: HashMap<String, Vec<usize>> = HashMap::new();
    let mut renamed: HashSet<String> = HashSet::new();
    let mut hold = |part: String, error: (&str, String), object: &serde_json::Value| {
        let place = locator.part(part);
        let (stage, code, message) = (Stage::Decode, error.0.to_owned(), error.1);
        let rejection = Rejection { stage, rule: None, code, message, locator: place };
        let bytes = CopyBytes::Zstd(bench.compress(&alone(dump, object))?);
        parts.held_files += 1;
        parts.held.push(Quarantined { rejection, bytes });
        Ok::<(), Stop>(())
    };
    for file in &dump.files {
        let order = match order(file, today, times, warnings) {
            Ok(order) => FileOrder { part: names.part(file), key: names.key(file), ..order },
            Err(error) => {
                hold(names.part(file), error, file.value)?;
                continue;
            }
        };
        let same = of_source_id.entry(order.source_id.clone()).or_default();
        if same.iter().filter_map(|at| orders.get(*at)).any(|(other, _)| *other == order) {
            // Who joins documents and records in SQL gets the same row again.
            parts.skipped_files += 1;
            let message = format!("{} is there twice", order.source_id);
            warnings.push(Warning::new("invenio_v1.file_twice", message));
            continue;
        }
        same.push(orders.len());
        if renamed.insert(order.key.clone()) && order.key != key(file.full_name, file.bibdocid) {
            let (name, key) = (file.full_name, &order.key);
            let message = format!("{name} is a file of two documents: one of them becomes {key}");
            warnings.push(Warning::new("invenio_v1.same_name", message));
        }
        orders.push((order, file));
    }
    for broken in &dump.broken {
        let Broken { number, value, error } = broken;
        hold(names.of_broken(*number), (error.code, error.message.clone()), value)?;
    }
    let with_bytes = |(order, file): (FileOrder, &File<'_>)| FileOrder {
        alone: Some(alone(dump, file.value)),
        ..order
    };
    Ok(orders.into_iter().map(with_bytes).collect())
}

/// A dump of one entry among the files of a record; who may see the record is told with it.
fn alone(dump: &Dump<'_>, entry: &serde_json::Value) -> Vec<u8> {
    let (recid, collections) = (dump.recid, dump.collections_value);
    let files = [entry];
    let alone = serde_json::json!({
        "recid": recid, "record": [], "files": files, "collections": collections,
    });
    alone.to_string().into_bytes()
}

fn order(
    file: &File<'_>,
    today: Date,
    times: &mut Times,
    warnings: &mut Vec<Warning>,
) -> Result<FileOrder, (&'static str, String)> {
    let text = |key: &str| file.object.get(key).and_then(serde_json::Value::as_str);
    let mut warn = |code: &'static str, message: String| warnings.push(Warning::new(code, message));
    let format = text("format").unwrap_or_default();
    let source_id = format!("{}:{}:{format}", file.bibdocid, file.version);
    let place = match (file.full_path, text("url").filter(|url| !url.is_empty())) {
        ("", None) => {
            return Err(("invenio_v1.file_place", "the file has neither path nor URL".to_owned()));
        }
        ("", Some(url)) => FilePlace::Url(url.to_owned()),
        (path, _) => FilePlace::Path(path.to_owned()),
    };
    let key = key(file.full_name, file.bibdocid);
    if key != file.full_name {
        warn("invenio_v1.file_name", format!("{:?} becomes {key:?}", file.full_name));
    }
    let md5 = md5(file.checksum);
    if md5.is_none() {
        warn("invenio_v1.checksum", format!("checksum is {:?}, expected MD5", file.checksum));
    }
    let created = match (text("creation_date"), text("modification_date")) {
        (Some(date), _) | (None, Some(date)) => {
            times.read(date).map_err(|message| ("invenio_v1.time", message))?
        }
        (None, None) => {
            return Err(("invenio_v1.time", "the file has no date".to_owned()));
        }
    };
    let status = file.status.trim();
    let flags = texts(file, "flags");
    let mut tags = Vec::new();
    let mut tag = |key: &str, value: &str| {
        if value.is_empty() {
            return;
        }
        let (value, is_cut) = clip(value);
        if is_cut {
            warn("invenio_v1.tag_cut", format!("{key} has more than {LONGEST} characters"));
        }
        tags.push((key.to_owned(), value));
    };
    tag(DOCUMENT_TAG, &file.bibdocid.to_string());
    tag("doctype", text("type").unwrap_or_default());
    tag("format", format);
    for key in ["subformat", "description", "comment"] {
        tag(key, text(key).unwrap_or_default());
    }
    if is_hidden(file) {
        tag("hidden", "true");
    }
    tag("flags", &flags.join(" "));
    if let Some(license) = file.object.get("license").filter(|license| !is_nothing(license)) {
        let name = license.get("license").and_then(serde_json::Value::as_str);
        tag("license", &name.map_or_else(|| license.to_string(), str::to_owned));
    }
    // A rule of access means nothing when a part of it is missing.
    if status.chars().count() <= LONGEST {
        tag("status", status);
    }
    Ok(FileOrder {
        source_id,
        part: String::new(),
        alone: None,
        key,
        place,
        size: Some(file.size),
        md5,
        mimetype: text("mime").filter(|mime| !mime.is_empty()).map(str::to_owned),
        version: file.version,
        created,
        restricted: !matches!(of_file(file, today), None | Some((_, Access::Open))),
        deleted: status.eq_ignore_ascii_case("deleted"),
        tags,
    })
}

fn is_nothing(value: &serde_json::Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn texts<'v>(file: &File<'v>, key: &str) -> Vec<&'v str> {
    let list = file.object.get(key).and_then(serde_json::Value::as_array);
    list.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
}

fn clip(text: &str) -> (String, bool) {
    match text.char_indices().nth(LONGEST) {
        None => (text.to_owned(), false),
        Some(_) => (text.chars().take(LONGEST - 1).chain(['…']).collect(), true),
    }
}

fn md5(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    let text = text.strip_prefix("md5:").unwrap_or(text);
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_not_open_is_restricted_and_tags_say_the_rest() {
        let dump = serde_json::json!({"recid": 7, "record": [], "files": [{
            "bibdocid": 11, "version": 2, "full_name": "a.pdf;ocr", "full_path": "/opt/a;2",
            "size": 4, "checksum": "098f6bcd4621d373cade4e832627b4f6", "format": ".pdf;ocr",
            "subformat": "ocr", "type": "Main", "description": "x".repeat(300), "comment": "0",
            "status": "", "hidden": false, "flags": ["HIDDEN", "PDF/A"], "mime": "",
            "license": {"license": "CC-BY"}, "creation_date": "2011-02-03 04:05:06",
        }]});
        let read = |dump: &serde_json::Value| {
            let dump = Dump::read(dump, &mut Vec::new()).unwrap();
            let (mut times, mut warnings) = (Times::new(None), Vec::new());
            let order = order(&dump.files[0], date(2026, 6, 1), &mut times, &mut warnings).unwrap();
            let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
            (order, codes)
        };
        let (order, codes) = read(&dump);
        assert_eq!((order.source_id.as_str(), order.version), ("11:2:.pdf;ocr", 2));
        assert_eq!((order.restricted, order.deleted, order.mimetype), (true, false, None));
        assert_eq!(codes, ["invenio_v1.tag_cut"]);
        let tags: Vec<&str> = order.tags.iter().map(|(key, _)| key.as_str()).collect();
        let expected = "bibdocid doctype format subformat description comment hidden flags license";
        assert_eq!(tags.join(" "), expected);
        assert_eq!(order.tags[4].1.chars().count(), LONGEST);
        let status = |text: &str| {
            let mut dump = dump.clone();
            dump["files"][0]["flags"] = serde_json::json!([]);
            dump["files"][0]["status"] = text.into();
            let (order, _) = read(&dump);
            (order.restricted, order.deleted, order.tags.last().cloned().unwrap().0)
        };
        assert_eq!(status(""), (false, false, "license".to_owned()));
        assert_eq!(status("DELETED"), (true, true, "status".to_owned()));
        assert_eq!(status("firerole: allow all"), (false, false, "status".to_owned()));
        assert_eq!(status("firerole: allow"), (true, false, "status".to_owned()));
        assert_eq!(status(&"deny all\n".repeat(40)), (true, false, "license".to_owned()));
    }

    #[test]
    fn a_checksum_is_md5_in_hexadecimal() {
        assert_eq!(md5("md5:000000000000000000000000000000FF").map(|md5| md5[15]), Some(255));
        assert_eq!(md5("d41d8cd98f00b204e9800998ecf8427"), None);
        assert_eq!(md5("+41d8cd98f00b204e9800998ecf8427e"), None);
    }
}
