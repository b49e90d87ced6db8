//! The punctuation of ISBD in MARC fields: at the end of the subfield before, as MARC 21 has it.
//!
//! What each field asks for is said in its description, "Input conventions", of
//! <https://www.loc.gov/marc/bibliographic/>. Fields that are not listed here stay as they are,
//! as do the parentheses of meetings (X11), which would have to be put around subfields.

use crate::formats::marc21::{CONTROL_VALUE, Field, Leader, Marc};

/// What fields of these tags ask for.
struct Convention {
    tags: &'static [&'static str],
    /// What stands before a subfield, at the end of the one before it.
    before: &'static [(char, &'static str)],
    stop: Stop,
}

/// Whether a field ends with a full stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Yes,
    /// Even behind a bracket.
    Always,
    /// Where a series follows in the description.
    BeforeSeries,
}

const CONVENTIONS: &[Convention] = &[
    Convention {
        tags: &["100", "600", "700", "800"],
        before: &[
            ('c', ","),
            ('d', ","),
            ('e', ","),
            ('k', "."),
            ('l', "."),
            ('t', "."),
            ('v', " ;"),
        ],
        stop: Stop::Yes,
    },
    Convention {
        tags: &["110", "111", "610", "611", "710", "711", "810", "811"],
        before: &[('b', "."), ('e', ","), ('k', "."), ('l', "."), ('t', "."), ('v', " ;")],
        stop: Stop::Yes,
    },
    Convention {
        tags: &["130", "240", "630", "730", "830"],
        before: &[('k', "."), ('l', "."), ('n', "."), ('p', "."), ('s', "."), ('v', " ;")],
        stop: Stop::Yes,
    },
    Convention {
        tags: &["242", "245"],
        before: &[('b', " :"), ('c', " /"), ('n', "."), ('p', "."), ('s', ".")],
        stop: Stop::Always,
    },
    Convention {
        tags: &["246", "247"],
        before: &[('b', " :"), ('n', "."), ('p', ".")],
        stop: Stop::No,
    },
    Convention { tags: &["250"], before: &[('b', " /")], stop: Stop::Always },
    Convention {
        tags: &["260", "264"],
        before: &[('a', " ;"), ('b', " :"), ('c', ",")],
        stop: Stop::Yes,
    },
    Convention {
        tags: &["300"],
        before: &[('b', " :"), ('c', " ;"), ('e', " +")],
        stop: Stop::BeforeSeries,
    },
    Convention { tags: &["490"], before: &[('v', " ;"), ('x', ",")], stop: Stop::No },
    Convention {
        tags: &[
            "500", "501", "504", "505", "508", "511", "515", "520", "525", "530", "538", "545",
            "546", "550", "555", "580", "588", "648", "650", "651", "655",
        ],
        before: &[],
        stop: Stop::Yes,
    },
];

/// The record with punctuation; leader/18, which says whether it is there, is `i` unless it is
/// `a`.
pub fn punctuated(marc: &Marc) -> Marc {
    let mut whole = Marc::default();
    let mut leader = marc.leader().0;
    if leader[18] != b'a' {
        leader[18] = b'i';
    }
    whole.set_leader(Leader(leader));
    let has_series = marc.fields().any(|field| matches!(field.tag_text(), "440" | "490"));
    for field in marc.fields() {
        let values = punctuated_field(field, has_series);
        if field.tag().is_control() {
            whole.push_control(field.tag(), field.value());
            continue;
        }
        whole.push_data(field.tag(), field.indicators());
        for (code, value) in values {
            whole.push_subfield(code, &value);
        }
    }
    whole
}

fn punctuated_field(field: Field<'_>, has_series: bool) -> Vec<(char, String)> {
    let subfields = field.subfields().filter(|subfield| subfield.code != CONTROL_VALUE);
    let mut values: Vec<(char, String)> =
        subfields.map(|subfield| (subfield.code, subfield.value.to_owned())).collect();
    let Some(convention) = convention(field) else { return values };
    // The subfield before: the last one whose code is a letter.
    let mut last: Option<usize> = None;
    for n in 0..values.len() {
        let Some((code, _)) = values.get(n) else { break };
        let code = *code;
        if !code.is_ascii_alphabetic() || stands_outside(field, code) {
            continue;
        }
        if let Some((before, value)) = last.and_then(|last| values.get_mut(last)) {
            let mark = convention.before.iter().find(|(known, _)| *known == code);
            let mark = mark.map(|(_, mark)| if (*before, code) == ('n', 'p') { "," } else { mark });
            mark.into_iter().for_each(|mark| add(value, mark));
        }
        last = Some(n);
    }
    let stops = match convention.stop {
        Stop::No => false,
        Stop::BeforeSeries => has_series,
        // A year of copyright stands alone.
        Stop::Yes | Stop::Always => (field.tag_text(), field.indicators()[1]) != ("264", '4'),
    };
    // An address is no end of a sentence.
    let last = last.and_then(|last| values.get_mut(last)).filter(|(code, _)| *code != 'u');
    if let (Some((_, value)), true) = (last, stops) {
        let closes = convention.stop != Stop::Always && value.ends_with([')', ']', '>']);
        if !closes && !value.ends_with(['?', '!', '-']) {
            add(value, ".");
        }
    }
    values
}

