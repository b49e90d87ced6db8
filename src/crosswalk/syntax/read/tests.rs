//! Reading tests: of a crosswalk, of a file beside it, of a folder of cases.

use std::sync::Arc;

use super::{optional_text, pairs, shaped, texts};
use crate::crosswalk::syntax::{ExpectedProblem, InlineTest, Roundtrip, Spanned, TestInput, keys};
use crate::yaml::{Checker, Diagnostics, Fields, Node, SourceText, parse};

/// Reads `NAME.test.yaml`: the tests that stand beside a crosswalk.
///
/// # Errors
/// All mistakes of the file.
pub fn read_tests(source: &Arc<SourceText>) -> Result<Vec<InlineTest>, Diagnostics> {
    let root = parse(source)?;
    let mut check = Checker::new(source);
    let fields = shaped(&mut check, &root, &keys::TESTS);
    check.required(fields, "tests", "a file of tests");
    optional_text(&mut check, fields, "note");
    let tests = tests(&mut check, fields);
    check.finish(tests)
}

/// Reads `expected.yaml` of a case folder, whose input is this.
///
/// # Errors
/// All mistakes of the file.
pub fn read_expectation(
    source: &Arc<SourceText>,
    input: TestInput,
) -> Result<InlineTest, Diagnostics> {
    let root = parse(source)?;
    let mut check = Checker::new(source);
    let fields = shaped(&mut check, &root, &keys::EXPECTATION);
    let test = expectation(&mut check, fields, input);
    check.finish(test)
}

/// `tests:`
pub(super) fn tests(check: &mut Checker, fields: Fields<'_>) -> Vec<InlineTest> {
    let Some(node) = fields.get("tests") else { return Vec::new() };
    let list = check.list(node, "tests");
    list.iter().filter_map(|node| inline_test(check, node)).collect()
}

fn inline_test(check: &mut Checker, node: &Node) -> Option<InlineTest> {
    let fields = shaped(check, node, &keys::TEST);
    let roundtrip = fields.get("roundtrip").and_then(|node| roundtrip(check, node));
    let input = test_input(check, fields, roundtrip.is_some())?;
    if let Some(header) = fields.get("header").filter(|_| !matches!(input, TestInput::Xml(_))) {
        check.error("E0415", header.span, "`header` is for tests in XML only");
    }
    Some(InlineTest {
        exact: fields.get("exact").map(Node::to_json),
        header: pairs(check, fields.get("header"), "header"),
        roundtrip,
        ..expectation(check, fields, input)
    })
}

/// What a test expects, but for the whole output.
fn expectation(check: &mut Checker, fields: Fields<'_>, input: TestInput) -> InlineTest {
    let name = optional_text(check, fields, "name").map(|name| name.value).unwrap_or_default();
    let expect =
        fields.get("expect").map_or(&[][..], |node| check.mapping(node, "expect").entries());
    let quarantine = fields.get("quarantine").and_then(|node| {
        let hold = shaped(check, node, &keys::PROBLEM);
        let rule = optional_text(check, hold, "rule")?.value;
        Some((rule, optional_text(check, hold, "code")?.value))
    });
    InlineTest {
        name,
        span: fields.span,
        input,
        expect: expect
            .iter()
            .map(|entry| {
                let path = Spanned { value: entry.key.clone(), span: entry.key_span };
                (path, entry.value.to_json())
            })
            .collect(),
        exact: None,
        unmapped: fields.get("unmapped").map(|node| {
            texts(check, Some(node), "unmapped").into_iter().map(|t| t.value).collect()
        }),
        quarantine,
        report: fields.get("report").map(|node| problems(check, node)),
        header: Vec::new(),
        roundtrip: None,
    }
}

fn test_input(check: &mut Checker, fields: Fields<'_>, without: bool) -> Option<TestInput> {
    let mut given = keys::INPUTS.iter().filter_map(|key| Some((*key, fields.get(key)?)));
    let (first, second) = (given.next(), given.next());
    match (first, second) {
        (None, _) if without => Some(TestInput::None),
        (Some(("marc", node)), None) => Some(TestInput::Marc(check.text(node, "marc")?)),
        (Some(("xml", node)), None) => Some(TestInput::Xml(check.text(node, "xml")?)),
        (Some(("file", node)), None) => {
            let text = check.text(node, "file")?;
            let (path, id) = match text.split_once('#') {
                // `#001=12345` says where the identifier of a MARC record stands.
                Some((path, id)) => {
                    let id = id.strip_prefix("001=").unwrap_or(id);
                    (path.to_owned(), Some(id.to_owned()))
                }
                None => (text, None),
            };
            Some(TestInput::File(Spanned { value: path, span: node.span }, id))
        }
        (Some((key, node)), None) => {
            if key == "csv" {
                check.mapping(node, "csv");
            }
            Some(TestInput::Json(node.to_json()))
        }
        _ => {
            let message = format!("a test has one of `{}`", keys::INPUTS.join("`, `"));
            check.error("E0102", fields.span, message);
            None
        }
    }
}

fn problems(check: &mut Checker, node: &Node) -> Vec<ExpectedProblem> {
    let mut found = Vec::new();
    for node in check.one_or_many(node) {
        let problem = shaped(check, node, &keys::PROBLEM);
        let rule = optional_text(check, problem, "rule");
        if let (Some(rule), Some(code)) = (rule, optional_text(check, problem, "code")) {
            found.push((rule.value, code.value));
        }
    }
    found
}

fn roundtrip(check: &mut Checker, node: &Node) -> Option<Roundtrip> {
    let fields = shaped(check, node, &keys::ROUNDTRIP);
    check.required(fields, "with", "roundtrip");
    check.required(fields, "corpus", "roundtrip");
    let modulo = texts(check, fields.get("modulo"), "modulo");
    Some(Roundtrip {
        with: optional_text(check, fields, "with")?,
        corpus: texts(check, fields.get("corpus"), "corpus"),
        modulo: modulo.into_iter().map(|path| path.value).collect(),
    })
}
