//! What of the output is valid by the way it is made, so that nobody has to check it again.
//!
//! The target's schema is followed along the rules once. A leaf that asks for any text is given
//! one whatever the record says; for a pattern or a list of words the value is looked at when it
//! is written; for required members the places of an object are. Whatever a schema says beyond
//! that is not known here, and such a record is left to the whole validator.

use serde_json::Value;

use crate::crosswalk::plan::{Body, Step};
use crate::crosswalk::schema_paths::Place;
use crate::crosswalk::shape::{Quoting, Target};
use crate::json::plain_schema::{PlainText, only};

/// What a leaf's schema asks of a value that is written there.
#[derive(Debug, Default)]
pub enum Check {
    /// Not known: nothing written there is surely valid.
    #[default]
    Unknown,
    /// Any text but an empty one.
    AnyText,
    /// A text of some kind.
    Text(Box<PlainText>),
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

impl Check {
    /// Whether a value surely is what the schema asks for; `raw` is JSON already.
    #[inline]
    #[must_use]
    pub fn passes(&self, value: &str, raw: bool) -> bool {
        match self {
            Check::AnyText => !raw && !value.is_empty(),
            Check::Text(text) => !raw && text.fits(value),
            Check::Integer => raw && value.parse::<i64>().is_ok(),
            Check::Boolean => raw && matches!(value, "true" | "false"),
            Check::Unknown => false,
        }
    }

    fn of(node: &Value) -> Option<Check> {
        let node = node.as_object()?;
        match node.get("type").map(Value::as_str) {
            Some(Some("string")) => {}
            None if node.contains_key("enum") => {}
            Some(Some("integer")) => return only(node, &["type"]).map(|()| Check::Integer),
            Some(Some("boolean")) => return only(node, &["type"]).map(|()| Check::Boolean),
            _ => return None,
        }
        let text = PlainText::of(node)?;
        Some(if text.lenient { Check::AnyText } else { Check::Text(Box::new(text)) })
    }
}

/// Notes for each step what its schema asks of it; `place` is where its paths begin.
pub fn prove(steps: &mut [Step], place: Place<'_>) {
    for step in steps {
        let (to, unique) = (step.to.clone().unwrap_or_default(), step.unique);
        match &mut step.body {
            Body::Binding => {}
            Body::Leaf(target) => {
                let leaf = leaf(place, &to, *target, unique);
                step.check = leaf.and_then(|leaf| Check::of(leaf.node())).unwrap_or_default();
                // What never changes is looked at once.
                if let (Some((text, quoting)), Check::Text(_)) = (&step.constant, &step.check)
                    && *quoting != Quoting::Raw
                    && step.check.passes(text, false)
                    && !text.is_empty()
                {
                    step.check = Check::AnyText;
                }
            }
            Body::Each(inner) => prove(std::slice::from_mut(inner.as_mut()), place),
            Body::Cases(cases) => {
                for case in cases {
                    let Some(below) = leaf(place, &case.to, case.target, unique) else { continue };
                    match &mut case.object {
                        Some(object) => {
                            object.demands = object.shape.demands(below);
                            prove(&mut object.items, below);
                        }
                        None => case.check = Check::of(below.node()).unwrap_or_default(),
                    }
                }
            }
        }
    }
}

/// The schema of one value at a path; `None` where the list around it asks for more than is known.
fn leaf<'s>(place: Place<'s>, to: &str, target: Target, unique: bool) -> Option<Place<'s>> {
    if !target.many {
        return place.follow(to).ok();
    }
    let list = place.at(to)?.node().as_object()?;
    only(list, &["type", "items", "uniqueItems"])?;
    let wants_unique = list.get("uniqueItems").is_some_and(|wants| *wants != Value::Bool(false));
    if list.get("type")?.as_str()? != "array" || (wants_unique && !unique) {
        return None;
    }
    place.follow(&format!("{to}[]")).ok()
}
