//! XML selectors: an XPath subset on the record's tree, `creators/creator[@nameType='Personal']`.
//!
//! Steps over children, `//` over all below, `.`, `..`, `@name`, `text()` and `*`; predicates,
//! unions and groups `(a|b)/@c`. A prefix stands for the namespaces that [`Namespaces`] names.
//! `@oai:identifier`, `@oai:datestamp`, `@oai:setSpec` and `@oai:status` read the OAI header.
//! <https://www.w3.org/TR/1999/REC-xpath-19991116/>

mod node;
mod parse;
mod predicate;
mod upward;

pub use node::XmlNode;

use super::SelectorError;
use crate::formats::envelope;
use crate::xml::tree::{Attribute, Element, LocalName, NameSet, XML_NAMESPACE};
use predicate::Predicate;

/// What prefixes stand for in selectors: each for one namespace, or for any of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(Vec<(String, Vec<String>)>);

impl Namespaces {
    /// Prefix (empty for names of elements without one) and its namespaces; the namespace `*` is
    /// any, the empty one none. An undeclared empty prefix stands for no namespace.
    #[must_use]
    pub fn new(prefixes: Vec<(String, Vec<String>)>) -> Namespaces {
        Namespaces(prefixes)
    }

    /// The prefix that stands for a namespace; `None` for a namespace without one.
    #[must_use]
    pub fn prefix_of(&self, namespace: &str) -> Option<&str> {
        let has = |namespaces: &[String]| namespaces.iter().any(|known| known == namespace);
        let found = self.0.iter().find(|(_, namespaces)| has(namespaces));
        found.map(|(prefix, _)| prefix.as_str())
    }

    /// Whether names with a prefix mean names in a namespace.
    #[must_use]
    pub fn is_bound(&self, prefix: &str, namespace: &str) -> bool {
        match self.of(prefix) {
            Some(NamespaceTest::OneOf(known)) => known.iter().any(|known| known == namespace),
            Some(NamespaceTest::Any) => true,
            None => false,
        }
    }

    fn of(&self, prefix: &str) -> Option<NamespaceTest> {
        match self.0.iter().find(|(known, _)| known == prefix) {
            Some((_, namespaces)) if namespaces.iter().any(|namespace| namespace == "*") => {
                Some(NamespaceTest::Any)
            }
            Some((_, namespaces)) => Some(NamespaceTest::OneOf(namespaces.clone())),
            None if prefix.is_empty() => Some(NamespaceTest::OneOf(vec![String::new()])),
            None if prefix == "xml" => Some(NamespaceTest::OneOf(vec![XML_NAMESPACE.to_owned()])),
            None => None,
        }
    }
}

/// What an [`XmlPath`] comes upon.
#[derive(Debug, Clone, Copy)]
pub enum Visit<'t> {
    /// The path leads here.
    Found(XmlNode<'t>),
    /// A predicate looked at this on the way, and passed.
    Read(XmlNode<'t>),
}

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlPath {
    union: Union,
    /// For each path of the union the names without all of which it leads nowhere.
    needs: Vec<NameSet>,
    /// Where it leads can be asked from below, see [`XmlPath::covers`].
    is_plain: bool,
}

/// Paths one of which leads to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Union {
    paths: Vec<Path>,
    /// Walking the paths gives each node once, in document order.
    in_order: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    /// Begins at the record's element, not at the current node.
    absolute: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    axis: Axis,
    predicates: Vec<Predicate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Axis {
    /// `name`
    Child(NameTest),
    /// `//name`; with the node itself where a path begins with it.
    Descendant { name: NameTest, or_self: bool },
    /// `.`, or `/name` at the root.
    Own(Option<NameTest>),
    /// `//` before anything but a name of elements.
    DescendantOrSelf,
    /// `..`
    Parent,
    /// `@name`
    Attribute(NameTest),
    /// `text()`
    Text,
    /// `@oai:identifier`
    Header(OaiHeader),
    /// `(a|b)`
    Group(Union),
}

/// What selectors can read of the header that a record came with by OAI-PMH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OaiHeader {
    Identifier,
    Datestamp,
    SetSpec,
    Status,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NameTest {
    namespace: NamespaceTest,
    /// `None` is `*`.
    local: Option<LocalName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NamespaceTest {
    Any,
    OneOf(Vec<String>),
}

impl NameTest {
    #[inline]
    fn means(&self, element: Element<'_>) -> bool {
        self.local.as_ref().is_none_or(|local| element.is_named(local))
            && self.namespace.holds(|| element.namespace())
    }

    #[inline]
    fn means_attribute(&self, attribute: &Attribute<'_>) -> bool {
        self.local.as_ref().is_none_or(|local| attribute.is_named(local))
            && self.namespace.holds(|| attribute.namespace())
    }
}

impl NamespaceTest {
    #[inline]
    fn holds<'t>(&self, namespace: impl Fn() -> &'t str) -> bool {
        match self {
            NamespaceTest::Any => true,
            NamespaceTest::OneOf(known) => {
                let namespace = namespace();
                known.iter().any(|known| known == namespace)
            }
        }
    }
}

impl XmlPath {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] with the offset of the first character that does not fit, or of a prefix
    /// that stands for no namespace.
    pub fn parse(text: &str, namespaces: &Namespaces) -> Result<XmlPath, SelectorError> {
        let union = parse::parse(text, namespaces)?;
        let needs = union.paths.iter().map(Path::needs).collect();
        let is_plain = union.paths.iter().all(Path::is_plain);
        Ok(XmlPath { union, needs, is_plain })
    }

    /// Whether it may lead anywhere in a record with elements and attributes of these names.
    #[inline]
    #[must_use]
    pub fn may_lead(&self, names: NameSet) -> bool {
        self.needs.iter().any(|needs| names.may_hold(*needs))
    }

    /// Calls `found` with every node the path leads to, each once, in document order.
    ///
    /// `root` is the record's element: where `/` begins.
    pub fn select<'t>(
        &self,
        root: Element<'t>,
        current: XmlNode<'t>,
        found: &mut dyn FnMut(XmlNode<'t>),
    ) {
        self.union.walk(root, current, &mut |visit| {
            if let Visit::Found(node) = visit {
                found(node);
            }
        });
    }

    /// As [`XmlPath::select`], and tells also what predicates looked at in the nodes that passed.
    pub fn visit<'t>(
        &self,
        root: Element<'t>,
        current: XmlNode<'t>,
        visit: &mut dyn FnMut(Visit<'t>),
    ) {
        self.union.walk(root, current, visit);
    }

    /// Whether it begins at the record's element or its header, wherever it is read.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        let of_record = |path: &Path| {
            path.absolute || matches!(path.steps.first(), Some(Step { axis: Axis::Header(_), .. }))
        };
        self.union.paths.iter().all(of_record)
    }
}

