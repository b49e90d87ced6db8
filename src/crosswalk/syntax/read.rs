//! Reading a crosswalk file: every key known, every value of its kind, all mistakes collected.

mod idle;
mod target;
mod tests;

use std::path::Path;
use std::sync::Arc;

use super::extends::gather;
use super::keys::{self, Shape, words};
use super::{
    Case, File, Ignore, Policy, Rule, Spanned, TableContent, TableDeclaration, Take, Unmapped,
};
use crate::yaml::{Checker, Diagnostics, Fields, Kind, Node, SourceText};
pub use tests::{read_expectation, read_tests};

/// Reads a file's structure, with what it extends; `folder` is where it stands.
///
/// # Errors
/// All mistakes of structure: unknown keys, wrong types, missing parts. A file with none can still
/// have mistakes of meaning, which compiling finds.
pub fn read(source: &Arc<SourceText>, folder: &Path) -> Result<(File, Checker), Diagnostics> {
    let (root, folders, mut check) = gather(source, folder)?;
    let fields = shaped(&mut check, &root, &keys::FILE);
    let text = |check: &mut Checker, key: &str| {
        let node = check.required(fields, key, "the crosswalk")?;
        check.text(node, key)
    };
    let name = text(&mut check, "crosswalk").unwrap_or_default();
    if let Some(version) = fields.get("version") {
        check.number(version, "version");
    }
    optional_text(&mut check, fields, "note");
    let empty = Node { span: fields.span, kind: Kind::Map(Vec::new()) };
    let from = check.required(fields, "from", "the crosswalk").unwrap_or(&empty);
    let from = shaped(&mut check, from, &keys::FROM);
    // For people; nothing is made of it.
    optional_text(&mut check, from, "schema");
    let to = check.required(fields, "to", "the crosswalk").unwrap_or(&empty);
    let to = shaped(&mut check, to, &keys::TO);
    let defaults = fields.get("defaults").unwrap_or(&empty);
    let defaults = shaped(&mut check, defaults, &keys::DEFAULTS);
    let list = check.required(fields, "rules", "the crosswalk");
    let file = File {
        source: Arc::clone(source),
        folders,
        name,
        from_format: format(&mut check, from, "from", &root),
        from_record: optional_text(&mut check, from, "record"),
        from_namespaces: namespaces(&mut check, from.get("ns")),
        to_format: format(&mut check, to, "to", &root),
        to_schema: optional_text(&mut check, to, "schema"),
        to_record: optional_text(&mut check, to, "record"),
        to_namespaces: pairs(&mut check, to.get("ns"), "ns"),
        to_schema_location: optional_text(&mut check, to, "schema_location").map(|s| s.value),
        to_leader: optional_text(&mut check, to, "leader"),
        to_sort: optional_text(&mut check, to, "sort"),
        to_punctuate: optional_text(&mut check, to, "punctuate"),
        on_error: policy(&mut check, defaults, "on_error"),
        unique: boolean(&mut check, defaults, "unique").unwrap_or(false),
        tables: tables(&mut check, fields),
        pipes: pipes(&mut check, fields),
        rules: rules(&mut check, list),
        tombstone: rules(&mut check, fields.get("tombstone")),
        ignore: ignores(&mut check, fields),
        unmapped: unmapped(&mut check, fields),
        tests: tests::tests(&mut check, fields),
    };
    Ok((file, check))
}

/// A mapping with the keys of its shape.
fn shaped<'n>(check: &mut Checker, node: &'n Node, shape: &Shape) -> Fields<'n> {
    check.fields(node, shape.what, &shape.names())
}

/// `format` of `from` or `to`; empty where a mistake is noted already.
fn format(check: &mut Checker, fields: Fields<'_>, what: &str, root: &Node) -> Spanned<String> {
    let missing = Spanned { value: String::new(), span: fields.span };
    if fields.span == root.span {
        return missing;
    }
    let Some(node) = check.required(fields, "format", what) else { return missing };
    check.text(node, "format").map_or(missing, |value| Spanned { value, span: node.span })
}

