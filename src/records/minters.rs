//! Minters and fetchers: the PIDs that a record gets, and those that its JSON says it has.
//!
//! One table for all: single records mint by it, and pipelines name its rows in `load.pids`.

use serde_json::{Value, json};
use thiserror::Error;

use crate::crosswalk::{JsonPath, SelectorError};
use crate::identifiers;
use crate::json::tree::Tree;
use crate::oai::oai_identifier;
use crate::record::{PidName, PidNameError};
use crate::yaml::{Checker, Kind, Node};

/// A way to a PID.
#[derive(Debug, Clone, Copy)]
pub struct MinterRow {
    /// Its name in `load.pids` and in files of PIDs.
    pub name: &'static str,
    /// What it must be told.
    pub keys: &'static [&'static str],
    /// The same record gets the same PID each time, so that it can be loaded again.
    pub repeats: bool,
    /// What it does.
    pub line: &'static str,
}

/// All ways, by name.
pub const MINTERS: [MinterRow; 5] = [
    MinterRow {
        name: "doi",
        keys: &["prefix"],
        repeats: true,
        line: "a DOI of the prefix and the recid: 10.1234/7",
    },
    MinterRow {
        name: "oai",
        keys: &["namespace"],
        repeats: true,
        line: "the OAI identifier of the namespace and the recid: oai:example.org:7",
    },
    MinterRow {
        name: "path",
        keys: &["type", "path"],
        repeats: true,
        line: "what a JSON path finds in the record, as PIDs of a type",
    },
    MinterRow {
        name: "recid",
        keys: &[],
        repeats: false,
        line: "the next number of the sequence, written into the record's `id`",
    },
    MinterRow {
        name: "recid_v2",
        keys: &[],
        repeats: false,
        line: "ten random digits and letters, two of them check digits: 014sc-0pj92",
    },
];

/// How a record that has no `id` gets its recid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecidMinter {
    /// The next number.
    #[default]
    Counter,
    /// Random, with check digits.
    Random,
}

/// A PID beside the recid.
#[derive(Debug, Clone)]
pub enum PidRule {
    /// `prefix/recid`
    Doi {
        /// `10.1234`
        prefix: String,
    },
    /// `oai:namespace:recid`
    Oai {
        /// A domain name.
        namespace: String,
    },
    /// What the record says.
    Path {
        /// The PIDs' type.
        pid_type: String,
        /// Where their values stand.
        path: JsonPath,
    },
}

/// The PIDs that records get.
#[derive(Debug, Clone, Default)]
pub struct PidRules {
    /// For records without `id`.
    pub recid: RecidMinter,
    /// Beside it.
    pub further: Vec<PidRule>,
}

/// A value that a rule cannot make a PID of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MintError {
    /// No PID is called so.
    #[error("{0}")]
    Name(#[from] PidNameError),
    /// It is not the identifier it should be.
    #[error("{pid_type} {value:?}: {reason}")]
    Shape {
        /// The PID's type.
        pid_type: String,
        /// What was found.
        value: String,
        /// What would have been right.
        reason: String,
    },
}

impl MintError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            MintError::Name(error) => error.code(),
            MintError::Shape { .. } => "pid_shape",
        }
    }
}

impl PidRules {
    /// Reads a list of rules, each a minter's name or a mapping of `minter` and its keys.
    /// `repeats`: only minters that give the same record the same PID each time are allowed.
    pub fn read(check: &mut Checker, node: &Node, repeats: bool) -> PidRules {
        let mut rules = PidRules::default();
        for item in check.list(node, "pids") {
            let minter = match &item.kind {
                Kind::Map(_) => {
                    let fields = check.mapping(item, "a PID's rule");
                    check.required(fields, "minter", "a PID's rule")
                }
                _ => Some(item),
            };
            let Some(name_node) = minter else { continue };
            let Some(name) = check.text(name_node, "minter") else { continue };
            let Some(row) = MINTERS.iter().find(|row| row.name == name) else {
                let known = MINTERS.iter().map(|row| row.name);
                check.unknown("E0106", name_node.span, "minter", &name, known);
                continue;
            };
            if repeats && !row.repeats {
                let message = format!("minter {name} gives a record another PID each time");
                let hint = "a pipeline's records have the identifiers of their source";
                check.error_with_hint("E0103", name_node.span, message, Some(hint.to_owned()));
                continue;
            }
            rules.add(check, item, row);
        }
        rules
    }