impl Step {
    fn name(&self) -> Option<&LocalName> {
        match &self.axis {
            Axis::Child(name)
            | Axis::Descendant { name, .. }
            | Axis::Own(Some(name))
            | Axis::Attribute(name) => name.local.as_ref(),
            _ => None,
        }
    }

    /// Whether some of its nodes may be left out, or it looks at others on the way.
    fn is_picky(&self) -> bool {
        !self.predicates.is_empty() || matches!(self.axis, Axis::Group(_))
    }
}

impl Step {
    // To the nodes that its predicates leave, telling what these look at, and on from there.
    fn walk_narrowed<'t>(
        &self,
        rest: &[Step],
        root: Element<'t>,
        node: XmlNode<'t>,
        visit: &mut dyn FnMut(Visit<'t>),
    ) {
        let go_on = |node: XmlNode<'t>, visit: &mut dyn FnMut(Visit<'t>)| {
            for predicate in &self.predicates {
                predicate.reads(root, node, visit);
            }
            walk(rest, root, node, visit);
        };
        // Without positions each node stands for itself.
        if self.predicates.iter().all(|predicate| matches!(predicate, Predicate::Test(_))) {
            return self.axis.walk(root, node, &mut |met| match met {
                Visit::Found(node) => {
                    if self.predicates.iter().all(|predicate| predicate.passes(root, node)) {
                        go_on(node, visit);
                    }
                }
                Visit::Read(_) => visit(met),
            });
        }
        let mut nodes = Vec::new();
        self.axis.walk(root, node, &mut |met| match met {
            Visit::Found(node) => nodes.push(node),
            Visit::Read(_) => visit(met),
        });
        let by_parent = matches!(self.axis, Axis::Descendant { .. });
        for predicate in &self.predicates {
            predicate.narrow(root, by_parent, &mut nodes);
        }
        for node in nodes {
            go_on(node, visit);
        }
    }
}

impl Union {
    fn new(paths: Vec<Path>) -> Union {
        let in_order = paths.len() == 1 && paths.iter().all(Path::is_in_order);
        Union { paths, in_order }
    }

    fn walk<'t>(&self, root: Element<'t>, current: XmlNode<'t>, visit: &mut dyn FnMut(Visit<'t>)) {
        if self.in_order {
            return self.paths.iter().for_each(|path| path.walk(root, current, visit));
        }
        let mut nodes = Vec::new();
        for path in &self.paths {
            path.walk(root, current, &mut |met| match met {
                Visit::Found(node) => nodes.push(node),
                Visit::Read(_) => visit(met),
            });
        }
        node::put_in_order(&mut nodes);
        nodes.into_iter().for_each(|node| visit(Visit::Found(node)));
    }
}