fn optional_text(check: &mut Checker, fields: Fields<'_>, key: &str) -> Option<Spanned<String>> {
    let node = fields.get(key)?;
    Some(Spanned { value: check.text(node, key)?, span: node.span })
}

fn boolean(check: &mut Checker, fields: Fields<'_>, key: &str) -> Option<bool> {
    fields.get(key).and_then(|node| check.boolean(node, key))
}

fn pairs(check: &mut Checker, node: Option<&Node>, what: &str) -> Vec<(String, String)> {
    let Some(node) = node else { return Vec::new() };
    let fields = check.mapping(node, what);
    fields
        .entries()
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), check.text(&entry.value, what)?)))
        .collect()
}

/// Prefixes with the namespaces that each stands for: one, or several of which any will do.
fn namespaces(check: &mut Checker, node: Option<&Node>) -> Vec<(String, Vec<String>)> {
    let Some(node) = node else { return Vec::new() };
    let mut found = Vec::new();
    for entry in check.mapping(node, "ns").entries() {
        let names = texts(check, Some(&entry.value), "a namespace");
        found.push((entry.key.clone(), names.into_iter().map(|name| name.value).collect()));
    }
    found
}

fn texts(check: &mut Checker, node: Option<&Node>, what: &str) -> Vec<Spanned<String>> {
    let Some(node) = node else { return Vec::new() };
    check
        .one_or_many(node)
        .iter()
        .filter_map(|item| Some(Spanned { value: check.text(item, what)?, span: item.span }))
        .collect()
}

fn tables(check: &mut Checker, fields: Fields<'_>) -> Vec<TableDeclaration> {
    let Some(node) = fields.get("tables") else { return Vec::new() };
    let mut declarations = Vec::new();
    for entry in check.mapping(node, "tables").entries() {
        let table = shaped(check, &entry.value, &keys::TABLE);
        let content = match ["inline", "file", "inverse_of"].map(|key| table.get(key)) {
            [Some(inline), None, None] => {
                TableContent::Inline(pairs(check, Some(inline), "inline"))
            }
            [None, None, Some(_)] => {
                let Some(of) = optional_text(check, table, "inverse_of") else { continue };
                TableContent::Inverse { of, pick: pairs(check, table.get("pick"), "pick") }
            }
            [None, Some(_), None] => {
                let column = |check: &mut Checker, key: &str| {
                    let node = check.required(table, key, "a table with a file")?;
                    check.text(node, key)
                };
                let key = column(check, "key");
                let value = column(check, "value");
                let path = optional_text(check, table, "file");
                let (Some(path), Some(key), Some(value)) = (path, key, value) else { continue };
                TableContent::File { path, key, value }
            }
            _ => {
                let message = "a table has one of `file`, `inline` and `inverse_of`";
                check.error("E0102", table.span, message);
                continue;
            }
        };
        declarations.push(TableDeclaration {
            name: Spanned { value: entry.key.clone(), span: entry.key_span },
            content,
            fold: texts(check, table.get("fold"), "fold"),
            miss: optional_text(check, table, "miss"),
        });
    }
    declarations
}

fn pipes(check: &mut Checker, fields: Fields<'_>) -> Vec<(Spanned<String>, Spanned<String>)> {
    let Some(node) = fields.get("pipes") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in check.mapping(node, "pipes").entries() {
        let name = Spanned { value: entry.key.clone(), span: entry.key_span };
        if let Some(value) = check.text(&entry.value, "a pipe") {
            found.push((name, Spanned { value, span: entry.value.span }));
        }
    }
    found
}

