//! The keys of a crosswalk file and what each holds: for the reader, and for editors.

/// A word of the language, and what it says.
pub type Word = (&'static str, &'static str);

/// A mapping with known keys.
pub struct Shape {
    /// Its name in the JSON Schema.
    pub name: &'static str,
    /// What it is called in messages: `a rule`.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// Which sets of keys must be there besides.
    pub choice: Choice,
}

/// Sets of keys of which one must be there whole.
pub enum Choice {
    /// No more than what is required.
    Free,
    /// At least one of these sets.
    Some(&'static [&'static [&'static str]]),
    /// One of these sets and no key of another.
    One(&'static [&'static [&'static str]]),
}

/// A key of a mapping.
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What it means, in a line.
    pub doc: &'static str,
}

/// What a key holds.
pub enum Holds {
    /// Anything.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number, 0 or more.
    Number,
    /// Text; a number or boolean counts as it is written.
    Text,
    /// A text, or a list of texts.
    Texts,
    /// One of these words.
    Word(&'static [Word]),
    /// One or several of these words.
    Words(&'static [Word]),
    /// One of these words, or a text of this shape, a regular expression.
    WordOr(&'static [Word], &'static str),
    /// One of these words, or a format that is written.
    Format(&'static [Word]),
    /// A mapping.
    Object(&'static Shape),
    /// A list of mappings.
    Objects(&'static Shape),
    /// A mapping, or a list of them.
    OneOrMore(&'static Shape),
    /// A mapping with free keys.
    Named(&'static Holds),
    /// One of these words, or a mapping.
    WordOrObject(&'static [Word], &'static Shape),
}

impl Shape {
    /// The names of its keys.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}

/// The words alone.
pub fn words(words: &'static [Word]) -> impl Iterator<Item = &'static str> {
    words.iter().map(|(word, _)| *word)
}

/// `from.format`
pub const SOURCES: &[Word] = &[
    ("csv", "rows of CSV or TSV"),
    ("json", "JSON documents"),
    ("marc21", "MARC 21 records of any serialization"),
    ("xml", "XML elements"),
];

/// `to.format`: models; every format that is written can be named too.
pub const TARGETS: &[Word] = &[
    ("json", "JSON documents"),
    ("marc21", "MARC 21 records, in any serialization"),
    ("xml", "XML elements"),
];

/// `to.sort`
pub const SORTS: &[Word] = &[("tag", "fields in the order of their tags")];

/// `to.punctuate`
pub const PUNCTUATIONS: &[Word] =
    &[("isbd", "the punctuation of ISBD at the end of subfields, as MARC 21 has it")];

/// `take`
pub const TAKES: &[Word] = &[
    ("all", "all of them"),
    ("earliest", "the smallest as text: of ISO dates, the earliest"),
    ("first", "the first"),
    ("first_match", "the first of the first selector that has any"),
    ("last", "the last"),
    ("longest", "the one with the most characters"),
];

/// `order`
pub const ORDERS: &[Word] =
    &[("listed", "as the rule lists the subfields"), ("record", "as the record has them")];

/// `unmapped`
pub const UNMAPPED: &[Word] = &[
    ("quarantine", "holds a record of which no rule reads something"),
    ("report", "counts what no rule reads"),
];

/// `fold`
pub const FOLDS: &[Word] = &[
    ("lower", "in lower case"),
    ("rstrip_dot", "without full stop, comma, colon or semicolon at the end"),
    ("trim", "without white space at either end"),
];

/// `miss`
pub const MISSES: &[Word] = &[
    ("error", "a failure, `lookup.miss`, which `on_error` handles"),
    ("keep", "the value as it was"),
    ("null", "no value"),
];

/// `on_missing`
pub const ON_MISSING: &[Word] = &[
    ("ok", "goes on without a value"),
    ("warn", "goes on without a value and counts a warning"),
    ("skip", "drops the object that is being built"),
    ("quarantine", "holds the record"),
    ("fail", "stops the run"),
];

/// `on_error`
pub const ON_ERROR: &[Word] = &[
    ("skip", "drops the value; when it stands on the rule around the item, the object"),
    ("keep", "goes on with the value as it was before the transform that failed"),
    ("quarantine", "holds the record"),
    ("fail", "stops the run"),
];

/// `report` beside `skip`
pub const REPORT: &[Word] = &[("warn", "counts a warning")];

const fn key(name: &'static str, holds: Holds, doc: &'static str) -> Key {
    Key { name, holds, doc }
}

const fn shape(name: &'static str, what: &'static str, keys: &'static [Key]) -> Shape {
    Shape { name, what, keys, required: &[], choice: Choice::Free }
}

/// The file.
pub static FILE: Shape = Shape {
    required: &["crosswalk"],
    choice: Choice::Some(&[&["extends"], &["from", "to", "rules"]]),
    ..shape(
        "crosswalk",
        "a crosswalk",
        &[
            key("crosswalk", Holds::Text, "its name"),
            key("version", Holds::Number, "its version"),
            key("note", Holds::Text, "words for people"),
            key("extends", Holds::Texts, "the crosswalks that this one changes"),
            key("from", Holds::Object(&FROM), "what it reads"),
            key("to", Holds::Object(&TO), "what it writes"),
            key("defaults", Holds::Object(&DEFAULTS), "what holds for rules that do not say"),
            key("tables", Holds::Named(&Holds::Object(&TABLE)), "lookup tables by name"),
            key("pipes", Holds::Named(&Holds::Text), "pipes of transforms by name"),
            key("rules", Holds::Objects(&RULE), "what becomes of what is read, in order"),
            key(
                "tombstone",
                Holds::Objects(&RULE),
                "the rules for a deleted record that has nothing else to say",
            ),
            key("ignore", Holds::Objects(&IGNORE), "what is left out on purpose"),
            key(
                "unmapped",
                Holds::WordOr(UNMAPPED, r"^keep\(.+\)$"),
                "what becomes of what no rule reads; keep(path) puts it there",
            ),
            key("tests", Holds::Objects(&TEST), "what must come of what"),
        ],
    )
};

/// `from`
pub static FROM: Shape = Shape {
    required: &["format"],
    ..shape(
        "from",
        "from",
        &[
            key("format", Holds::Word(SOURCES), "the format of the source"),
            key("record", Holds::Text, "the element that is the record"),
            key(
                "ns",
                Holds::Named(&Holds::Texts),
                "prefix: namespace, or a list of those that it stands for",
            ),
            key("schema", Holds::Text, "a schema of the source, for people"),
        ],
    )
};

/// `to`
pub static TO: Shape = Shape {
    required: &["format"],
    ..shape(
        "to",
        "to",
        &[
            key("format", Holds::Format(TARGETS), "the format of the output"),
            key("schema", Holds::Text, "the JSON Schema that every target path is looked up in"),
            key("record", Holds::Text, "the root element"),
            key("ns", Holds::Named(&Holds::Text), "prefix: namespace"),
            key("schema_location", Holds::Text, "the value of xsi:schemaLocation"),
            key("leader", Holds::Text, "the leader of a MARC record for which no rule gives one"),
            key("sort", Holds::Word(SORTS), "the order of the fields of a MARC record"),
            key(
                "punctuate",
                Holds::Word(PUNCTUATIONS),
                "the punctuation between the subfields of a MARC record; none without",
            ),
        ],
    )
};

/// `defaults`
pub static DEFAULTS: Shape = shape(
    "defaults",
    "defaults",
    &[
        key("on_error", ON_ERROR_HOLDS, "for transforms that fail"),
        key("unique", Holds::Boolean, "leaves out repeated values"),
    ],
);

/// A table.
pub static TABLE: Shape = Shape {
    choice: Choice::One(&[&["file", "key", "value"], &["inline"], &["inverse_of"]]),
    ..shape(
        "table",
        "a table",
        &[
            key("file", Holds::Text, "a CSV or TSV file with a header row, beside the crosswalk"),
            key("key", Holds::Text, "the column of the keys"),
            key("value", Holds::Text, "the column of the values"),
            key("inline", Holds::Named(&Holds::Text), "the entries themselves, key: value"),
            key("inverse_of", Holds::Text, "the table whose keys and values it exchanges"),
            key(
                "pick",
                Holds::Named(&Holds::Text),
                "value: key, where several keys of the other table have the value",
            ),
            key("fold", Holds::Words(FOLDS), "what makes keys alike before they are compared"),
            key("miss", Holds::Word(MISSES), "what a key becomes that is not there"),
        ],
    )
};

/// An item of `map` or a binding: a rule, which needs no `id`.
pub static ITEM: Shape = shape(
    "item",
    "an item",
    &[
        key("id", Holds::Text, "its name, in reports and in the quarantine"),
        key("to", Holds::Text, "the target path; `[]` at the end appends to a list"),
        key("from", Holds::Texts, "a selector, or several"),
        key("const", Holds::Any, "a fixed value"),
        key(
            "value",
            Holds::Text,
            "an expression in place of a selector: `{{ title }} : {{ subtitle }}`",
        ),
        key("when", Holds::Text, "the condition under which it holds"),
        key("let", Holds::Named(&Holds::Object(&ITEM)), "values of the current field by name"),
        key("cases", Holds::Objects(&CASE), "the first case that holds takes the field"),
        key("map", Holds::Objects(&ITEM), "the object that is built of each field or value"),
        key("set", Holds::Objects(&ITEM), "items added to those of the case"),
        key(
            "take",
            Holds::WordOr(TAKES, r"^all_joined\(.*\)$"),
            "which of several values; all_joined('; ') makes one of them",
        ),
        key("join", Holds::Text, "makes one value of the subfields of a field"),
        key("order", Holds::Word(ORDERS), "the order of values"),
        key("linked", Holds::Boolean, "reads the 880 that is linked to a field as one more"),
        key("pipe", Holds::Text, "transforms, one after another"),
        key("default", Holds::Text, "a value for when there is none"),
        key("on_missing", ON_MISSING_HOLDS, "what to do without a value"),
        key("on_error", ON_ERROR_HOLDS, "what to do when a transform fails"),
        key("unique", Holds::Boolean, "leaves out a value that is there already"),
        key("attrs", Holds::Named(&Holds::Object(&ITEM)), "attributes of the element by name"),
        key("ind", Holds::Texts, "the two indicators of the field, a blank as `_`; or expressions"),
        key("linked_880", Holds::Object(&LINKED_880), "the same field in another script"),
        key("note", Holds::Text, "words for people"),
    ],
);

/// `linked_880`
pub static LINKED_880: Shape = Shape {
    required: &["map"],
    ..shape(
        "linked_880",
        "linked_880",
        &[
            key("map", Holds::Objects(&ITEM), "its subfields"),
            key("script", Holds::Object(&ITEM), "its script"),
        ],
    )
};

/// The keys of a rule beside those of an item: its place among inherited ones. They are taken out
/// before a rule is read.
pub static PLACEMENT: Shape = shape(
    "placement",
    "a rule",
    &[
        key("replace", Holds::Boolean, "takes the place of the inherited rule of this id"),
        key("remove", Holds::Boolean, "takes the inherited rule of this id away"),
        key("before", Holds::Text, "the rule that it stands before"),
        key("after", Holds::Text, "the rule that it stands behind"),
    ],
);

/// A rule: an item with a name.
pub static RULE: Shape = Shape {
    name: "rule",
    what: "a rule",
    keys: ITEM.keys,
    required: &["id"],
    choice: Choice::Free,
};

/// A case of a rule.
pub static CASE: Shape = Shape {
    choice: Choice::One(&[&["when"], &["else"]]),
    ..shape(
        "case",
        "a case",
        &[
            key("when", Holds::Text, "the condition under which it holds"),
            key("else", Holds::Boolean, "true: it holds when no case before does"),
            key("to", Holds::Text, "the target path"),
            key("map", Holds::Objects(&ITEM), "its own items, in place of those of the rule"),
        ],
    )
};

/// A policy that is more than a word.
pub static POLICY: Shape = Shape {
    choice: Choice::One(&[&["default"], &["skip"]]),
    ..shape(
        "policy",
        "a policy",
        &[
            key("default", Holds::Text, "takes this value instead"),
            key("skip", Holds::Boolean, "true: drops the value"),
            key("report", Holds::Word(REPORT), "what `skip` does besides"),
        ],
    )
};

const ON_MISSING_HOLDS: Holds = Holds::WordOrObject(ON_MISSING, &POLICY);
const ON_ERROR_HOLDS: Holds = Holds::WordOrObject(ON_ERROR, &POLICY);

/// An entry of `ignore`.
pub static IGNORE: Shape = Shape {
    required: &["from", "why"],
    ..shape(
        "ignore",
        "an entry of ignore",
        &[
            key("from", Holds::Texts, "selectors"),
            key("why", Holds::Text, "the reason why it is left out"),
        ],
    )
};

/// The keys of a test that give it an input.
pub const INPUTS: &[&str] = &["marc", "json", "csv", "xml", "file"];

/// A test.
pub static TEST: Shape = Shape {
    choice: Choice::Some(&[&["marc"], &["json"], &["csv"], &["xml"], &["file"], &["roundtrip"]]),
    ..shape(
        "test",
        "a test",
        &[
            key("name", Holds::Text, "what it shows, a sentence"),
            key("marc", Holds::Text, "a record, a line for each field"),
            key("json", Holds::Any, "a document"),
            key("csv", Holds::Named(&Holds::Text), "a row, column: value"),
            key("xml", Holds::Text, "an element; of MARC a record in MARCXML"),
            key(
                "file",
                Holds::Text,
                "a file of records, and `#identifier` or `#001=identifier` behind it for one",
            ),
            key("header", Holds::Named(&Holds::Text), "the OAI-PMH header of the record"),
            key("expect", Holds::Named(&Holds::Any), "path: value; other paths are free"),
            key("exact", Holds::Any, "the whole output"),
            key("unmapped", Holds::Texts, "what no rule reads, all of it"),
            key("quarantine", Holds::Object(&PROBLEM), "the rule that holds the record"),
            key("report", Holds::OneOrMore(&PROBLEM), "what policies dealt with, all of it"),
            key("roundtrip", Holds::Object(&ROUNDTRIP), "records there and back"),
        ],
    )
};

/// The file of tests beside a crosswalk.
pub static TESTS: Shape = Shape {
    required: &["tests"],
    ..shape(
        "tests",
        "a file of tests",
        &[
            key("note", Holds::Text, "words for people"),
            key("tests", Holds::Objects(&TEST), "what must come of what"),
        ],
    )
};

/// What a folder of a case expects beside the whole output.
pub static EXPECTATION: Shape = shape(
    "expectation",
    "an expectation",
    &[
        key("name", Holds::Text, "what it shows, a sentence"),
        key("expect", Holds::Named(&Holds::Any), "path: value; other paths are free"),
        key("unmapped", Holds::Texts, "what no rule reads, all of it"),
        key("quarantine", Holds::Object(&PROBLEM), "the rule that holds the record"),
        key("report", Holds::OneOrMore(&PROBLEM), "what policies dealt with, all of it"),
    ],
);

/// A problem: of which rule, of which code.
pub static PROBLEM: Shape = Shape {
    required: &["rule", "code"],
    ..shape(
        "problem",
        "a problem",
        &[
            key("rule", Holds::Text, "the rule, with the item's path behind it"),
            key("code", Holds::Text, "`missing`, or the code of the transform that failed"),
        ],
    )
};

/// `roundtrip`
pub static ROUNDTRIP: Shape = Shape {
    required: &["with", "corpus"],
    ..shape(
        "roundtrip",
        "roundtrip",
        &[
            key("with", Holds::Text, "the crosswalk that leads back"),
            key("corpus", Holds::Texts, "files of records"),
            key("modulo", Holds::Texts, "paths that may differ; with `.*` behind, all below too"),
        ],
    )
};