/// Of an 880, what the field asks for that it is paired with.
fn convention(field: Field<'_>) -> Option<&'static Convention> {
    let link = field.subfield('6').filter(|_| field.tag_text() == "880");
    let tag = link.and_then(|link| link.get(..3)).unwrap_or(field.tag_text());
    CONVENTIONS.iter().find(|convention| convention.tags.contains(&tag))
}

/// Whether a subfield is no part of what is punctuated: the affiliation of a name, the language of
/// a title.
fn stands_outside(field: Field<'_>, code: char) -> bool {
    match code {
        'u' => field.tag_text().starts_with(['1', '7']),
        'y' => field.tag_text() == "242",
        _ => false,
    }
}

fn add(value: &mut String, mark: &str) {
    let end = value.trim_end().len();
    value.truncate(end);
    let sign = mark.trim_start();
    if value.ends_with(sign) || (mark.len() == 2 && value.ends_with([':', ';', '/', '=', '+'])) {
        return;
    }
    value.push_str(mark);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::marc21::line;

    fn check(given: &str, expected: &str) {
        let marc = line::read(given).unwrap();
        let found = line::write(&punctuated(&marc));
        let found: Vec<&str> = found.lines().filter(|line| !line.starts_with("=LDR")).collect();
        assert_eq!(found.join("\n"), expected);
    }

    #[test]
    fn subfields_end_with_what_sets_off_the_next_one() {
        check(r"=245  10$aHay$bin rows$cA. Mower", r"=245  10$aHay :$bin rows /$cA. Mower.");
        check(r"=245  10$aHay$nPart 2$pStraw (dry)", r"=245  10$aHay.$nPart 2,$pStraw (dry).");
        check(
            r"=264  \1$aGeneva$bBarn Press$aParis$bFork$c1999",
            r"=264  \1$aGeneva :$bBarn Press ;$aParis :$bFork,$c1999.",
        );
        check(r"=242  10$aHeu$bin Reihen$yger", r"=242  10$aHeu :$bin Reihen.$yger");
        check(r"=264  \1$aGeneva$c[1999]", r"=264  \1$aGeneva,$c[1999]");
        check(r"=264  \4$c1999", r"=264  \4$c1999");
        check(
            r"=100  1\$aMower, A.$d1990-$eauthor$uHay Institute$4aut",
            r"=100  1\$aMower, A.,$d1990-,$eauthor.$uHay Institute$4aut",
        );
        check(r"=100  1\$aMower, Ada$uHay Institute", r"=100  1\$aMower, Ada.$uHay Institute");
    }

    #[test]
    fn what_ends_already_gets_no_second_mark() {
        check(r"=245  10$aHay :$bin rows?", r"=245  10$aHay :$bin rows?");
        check(r"=700  1\$aRake, R.", r"=700  1\$aRake, R.");
        check(r"=100  1\$aFork, F.$d1990-", r"=100  1\$aFork, F.,$d1990-");
    }

    #[test]
    fn the_extent_ends_before_a_series_and_an_880_follows_its_field() {
        check(r"=300  \\$a7 p.$c20 cm", r"=300  \\$a7 p. ;$c20 cm");
        check(
            "=300  \\\\$a7 p$c20 cm\n=490  0\\$aHay$v7",
            "=300  \\\\$a7 p ;$c20 cm.\n=490  0\\$aHay ;$v7",
        );
        check(r"=880  10$6245-01/$1$a干草$b排", r"=880  10$6245-01/$1$a干草 :$b排.");
        check(r"=024  7\$a10.5072/x$2doi", r"=024  7\$a10.5072/x$2doi");
    }
}
