//! What a rule does with what it finds: a value, an object, one of several cases.

use super::{Check, Compiler, Context, Scope, plain_path};
use crate::crosswalk::plan::{Body, CasePlan, Object, Step};
use crate::crosswalk::shape::Shape;
use crate::crosswalk::syntax::{Case, Linked880, Rule, Spanned, Take};
use crate::crosswalk::target::{self, Dressed, Linked};

impl Compiler<'_> {
    pub(super) fn body<'s>(
        &mut self,
        rule: &Rule,
        (label, number): (&str, usize),
        (outer, inner, has_policy): (&Scope<'s>, &Scope<'s>, bool),
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Body> {
        let syntax = shape.syntax();
        if rule.map.is_empty() && rule.cases.is_empty() {
            if let Some(dressed) = target::dressed(rule, syntax) {
                return self.dressed(&dressed, (label, number), outer, inner, shape, depth);
            }
            let Some(to) = &rule.to else {
                self.check.error("E0412", rule.span, format!("`{label}` has no `to`"));
                return None;
            };
            return self.target(to, outer, shape).map(|(target, _)| Body::Leaf(target));
        }
        let whole = Case { span: rule.span, when: None, to: rule.to.clone(), map: Vec::new() };
        let cases = if rule.cases.is_empty() { std::slice::from_ref(&whole) } else { &rule.cases };
        let extra = target::extra_items(rule);
        let mut plans = Vec::new();
        for (n, case) in cases.iter().enumerate() {
            let number = match rule.cases.is_empty() {
                true => number,
                false => self.label(&format!("{label}.case {}", n + 1), case.span),
            };
            let Some(to) = case.to.as_ref().or(rule.to.as_ref()) else {
                self.check.error("E0412", case.span, format!("`{label}` has no `to`"));
                continue;
            };
            let when = case.when.as_ref();
            let when = when.and_then(|when| self.condition(when, inner, has_policy));
            let Some((target, place)) = self.target(to, outer, shape) else { continue };
            let items = if case.map.is_empty() { &rule.map } else { &case.map };
            let items: Vec<&Rule> = items.iter().chain(&rule.set).chain(&extra).collect();
            let scope = Scope { schema: place, ..inner.clone() };
            let object = (!items.is_empty()).then(|| {
                let mut below = Shape::new(syntax.below());
                let items = self.items(&items, label, &scope, &mut below, depth);
                below.finish(false);
                Object::new(below, items, false)
            });
            let linked_880 = rule
                .linked_880
                .as_ref()
                .and_then(|linked| self.linked_880(linked, to, label, &scope, shape, depth));
            let to = plain_path(&to.value);
            let check = Check::default();
            plans.push(CasePlan { number, to, when, target, check, object, linked_880 });
        }
        Some(Body::Cases(plans))
    }

    pub(super) fn step<'s>(
        &mut self,
        rule: &Rule,
        label: &str,
        scope: &Scope<'s>,
        shape: Option<&mut Shape>,
        depth: usize,
    ) -> Option<Step> {
        match (target::of_each(rule), shape) {
            (Some(inner), Some(shape)) => self.each(rule, &inner, label, scope, shape, depth),
            (_, shape) => self.simple_step(rule, label, scope, shape, depth),
        }
    }

    /// A rule with `from` and `value`: an expression over each field or value.
    fn each<'s>(
        &mut self,
        rule: &Rule,
        inner: &Rule,
        label: &str,
        scope: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Step> {
        let below = Scope { context: Context::Current, ..scope.clone() };
        let inner = self.step(inner, label, &below, Some(shape), depth)?;
        let many = match &inner.body {
            Body::Leaf(target) => target.many,
            Body::Cases(cases) => cases.iter().any(|case| case.target.many),
            Body::Binding | Body::Each(_) => false,
        };
        let mut outer = self.step(&target::nodes_of(rule), label, scope, None, depth)?;
        if rule.take.is_none() && many {
            outer.take = Take::All;
        }
        outer.body = Body::Each(Box::new(inner));
        Some(outer)
    }

    fn items<'s>(
        &mut self,
        items: &[&Rule],
        label: &str,
        scope: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Vec<Step> {
        let step = |item: &&Rule| {
            let name = item.to.as_ref().map_or("?", |to| to.value.as_str());
            self.step(item, &format!("{label}.{name}"), scope, Some(shape), depth + 1)
        };
        items.iter().filter_map(step).collect()
    }

    /// A value with attributes, or as the one subfield of a field.
    fn dressed<'s>(
        &mut self,
        dressed: &Dressed,
        (label, number): (&str, usize),
        outer: &Scope<'s>,
        inner: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Body> {
        let (target, _) = self.target(&dressed.to, outer, shape)?;
        let mut below = Shape::new(shape.syntax().below());
        let mut items: Vec<Step> = self
            .step(&dressed.value, label, inner, Some(&mut below), depth + 1)
            .into_iter()
            .collect();
        let around = Scope { context: outer.context, ..inner.clone() };
        let extra: Vec<&Rule> = dressed.extra.iter().collect();
        items.extend(self.items(&extra, label, &around, &mut below, depth));
        below.finish(false);
        let object = Some(Object::new(below, items, true));
        let to = plain_path(&dressed.to.value);
        let check = Check::default();
        let case = CasePlan { number, to, when: None, target, check, object, linked_880: None };
        Some(Body::Cases(vec![case]))
    }

    fn linked_880<'s>(
        &mut self,
        linked: &Linked880,
        to: &Spanned<String>,
        label: &str,
        scope: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Linked> {
        let label = format!("{label}.880");
        let target = shape.add("880").ok()?;
        let mut below = Shape::new(shape.syntax().below());
        let items: Vec<&Rule> = linked.map.iter().collect();
        let items = self.items(&items, &label, scope, &mut below, depth);
        let script = linked.script.as_ref();
        let script = script.and_then(|script| self.step(script, &label, scope, None, depth));
        let object = Object::new(below, items, false);
        Some(Linked { object, script, target, tag: to.value.clone() })
    }
}
