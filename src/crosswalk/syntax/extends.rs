//! `extends`: a crosswalk takes over what others say, and changes some of it.
//!
//! Files are merged as YAML, before any key has a meaning: rules by their `id`, tables, pipes,
//! defaults, `from` and `to` by name; entries of `ignore` add up. Every node keeps the number of
//! the file it stands in, so that each mistake is shown where it was made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::yaml::{Checker, Diagnostics, Entry, Kind, Node, SourceText, Span, parse, parse_file};

/// Keys of a rule that say what becomes of an inherited one, or where a new one stands.
pub const PLACEMENT_KEYS: [&str; 4] = ["replace", "remove", "before", "after"];

/// What each file says of itself alone.
const OWN_KEYS: [&str; 4] = ["crosswalk", "version", "note", "tests"];
/// Mappings that are merged by name.
const NAMED_KEYS: [&str; 5] = ["from", "to", "defaults", "tables", "pipes"];

/// Reads a file and all it extends into one mapping; the folders by file number.
///
/// # Errors
/// YAML that cannot be read, in any of the files; a file that cannot be read (`E0501`) or extends
/// itself (`E0502`). Mistakes in how rules are merged stand in the checker: an unknown rule
/// (`E0503`), a rule that says too much (`E0504`), and one that takes an inherited one's name
/// without a word (`E0505`).
pub fn gather(
    source: &Arc<SourceText>,
    folder: &Path,
) -> Result<(Node, Vec<PathBuf>, Checker), Diagnostics> {
    let own = parse(source)?;
    let path = absolute(Path::new(&source.name));
    let mut gathering = Gathering {
        check: Checker::new(source),
        folders: vec![folder.to_owned()],
        open: vec![(path, source.name.clone())],
        read: HashMap::new(),
        complete: true,
    };
    let whole = gathering.whole(own);
    if gathering.complete {
        Ok((whole, gathering.folders, gathering.check))
    } else {
        // What a missing file would have said cannot be judged.
        gathering.check.finish((whole, gathering.folders, Checker::new(source)))
    }
}

struct Gathering {
    check: Checker,
    folders: Vec<PathBuf>,
    /// The files that are being read, each extended by the one before it: path and name.
    open: Vec<(PathBuf, String)>,
    /// Whole files, by path.
    read: HashMap<PathBuf, Node>,
    /// All files could be read.
    complete: bool,
}

impl Gathering {
    /// A file's mapping with what it extends.
    fn whole(&mut self, own: Node) -> Node {
        let Kind::Map(mut entries) = own.kind else { return own };
        let mut inherited = Vec::new();
        if let Some(at) = entries.iter().position(|entry| entry.key == "extends") {
            let extends = entries.remove(at).value;
            for path in self.check.one_or_many(&extends) {
                let Some(name) = self.check.text(path, "extends") else {
                    self.complete = false;
                    continue;
                };
                if let Some(Node { kind: Kind::Map(other), .. }) = self.load(&name, path.span) {
                    inherited = self.beside(inherited, other, path.span);
                }
            }
        }
        let kind = Kind::Map(self.merge(inherited, entries));
        Node { span: own.span, kind }
    }

