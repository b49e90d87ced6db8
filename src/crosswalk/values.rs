//! Values of a step: found by its selectors, transformed by its pipe, chosen by `take`.

use std::borrow::Cow;

use super::account::State;
use super::input::Node;
use super::plan::Step;
use super::run::{Found, Held, Run};
use super::syntax::{Policy, Take};
use super::transforms::{Applied, text};

impl<'r> Run<'r> {
    /// The values of a step, transformed and chosen; `false` drops the object around it.
    pub(super) fn values(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        out: &mut Vec<Found<'r>>,
    ) -> Result<bool, Held> {
        if let Some((text, raw)) = &step.constant {
            out.push(Found { text: Cow::Borrowed(text), raw: *raw, origins: (0, 0) });
            return Ok(true);
        }
        let filled = |found: &Found<'_>| !text::trimmed(&found.text).is_empty();
        let mut raw = self.spare.pop().unwrap_or_default();
        for (selector, _) in &step.from {
            if step.take == Take::FirstMatch && !out.is_empty() {
                break;
            }
            self.values_of(selector, step.join.as_deref(), step.listed, node, &mut raw);
            if step.pipe.steps.is_empty() {
                out.extend(raw.drain(..).filter(filled));
                continue;
            }
            for found in raw.drain(..).filter(filled) {
                if !self.pipe(step, 0, found, out)? {
                    return Ok(false);
                }
            }
        }
        self.spare.push(raw);
        if step.from.len() > 1 && !step.listed && step.take != Take::FirstMatch {
            let place = |found: &Found<'_>| match found.origins {
                (from, to) if from < to => self.origins.get(from as usize).copied(),
                _ => None,
            };
            out.sort_by_key(place);
        }
        self.take(&step.take, out);
        Ok(true)
    }

    /// Applies the pipe from step `from` on; `false` drops the object.
    fn pipe(
        &mut self,
        step: &'r Step,
        from: usize,
        mut found: Found<'r>,
        out: &mut Vec<Found<'r>>,
    ) -> Result<bool, Held> {
        let origins = found.origins;
        let settled = from < step.pipe.settled && text::is_settled(&found.text);
        let from = if settled { step.pipe.settled } else { from };
        for (n, transform) in step.pipe.steps.iter().enumerate().skip(from) {
            match transform.apply(found.text) {
                Applied::One(text) => {
                    // What a step has made of a number is written as a number only if it is one.
                    found.raw = found.raw && text.parse::<i64>().is_ok();
                    found.text = text;
                }
                Applied::Number(digits) => {
                    (found.text, found.raw) = (Cow::Owned(digits), true);
                }
                Applied::None => {
                    self.mark(origins, State::Dropped);
                    return Ok(true);
                }
                Applied::Many(texts) => {
                    for text in texts {
                        if !self.pipe(step, n + 1, Found { text, raw: false, origins }, out)? {
                            return Ok(false);
                        }
                    }
                    return Ok(true);
                }
                Applied::Failed(code, text) => {
                    return self.failed(step, n, code, text, origins, out);
                }
            }
        }
        if text::trimmed(&found.text).is_empty() {
            self.mark(origins, State::Dropped);
        } else {
            out.push(found);
        }
        Ok(true)
    }

    fn failed(
        &mut self,
        step: &'r Step,
        n: usize,
        code: &'static str,
        value: Cow<'r, str>,
        origins: (u32, u32),
        out: &mut Vec<Found<'r>>,
    ) -> Result<bool, Held> {
        if !matches!(step.on_error, Policy::Quarantine | Policy::Fail) {
            self.account.problem(&step.label, code, self.id, &value);
        }
        match &step.on_error {
            Policy::Keep => self.pipe(step, n + 1, Found { text: value, raw: false, origins }, out),
            Policy::Default(text) => {
                self.mark(origins, State::Failed);
                out.push(Found { text: Cow::Borrowed(text), raw: false, origins: (0, 0) });
                Ok(true)
            }
            Policy::Quarantine | Policy::Fail => {
                let name = step.pipe.names.get(n).map_or("?", String::as_str);
                Err(Held {
                    rule: step.label.clone(),
                    code: code.to_owned(),
                    message: format!("{name} cannot take {:?}", clipped(&value)),
                    fatal: step.on_error == Policy::Fail,
                })
            }
            Policy::Ok | Policy::Warn | Policy::Skip(_) => {
                self.mark(origins, State::Failed);
                Ok(!step.error_drops_object)
            }
        }
    }

    fn take(&mut self, take: &Take, values: &mut Vec<Found<'r>>) {
        if values.len() < 2 || matches!(take, Take::All | Take::FirstMatch) {
            return;
        }
        let chosen = match take {
            Take::Last => values.len() - 1,
            Take::Longest => {
                let longest = values.iter().map(|v| v.text.chars().count()).max();
                let is_longest = |v: &Found<'_>| Some(v.text.chars().count()) == longest;
                values.iter().position(is_longest).unwrap_or(0)
            }
            Take::Earliest => {
                let by_text = |(_, a): &(usize, &Found<'_>), (_, b): &(usize, &Found<'_>)| {
                    a.text.cmp(&b.text)
                };
                values.iter().enumerate().min_by(by_text).map_or(0, |(n, _)| n)
            }
            Take::AllJoined(separator) => {
                let texts: Vec<&str> = values.iter().map(|v| v.text.as_ref()).collect();
                let text = texts.join(separator);
                let first = self.next_origin();
                for value in values.iter() {
                    let range = value.origins.0 as usize..value.origins.1 as usize;
                    self.origins.extend_from_within(range);
                }
                let origins = (first, self.next_origin());
                *values = vec![Found { text: Cow::Owned(text), raw: false, origins }];
                return;
            }
            Take::First | Take::All | Take::FirstMatch => 0,
        };
        for (n, value) in values.iter().enumerate() {
            if n != chosen {
                self.mark(value.origins, State::Dropped);
            }
        }
        values.swap(0, chosen);
        values.truncate(1);
    }
}

fn clipped(value: &str) -> &str {
    let end = value.char_indices().nth(80).map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or(value)
}
