//! The plan: a crosswalk with every name resolved, ready to run.

use super::chains::Chains;
use super::codes::CodeSet;
use super::compile::Check;
use super::condition::Condition;
use super::expression::Expression;
use super::selector::{JsonPath, MarcSelector, Namespaces, Subfields, XmlPath};
use super::shape::{Demands, Flat, Quoting, Shape, Target};
use super::syntax::{Policy, Take};
use super::target::{Linked, Output};
use super::transforms::Pipe;
use super::way::Way;
use crate::formats::Model;
use crate::formats::marc21::{Field, Tag};
use crate::record::ContentHash;

/// What the crosswalk reads.
#[derive(Debug)]
pub enum Input {
    /// MARC 21 records.
    Marc,
    /// JSON documents.
    Json,
    /// Rows of a table, as JSON objects: selectors are names of columns.
    Columns,
    /// XML.
    Xml {
        /// The element that is the record, `prefix:local`; the root when none is named.
        record: Option<String>,
        /// The prefixes of selectors.
        namespaces: Namespaces,
    },
}

impl Input {
    /// What the source's format must hold.
    #[must_use]
    pub fn model(&self) -> Model {
        match self {
            Input::Marc => Model::Marc,
            Input::Json | Input::Columns => Model::Json,
            Input::Xml { .. } => Model::Xml,
        }
    }
}

/// What becomes of values that no rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfUnmapped {
    /// They are counted.
    Report,
    /// The record is held.
    Quarantine,
    /// They are kept in the output, as a list of `{ field, value }`.
    Keep(Target),
}

/// The name of a step or case, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Rule, with the item's path behind it.
    pub name: String,
    /// File and line where it stands: `theses.yaml:12`.
    pub place: String,
    /// Whether it stands in the crosswalk's own file, not in one that it extends.
    pub own: bool,
}

/// A compiled crosswalk.
#[derive(Debug)]
pub struct Plan {
    /// What it reads.
    pub input: Input,
    /// Rules in file order.
    pub rules: Vec<Step>,
    /// Rules for a deleted record that has nothing else to say.
    pub tombstone: Vec<Step>,
    /// The target paths of the whole record.
    pub shape: Shape,
    /// What is written.
    pub output: Output,
    /// What steps read of the record's fields.
    pub chains: Chains,
    /// Selectors of what is left out on purpose.
    pub ignore: Vec<MarcSelector>,
    /// The same for trees.
    pub ignore_paths: Vec<Selector>,
    /// What becomes of what no rule reads.
    pub unmapped: OfUnmapped,
    /// What the target's schema demands of the record as a whole; `None` when that is not known.
    pub demands: Option<Demands>,
    /// Every step and case, by its number.
    pub labels: Vec<Label>,
    /// How deep `map` nests, for the pool of buffers.
    pub depth: usize,
    /// Hash of the file, its tables and its schema.
    pub hash: ContentHash,
}

