//! Compiling: every name of a file resolved, every mistake of meaning found in one pass.

use std::path::Path;
use std::sync::Arc;

use super::condition::Condition;
use super::plan::{Body, CasePlan, Input, Object, Plan, Selector, Step, TagIndex, codes};
use super::schema_paths::SchemaPaths;
use super::selector::{JsonPath, MarcSelector, Subfields, TagPattern};
use super::shape::{Shape, Target};
use super::syntax::{
    Case, File, Linked880, Policy, Rule, Spanned, TableContent, TableDeclaration, Take,
};
use super::table::{Fold, Miss, Table, read_columns};
use super::target::{self, Dressed, Linked, Output};
use super::transforms::{Pipe, PipeContext, parse_pipe};
use crate::formats::marc21::Tag;
use crate::record::content_hash;
use crate::yaml::{Checker, Diagnostics, Span};

/// Compiles a file whose structure was read without stopping; `folder` is where it stands.
///
/// # Errors
/// Every mistake that `check` holds already and every one that is found here.
pub fn compile(file: &File, check: Checker, folder: &Path) -> Result<Plan, Diagnostics> {
    let mut compiler = Compiler {
        check,
        folder,
        context: PipeContext::default(),
        input: Input::Marc,
        tags: TagIndex::default(),
        default_on_error: file.on_error.clone(),
        default_unique: file.unique,
        depth: 0,
        texts: file.source.text.clone(),
    };
    compiler.input = match file.from_format.value.as_str() {
        "json" => Input::Json,
        "marc21" => Input::Marc,
        other => {
            let span = file.from_format.span;
            compiler.check.unknown("E0106", span, "source format", other, ["json", "marc21"]);
            Input::Marc
        }
    };
    let output = Output::of(file, &mut compiler.check);
    target::check(file, &output, &mut compiler.check);
    compiler.load_tables(&file.tables);
    for (name, pipe) in &file.pipes {
        compiler.context.pipes.insert(name.value.clone(), pipe.value.clone());
    }
    for (_, pipe) in &file.pipes {
        compiler.pipe(pipe);
    }
    let schema = file.to_schema.as_ref().and_then(|path| compiler.load_schema(path));
    let mut shape = Shape::new(output.syntax());
    let root = schema.as_ref().map(SchemaPaths::root);
    let scope =
        Scope { schema: root, bindings: Vec::new(), on_error: None, context: Context::Record };
    let rules: Vec<Step> = file
        .rules
        .iter()
        .filter_map(|rule| compiler.step(rule, &rule.id, &scope, Some(&mut shape), 1))
        .collect();
    shape.finish(output.by_tag);
    let mut ignore = Vec::new();
    for selector in file.ignore.iter().flat_map(|ignore| &ignore.from) {
        let Some(parsed) = compiler.marc(selector) else { continue };
        if parsed.occurrence.is_some() || parsed.slice.is_some() || parsed.tag.is_none() {
            let message = "`ignore` takes fields and subfields, without occurrence or slice";
            compiler.check.error("E0202", selector.span, message);
        }
        ignore.push(parsed);
    }
    let plan = Plan {
        input: compiler.input,
        rules,
        shape,
        output,
        tags: compiler.tags,
        ignore,
        unmapped: file.unmapped,
        depth: compiler.depth,
        hash: content_hash(compiler.texts.as_bytes()),
    };
    compiler.check.finish(plan)
}

/// What a rule's parts can refer to.
#[derive(Clone)]
struct Scope<'s> {
    schema: Option<super::schema_paths::Place<'s>>,
    bindings: Vec<String>,
    on_error: Option<Policy>,
    context: Context,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// The record as a whole.
    Record,
    /// One field or value of it.
    Current,
}

struct Compiler<'f> {
    check: Checker,
    folder: &'f Path,
    context: PipeContext,
    input: Input,
    tags: TagIndex,
    default_on_error: Option<Policy>,
    default_unique: bool,
    depth: usize,
    /// All that was read, one after another, for the crosswalk's hash.
    texts: String,
}

