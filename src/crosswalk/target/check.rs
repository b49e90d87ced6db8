//! Mistakes about targets that no single path shows: prefixes without a namespace, and keys that
//! belong to another kind of target.

use super::Output;
use crate::crosswalk::syntax::keys::{TARGETS, words};
use crate::crosswalk::syntax::{File, Rule, Spanned, Unmapped};
use crate::formats::Model;
use crate::yaml::Checker;

/// Notes prefixes that `to.ns` does not bind, and keys that targets of this model do not have.
pub fn check(file: &File, output: &Output, check: &mut Checker) {
    let is_model = words(TARGETS).any(|word| word == file.to_format.value);
    if output.format.is_none() && !is_model {
        // Of what nobody knows, nobody knows the keys.
        return;
    }
    let keys = [
        ("record", file.to_record.as_ref(), Model::Xml, "XML"),
        ("leader", file.to_leader.as_ref(), Model::Marc, "MARC"),
        ("sort", file.to_sort.as_ref(), Model::Marc, "MARC"),
        ("punctuate", file.to_punctuate.as_ref(), Model::Marc, "MARC"),
    ];
    for (key, given, model, name) in keys {
        if let Some(given) = given.filter(|_| output.model != model) {
            check.error("E0415", given.span, format!("`{key}` is for targets in {name} only"));
        }
    }
    if let Unmapped::Keep(path) = &file.unmapped
        && output.model != Model::Json
    {
        check.error("E0415", path.span, "`keep` is for targets in JSON only".to_owned());
    }
    if output.model == Model::Xml {
        let root = file.to_record.iter();
        root.for_each(|root| prefix(file, root, &root.value, check));
    }
    for rule in &file.rules {
        check_rule(file, rule, output, check);
    }
}

fn check_rule(file: &File, rule: &Rule, output: &Output, check: &mut Checker) {
    let keys = [
        ("attrs", !rule.attrs.is_empty(), Model::Xml, "XML"),
        ("ind", !rule.ind.is_empty(), Model::Marc, "MARC"),
        ("linked_880", rule.linked_880.is_some(), Model::Marc, "MARC"),
    ];
    for (key, given, model, name) in keys {
        if given && output.model != model {
            check.error("E0415", rule.span, format!("`{key}` is for targets in {name} only"));
        }
    }
    if output.model == Model::Xml {
        for to in rule.to.iter().chain(rule.cases.iter().filter_map(|case| case.to.as_ref())) {
            let path = to.value.trim_end_matches("[]");
            for step in path.split('/') {
                prefix(file, to, step.trim_start_matches('@'), check);
            }
        }
        for (name, _) in &rule.attrs {
            prefix(file, name, &name.value, check);
        }
    }
    let items = rule.map.iter().chain(&rule.set);
    let items = items.chain(rule.cases.iter().flat_map(|case| &case.map));
    for item in items {
        check_rule(file, item, output, check);
    }
}

fn prefix(file: &File, place: &Spanned<String>, name: &str, check: &mut Checker) {
    let Some((prefix, _)) = name.split_once(':') else { return };
    let xsi = file.to_schema_location.is_some().then_some("xsi");
    let bound = file.to_namespaces.iter().map(|(prefix, _)| prefix.as_str());
    let known: Vec<&str> = bound.chain(xsi).chain(["xml"]).collect();
    if !known.contains(&prefix) {
        check.unknown("E0414", place.span, "prefix", prefix, known);
    }
}