/// A rule, an item of `map` or a `let` binding, compiled.
#[derive(Debug)]
pub struct Step {
    /// The rule's id, with the item's path behind it: `agent`, `agent.name`.
    pub label: String,
    /// Its place in [`Plan::labels`].
    pub number: usize,
    /// Its target path, without `[]`.
    pub to: Option<String>,
    /// Selectors with their text.
    pub from: Vec<(Selector, String)>,
    /// A constant.
    pub constant: Option<(String, Quoting)>,
    /// Condition.
    pub when: Option<When>,
    /// Bindings.
    pub lets: Vec<(String, Step)>,
    /// What becomes of the values.
    pub body: Body,
    /// Which of several values.
    pub take: Take,
    /// Joins the subfields of one field.
    pub join: Option<String>,
    /// Subfields in the order of the selectors.
    pub listed: bool,
    /// Values of several selectors are put in the order of the record. JSON has none.
    pub sorted: bool,
    /// The linked 880 of each field counts as a further field.
    pub linked: bool,
    /// Transforms.
    pub pipe: Pipe,
    /// Value when there is none.
    pub default: Option<Fallback>,
    /// Policy for no value.
    pub on_missing: Policy,
    /// Policy for a failed transform.
    pub on_error: Policy,
    /// A skipped failure drops the whole object: the policy stands on the rule around it.
    pub error_drops_object: bool,
    /// Leaves out repeated values.
    pub unique: bool,
    /// The subfields of the current field that it reads, when it reads nothing else and has no condition: without one of them there is no value.
    pub codes: Option<CodeSet>,
    /// Where it reads fields of the record: its number in [`Chains`].
    pub chain: Option<u16>,
    /// What is known of it before it runs.
    pub ahead: Ahead,
    /// A leaf that takes the value at hand as it is.
    pub copies: bool,
    /// What the target's schema asks of the values that it writes.
    pub check: Check,
    /// How a leaf comes by its values.
    pub way: Way,
    /// The number under which it is remembered what it makes of the tag, or of an indicator.
    pub known: Option<usize>,
    /// A leaf whose values can be written as they come, without a list to sort or choose from.
    pub direct: bool,
    /// An expression in it, or in its items, reads the output so far.
    pub reads_record: bool,
}

/// What is known of a step before it runs.
#[derive(Debug, Default)]
pub struct Ahead {
    /// It reads nothing but those, and without condition: a record without such a field has no
    /// value for it.
    pub only_fields: bool,
    /// The fields can be taken in the order of the record, one after another.
    pub in_order: bool,
    /// All values are wanted in that order.
    pub all_in_order: bool,
    /// One value needs no list to choose from.
    pub may_be_single: bool,
    /// They are taken as a whole: each gives one object.
    pub whole_fields: bool,
    /// What it builds is built of values, not of fields or nodes as a whole.
    pub by_value: bool,
    /// It makes an object around each of its values, not of what `map` finds there.
    pub dressed: bool,
    /// Without a value there is nothing to do.
    pub idle: bool,
    /// It builds nothing without a linked 880.
    pub only_linked: bool,
}

/// A condition.
#[derive(Debug)]
pub enum When {
    /// One that needs no interpreter.
    Native(Condition),
    /// One that asks only for tag and indicators of the field at hand, and the number under which
    /// its answers are remembered.
    Field(FieldTest, Condition, usize),
    /// Any other.
    Expression(Box<Expression>),
}

/// A condition over tag and indicators.
#[derive(Debug)]
pub enum FieldTest {
    /// `tag in […]`
    Tag(Vec<Tag>),
    /// `ind1 in […]`, `ind2 in […]` (0 and 1); a blank is a space.
    Indicator(usize, Vec<char>),
    /// `not …`
    Not(Box<FieldTest>),
    /// `… and …`
    All(Vec<FieldTest>),
    /// `… or …`
    Any(Vec<FieldTest>),
}

impl FieldTest {
    /// The same condition over fields; `None` when it asks for anything else, or when one of
    /// `bindings` hides a name.
    #[must_use]
    pub fn of(condition: &Condition, bindings: &[String]) -> Option<FieldTest> {
        let all = |parts: &[Condition]| {
            parts.iter().map(|part| FieldTest::of(part, bindings)).collect::<Option<Vec<_>>>()
        };
        Some(match condition {
            Condition::OneOf(name, _) if bindings.contains(name) => return None,
            Condition::OneOf(name, words) if name == "tag" => {
                let tags = words.iter().map(|word| Tag::new(word.as_bytes()));
                FieldTest::Tag(tags.collect::<Option<_>>()?)
            }
            Condition::OneOf(name, words) if name == "ind1" || name == "ind2" => {
                let one = |word: &String| {
                    let mut chars = word.chars();
                    let first = chars.next().filter(|_| chars.next().is_none())?;
                    Some(if first == '_' { ' ' } else { first })
                };
                let found = words.iter().map(one).collect::<Option<_>>()?;
                FieldTest::Indicator(usize::from(name == "ind2"), found)
            }
            Condition::Not(inner) => FieldTest::Not(Box::new(FieldTest::of(inner, bindings)?)),
            Condition::All(parts) => FieldTest::All(all(parts)?),
            Condition::Any(parts) => FieldTest::Any(all(parts)?),
            Condition::OneOf(..) | Condition::Present(_) | Condition::Same(..) => return None,
        })
    }

