//! What a test expects beside what came out, path by path.

use serde_json::{Value, json};

use super::shown;
use crate::crosswalk::Crosswalk;
use crate::crosswalk::difference::differences;
use crate::crosswalk::selector::{JsonPath, Namespaces, XmlNode, XmlPath};
use crate::crosswalk::syntax::InlineTest;
use crate::formats::Model;
use crate::formats::marc21::{Marc, line, marcxml};
use crate::json::tree::Tree as JsonTree;
use crate::xml::Options;
use crate::xml::tree::Tree;

/// Compares an output with `expect` and `exact`.
pub fn compare(crosswalk: &Crosswalk, case: &InlineTest, out: &[u8], failures: &mut Vec<String>) {
    let text = String::from_utf8_lossy(out);
    if crosswalk.plan.output.model == Model::Marc {
        return compare_marc(case, &text, failures);
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(output) => compare_json(case, &output, failures),
        Err(_) => compare_xml(crosswalk, case, &text, failures),
    }
}

/// `expect` names subfields, `245$a`, and control fields; `exact` is line MARC.
fn compare_marc(case: &InlineTest, text: &str, failures: &mut Vec<String>) {
    let mut marc = Marc::default();
    if let Err(error) = marcxml::read(text, &mut marc, &mut Vec::new()) {
        return failures.push(format!("what is written is no MARC: {error}"));
    }
    for (path, expected) in &case.expect {
        let (tag, code) = path.value.split_once('$').unwrap_or((&path.value, "\0"));
        let fields = marc.fields().filter(|field| field.tag_text() == tag);
        let values = fields.flat_map(|field| field.subfields_of(|found| code.starts_with(found)));
        let found = values.map(|subfield| subfield.value.into()).collect();
        let found = one_or_many(found, expected);
        expect_equal(&path.value, expected, Some(&found), failures);
    }
    let Some(exact) = &case.exact else { return };
    let exact = exact.as_str().unwrap_or("no text");
    match line::read(exact) {
        Ok(expected) if expected == marc => {}
        Ok(_) => {
            let found = line::write(&marc);
            failures.push(format!("expected exactly\n{exact}\n, found\n{found}"));
        }
        Err(error) => failures.push(format!("exact: {error}")),
    }
}

fn compare_json(case: &InlineTest, output: &Value, failures: &mut Vec<String>) {
    for (path, expected) in &case.expect {
        let Ok(selector) = JsonPath::parse(&path.value) else {
            failures.push(format!("{}: is no path", path.value));
            continue;
        };
        let (mut found, tree) = (Vec::new(), JsonTree::of(output));
        selector.select(tree.root(), tree.root(), &mut |value| found.push(json!(value)));
        let found = if found.len() == 1 { found.pop() } else { None };
        expect_equal(&path.value, expected, found.as_ref(), failures);
    }
    if let Some(exact) = &case.exact {
        expect_equal("", exact, Some(output), failures);
    }
}

fn compare_xml(crosswalk: &Crosswalk, case: &InlineTest, text: &str, failures: &mut Vec<String>) {
    let output = match tree(text) {
        Ok(output) => output,
        Err(message) => return failures.push(format!("what is written is no XML: {message}")),
    };
    let prefixes = crosswalk.file.to_namespaces.iter();
    let prefixes = prefixes.map(|(prefix, name)| (prefix.clone(), vec![name.clone()])).collect();
    let namespaces = Namespaces::new(prefixes);
    for (path, expected) in &case.expect {
        let (Ok(selector), Some(root)) = (XmlPath::parse(&path.value, &namespaces), output.root())
        else {
            failures.push(format!("{}: is no path", path.value));
            continue;
        };
        let mut found = Vec::new();
        selector.select(root, XmlNode::Element(root), &mut |node| {
            found.push(Value::String(node.text().into_owned()));
        });
        let found = one_or_many(found, expected);
        expect_equal(&path.value, expected, Some(&found), failures);
    }
    let Some(exact) = &case.exact else { return };
    let expected = exact.as_str().map(tree);
    if !matches!(expected, Some(Ok(expected)) if expected == output) {
        let exact = exact.as_str().unwrap_or("no text");
        failures.push(format!("expected exactly\n{}\n, found\n{text}", exact.trim()));
    }
}

/// Nothing, one value or a list; one in a list where that is expected.
fn one_or_many(mut found: Vec<Value>, expected: &Value) -> Value {
    match found.len() {
        0 => Value::Null,
        1 if !expected.is_array() => found.remove(0),
        _ => Value::Array(found),
    }
}

fn tree(text: &str) -> Result<Tree, String> {
    let (mut tree, mut warnings) = (Tree::default(), Vec::new());
    let read = tree.read(text.trim(), Options::default(), &mut warnings);
    read.map(|()| tree).map_err(|error| error.to_string())
}

fn expect_equal(path: &str, expected: &Value, found: Option<&Value>, failures: &mut Vec<String>) {
    differences(path, Some(expected).filter(|value| !value.is_null()), found, &mut |path, a, b| {
        let path = if path.is_empty() { "the output" } else { path };
        let word = |value: Option<&Value>| value.map_or("nothing".to_owned(), shown);
        failures.push(format!("{path}: expected {}, found {}", word(a), word(b)));
    });
}
