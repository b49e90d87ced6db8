//! The rules for OAI-PMH providers, each by its number, asked of the real server on both keepers.
//!
//! `RULES` is what is looked at; what one request gets stands in fixtures/oai/conformance.tsv. The
//! official validator's checks are among both. Every answer is checked by the protocol's schemas.

#![cfg(unix)]

mod between;
mod envelope;
mod hostile;
pub mod http;
mod lists;
mod records;
mod site;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::private_postgres;
use crate::support::Folder;
use site::Site;

/// The number of a rule, what it asks, and what looks whether it is kept.
type Rule = (&'static str, &'static str, fn(&Site));

static RULES: &[Rule] = &[
    ("P1 to P27", "one request gets the answer of its rule", envelope::requests),
    ("P2", "text/xml in UTF-8, and no entities but those of XML", envelope::text),
    ("P4", "no request is sent elsewhere, none is put off without a time", envelope::flow_control),
    ("P5", "compression is used when it is asked for, and listed", envelope::compression),
    ("P7", "the root has the protocol's namespace and schema", envelope::root),
    ("P8", "responseDate is of the form YYYY-MM-DDThh:mm:ssZ", envelope::response_date),
    ("P10", "metadata declare their own namespaces and schema", records::own_namespaces),
    ("P11", "every datestamp has the granularity that Identify names", records::granularity),
    ("P12", "from and until include their ends, to the second and the day", records::bounds),
    ("P13", "no datestamp is before earliestDatestamp", records::earliest),
    ("P13", "what is created, changed, deleted or comes back is newer", records::changes_are_newer),
    (
        "P15",
        "identifiers are unique and of one scheme, and a sample is shown",
        records::identifiers,
    ),
    ("P16", "every live record is to be had in oai_dc", records::oai_dc_for_all),
    ("P17", "a deleted record is a header in every verb and format", records::deletions),
    ("P19", "setSpecs are unique and of legal characters", records::set_specs),
    ("P20", "a set has the records of the sets below it, and headers name sets", records::members),
    ("P21", "a repository without sets says so to whoever asks for one", records::no_sets),
    ("P22", "a record that comes into a set is newer", records::membership_is_news),
    ("P24", "a list ends with an empty token, one of one page has none", lists::ends),
    ("P25", "cursor and completeListSize say where a page stands", lists::attributes),
    ("P26", "a token that is sent again gets its page again", lists::again),
    ("P27", "an empty repository gives no empty list", lists::nothing),
    ("P27", "a token whose list has gone ends it", lists::token_to_nowhere),
    ("P28", "what is not changed comes once while others change", lists::while_others_change),
    ("P29", "Identify says each thing once", envelope::identify),
];

fn every_rule_is_kept(new_folder: fn() -> Folder) {
    let site = Site::new(new_folder);
    let broken: Vec<String> = RULES
        .iter()
        .filter(|(_, _, check)| catch_unwind(AssertUnwindSafe(|| check(&site))).is_err())
        .map(|(number, what, _)| format!("{number} {what}"))
        .collect();
    assert!(broken.is_empty(), "broken, as said above:\n{}", broken.join("\n"));
}

#[test]
fn every_rule_is_kept_on_sqlite() {
    every_rule_is_kept(Folder::new);
}

#[test]
fn every_rule_is_kept_on_postgres() {
    if private_postgres::database().is_some() {
        every_rule_is_kept(|| Folder::on(private_postgres::database().unwrap()));
    }
}
