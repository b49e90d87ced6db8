//! Compiling what a crosswalk reads: the source, selectors, what is ignored.

use super::{Compiler, Context, Scope};
use crate::crosswalk::plan::{Input, Selector};
use crate::crosswalk::selector::{
    JsonPath, MarcSelector, Namespaces, SelectorError, Subfields, TagPattern, XmlPath,
};
use crate::crosswalk::syntax::keys;
use crate::crosswalk::syntax::{File, Spanned};
use crate::formats::marc21::Tag;

impl Compiler<'_> {
    pub(super) fn source(&mut self, file: &File) -> Input {
        match file.from_format.value.as_str() {
            "json" => Input::Json,
            "csv" => Input::Columns,
            "marc21" => Input::Marc,
            "xml" => Input::Xml {
                record: file.from_record.as_ref().map(|record| record.value.clone()),
                namespaces: Namespaces::new(file.from_namespaces.clone()),
            },
            // The reader has said so.
            "" => Input::Marc,
            other => {
                let known = keys::words(keys::SOURCES);
                self.check.unknown("E0106", file.from_format.span, "source format", other, known);
                Input::Marc
            }
        }
    }

    pub(super) fn ignored(
        &mut self,
        file: &File,
        scope: &Scope<'_>,
    ) -> (Vec<MarcSelector>, Vec<Selector>) {
        let (mut fields, mut paths) = (Vec::new(), Vec::new());
        for text in file.ignore.iter().flat_map(|ignore| &ignore.from) {
            match self.selector(text, scope, false) {
                Some((Selector::Marc(selector), _)) => {
                    let narrow = selector.occurrence.is_some() || selector.slice.is_some();
                    if narrow || selector.tag.is_none() {
                        let message =
                            "`ignore` takes fields and subfields, without occurrence or slice";
                        self.check.error("E0202", text.span, message);
                    }
                    fields.push(selector);
                }
                Some((selector, _)) => paths.push(selector),
                None => {}
            }
        }
        (fields, paths)
    }

    pub(super) fn bad_selector<T>(
        &mut self,
        text: &Spanned<String>,
        error: &SelectorError,
    ) -> Option<T> {
        let span = self.inside(text.span, error.at, 1);
        self.check.error("E0201", span, format!("selector: {}", error.message));
        None
    }

    pub(super) fn selector(
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
            _ if matches!(self.input, Input::Columns) => Selector::Json(JsonPath::column(word)),
            _ if matches!(self.input, Input::Json) => match JsonPath::parse(word) {
                Ok(path) => Selector::Json(path),
                Err(error) => return self.bad_selector(text, &error),
            },
            _ if let Input::Xml { namespaces, .. } = &self.input => {
                match XmlPath::parse(word, namespaces) {
                    Ok(path) => Selector::Xml(path),
                    Err(error) => return self.bad_selector(text, &error),
                }
            }
            _ => {
                let selector = match MarcSelector::parse(word) {
                    Ok(selector) => selector,
                    Err(error) => return self.bad_selector(text, &error),
                };
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
                Selector::Marc(selector)
            }
        };
        Some((selector, text.value.clone()))
    }
}

fn is_control(tag: &TagPattern) -> bool {
    match tag {
        TagPattern::Exact(tag) => tag.is_control() || !tag.0.iter().all(u8::is_ascii_digit),
        TagPattern::Class(_) => false,
    }
}