fn rules(check: &mut Checker, list: Option<&Node>) -> Vec<Rule> {
    let Some(list) = list else { return Vec::new() };
    let mut found: Vec<Rule> = Vec::new();
    for node in check.list(list, "rules") {
        let Some(rule) = rule(check, node, "a rule") else { continue };
        if rule.id.is_empty() {
            check.error("E0102", rule.span, "a rule has no `id`");
        } else if let Some(other) = found.iter().find(|other| other.id == rule.id) {
            let line = check.line(other.span);
            let message = format!("the rule in line {line} has the id `{}` too", rule.id);
            check.error("E0105", rule.span, message);
        }
        found.push(rule);
    }
    found
}

/// What a rule in `let` is called in messages.
const BINDING: &str = "a binding";

fn rule(check: &mut Checker, node: &Node, what: &str) -> Option<Rule> {
    let fields = check.fields(node, what, &keys::ITEM.names());
    let Kind::Map(_) = node.kind else { return None };
    match what {
        BINDING => idle::idle_keys_of_binding(check, fields),
        _ => idle::idle_keys(check, fields),
    }
    let id = optional_text(check, fields, "id").map(|id| id.value).unwrap_or_default();
    optional_text(check, fields, "note");
    let items = |check: &mut Checker, key: &str| -> Vec<Rule> {
        let Some(node) = fields.get(key) else { return Vec::new() };
        let list = check.list(node, key);
        list.iter().filter_map(|node| rule(check, node, "an item")).collect()
    };
    let map = items(check, "map");
    let set = items(check, "set");
    Some(Rule {
        id,
        span: node.span,
        to: optional_text(check, fields, "to"),
        from: texts(check, fields.get("from"), "a selector"),
        constant: fields
            .get("const")
            .map(|node| Spanned { value: node.to_json(), span: node.span }),
        expression: optional_text(check, fields, "value"),
        when: optional_text(check, fields, "when"),
        lets: named_rules(check, fields, "let", BINDING),
        cases: cases(check, fields),
        map,
        set,
        take: take(check, fields),
        join: optional_text(check, fields, "join").map(|join| join.value),
        listed: order(check, fields),
        linked: fields
            .get("linked")
            .filter(|node| check.boolean(node, "linked") == Some(true))
            .map(|node| node.span),
        pipe: optional_text(check, fields, "pipe"),
        default: optional_text(check, fields, "default"),
        on_missing: policy(check, fields, "on_missing"),
        on_error: policy(check, fields, "on_error"),
        unique: boolean(check, fields, "unique"),
        attrs: named_rules(check, fields, "attrs", "an attribute"),
        ind: target::indicators(check, fields),
        linked_880: target::linked_880(check, fields),
    })
}

/// Rules under names: `let`, `attrs`.
fn named_rules(
    check: &mut Checker,
    fields: Fields<'_>,
    key: &str,
    what: &str,
) -> Vec<(Spanned<String>, Rule)> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in check.mapping(node, key).entries() {
        if let Some(binding) = rule(check, &entry.value, what) {
            found.push((Spanned { value: entry.key.clone(), span: entry.key_span }, binding));
        }
    }
    found
}

fn cases(check: &mut Checker, fields: Fields<'_>) -> Vec<Case> {
    let Some(node) = fields.get("cases") else { return Vec::new() };
    let mut found = Vec::new();
    let list = check.list(node, "cases");
    idle::unreachable_cases(check, list);
    for node in list {
        let case = shaped(check, node, &keys::CASE);
        let when = optional_text(check, case, "when");
        if when.is_none() && boolean(check, case, "else") != Some(true) {
            check.error("E0102", node.span, "a case has neither `when` nor `else: true`");
        }
        let map = case.get("map").map_or(&[][..], |node| check.list(node, "map"));
        let map = map.iter().filter_map(|node| rule(check, node, "an item")).collect();
        let to = optional_text(check, case, "to");
        found.push(Case { span: node.span, when, to, map });
    }
    found
}