    /// The file that another extends, with all that it extends itself.
    fn load(&mut self, name: &str, span: Span) -> Option<Node> {
        let folder = self.folders.get(usize::from(span.file))?;
        let full = folder.join(name);
        let (path, name) = (absolute(&full), full.display().to_string());
        if let Some(at) = self.open.iter().position(|(open, _)| *open == path) {
            let names = self.open.iter().skip(at).map(|(_, name)| name.as_str());
            let circle: Vec<&str> = names.chain([name.as_str()]).collect();
            let message = format!("a file extends itself: {}", circle.join(" → "));
            self.check.error("E0502", span, message);
            self.complete = false;
            return None;
        }
        if let Some(node) = self.read.get(&path) {
            return Some(node.clone());
        }
        let text = match std::fs::read_to_string(&full) {
            Ok(text) => text,
            Err(error) => {
                self.check.error("E0501", span, format!("cannot read {name}: {error}"));
                self.complete = false;
                return None;
            }
        };
        let source = Arc::new(SourceText { name: name.clone(), text });
        let file = self.check.add(&source);
        self.folders.push(full.parent().unwrap_or(Path::new("")).to_owned());
        let node = match parse_file(&source, file) {
            Ok(node) => node,
            Err(mistakes) => {
                self.check.absorb(mistakes);
                self.complete = false;
                return None;
            }
        };
        self.open.push((path.clone(), name));
        let whole = self.whole(node);
        self.open.pop();
        self.read.insert(path, whole.clone());
        Some(whole)
    }

    /// Two files that are extended by the same one: what both have once, the rest together.
    fn beside(&mut self, mut first: Vec<Entry>, second: Vec<Entry>, span: Span) -> Vec<Entry> {
        for entry in second {
            let same = first.iter_mut().find(|known| known.key == entry.key);
            match (same, entry.key.as_str()) {
                (None, _) => first.push(entry),
                (Some(known), "rules" | "ignore") => {
                    let Some(list) = items_mut(known) else { continue };
                    for node in into_items(entry.value) {
                        if list.contains(&node) {
                            continue;
                        }
                        let id = id(&node);
                        if id.is_some() && list.iter().any(|other| self::id(other) == id) {
                            let id = id.unwrap_or_default();
                            let message = format!("two of the extended files have a rule `{id}`");
                            self.check.error("E0505", span, message);
                        }
                        list.push(node);
                    }
                }
                (Some(known), key) if NAMED_KEYS.contains(&key) => by_name(known, entry),
                (Some(known), _) => *known = entry,
            }
        }
        first
    }

    /// What a file says, over what it inherits.
    fn merge(&mut self, mut inherited: Vec<Entry>, own: Vec<Entry>) -> Vec<Entry> {
        inherited.retain(|entry| !OWN_KEYS.contains(&entry.key.as_str()));
        for mut entry in own {
            let at = inherited.iter().position(|known| known.key == entry.key);
            let is_rules = entry.key == "rules";
            match at.and_then(|at| inherited.get_mut(at)) {
                None => {
                    if let (true, Some(list)) = (is_rules, items_mut(&mut entry)) {
                        let rules = std::mem::take(list);
                        *list = self.rules(Vec::new(), rules);
                    }
                    inherited.push(entry);
                }
                Some(known) if is_rules => {
                    let before = items_mut(known).map(std::mem::take).unwrap_or_default();
                    let rules = self.rules(before, into_items(entry.value));
                    known.value.kind = Kind::List(rules);
                }
                Some(known) if entry.key == "ignore" => {
                    if let Some(list) = items_mut(known) {
                        list.extend(into_items(entry.value));
                    }
                }
                Some(known) if NAMED_KEYS.contains(&entry.key.as_str()) => by_name(known, entry),
                Some(known) => *known = entry,
            }
        }
        inherited
    }

