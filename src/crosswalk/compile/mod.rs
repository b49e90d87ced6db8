//! Compiling: every name of a file resolved, every mistake of meaning found in one pass.

mod bodies;
mod expressions;
mod proof;
mod selectors;
mod tables;

pub use proof::Check;

use crate::crosswalk::chains::Chains;
use crate::crosswalk::expression::Form;
use crate::crosswalk::plan::{Ahead, Body, Input, Label, OfUnmapped, Plan, Selector, Step, codes};
use crate::crosswalk::schema_paths::SchemaPaths;
use crate::crosswalk::shape::{Quoting, Shape, Target};
use crate::crosswalk::syntax::keys::{self, words};
use crate::crosswalk::syntax::{File, Policy, Rule, Spanned, Take, Unmapped};
use crate::crosswalk::target::{self, Output};
use crate::crosswalk::transforms::{Pipe, PipeContext, parse_pipe};
use crate::crosswalk::way::Way;
use crate::formats::Model;
use crate::record::content_hash;
use crate::yaml::{Checker, Diagnostics, Span};

/// Compiles a file whose structure was read without stopping.
///
/// # Errors
/// Every mistake that `check` holds already and every one that is found here.
pub fn compile(file: &File, check: Checker) -> Result<Plan, Diagnostics> {
    let texts = check.sources().iter().map(|source| source.text.as_str()).collect();
    let mut compiler = Compiler {
        check,
        file,
        context: PipeContext::default(),
        input: Input::Marc,
        chains: Chains::default(),
        default_on_error: file.on_error.clone(),
        default_unique: file.unique,
        reads_record: false,
        depth: 0,
        known: 0,
        labels: Vec::new(),
        places: Vec::new(),
        texts,
    };
    compiler.input = compiler.source(file);
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
    if let Some(rule) = file.tombstone.first()
        && matches!(compiler.input, Input::Json | Input::Columns)
    {
        let message = "`tombstone` is for sources in XML and MARC only";
        compiler.check.error("E0415", rule.span, message);
    }
    let mut steps = |rules: &[Rule]| -> Vec<Step> {
        let step = |rule: &Rule| {
            compiler.reads_record = false;
            let step = compiler.step(rule, &rule.id, &scope, Some(&mut shape), 1)?;
            Some(Step { reads_record: compiler.reads_record, ..step })
        };
        rules.iter().filter_map(step).collect()
    };
    let mut rules = steps(&file.rules);
    let mut tombstone = steps(&file.tombstone);
    let unmapped = compiler.unmapped(&file.unmapped, &scope, &mut shape);
    shape.finish(output.by_tag);
    let (ignore, ignore_paths) = compiler.ignored(file, &scope);
    let mut demands = None;
    if let (Some(root), Model::Json) = (root, output.model) {
        proof::prove(&mut rules, root);
        proof::prove(&mut tombstone, root);
        demands = shape.demands(root);
    }
    let plan = Plan {
        input: compiler.input,
        rules,
        tombstone,
        shape,
        output,
        chains: compiler.chains,
        ignore,
        ignore_paths,
        unmapped,
        demands,
        labels: compiler.labels,
        depth: compiler.depth,
        hash: content_hash(compiler.texts.as_bytes()),
    };
    compiler.check.finish(plan)
}

/// What a rule's parts can refer to.
#[derive(Clone)]
struct Scope<'s> {
    schema: Option<crate::crosswalk::schema_paths::Place<'s>>,
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
    file: &'f File,
    context: PipeContext,
    input: Input,
    chains: Chains,
    default_on_error: Option<Policy>,
    default_unique: bool,
    /// The rule at hand has an expression that reads the output so far.
    reads_record: bool,
    depth: usize,
    /// So many steps and conditions are remembered by class of field.
    known: usize,
    /// A label for each step and case, and where it stands.
    labels: Vec<Label>,
    places: Vec<(String, Span)>,
    /// All that was read, one after another, for the crosswalk's hash.
    texts: String,
}

