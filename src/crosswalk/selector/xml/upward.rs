//! Paths asked from below: whether one leads to a node, without a walk over the record.

use super::{Axis, Path, Step, XmlNode, XmlPath};
use crate::xml::tree::{Element, NameSet};

impl XmlPath {
    /// Whether [`XmlPath::covers`] can be asked: names only, downward, without predicates.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether the path leads from the record's element to this node, which has these names
    /// ([`XmlNode::names`]), or to an element around it; of a path that is not plain always
    /// `false`.
    #[must_use]
    pub fn covers(&self, root: Element<'_>, node: XmlNode<'_>, names: NameSet) -> bool {
        let leads = |path: &Path| node.and_around().any(|node| leads(&path.steps, root, node));
        let mut paths = self.union.paths.iter().zip(&self.needs);
        self.is_plain && paths.any(|(path, needs)| names.may_hold(*needs) && leads(path))
    }
}

impl Path {
    pub(super) fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| {
            step.predicates.is_empty()
                && !matches!(step.axis, Axis::Parent | Axis::Header(_) | Axis::Group(_))
        })
    }
}

// The last step first.
fn leads(steps: &[Step], root: Element<'_>, node: XmlNode<'_>) -> bool {
    let Some((step, before)) = steps.split_last() else {
        return matches!(node, XmlNode::Element(element) if element.index() == root.index());
    };
    let from = |node: XmlNode<'_>| leads(before, root, node);
    let from_parent = || node.parent().is_some_and(|parent| from(XmlNode::Element(parent)));
    match (&step.axis, node) {
        (Axis::Own(None), _) => from(node),
        (Axis::Own(Some(name)), XmlNode::Element(element)) => name.means(element) && from(node),
        (Axis::Child(name), XmlNode::Element(element)) => name.means(element) && from_parent(),
        (Axis::Descendant { name, or_self }, XmlNode::Element(element)) => {
            name.means(element) && node.and_around().skip(usize::from(!or_self)).any(from)
        }
        (Axis::DescendantOrSelf, XmlNode::Element(_)) => node.and_around().any(from),
        (Axis::Attribute(name), XmlNode::Attribute(attribute)) => {
            name.means_attribute(&attribute) && from_parent()
        }
        (Axis::Text, XmlNode::Text(_)) => from_parent(),
        _ => false,
    }
}