    fn add(&mut self, check: &mut Checker, item: &Node, row: &MinterRow) {
        let mut texts = Vec::new();
        if let Kind::Map(_) = &item.kind {
            let known: Vec<&str> = ["minter"].iter().chain(row.keys).copied().collect();
            let fields = check.fields(item, "a PID's rule", &known);
            for key in row.keys {
                let node = check.required(fields, key, row.name);
                let text = node.and_then(|node| Some((check.text(node, key)?, node.span)));
                texts.extend(text);
            }
        }
        if texts.len() < row.keys.len() {
            if !matches!(item.kind, Kind::Map(_)) {
                let message = format!("minter {} needs {}", row.name, row.keys.join(" and "));
                check.error("E0103", item.span, message);
            }
            return;
        }
        let mut texts = texts.into_iter();
        let (first, second) = (texts.next(), texts.next());
        match (row.name, first, second) {
            ("recid", ..) => self.recid = RecidMinter::Counter,
            ("recid_v2", ..) => self.recid = RecidMinter::Random,
            ("doi", Some((prefix, span)), _) => {
                if identifiers::doi(&format!("{prefix}/1")).is_err() {
                    let message = format!("prefix is `{prefix}`, expected one such as 10.1234");
                    check.error("E0103", span, message);
                }
                self.further.push(PidRule::Doi { prefix });
            }
            ("oai", Some((namespace, span)), _) => {
                if !crate::oai::is_domain_name(&namespace) {
                    let message = format!("namespace is `{namespace}`, expected a domain name");
                    check.error("E0103", span, message);
                }
                self.further.push(PidRule::Oai { namespace });
            }
            (_, Some((pid_type, type_span)), Some((path, path_span))) => {
                if let Err(error) = PidName::new(pid_type.as_str(), "1") {
                    check.error("E0103", type_span, error.to_string());
                }
                match JsonPath::parse(&path) {
                    Ok(path) => self.further.push(PidRule::Path { pid_type, path }),
                    Err(SelectorError { message, .. }) => {
                        check.error("E0103", path_span, format!("path `{path}`: {message}"));
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether any rule has to see the record.
    #[must_use]
    pub fn reads_the_record(&self) -> bool {
        self.further.iter().any(|rule| matches!(rule, PidRule::Path { .. }))
    }

    /// The PIDs of a record beside its recid, each once; what can be none is told, too.
    #[must_use]
    pub fn pids(&self, recid: &str, record: &Value) -> (Vec<PidName>, Vec<MintError>) {
        let (mut pids, mut errors) = (Vec::new(), Vec::new());
        let mut take = |pid: Result<PidName, MintError>| match pid {
            Ok(pid) if pids.contains(&pid) => {}
            Ok(pid) => pids.push(pid),
            Err(error) => errors.push(error),
        };
        for rule in &self.further {
            match rule {
                PidRule::Doi { prefix } => take(pid("doi", &format!("{prefix}/{recid}"))),
                PidRule::Oai { namespace } => take(pid("oai", &oai_identifier(namespace, recid))),
                PidRule::Path { pid_type, path } => {
                    let tree = Tree::of(record);
                    path.select(tree.root(), tree.root(), &mut |found| match found.as_str() {
                        Some(text) => take(pid(pid_type, text)),
                        None => take(pid(pid_type, &json!(found).to_string())),
                    });
                }
            }
        }
        (pids, errors)
    }
}

/// A PID in the normal form of its type.
fn pid(pid_type: &str, value: &str) -> Result<PidName, MintError> {
    if pid_type != "doi" {
        return Ok(PidName::new(pid_type, value)?);
    }
    match identifiers::doi(value) {
        Ok(doi) => Ok(PidName::new(pid_type, doi)?),
        Err(error) => Err(MintError::Shape {
            pid_type: pid_type.to_owned(),
            value: value.to_owned(),
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::yaml::{Diagnostics, SourceText, parse};

    fn rules(text: &str, repeats: bool) -> Result<PidRules, Diagnostics> {
        let source = Arc::new(SourceText { name: "p.yaml".to_owned(), text: text.to_owned() });
        let root = parse(&source)?;
        let mut check = Checker::new(&source);
        let rules = PidRules::read(&mut check, &root, repeats);
        check.finish(rules)
    }

    #[test]
    fn a_record_gets_what_the_rules_say() {
        let rules = rules(
            "- { minter: oai, namespace: example.org }\n\
             - { minter: doi, prefix: '10.1234' }\n\
             - { minter: path, type: doi, path: \"$.ids[?@.scheme=='doi'].identifier\" }\n\
             - { minter: path, type: other, path: $.number }\n\
             - recid_v2\n",
            false,
        )
        .unwrap();
        assert_eq!(rules.recid, RecidMinter::Random);
        let record = json!({
            "number": 12,
            "ids": [
                {"scheme": "doi", "identifier": "https://doi.org/10.1234/A"},
                {"scheme": "doi", "identifier": "10.1234/a"},
                {"scheme": "doi", "identifier": "none"},
                {"scheme": "isbn", "identifier": "1"},
            ],
        });
        let (pids, errors) = rules.pids("a b", &record);
        let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
        let expected = ["oai:oai:example.org:a%20b", "doi:10.1234/a", "other:12"];
        assert_eq!(pids, expected);
        // A recid with a space makes no DOI.
        let codes: Vec<_> = errors.iter().map(MintError::code).collect();
        assert_eq!(codes, ["pid_shape", "pid_shape"]);
        assert_eq!(rules.pids("7", &json!({})).0[1].to_string(), "doi:10.1234/7");
    }

    #[test]
    fn every_mistake_in_rules_is_told() {
        let messages = |text: &str, repeats| rules(text, repeats).unwrap_err().to_string();
        let text = messages(
            "- dio\n- doi\n- { minter: doi, prefix: x }\n- { minter: oai }\n\
             - { minter: path, type: too-long, path: '$[' }\n- { minter: recid, into: id }\n",
            false,
        );
        for part in ["`dio`", "needs prefix", "`x`", "namespace", "too-long", "`$[`", "into"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(messages("- recid", true).contains("another PID each time"));
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(MINTERS.is_sorted_by(|a, b| a.name < b.name));
        assert!(MINTERS.iter().all(|row| !row.line.is_empty()));
    }
}