    fn rules(&mut self, mut rules: Vec<Node>, own: Vec<Node>) -> Vec<Node> {
        // Where several stand behind the same rule, they stand in the order of the file.
        let mut behind: HashMap<String, String> = HashMap::new();
        for mut rule in own {
            let placement = self.placement(&mut rule);
            let Some(id) = id(&rule).map(str::to_owned) else {
                rules.push(rule);
                continue;
            };
            let known = rules.iter().position(|other| self::id(other) == Some(&id));
            if placement.remove || placement.replace {
                let Some(at) = known else {
                    self.unknown(rule.span, &id, &rules);
                    continue;
                };
                if placement.remove {
                    rules.remove(at);
                    self.only_removed(&rule);
                    continue;
                }
                if placement.next_to.is_none() {
                    if let Some(old) = rules.get_mut(at) {
                        *old = rule;
                    }
                    continue;
                }
                rules.remove(at);
            } else if let Some(other) = known.and_then(|at| rules.get(at))
                && other.span.file != rule.span.file
            {
                let message = format!("the rule `{id}` is inherited");
                let hint = "say `replace: true` or `remove: true`, or give it another id";
                self.check.error_with_hint("E0505", rule.span, message, Some(hint.to_owned()));
                continue;
            }
            let Some((before, anchor, span)) = placement.next_to else {
                rules.push(rule);
                continue;
            };
            let beside = behind.get(&anchor).filter(|_| !before).unwrap_or(&anchor);
            match rules.iter().position(|other| self::id(other) == Some(beside)) {
                Some(at) => {
                    rules.insert(if before { at } else { at + 1 }, rule);
                    if !before {
                        behind.insert(anchor, id);
                    }
                }
                None => self.unknown(span, &anchor, &rules),
            }
        }
        rules
    }

    /// Takes the keys that place a rule out of it.
    fn placement(&mut self, rule: &mut Node) -> Placement {
        let mut placement = Placement::default();
        let Kind::Map(entries) = &mut rule.kind else { return placement };
        let (keys, rest) = std::mem::take(entries)
            .into_iter()
            .partition(|entry| PLACEMENT_KEYS.contains(&entry.key.as_str()));
        *entries = rest;
        let keys: Vec<Entry> = keys;
        for entry in keys {
            let is_true = |check: &mut Checker| check.boolean(&entry.value, &entry.key);
            match entry.key.as_str() {
                "replace" => placement.replace = is_true(&mut self.check) == Some(true),
                "remove" => placement.remove = is_true(&mut self.check) == Some(true),
                place => {
                    if placement.next_to.is_some() {
                        let message = "a rule stands `before` or `after` one other, not both";
                        self.check.error("E0504", entry.key_span, message);
                    }
                    if let Some(anchor) = self.check.text(&entry.value, place) {
                        placement.next_to = Some((place == "before", anchor, entry.value.span));
                    }
                }
            }
        }
        placement
    }

    fn only_removed(&mut self, rule: &Node) {
        let Kind::Map(entries) = &rule.kind else { return };
        let more = entries.iter().find(|entry| !["id", "note"].contains(&entry.key.as_str()));
        if let Some(entry) = more {
            let message = "a rule that is removed has no more than its `id`";
            self.check.error("E0504", entry.key_span, message);
        }
    }

    fn unknown(&mut self, span: Span, id: &str, rules: &[Node]) {
        let known = rules.iter().filter_map(self::id);
        self.check.unknown("E0503", span, "rule", id, known);
    }
}

#[derive(Default)]
struct Placement {
    replace: bool,
    remove: bool,
    /// Before (`true`) or after the rule of this id, and where that is said.
    next_to: Option<(bool, String, Span)>,
}

/// Puts the entries of a mapping over those of another, by name.
fn by_name(known: &mut Entry, own: Entry) {
    let (Kind::Map(entries), Kind::Map(_)) = (&mut known.value.kind, &own.value.kind) else {
        *known = own;
        return;
    };
    let Kind::Map(own) = own.value.kind else { return };
    for entry in own {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
}

fn items_mut(entry: &mut Entry) -> Option<&mut Vec<Node>> {
    match &mut entry.value.kind {
        Kind::List(items) => Some(items),
        _ => None,
    }
}

// What is no list stays what it is, for whoever reads it to complain.
fn into_items(node: Node) -> Vec<Node> {
    match node.kind {
        Kind::List(items) => items,
        _ => vec![node],
    }
}

fn id(rule: &Node) -> Option<&str> {
    let Kind::Map(entries) = &rule.kind else { return None };
    match &entries.iter().find(|entry| entry.key == "id")?.value.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// A path by which a file is the same however it was named.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