impl Compiler<'_> {
    /// The place of a byte inside a scalar; quotes before it count.
    fn inside(&self, span: Span, at: usize, length: usize) -> Span {
        let text = &self.check.source().text;
        let quoted = text.get(span.start..).is_some_and(|rest| rest.starts_with(['"', '\'']));
        let start = (span.start + usize::from(quoted) + at).min(span.end);
        Span { start, end: (start + length.max(1)).min(span.end.max(start + 1)) }
    }

    fn read(&mut self, path: &Spanned<String>, code: &'static str) -> Option<String> {
        let full = self.folder.join(&path.value);
        match std::fs::read_to_string(&full) {
            Ok(text) => {
                self.texts.push_str(&text);
                Some(text)
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", full.display());
                self.check.error(code, path.span, message);
                None
            }
        }
    }

    fn load_schema(&mut self, path: &Spanned<String>) -> Option<SchemaPaths> {
        let text = self.read(path, "E0402")?;
        match serde_json::from_str(&text) {
            Ok(schema) => Some(SchemaPaths::new(schema)),
            Err(error) => {
                let message = format!("{} is no JSON Schema: {error}", path.value);
                self.check.error("E0402", path.span, message);
                None
            }
        }
    }

    fn load_tables(&mut self, declarations: &[TableDeclaration]) {
        for declaration in declarations {
            let name = &declaration.name;
            let mut fold = Vec::new();
            for word in &declaration.fold {
                match Fold::NAMES.iter().find(|(known, _)| *known == word.value) {
                    Some((_, known)) => fold.push(*known),
                    None => {
                        let known = Fold::NAMES.iter().map(|(known, _)| *known);
                        self.check.unknown("E0106", word.span, "fold", &word.value, known);
                    }
                }
            }
            let mut miss = Miss::Error;
            if let Some(word) = &declaration.miss {
                match Miss::NAMES.iter().find(|(known, _)| *known == word.value) {
                    Some((_, known)) => miss = *known,
                    None => {
                        let known = Miss::NAMES.iter().map(|(known, _)| *known);
                        self.check.unknown("E0106", word.span, "miss", &word.value, known);
                    }
                }
            }
            let entries = match &declaration.content {
                TableContent::Inline(entries) => entries.clone(),
                TableContent::File { path, key, value } => {
                    let tabs = path.value.rsplit('.').next() == Some("tsv");
                    let delimiter = if tabs { b'\t' } else { b',' };
                    let text = self.read(path, "E0401");
                    match text.map(|text| read_columns(&text, delimiter, key, value)) {
                        Some(Ok(entries)) => entries,
                        Some(Err(message)) => {
                            let message = format!("table {} {message}", path.value);
                            self.check.error("E0401", path.span, message);
                            Vec::new()
                        }
                        None => Vec::new(),
                    }
                }
            };
            let table = Table::new(entries, fold, miss).unwrap_or_else(|doubles| {
                let doubles = doubles.join(", ");
                let message = format!("table `{}` has keys with two values: {doubles}", name.value);
                self.check.error("E0403", name.span, message);
                Table::new([], Vec::new(), miss).unwrap_or_else(|_| unreachable!("empty table"))
            });
            self.context.tables.insert(name.value.clone(), Arc::new(table));
        }
    }

    fn pipe(&mut self, pipe: &Spanned<String>) -> Pipe {
        parse_pipe(&pipe.value, &self.context).unwrap_or_else(|errors| {
            for error in errors {
                let span = self.inside(pipe.span, error.at, error.length);
                self.check.error_with_hint(error.code, span, error.message, error.hint);
            }
            Pipe::default()
        })
    }

    fn condition(&mut self, when: &Spanned<String>, scope: &Scope<'_>) -> Option<Condition> {
        let condition = match Condition::parse(&when.value) {
            Ok(condition) => condition,
            Err(error) => {
                let span = self.inside(when.span, error.at, 1);
                self.check.error("E0206", span, error.message);
                return None;
            }
        };
        let mut names = Vec::new();
        condition.names(&mut names);
        for name in names {
            let built_in = ["value", "tag", "ind1", "ind2"].contains(&name);
            let known = built_in || scope.bindings.iter().any(|binding| binding == name);
            if !known && self.input == Input::Marc {
                let known = scope.bindings.iter().map(String::as_str);
                let known = known.chain(["value", "tag", "ind1", "ind2"]);
                self.check.unknown("E0207", when.span, "name", name, known);
            }
        }
        Some(condition)
    }

    fn marc(&mut self, text: &Spanned<String>) -> Option<MarcSelector> {
        match MarcSelector::parse(&text.value) {
            Ok(selector) => Some(selector),
            Err(error) => {
                let span = self.inside(text.span, error.at, 1);
                self.check.error("E0201", span, format!("selector: {}", error.message));
                None
            }
        }
    }

    fn selector(
        &mut self,
        text: &Spanned<String>,
        scope: &Scope<'_>,
        wants_values: bool,
    ) -> Option<(Selector, String)> {
        let word = text.value.as_str();
        let current = scope.context == Context::Current;
        let selector = match word {
            "." if current => Selector::Current,
            "tag" if current => Selector::Tag,
            "ind1" if current => Selector::Indicator(0),
            "ind2" if current => Selector::Indicator(1),
            _ if scope.bindings.iter().any(|name| name == word) => {
                Selector::Binding(word.to_owned())
            }
            _ if self.input == Input::Json => match JsonPath::parse(word) {
                Ok(path) => Selector::Json(path),
                Err(error) => {
                    let span = self.inside(text.span, error.at, 1);
                    self.check.error("E0201", span, format!("selector: {}", error.message));
                    return None;
                }
            },
            _ => {
                let selector = self.marc(text)?;
                if selector.tag.is_none() && !selector.leader && !current {
                    let message = format!("`{word}` needs a field, and there is none here");
                    self.check.error("E0202", text.span, message);
                }
                let whole = selector.subfields == Subfields::Whole;
                let control = |tag: &TagPattern| tag.matches(Tag(*b"001")) || is_control(tag);
                if wants_values && whole && selector.tag.as_ref().is_some_and(|tag| !control(tag)) {
                    let message = format!("`{word}` is a whole field, expected subfields");
                    let hint = Some(format!("write `{word}$a`, or `{word}$*` for all"));
                    self.check.error_with_hint("E0202", text.span, message, hint);
                }
                let slot = match &selector.tag {
                    Some(TagPattern::Exact(tag)) => Some(self.tags.add(*tag)),
                    _ => None,
                };
                if selector.linked {
                    self.tags.add(Tag(*b"880"));
                }
                Selector::Marc { selector, slot }
            }
        };
        Some((selector, text.value.clone()))
    }

    /// Where `to` leads: the leaf in the shape, and the place in the schema behind it.
    fn target<'s>(
        &mut self,
        to: &Spanned<String>,
        scope: &Scope<'s>,
        shape: &mut Shape,
    ) -> Option<(Target, Option<super::schema_paths::Place<'s>>)> {
        let target = match shape.add(&to.value) {
            Ok(target) => target,
            Err(message) => {
                self.check.error("E0411", to.span, message);
                return None;
            }
        };
        let Some(place) = scope.schema else { return Some((target, None)) };
        match place.follow(&to.value) {
            Ok(place) => Some((target, Some(place))),
            Err(error) => {
                self.check.error_with_hint("E0410", to.span, error.message, error.hint);
                Some((target, None))
            }
        }
    }

    fn step<'s>(
        &mut self,
        rule: &Rule,
        label: &str,
        scope: &Scope<'s>,
        shape: Option<&mut Shape>,
        depth: usize,
    ) -> Option<Step> {
        self.depth = self.depth.max(depth);
        let builds = !rule.map.is_empty() || !rule.cases.is_empty();
        let wants_values = !builds || rule.pipe.is_some() || rule.join.is_some() || rule.listed;
        let from: Vec<_> =
            rule.from.iter().filter_map(|text| self.selector(text, scope, wants_values)).collect();
        if rule.from.is_empty() && rule.constant.is_none() {
            self.check.error("E0413", rule.span, format!("`{label}` has no `from` and no `const`"));
        }
        let pipe = rule.pipe.as_ref().map(|pipe| self.pipe(pipe)).unwrap_or_default();
        let on_error = rule.on_error.clone().or_else(|| scope.on_error.clone());
        let on_error = on_error.or_else(|| self.default_on_error.clone());
        if let (Some(name), None, Some(text)) = (pipe.fallible(), &on_error, &rule.pipe) {
            let at = text.value.find(name).unwrap_or(0);
            let span = self.inside(text.span, at, name.len());
            self.check.error(
                "E0301",
                span,
                format!("`{name}` can fail and no on_error is in force"),
            );
        }
        if let Some(default) = rule.default.as_ref().filter(|d| d.value.contains("{{")) {
            self.check.error("E0208", default.span, "`default` takes a plain text");
        }
        let mut inner: Scope<'s> = Scope {
            schema: None,
            bindings: scope.bindings.clone(),
            on_error: rule.on_error.clone().or_else(|| scope.on_error.clone()),
            context: Context::Current,
        };
        let mut lets = Vec::new();
        for (name, binding) in &rule.lets {
            let label = format!("{label}.{}", name.value);
            if let Some(step) = self.step(binding, &label, &inner, None, depth) {
                lets.push((name.value.clone(), step));
            }
            inner.bindings.push(name.value.clone());
        }
        let when = rule.when.as_ref().and_then(|when| self.condition(when, &inner));
        let body = match shape {
            None => Body::Binding,
            Some(shape) => self.body(rule, label, scope, &inner, shape, depth)?,
        };
        let single = match &body {
            Body::Binding => true,
            Body::Leaf(target) => !target.many,
            Body::Cases(_) => false,
        };
        let fallback = if single { Take::First } else { Take::All };
        let plain = rule.constant.is_none() && rule.when.is_none() && !rule.from.is_empty();
        let mut step = Step {
            label: label.to_owned(),
            direct: false,
            codes: if plain { codes(&from) } else { None },
            from,
            constant: rule.constant.as_ref().map(|constant| match &constant.value {
                serde_json::Value::String(text) => (text.clone(), false),
                other => (json_text(other), true),
            }),
            when,
            lets,
            body,
            take: rule.take.clone().unwrap_or(fallback),
            join: rule.join.clone(),
            listed: rule.listed,
            pipe,
            default: rule.default.as_ref().map(|default| default.value.clone()),
            on_missing: rule.on_missing.clone().unwrap_or(Policy::Ok),
            error_drops_object: rule.on_error.is_none() && scope.on_error.is_some(),
            on_error: on_error.unwrap_or(Policy::Fail),
            unique: rule.unique.unwrap_or(self.default_unique),
        };
        step.direct = step.may_be_direct();
        Some(step)
    }

    fn body<'s>(
        &mut self,
        rule: &Rule,
        label: &str,
        outer: &Scope<'s>,
        inner: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Body> {
        let syntax = shape.syntax();
        if rule.map.is_empty() && rule.cases.is_empty() {
            if let Some(dressed) = target::dressed(rule, syntax) {
                return self.dressed(&dressed, label, outer, inner, shape, depth);
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
        for case in cases {
            let Some(to) = case.to.as_ref().or(rule.to.as_ref()) else {
                self.check.error("E0412", case.span, format!("`{label}` has no `to`"));
                continue;
            };
            let when = case.when.as_ref().and_then(|when| self.condition(when, inner));
            let Some((target, place)) = self.target(to, outer, shape) else { continue };
            let items = if case.map.is_empty() { &rule.map } else { &case.map };
            let items: Vec<&Rule> = items.iter().chain(&rule.set).chain(&extra).collect();
            let scope = Scope { schema: place, ..inner.clone() };
            let object = (!items.is_empty()).then(|| {
                let mut below = Shape::new(syntax.below());
                let items = self.items(&items, label, &scope, &mut below, depth);
                below.finish(false);
                Object { shape: below, items, dressed: false }
            });
            let linked_880 = rule
                .linked_880
                .as_ref()
                .and_then(|linked| self.linked_880(linked, to, label, &scope, shape, depth));
            plans.push(CasePlan { when, target, object, linked_880 });
        }
        Some(Body::Cases(plans))
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
        label: &str,
        outer: &Scope<'s>,
        inner: &Scope<'s>,
        shape: &mut Shape,
        depth: usize,
    ) -> Option<Body> {
        let (target, _) = self.target(&dressed.to, outer, shape)?;
        let mut below = Shape::new(shape.syntax().below());
        let mut items = self.items(&[&dressed.value], label, inner, &mut below, depth);
        let around = Scope { context: outer.context, ..inner.clone() };
        let extra: Vec<&Rule> = dressed.extra.iter().collect();
        items.extend(self.items(&extra, label, &around, &mut below, depth));
        below.finish(false);
        let object = Some(Object { shape: below, items, dressed: true });
        Some(Body::Cases(vec![CasePlan { when: None, target, object, linked_880: None }]))
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
        let object = Object { shape: below, items, dressed: false };
        Some(Linked { object, script, target, tag: to.value.clone() })
    }
}

fn is_control(tag: &TagPattern) -> bool {
    match tag {
        TagPattern::Exact(tag) => tag.is_control() || !tag.0.iter().all(u8::is_ascii_digit),
        TagPattern::Class(_) => false,
    }
}

fn json_text(value: &serde_json::Value) -> String {
    String::from_utf8(crate::record::canonical_json(value)).unwrap_or_default()
}