    /// Whether it holds for a field, whose tag is its own (not that of an 880 that stands alone).
    #[must_use]
    pub fn holds(&self, field: Field<'_>) -> bool {
        match self {
            FieldTest::Tag(tags) => tags.contains(&field.tag()),
            FieldTest::Indicator(n, chars) => {
                field.indicators().get(*n).is_some_and(|found| chars.contains(found))
            }
            FieldTest::Not(inner) => !inner.holds(field),
            FieldTest::All(parts) => parts.iter().all(|part| part.holds(field)),
            FieldTest::Any(parts) => parts.iter().any(|part| part.holds(field)),
        }
    }
}

/// What stands in for a value that is missing.
#[derive(Debug)]
pub enum Fallback {
    /// A text.
    Text(String),
    /// What an expression gives, if it does.
    Expression(Box<Expression>),
}

impl Step {
    /// What is known of a step before it runs.
    #[must_use]
    pub fn known_ahead(mut self) -> Step {
        let marc = |(selector, _): &'_ (Selector, String)| match selector {
            Selector::Marc(selector) if selector.tag.is_some() => Some(selector.clone()),
            _ => None,
        };
        let fields: Option<Vec<MarcSelector>> = self.from.iter().map(marc).collect();
        let plain = self.constant.is_none() && !self.from.is_empty();
        self.ahead.by_value = !self.pipe.steps.is_empty()
            || self.constant.is_some()
            || self.join.is_some()
            || self.listed
            || matches!(self.take, Take::Longest | Take::Earliest | Take::AllJoined(_));
        self.ahead.dressed = match &self.body {
            Body::Cases(cases) => {
                matches!(cases.as_slice(), [CasePlan { object: Some(object), .. }] if object.dressed)
            }
            _ => false,
        };
        if let Some(fields) = fields.filter(|_| plain) {
            self.ahead.only_fields = self.when.is_none();
            self.ahead.in_order = (self.sorted || fields.len() == 1)
                && self.take != Take::FirstMatch
                && fields.iter().all(|selector| selector.occurrence.is_none());
            self.ahead.whole_fields = self.ahead.in_order
                && self.take == Take::All
                && !self.ahead.by_value
                && !self.ahead.dressed
                && fields.iter().all(MarcSelector::is_whole);
            let is_leaf = matches!(self.body, Body::Leaf(_)) && !self.pipe.has_lists();
            self.ahead.all_in_order = is_leaf && self.ahead.in_order && self.take == Take::All;
            self.ahead.may_be_single = is_leaf && !self.linked;
            if let Body::Cases(cases) = &self.body {
                self.ahead.only_linked = self.lets.is_empty()
                    && self.pipe.steps.is_empty()
                    && fields.iter().all(|selector| selector.conditions.is_empty())
                    && cases.iter().all(CasePlan::is_only_linked);
            }
        }
        self.ahead.idle = matches!(self.body, Body::Leaf(_) | Body::Cases(_))
            && self.default.is_none()
            && matches!(self.on_missing, Policy::Ok | Policy::Keep);
        self
    }

    /// Its selectors, as they are written.
    #[must_use]
    pub fn selectors(&self) -> String {
        self.from.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether [`Step::copies`] may be set.
    #[must_use]
    pub fn may_copy(&self) -> bool {
        matches!(self.from.as_slice(), [(Selector::Current, _)])
            && self.direct
            && self.pipe.steps.is_empty()
            && self.constant.is_none()
    }

    /// Whether [`Step::direct`] may be set.
    #[must_use]
    pub fn may_be_direct(&self) -> bool {
        let Body::Leaf(target) = self.body else { return false };
        if self.pipe.has_lists() {
            return false;
        }
        match self.take {
            Take::FirstMatch => true,
            // The first value takes the place, the others are dropped.
            Take::First => !target.many && self.from.len() == 1,
            Take::All => !self.sorted,
            _ => false,
        }
    }
}

