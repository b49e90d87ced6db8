//! The way of a step: how it comes by its values, told when the plan is made.

use super::plan::{Body, Selector, Step};
use super::selector::MarcSelector;
use super::shape::{Form, Target};
use super::syntax::Take;

/// How a leaf comes by its values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// The general one.
    #[default]
    General,
    /// It is a constant.
    Constant,
    /// It takes the value at hand as it is.
    Copy,
    /// It takes what stands in the field at hand, or a binding.
    Field,
}

impl Way {
    /// The straightest for a step.
    #[must_use]
    pub fn of(step: &Step) -> Way {
        let relative = |(selector, _): &(Selector, String)| match selector {
            Selector::Marc(selector) => is_relative(selector),
            Selector::Tag | Selector::Indicator(_) | Selector::Binding(_) => true,
            _ => false,
        };
        match step.body {
            Body::Leaf(Target { form: Form::Json, .. }) if step.lets.is_empty() => {}
            Body::Binding if step.lets.is_empty() && step.join.is_none() => {}
            _ => return Way::General,
        }
        if step.constant.is_some() {
            return Way::Constant;
        }
        if step.copies {
            return Way::Copy;
        }
        if step.listed || !step.pipe.quick {
            return Way::General;
        }
        let is_direct = match step.body {
            Body::Binding => {
                let is_first = step.take == Take::First && step.from.len() == 1;
                let is_subfield =
                    |(selector, _): &(Selector, String)| matches!(selector, Selector::Marc(_));
                (is_first || step.take == Take::FirstMatch)
                    && !step.error_drops_object
                    && step.from.iter().all(is_subfield)
            }
            _ => step.direct,
        };
        if is_direct && step.from.iter().all(relative) { Way::Field } else { Way::General }
    }

    /// Whether a step that goes this way takes the tag or an indicator, once.
    #[must_use]
    pub fn is_remembered(self, step: &Step) -> bool {
        let of_class = |(selector, _): &&(Selector, String)| {
            matches!(selector, Selector::Tag | Selector::Indicator(_))
        };
        self == Way::Field && step.from.iter().filter(of_class).count() == 1
    }
}

/// Whether a selector takes subfields of the field at hand, as they are.
fn is_relative(selector: &MarcSelector) -> bool {
    selector.tag.is_none() && !(selector.leader || selector.linked) && selector.slice.is_none()
}
