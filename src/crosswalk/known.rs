//! What depends on tag and indicators alone, remembered by class of field.

use super::account::ClassNumber;
use super::shape::Quoting;

/// What is known of a step or condition for the fields of a class.
#[derive(Debug, Default)]
pub(super) enum Known {
    #[default]
    NotYet,
    /// Whether the condition holds.
    Holds(bool),
    /// What the step writes.
    Text(String, Quoting),
    /// It writes nothing.
    Nothing,
}

/// What is known, by class and by the number that the compiler gave.
#[derive(Debug, Default)]
pub(super) struct KnownByClass(Vec<Vec<Known>>);

impl KnownByClass {
    /// Whether a condition holds, if that is known.
    #[inline]
    pub fn holds(&self, class: ClassNumber, number: usize) -> Option<bool> {
        match self.0.get(class)?.get(number)? {
            Known::Holds(holds) => Some(*holds),
            _ => None,
        }
    }

    /// Takes out what is known, to be put back.
    #[inline]
    pub fn take(&mut self, class: ClassNumber, number: usize) -> Known {
        let known = self.0.get_mut(class).and_then(|of_class| of_class.get_mut(number));
        known.map(std::mem::take).unwrap_or_default()
    }

    /// Notes what is known.
    #[inline]
    pub fn put(&mut self, class: ClassNumber, number: usize, known: Known) {
        match self.0.get_mut(class).and_then(|of_class| of_class.get_mut(number)) {
            Some(place) => *place = known,
            None => self.learn(class, number, known),
        }
    }

    #[cold]
    fn learn(&mut self, class: ClassNumber, number: usize, known: Known) {
        if self.0.len() <= class {
            self.0.resize_with(class + 1, Vec::new);
        }
        if let Some(of_class) = self.0.get_mut(class) {
            if of_class.len() <= number {
                of_class.resize_with(number + 1, Known::default);
            }
            if let Some(place) = of_class.get_mut(number) {
                *place = known;
            }
        }
    }
}