/// The [`Step::codes`] for a step with these selectors.
#[must_use]
pub fn codes(from: &[(Selector, String)]) -> Option<CodeSet> {
    from.iter().try_fold(CodeSet::default(), |codes, (selector, _)| match selector {
        Selector::Marc(selector) if selector.tag.is_none() && !selector.linked => {
            match &selector.subfields {
                Subfields::Listed(_, more) if !selector.leader => Some(codes.union(*more)),
                _ => None,
            }
        }
        _ => None,
    })
}

/// Where values go.
#[derive(Debug)]
pub enum Body {
    /// Into a `let` binding.
    Binding,
    /// Each value to this path.
    Leaf(Target),
    /// Each matched field or value to the first case that holds.
    Cases(Vec<CasePlan>),
    /// What the inner step makes of each matched field or value.
    Each(Box<Step>),
}

/// One case.
#[derive(Debug)]
pub struct CasePlan {
    /// Its place in [`Plan::labels`]; of a rule without cases, the rule's.
    pub number: usize,
    /// Its target path, without `[]`.
    pub to: String,
    /// Condition; `None` always holds.
    pub when: Option<When>,
    /// Where to.
    pub target: Target,
    /// What the target's schema asks of a value that is written itself.
    pub check: Check,
    /// What to build; `None` writes the value itself.
    pub object: Option<Object>,
    /// The MARC field in another script.
    pub linked_880: Option<Linked>,
}

impl CasePlan {
    /// Whether the first thing that it does is to look for a linked 880, without which it leaves
    /// the object out.
    fn is_only_linked(&self) -> bool {
        let first = self.object.as_ref().and_then(|object| object.items.first());
        let linked = |(selector, _): &(Selector, String)| match selector {
            Selector::Marc(selector) => selector.linked,
            _ => false,
        };
        self.when.is_none()
            && first.is_some_and(|item| {
                matches!(item.on_missing, Policy::Skip(false))
                    && matches!(item.body, Body::Leaf(_))
                    && (item.when.is_none() && item.default.is_none() && item.lets.is_empty())
                    && !item.from.is_empty()
                    && item.from.iter().all(linked)
            })
    }
}

/// An object that is built from one field or value.
#[derive(Debug)]
pub struct Object {
    /// Its paths.
    pub shape: Shape,
    /// What the target's schema demands of it as a whole; `None` when that is not known.
    pub demands: Option<Demands>,
    /// Its items.
    pub items: Vec<Step>,
    /// How it is written as it comes, where that can be.
    pub flat: Option<Flat>,
    /// It is made around one value: the first item stands on that value, the others where the
    /// rule itself stands.
    pub dressed: bool,
}

impl Object {
    /// An object of these items.
    #[must_use]
    pub fn new(shape: Shape, items: Vec<Step>, dressed: bool) -> Object {
        let are_leaves = items.iter().all(|item| matches!(item.body, Body::Leaf(_)));
        let flat = if are_leaves { shape.flat() } else { None };
        Object { shape, demands: None, items, flat, dressed }
    }
}

/// Something a rule reads.
#[derive(Debug)]
pub enum Selector {
    /// Fields or subfields of a MARC record.
    Marc(MarcSelector),
    /// A path in a JSON document.
    Json(JsonPath),
    /// A path in an XML tree.
    Xml(XmlPath),
    /// An expression over names.
    Expression(Box<Expression>),
    /// `.`: the current value.
    Current,
    /// `tag`: the current field's tag.
    Tag,
    /// `ind1`, `ind2`: an indicator of the current field (0 or 1), a blank as `_`.
    Indicator(usize),
    /// A `let` binding.
    Binding(String),
}
