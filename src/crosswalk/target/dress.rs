//! Rules that write more than a value, in terms of those that do not: `attrs` and `ind` as items,
//! and a value with attributes, or in a field of one subfield, as an object.

use super::super::shape::{Syntax, TEXT};
use super::super::syntax::{Rule, Spanned};

/// A rule without `map` whose value becomes an object all the same.
pub struct Dressed {
    /// Where the objects go.
    pub to: Spanned<String>,
    /// The item for the value itself.
    pub value: Rule,
    /// Further items, which read where the rule reads and not from its value.
    pub extra: Vec<Rule>,
}

/// The object that a rule without `map` builds around each of its values: an element with
/// attributes, a field for `to: "650$a"`; `None` for a plain value.
pub fn dressed(rule: &Rule, syntax: Syntax) -> Option<Dressed> {
    let to = rule.to.as_ref()?;
    let (outer, inner) = match (syntax, to.value.split_once('$')) {
        (Syntax::Marc, Some((tag, code))) => (tag.to_owned(), format!("${code}")),
        (Syntax::Xml, _) if !rule.attrs.is_empty() => (to.value.clone(), TEXT.to_owned()),
        _ => return None,
    };
    let spanned = |value: &str| Spanned { value: value.to_owned(), span: to.span };
    let value = Rule {
        span: rule.span,
        to: Some(spanned(&inner)),
        from: vec![spanned(".")],
        ..Rule::default()
    };
    Some(Dressed { to: spanned(&outer), value, extra: extra_items(rule) })
}

/// Of a rule with `from` and `value`, the rule for each field or value that `from` finds.
pub fn of_each(rule: &Rule) -> Option<Rule> {
    let is_each = rule.expression.is_some()
        && !rule.from.is_empty()
        && rule.constant.is_none()
        && rule.map.is_empty()
        && rule.cases.is_empty();
    is_each.then(|| Rule {
        from: Vec::new(),
        take: None,
        listed: false,
        linked: None,
        ..rule.clone()
    })
}

/// The part of such a rule that finds them.
pub fn nodes_of(rule: &Rule) -> Rule {
    Rule {
        id: rule.id.clone(),
        span: rule.span,
        to: rule.to.clone(),
        from: rule.from.clone(),
        take: rule.take.clone(),
        listed: rule.listed,
        linked: rule.linked,
        // It is as if it built something: whole fields will do.
        map: vec![Rule::default()],
        ..Rule::default()
    }
}

/// The items that `attrs` and `ind` stand for. Indicators come last, so that an item `to: ind1`
/// wins over them.
pub fn extra_items(rule: &Rule) -> Vec<Rule> {
    let attributes = rule.attrs.iter().map(|(name, attribute)| {
        let to = Spanned { value: format!("@{}", name.value), span: name.span };
        Rule { to: Some(to), ..attribute.clone() }
    });
    let indicators = rule.ind.iter().zip(["ind1", "ind2"]).map(|(value, name)| {
        let to = Some(Spanned { value: name.to_owned(), span: value.span });
        let mut item = Rule { span: value.span, to, ..Rule::default() };
        if value.value.contains("{{") {
            item.expression = Some(value.clone());
        } else {
            let sign = value.value.as_str().into();
            item.constant = Some(Spanned { value: sign, span: value.span });
        }
        item
    });
    attributes.chain(indicators).collect()
}
