//! setSpec: a colon-separated path that names an OAI set.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A setSpec, `physics:hep` (OAI-PMH 2.0 §4.6): unreserved URI characters in colon-separated parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetSpec(String);

/// What is wrong with a setSpec.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("setSpec is {0:?}, expected colon-separated parts of letters, digits and -_.!~*'()")]
pub struct SetSpecError(pub String);

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c)
}

impl SetSpec {
    /// Makes a setSpec of any name. Of what a setSpec cannot hold, ASCII becomes `-` and the rest
    /// its code point between tildes (`ü` is `~fc~`), so that names in other scripts stay apart.
    ///
    /// Returns `None` when nothing is left to name the set by.
    #[must_use]
    pub fn from_name(name: &str) -> Option<SetSpec> {
        let clean = |part: &str| -> String {
            let spell = |c: char| match c {
                c if is_unreserved(c) => c.to_string(),
                c if c.is_ascii() => "-".to_owned(),
                c => format!("~{:x}~", u32::from(c)),
            };
            part.trim().chars().map(spell).collect()
        };
        let parts: Vec<String> =
            name.split(':').map(clean).filter(|part| !part.is_empty()).collect();
        parts.join(":").parse().ok()
    }

    /// The text of the setSpec.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SetSpec {
    type Err = SetSpecError;

    fn from_str(text: &str) -> Result<SetSpec, SetSpecError> {
        let valid = text.split(':').all(|part| !part.is_empty() && part.chars().all(is_unreserved));
        if valid { Ok(SetSpec(text.to_owned())) } else { Err(SetSpecError(text.to_owned())) }
    }
}

impl fmt::Display for SetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_set_spec() {
        let spec = |name: &str| SetSpec::from_name(name).map(|spec| spec.to_string());
        assert_eq!(spec("CERN theses"), Some("CERN-theses".to_owned()));
        assert_eq!(spec("physics:hep"), Some("physics:hep".to_owned()));
        assert_eq!(spec(" "), None);
        assert_eq!(spec("a::b:"), Some("a:b".to_owned()));
        assert_eq!(spec("Bücher: neu"), Some("B~fc~cher:neu".to_owned()));
    }
}
