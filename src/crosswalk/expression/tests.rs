//! Expressions on a few names.

use serde_json::json;

use super::*;
use crate::crosswalk::transforms::{PipeContext, parse_pipe};

const NAMES: &[&str] = &["title", "subtitle", "empty", "missing", "value", "record", "header", "n"];

fn pipes() -> PipeContext {
    let mut context = PipeContext::default();
    context.pipes.insert("label".to_owned(), "nfc | trim_isbd".to_owned());
    context.pipes.insert("number".to_owned(), "trim | isbn13".to_owned());
    let table = parse_pipe("lookup({'a': b})", &context).unwrap();
    assert!(table.fallible().is_some());
    context
}

fn given(name: &str) -> Option<Given<'static>> {
    match name {
        "title" => Some(Given::Text("Hay in rows :".into())),
        "subtitle" => Some(Given::Text("a study".into())),
        "empty" => Some(Given::Text("".into())),
        "n" => Some(Given::Json(Cow::Owned(json!(3)))),
        "value" => Some(Given::Text("https://example.org/files/a.pdf?x=1".into())),
        "record" => Some(Given::Json(Cow::Owned(json!({
            "id": "7",
            "list": ["b", "a", "b"],
            "people": [{"name": "Ada"}, {"name": "Cy"}],
            "open": false,
            "nothing": null
        })))),
        _ => None,
    }
}

fn compile(text: &str, form: Form) -> Result<Expression, Vec<ExpressionError>> {
    let pipes = pipes();
    Expression::compile(text, form, Scope { names: NAMES, members: false, pipes: &pipes })
}

fn shown(outcome: Result<Outcome<'_>, Failure>) -> String {
    match outcome {
        Ok(Outcome::Nothing) => "-".to_owned(),
        Ok(Outcome::Text(text)) => format!("'{text}'"),
        Ok(Outcome::Json(json)) => json,
        Ok(Outcome::Texts(texts)) => texts.join("|"),
        Err(failure) => format!("!{}", failure.code),
    }
}

