//! What an object's schema demands of it as a whole: members that must be there.

use serde_json::Value;

use super::{Entry, Part, Shape};
use crate::crosswalk::schema_paths::Place;
use crate::json::plain_schema::only;

/// The members that must be there, for an object and the objects that are written inside it.
///
/// Leaves are bits of a number: a shape with more than 64 has no demands that are known.
#[derive(Debug, Default)]
pub struct Demands(Vec<Demand>);

#[derive(Debug)]
struct Demand {
    /// The object is written when one of these leaves holds a value.
    of: u64,
    /// Of each of these one leaf must hold a value.
    members: Vec<u64>,
}

impl Demands {
    /// Whether all is there that must be; `filled` has a bit for each leaf that holds a value.
    #[must_use]
    pub fn hold(&self, filled: u64) -> bool {
        self.0.iter().all(|demand| {
            filled & demand.of == 0 || demand.members.iter().all(|member| filled & member != 0)
        })
    }
}

impl Shape {
    /// What the schema at `place` demands of an object of this shape, which is written only when
    /// it holds anything; `None` when it says more than is known.
    #[must_use]
    pub fn demands(&self, place: Place<'_>) -> Option<Demands> {
        let mut demands = Demands::default();
        if self.slots > 64 {
            return None;
        }
        level(&self.root, place, &mut demands)?;
        Some(demands)
    }
}

fn level(entries: &[Entry], place: Place<'_>, demands: &mut Demands) -> Option<()> {
    let node = place.node().as_object()?;
    only(node, &["type", "properties", "required", "additionalProperties", "minProperties"])?;
    let least = node.get("minProperties").map_or(Some(0), Value::as_u64)?;
    // What is written has one member at least.
    if node.get("type")?.as_str()? != "object" || least > 1 {
        return None;
    }
    let required = node.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut members = Vec::new();
    for name in required {
        let entry = entries.iter().find(|entry| Some(entry.name.as_str()) == name.as_str())?;
        members.push(entry.bits);
    }
    let of = entries.iter().fold(0, |all, entry| all | entry.bits);
    // What each of its leaves is enough for need not be asked.
    members.retain(|member| of & !member != 0);
    if !members.is_empty() {
        demands.0.push(Demand { of, members });
    }
    for entry in entries {
        if let Part::Branch(below) = &entry.part {
            level(below, place.at(&entry.name)?, demands)?;
        }
    }
    Some(())
}