fn take(check: &mut Checker, fields: Fields<'_>) -> Option<Take> {
    let text = optional_text(check, fields, "take")?;
    let joined = text.value.strip_prefix("all_joined(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(separator) = joined {
        let separator = separator.trim_matches(['"', '\'']).replace("\\n", "\n");
        return Some(Take::AllJoined(separator));
    }
    match text.value.as_str() {
        "first" => Some(Take::First),
        "last" => Some(Take::Last),
        "first_match" => Some(Take::FirstMatch),
        "longest" => Some(Take::Longest),
        "earliest" => Some(Take::Earliest),
        "all" => Some(Take::All),
        other => {
            let known = words(keys::TAKES).chain(["all_joined('; ')"]);
            check.unknown("E0106", text.span, "take", other, known);
            None
        }
    }
}

fn order(check: &mut Checker, fields: Fields<'_>) -> bool {
    let Some(text) = optional_text(check, fields, "order") else { return false };
    match text.value.as_str() {
        "listed" => true,
        "record" => false,
        other => {
            check.unknown("E0106", text.span, "order", other, words(keys::ORDERS));
            false
        }
    }
}

fn policy(check: &mut Checker, fields: Fields<'_>, key: &str) -> Option<Policy> {
    let node = fields.get(key)?;
    if let Kind::Map(_) = node.kind {
        return Some(policy_with(check, node));
    }
    let word = check.text(node, key)?;
    let known = if key == "on_missing" { keys::ON_MISSING } else { keys::ON_ERROR };
    Some(match (key, word.as_str()) {
        (_, "skip") => Policy::Skip(false),
        (_, "quarantine") => Policy::Quarantine,
        (_, "fail") => Policy::Fail,
        ("on_missing", "ok") => Policy::Ok,
        ("on_missing", "warn") => Policy::Warn,
        ("on_error", "keep") => Policy::Keep,
        _ => {
            check.unknown("E0106", node.span, key, &word, words(known));
            Policy::Fail
        }
    })
}

/// A policy that is more than a word: `{ default: x }`, `{ skip: true, report: warn }`.
fn policy_with(check: &mut Checker, node: &Node) -> Policy {
    let policy = shaped(check, node, &keys::POLICY);
    if let Some(default) = policy.get("default") {
        return check.text(default, "default").map_or(Policy::Fail, Policy::Default);
    }
    if boolean(check, policy, "skip") != Some(true) {
        check.error("E0102", node.span, "a policy has either `default` or `skip: true`");
    }
    let report = optional_text(check, policy, "report");
    if let Some(word) = report.as_ref().filter(|word| word.value != "warn") {
        check.unknown("E0106", word.span, "report", &word.value, words(keys::REPORT));
    }
    Policy::Skip(report.is_some())
}

fn ignores(check: &mut Checker, fields: Fields<'_>) -> Vec<Ignore> {
    let Some(node) = fields.get("ignore") else { return Vec::new() };
    let mut found = Vec::new();
    for node in check.list(node, "ignore") {
        let entry = shaped(check, node, &keys::IGNORE);
        check.required(entry, "why", "an entry of ignore");
        found.push(Ignore { from: texts(check, entry.get("from"), "a selector") });
    }
    found
}

fn unmapped(check: &mut Checker, fields: Fields<'_>) -> Unmapped {
    let Some(text) = optional_text(check, fields, "unmapped") else { return Unmapped::Report };
    match text.value.as_str() {
        "report" => Unmapped::Report,
        "quarantine" => Unmapped::Quarantine,
        other => match other.strip_prefix("keep(").and_then(|rest| rest.strip_suffix(')')) {
            Some(path) => Unmapped::Keep(Spanned { value: path.to_owned(), span: text.span }),
            None => {
                let known = words(keys::UNMAPPED).chain(["keep(path)"]);
                check.unknown("E0106", text.span, "unmapped", other, known);
                Unmapped::Report
            }
        },
    }
}