impl Path {
    fn walk<'t>(&self, root: Element<'t>, current: XmlNode<'t>, visit: &mut dyn FnMut(Visit<'t>)) {
        let start = if self.absolute { XmlNode::Element(root) } else { current };
        walk(&self.steps, root, start, visit);
    }

    // Names that stand in a record in which it leads anywhere. Behind a predicate nothing is said:
    // what that looks at counts as read, wherever the path leads.
    fn needs(&self) -> NameSet {
        let picky = self.steps.iter().position(Step::is_picky);
        let steps = self.steps.iter().take(picky.map_or(self.steps.len(), |at| at + 1));
        let names = steps.filter_map(Step::name).map(NameSet::of);
        names.fold(NameSet::default(), NameSet::union)
    }

    // Steps to children keep the order of the nodes they start from unless one of these stands in
    // another.
    fn is_in_order(&self) -> bool {
        let mut nested = false;
        self.steps.iter().all(|step| match &step.axis {
            Axis::Own(_) | Axis::Attribute(_) | Axis::Header(_) => true,
            Axis::Child(_) | Axis::Text => !nested,
            Axis::Descendant { .. } | Axis::DescendantOrSelf => {
                !std::mem::replace(&mut nested, true)
            }
            Axis::Group(_) => !std::mem::replace(&mut nested, true),
            Axis::Parent => false,
        })
    }
}

fn walk<'t>(
    steps: &[Step],
    root: Element<'t>,
    node: XmlNode<'t>,
    visit: &mut dyn FnMut(Visit<'t>),
) {
    let Some((step, rest)) = steps.split_first() else { return visit(Visit::Found(node)) };
    match (&step.axis, node) {
        _ if !step.predicates.is_empty() => step.walk_narrowed(rest, root, node, visit),
        // What most paths are made of, without a call for each node that is not meant.
        (Axis::Child(NameTest { namespace, local: Some(local) }), XmlNode::Element(element)) => {
            for child in element.elements_named(local) {
                if namespace.holds(|| child.namespace()) {
                    reach(rest, root, XmlNode::Element(child), visit);
                }
            }
        }
        (
            Axis::Attribute(NameTest { namespace, local: Some(local) }),
            XmlNode::Element(element),
        ) => {
            for attribute in element.attributes_named(local) {
                if namespace.holds(|| attribute.namespace()) {
                    reach(rest, root, XmlNode::Attribute(attribute), visit);
                }
            }
        }
        (axis, _) => axis.walk(root, node, &mut |met| match met {
            Visit::Found(node) => walk(rest, root, node, visit),
            Visit::Read(_) => visit(met),
        }),
    }
}

#[inline]
fn reach<'t>(
    rest: &[Step],
    root: Element<'t>,
    node: XmlNode<'t>,
    visit: &mut dyn FnMut(Visit<'t>),
) {
    if rest.is_empty() { visit(Visit::Found(node)) } else { walk(rest, root, node, visit) }
}

impl Axis {
    fn walk<'t>(&self, root: Element<'t>, node: XmlNode<'t>, visit: &mut dyn FnMut(Visit<'t>)) {
        let mut found = |node| visit(Visit::Found(node));
        let element = match (self, node) {
            (Axis::Own(None), _) => return found(node),
            (Axis::Parent, _) => {
                return node
                    .parent()
                    .into_iter()
                    .for_each(|parent| found(XmlNode::Element(parent)));
            }
            (Axis::Header(part), _) => return part.walk(root, &mut found),
            (Axis::Group(union), _) => return union.walk(root, node, visit),
            // Only elements have anything in them.
            (_, XmlNode::Element(element)) => element,
            (_, XmlNode::Attribute(_) | XmlNode::Text(_)) => return,
        };
        match self {
            Axis::Child(name) => element
                .elements()
                .filter(|child| name.means(*child))
                .for_each(|child| found(XmlNode::Element(child))),
            Axis::Descendant { name, or_self } => element
                .descendants()
                .skip(usize::from(!or_self))
                .filter(|below| name.means(*below))
                .for_each(|below| found(XmlNode::Element(below))),
            Axis::DescendantOrSelf => {
                element.descendants().for_each(|below| found(XmlNode::Element(below)));
            }
            Axis::Own(Some(name)) if name.means(element) => found(node),
            Axis::Attribute(name) => element
                .attributes()
                .filter(|attribute| name.means_attribute(attribute))
                .for_each(|attribute| found(XmlNode::Attribute(attribute))),
            Axis::Text => element.texts().for_each(|text| found(XmlNode::Text(text))),
            Axis::Own(_) | Axis::Parent | Axis::Header(_) | Axis::Group(_) => {}
        }
    }
}

impl OaiHeader {
    fn named(name: &str) -> Option<OaiHeader> {
        match name {
            "identifier" => Some(OaiHeader::Identifier),
            "datestamp" => Some(OaiHeader::Datestamp),
            "setSpec" => Some(OaiHeader::SetSpec),
            "status" => Some(OaiHeader::Status),
            _ => None,
        }
    }

    fn walk<'t>(self, root: Element<'t>, found: &mut dyn FnMut(XmlNode<'t>)) {
        let Some(header) = envelope::header(root.tree()) else { return };
        let part = match self {
            OaiHeader::Identifier => header.identifier().map(XmlNode::Element),
            OaiHeader::Datestamp => header.datestamp().map(XmlNode::Element),
            OaiHeader::SetSpec => {
                return header.set_specs().for_each(|set| found(XmlNode::Element(set)));
            }
            OaiHeader::Status => header.element().attribute("", "status").map(XmlNode::Attribute),
        };
        part.into_iter().for_each(found);
    }
}

#[cfg(test)]
mod tests;
