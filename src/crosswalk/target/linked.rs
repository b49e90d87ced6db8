//! Paired 880 fields: the same data in another script, linked by `$6` (MARC 21, Appendix A).

use super::super::input::Node;
use super::super::plan::{Object, Step};
use super::super::run::{Outcome, Run};
use super::super::shape::{Buffers, Target};
use crate::xml::writer::push_text;

/// How a rule builds the 880 of its field.
#[derive(Debug)]
pub struct Linked {
    /// The items of the 880.
    pub object: Object,
    /// What `$6` says about the script, `$1`; nothing without.
    pub script: Option<Step>,
    /// Where the 880s go.
    pub target: Target,
    /// The tag of the field that it is paired with.
    pub tag: String,
}

impl<'r> Run<'r> {
    /// Writes a field, and the 880 that it is paired with if that has any data.
    pub(crate) fn pair(
        &mut self,
        linked: &'r Linked,
        (object, inner, target): (&Object, &Buffers, Target),
        node: &Node<'r>,
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<()> {
        let mut field = Vec::new();
        object.shape.stitch(inner, &mut field);
        self.link_880(linked, node, &mut field, buffers, depth)?;
        buffers.push(target.slot, false, |out| out.extend_from_slice(&field));
        Ok(())
    }

    /// Writes the 880 into `buffers`, and the link to it into the field, which is given as what
    /// stands behind `<datafield tag="245"`.
    fn link_880(
        &mut self,
        linked: &'r Linked,
        node: &Node<'r>,
        field: &mut Vec<u8>,
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<()> {
        let shape = &linked.object.shape;
        let mut inner = Buffers::default();
        inner.begin(shape.slots());
        let first_mark = self.memory.marks.len();
        let traced = self.memory.trace.as_ref().map_or(0, |trace| trace.lines.len());
        if let Some(trace) = &mut self.memory.trace {
            trace.enter("880", Some(buffers.len(linked.target.slot)));
        }
        let mut kept = true;
        for item in &linked.object.items {
            kept = self.step(item, node, &mut inner, depth + 1)?;
            if !kept {
                break;
            }
        }
        if let Some(trace) = &mut self.memory.trace {
            trace.leave();
        }
        if !kept || !shape.is_filled(&inner) {
            self.give_up(first_mark, traced);
            return Ok(());
        }
        let script = match &linked.script {
            Some(script) => self.binding(script, node)?,
            None => None,
        };
        self.pairs += 1;
        let number = format!("{:02}", self.pairs);
        let script = script.map(|found| format!("/{}", found.text)).unwrap_or_default();
        let mut other = Vec::new();
        shape.stitch(&inner, &mut other);
        // The indicators are those of the field, as Appendix A wants it.
        let head = head(field);
        let mut pair = field.get(..head).unwrap_or_default().to_vec();
        pair.extend_from_slice(link(&format!("{}-{number}{script}", linked.tag)).as_bytes());
        pair.extend_from_slice(other.get(self::head(&other)..).unwrap_or_default());
        field.splice(head..head, link(&format!("880-{number}")).into_bytes());
        buffers.push(linked.target.slot, false, |out| out.extend_from_slice(&pair));
        Ok(())
    }
}

/// The length of ` ind1="1" ind2="0">`.
fn head(field: &[u8]) -> usize {
    memchr::memchr(b'>', field).map_or(field.len(), |end| end + 1)
}

fn link(text: &str) -> String {
    let mut out = String::from("<subfield code=\"6\">");
    push_text(&mut out, text);
    out.push_str("</subfield>");
    out
}