#[test]
fn templates_give_values() {
    let mut wrong = Vec::new();
    // Expression, what it gives, what in it can fail; `native` is told by how it is compiled.
    for (text, expected, fallible, native) in [
        ("plain", "'plain'", None, true),
        ("{{ title | label }} : {{ subtitle }}", "'Hay in rows : a study'", None, true),
        ("{{ title }}{{ missing }}", "-", None, true),
        ("{{ title }}{{ empty }}", "-", None, true),
        ("{{ missing }}", "-", None, true),
        ("{{ missing or 'x' }}", "'x'", None, true),
        ("{{ empty or missing or subtitle | upper }}", "'A STUDY'", None, true),
        ("{{ subtitle }}{{ missing or '' }}", "'a study'", None, true),
        ("{{ title if title }}", "'Hay in rows :'", None, true),
        ("{{ title if missing else 'none' }}", "'none'", None, true),
        ("{{ title if missing }}", "-", None, true),
        ("{{ 'a' if record.open else 'b' }}", "'b'", None, true),
        ("{{ subtitle | isbn13 }}", "!isbn13.shape", Some("isbn13"), true),
        ("{{ subtitle | number }}", "!isbn13.shape", Some("isbn13"), true),
        ("{{ subtitle | lookup({'a study': b}) }}", "'b'", Some("lookup"), true),
        ("{{ subtitle | split(' ') }}", "a|study", None, true),
        ("{{ n }}", "3", None, true),
        ("{{ n | int }}", "3", Some("int"), true),
        ("No. {{ n }}", "'No. 3'", None, true),
        ("{{ record.id }}", "'7'", None, true),
        ("{{ record.nothing }}", "-", None, true),
        ("{{ record.open }}", "false", None, true),
        ("{{ record.list }}", "b|a|b", None, true),
        ("{{ title | replace('\\w+ ', '') }}", "':'", None, true),
        ("{{ value | basename }}", "'a.pdf'", None, true),
        ("{{ record.list | sort | join('; ') }}", "'a; b; b'", Some("sort"), false),
        ("{{ record.people | map(attribute='name') | join(' ') }}", "'Ada Cy'", Some("map"), false),
        ("{{ record.list | upper | join('') }}", "'BAB'", None, false),
        ("{{ record.people | length }}", "2", Some("length"), false),
        ("{{ n + 1 }}", "4", Some("+"), false),
        ("{{ title ~ n }}{{ record.list }}", "'Hay in rows :3b; a; b'", None, false),
        ("{{ title + 1 }}", "!expression.invalid", Some("+"), false),
        ("{{ subtitle[0:1] }}", "'a'", Some(":"), false),
        ("{{ {'3': 'three'}[subtitle] or 'other' }}", "'other'", None, false),
        (
            "{{ title | default('x') }} {{ missing | default('y') }}",
            "'Hay in rows : y'",
            None,
            false,
        ),
        ("{{ missing | upper }}", "-", None, true),
        ("{{ missing.upper() }}", "-", None, false),
        ("{{ record.list }}.", "'b; a; b.'", None, true),
        (
            "{{ title }}{% if subtitle %} {{ subtitle }}{% endif %}{% if missing %}!{% endif %}",
            "'Hay in rows : a study'",
            None,
            false,
        ),
        ("{{ (subtitle | replace('\\s', '')) ~ '\\' }}", "'astudy\\'", Some("replace"), false),
        ("{{ subtitle | isbn13 ~ 'x' }}", "!isbn13.shape", Some("isbn13"), false),
        ("{{ header.identifier }}", "-", None, true),
        ("{{ header.identifier ~ 'x' }}", "'x'", None, false),
    ] {
        let expression = compile(text, Form::Template).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let found = shown(expression.evaluate(&|name| given(name)));
        let is_native = matches!(expression.body, Body::Native(_));
        if (found.as_str(), expression.fallible(), is_native) != (expected, fallible, native) {
            wrong.push(format!("{text}: {found} {:?} {is_native}", expression.fallible()));
        }
    }
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn conditions_decide() {
    for (text, expected) in [
        ("title", true),
        ("missing", false),
        ("not missing", true),
        ("value.endswith('.pdf')", false),
        ("(value | basename).endswith('.pdf')", true),
        ("'rows' in title", true),
        ("title is startingwith('Hay') and n > 2", true),
        ("n is number and record.people | length == 2", true),
        ("missing is defined", false),
        ("record.people[0].name == 'Ada'", true),
        ("record.open or record.nothing", false),
        ("missing > 3", false),
    ] {
        let expression = compile(text, Form::Condition).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(expression.holds(&|name| given(name)), Ok(expected), "{text}");
    }
}

#[test]
fn an_expression_that_takes_too_long_runs_out_of_fuel() {
    let long = format!("{{{{ {}1 }}}}", "n + ".repeat(700));
    let expression = compile(&long, Form::Template).unwrap();
    assert_eq!(shown(expression.evaluate(&|name| given(name))), "!expression.fuel");
    let longer = format!("{{{{ {}1 }}}}", "n + ".repeat(20_000));
    let errors = compile(&longer, Form::Template).map(|_| ()).unwrap_err();
    assert_eq!(errors[0].message, "an expression of more than 2000 words and signs");
}

#[test]
fn what_an_expression_reads_is_known() {
    for (text, reads) in [
        ("{{ title }} {{ record.id or subtitle }}", &["record.id", "subtitle", "title"][..]),
        ("{{ title if n == '3' }}", &["n", "title"]),
        ("{{ record.people | map(attribute='name') | join }}", &["record.people"]),
        ("{% if record.a.b %}{{ title }}{% endif %}", &["record.a.b", "title"]),
        ("plain", &[]),
    ] {
        assert_eq!(compile(text, Form::Template).unwrap().reads(), reads, "{text}");
    }
}

#[test]
fn names_of_members_are_taken_on_trust() {
    let pipes = pipes();
    let scope = Scope { names: NAMES, members: true, pipes: &pipes };
    let expression = Expression::compile("{{ family }}, {{ given }}", Form::Template, scope);
    assert_eq!(expression.unwrap().reads(), ["family", "given"]);
}

/// Text, form, code, place, message, hint.
const MISTAKES: &[(&str, Form, &str, usize, &str, &str)] = &[
    ("{{ titel }}", Form::Template, "E0207", 3, "unknown name `titel`", "did you mean `title`?"),
    (
        "a {{ titel | nfc }}",
        Form::Template,
        "E0207",
        5,
        "unknown name `titel`",
        "did you mean `title`?",
    ),
    (
        "{{ title | trim_isb }}",
        Form::Template,
        "E0203",
        11,
        "unknown transform `trim_isb`",
        "did you mean `trim_isbd`?",
    ),
    ("titel > 3", Form::Condition, "E0207", 0, "unknown name `titel`", "did you mean `title`?"),
    ("n is numbr", Form::Condition, "E0203", 5, "unknown test `numbr`", "did you mean `number`?"),
    (
        "title.endwith('x')",
        Form::Condition,
        "E0203",
        6,
        "unknown method `endwith`",
        "did you mean `endswith`?",
    ),
    (
        "upper(title)",
        Form::Condition,
        "E0203",
        0,
        "unknown function `upper`",
        "transforms stand behind a bar: `value | upper`",
    ),
    (
        "{% for x in title %}{{ x }}{% endfor %}",
        Form::Template,
        "E0209",
        3,
        "`for` is no statement of expressions",
        "there are `if`, `elif`, `else`, `endif` and `set`, and no loops",
    ),
    (
        "{% include 'x' %}",
        Form::Template,
        "E0209",
        3,
        "`include` is no statement of expressions",
        "there are `if`, `elif`, `else`, `endif` and `set`, and no loops",
    ),
    (
        "{{ title",
        Form::Template,
        "E0206",
        3,
        "unexpected end of input, expected end of variable block",
        "",
    ),
    ("n >", Form::Condition, "E0206", 3, "", ""),
];

#[test]
fn a_mistake_is_placed() {
    for (text, form, code, at, message, hint) in MISTAKES.iter().copied() {
        let errors = compile(text, form).map(|_| text).expect_err(text);
        let error = &errors[0];
        assert_eq!((error.code, error.at), (code, at), "{text}: {error:?}");
        if code != "E0206" {
            assert_eq!(error.message, message, "{text}");
        }
        assert_eq!(error.hint.as_deref().unwrap_or_default(), hint, "{text}");
    }
}