impl Compiler<'_> {
    /// Where values that no rule reads are kept, if they are.
    fn unmapped(&mut self, word: &Unmapped, scope: &Scope<'_>, shape: &mut Shape) -> OfUnmapped {
        match word {
            Unmapped::Report => OfUnmapped::Report,
            Unmapped::Quarantine => OfUnmapped::Quarantine,
            Unmapped::Keep(path) => {
                let many = Spanned { value: format!("{}[]", path.value), span: path.span };
                let target = self.target(&many, scope, shape);
                target.map_or(OfUnmapped::Report, |(target, _)| OfUnmapped::Keep(target))
            }
        }
    }

    /// A number for a step or case, which remembers where it stands.
    fn label(&mut self, name: &str, span: Span) -> usize {
        let source = self.check.sources().get(usize::from(span.file));
        let place = source.map_or(String::new(), |source| {
            format!("{}:{}", source.name, source.line_column(span.start).0)
        });
        // What several cases share is compiled for each of them, and is one thing all the same.
        let known = self.places.iter().position(|(known, at)| known == name && *at == span);
        known.unwrap_or_else(|| {
            self.places.push((name.to_owned(), span));
            self.labels.push(Label { name: name.to_owned(), place, own: span.file == 0 });
            self.labels.len() - 1
        })
    }

    /// The place of a byte inside a scalar; quotes before it count.
    fn inside(&self, span: Span, at: usize, length: usize) -> Span {
        let quoted = self.check.text_from(span).starts_with(['"', '\'']);
        let start = (span.start + usize::from(quoted) + at).min(span.end);
        Span { start, end: (start + length.max(1)).min(span.end.max(start + 1)), ..span }
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

    /// Where `to` leads: the leaf in the shape, and the place in the schema behind it.
    fn target<'s>(
        &mut self,
        to: &Spanned<String>,
        scope: &Scope<'s>,
        shape: &mut Shape,
    ) -> Option<(Target, Option<crate::crosswalk::schema_paths::Place<'s>>)> {
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

    fn simple_step<'s>(
        &mut self,
        rule: &Rule,
        label: &str,
        scope: &Scope<'s>,
        shape: Option<&mut Shape>,
        depth: usize,
    ) -> Option<Step> {
        self.depth = self.depth.max(depth);
        let number = self.label(label, rule.span);
        let builds = !rule.map.is_empty() || !rule.cases.is_empty();
        let wants_values = !builds || rule.pipe.is_some() || rule.join.is_some() || rule.listed;
        let mut from: Vec<_> =
            rule.from.iter().filter_map(|text| self.selector(text, scope, wants_values)).collect();
        self.one_source(rule, label);
        if let Some(span) = rule.linked.filter(|_| !matches!(self.input, Input::Marc)) {
            self.check.error("E0415", span, "`linked` is for sources in MARC only");
        }
        let on_error = rule.on_error.clone().or_else(|| scope.on_error.clone());
        let on_error = on_error.or_else(|| self.default_on_error.clone());
        let has_policy = on_error.is_some();
        let pipe = rule.pipe.as_ref().map(|pipe| self.safe_pipe(pipe, has_policy));
        let pipe = pipe.unwrap_or_default();
        let mut inner: Scope<'s> = Scope {
            schema: None,
            bindings: scope.bindings.clone(),
            on_error: rule.on_error.clone().or_else(|| scope.on_error.clone()),
            context: Context::Current,
        };
        let lets = self.lets(rule, label, &mut inner, depth);
        let when = rule.when.as_ref().and_then(|when| self.condition(when, &inner, has_policy));
        if let Some(text) = &rule.expression {
            let expression = self.expression(text, Form::Template, &inner, has_policy)?;
            from.push((Selector::Expression(Box::new(expression)), text.value.clone()));
        }
        let default =
            rule.default.as_ref().and_then(|text| self.fallback(text, &inner, has_policy));
        let body = match shape {
            None => Body::Binding,
            Some(shape) => {
                self.body(rule, (label, number), (scope, &inner, has_policy), shape, depth)?
            }
        };
        let single = match &body {
            Body::Binding => true,
            Body::Leaf(target) => !target.many,
            Body::Cases(_) | Body::Each(_) => false,
        };
        let fallback = if single { Take::First } else { Take::All };
        let plain = rule.constant.is_none()
            && rule.when.is_none()
            && rule.lets.is_empty()
            && !rule.from.is_empty();
        let step = Step {
            label: label.to_owned(),
            number,
            to: rule.to.as_ref().map(|to| plain_path(&to.value)),
            direct: false,
            chain: self.chains.add(&from),
            ahead: Ahead::default(),
            copies: false,
            way: Way::General,
            known: None,
            check: Check::default(),
            codes: if plain { codes(&from) } else { None },
            constant: rule.constant.as_ref().map(|constant| match &constant.value {
                serde_json::Value::String(text) => (text.clone(), Quoting::of(text)),
                other => (json_text(other), Quoting::Raw),
            }),
            when,
            lets,
            body,
            take: rule.take.clone().unwrap_or(fallback),
            join: rule.join.clone(),
            listed: rule.listed,
            sorted: from.len() > 1 && !rule.listed && self.input.model() != Model::Json,
            from,
            linked: rule.linked.is_some(),
            pipe,
            default,
            reads_record: false,
            on_missing: rule.on_missing.clone().unwrap_or(Policy::Ok),
            error_drops_object: rule.on_error.is_none() && scope.on_error.is_some(),
            on_error: on_error.unwrap_or(Policy::Fail),
            unique: rule.unique.unwrap_or(self.default_unique),
        };
        Some(self.known_ahead(step))
    }

    /// A step with what is known of it before it runs.
    fn known_ahead(&mut self, mut step: Step) -> Step {
        step.direct = step.may_be_direct();
        step.copies = step.may_copy();
        step = step.known_ahead();
        step.way = Way::of(&step);
        if step.way.is_remembered(&step) {
            step.known = Some(self.known);
            self.known += 1;
        }
        step
    }

    /// The bindings of a rule, each of which sees those before it.
    fn lets(
        &mut self,
        rule: &Rule,
        label: &str,
        scope: &mut Scope<'_>,
        depth: usize,
    ) -> Vec<(String, Step)> {
        let mut lets = Vec::new();
        for (name, binding) in &rule.lets {
            let label = format!("{label}.{}", name.value);
            if let Some(step) = self.step(binding, &label, scope, None, depth) {
                lets.push((name.value.clone(), step));
            }
            scope.bindings.push(name.value.clone());
        }
        lets
    }

    /// A pipe that fails only where an `on_error` says what becomes of it.
    fn safe_pipe(&mut self, text: &Spanned<String>, has_policy: bool) -> Pipe {
        let pipe = self.pipe(text);
        if let (Some(name), false) = (pipe.fallible(), has_policy) {
            self.without_policy(text, name);
        }
        pipe
    }

    /// Notes a transform that can fail and has no policy.
    fn without_policy(&mut self, text: &Spanned<String>, name: &str) {
        let at = text.value.find(name).unwrap_or(0);
        let span = self.inside(text.span, at, name.len());
        let message = format!("`{name}` can fail and no on_error is in force");
        let words: Vec<_> = words(keys::ON_ERROR).collect();
        let hint = format!("say `on_error:` {} or {{ default: … }}", words.join(", "));
        self.check.error_with_hint("E0301", span, message, Some(hint));
    }

    /// A rule takes its values from one place.
    fn one_source(&mut self, rule: &Rule, label: &str) {
        let sources = [!rule.from.is_empty(), rule.constant.is_some(), rule.expression.is_some()];
        let message = match sources.iter().filter(|given| **given).count() {
            0 => format!("`{label}` has no `from`, no `const` and no `value`"),
            1 => return,
            _ => format!("`{label}` has more than one of `from`, `const` and `value`"),
        };
        self.check.error("E0413", rule.span, message);
    }
}

/// A target path as traces show it.
fn plain_path(to: &str) -> String {
    to.strip_suffix("[]").unwrap_or(to).to_owned()
}

fn json_text(value: &serde_json::Value) -> String {
    String::from_utf8(crate::record::canonical_json(value)).unwrap_or_default()
}
