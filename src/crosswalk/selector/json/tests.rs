//! JSON selectors on small documents.

use serde_json::{Value, json};

use super::*;
use crate::json::tree::Tree;

fn select(root: &Value, current: &Value, path: &str) -> Vec<Value> {
    let parsed = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path} {error:?}"));
    let (root, current, mut values) = (Tree::of(root), Tree::of(current), Vec::new());
    parsed.select(root.root(), current.root(), &mut |value| values.push(json!(value)));
    values
}

/// What stands behind `$.metadata.creators`, and the names of those it leads to.
const OF_CREATORS: &[(&str, &str)] = &[
    ("[*]", "ABC"),
    (".*", "ABC"),
    ("[0]", "A"),
    ("[-1]", "C"),
    ("[-9]", ""),
    ("[1:]", "BC"),
    ("[0:2]", "AB"),
    ("[:2]", "AB"),
    ("[-2:]", "BC"),
    ("[::2]", "AC"),
    ("[::-1]", "CBA"),
    ("[5:0:-2]", "C"),
    ("[0, 2]", "AC"),
    ("[-1, 0:1]", "CA"),
    ("[?@.kind=='x']", "B"),
    ("[?@.role.id=='author']", "A"),
    ("[?@['role']['id'] == \"author\"]", "A"),
    ("[?@.role.tags[1]=='y']", "A"),
    ("[?@.role.tags[?@=='y']]", "A"),
    ("[?@.role.tags[*]]", "A"),
    ("[?!@.kind]", "A"),
    ("[?@.kind!='x']", "AC"),
    ("[?@.name!='A' && @.kind]", "BC"),
    ("[?@.name=='A' || @.name=='C']", "AC"),
    ("[?!(@.name=='A' || @.name=='C')]", "B"),
    ("[? @.rank < 2.5 ]", "A"),
    ("[?@.rank<=2.5]", "AB"),
    ("[?@.rank>1]", "BC"),
    ("[?@.rank>=10]", "C"),
    ("[?@.rank==10.0]", "C"),
    ("[?@.name>'A']", "BC"),
    ("[?@.name<1]", ""),
    ("[?@.main==true]", "C"),
    ("[?@.main!=true]", "AB"),
    ("[?@.kind==null]", "C"),
    ("[?@.kind==@.none]", "A"),
    ("[?@.name==$.metadata.creators[1].name]", "B"),
    ("[?match(@.name, '[AB]')]", "AB"),
    ("[?match(@.role.id, 'auth')]", ""),
    ("[?search(@.role.id, 'auth')]", "A"),
    ("[?search(@.role.id, '^\\w+$')]", "A"),
    ("[?length(@.role.tags)==2]", "A"),
    ("[?length(@.kind)==1]", "B"),
    ("[?count(@.*)>3]", "C"),
];

#[test]
fn paths_lead_to_their_values() {
    let record = json!({
        "id": "1",
        "journal:journal": {"title": "Hay"},
        "a 'quoted' name": "q",
        "metadata": {"creators": [
            {"name": "A", "role": {"id": "author", "tags": ["x", "y"]}, "rank": 1},
            {"name": "B", "kind": "x", "rank": 2.5},
            {"name": "C", "kind": null, "rank": 10, "main": true}
        ]}
    });
    for (path, expected) in OF_CREATORS {
        let path = format!("$.metadata.creators{path}.name");
        let values = select(&record, &record, &path);
        let names: String = values.iter().filter_map(Value::as_str).collect();
        assert_eq!(names, *expected, "{path}");
    }
    for (path, expected) in [
        ("$.id", json!(["1"])),
        ("$['id']", json!(["1"])),
        ("$['id', 'none', \"id\"]", json!(["1", "1"])),
        ("$.metadata.creators[*].kind", json!(["x"])),
        ("$.journal:journal.title", json!(["Hay"])),
        ("$['journal:journal']['title']", json!(["Hay"])),
        ("$['a \\'quoted\\' name']", json!(["q"])),
        ("$..kind", json!(["x"])),
        ("$..tags[0]", json!(["x"])),
        ("$..tags.*", json!(["x", "y"])),
        ("$.metadata..name", json!(["A", "B", "C"])),
        ("$..creators[?@.kind].name", json!(["B", "C"])),
        ("$.metadata.creators[0].role.*", json!(["author", ["x", "y"]])),
        ("$.metadata.creators[0].role[?@=='author']", json!(["author"])),
        ("$.id[0]", json!([])),
        ("$", json!([record])),
    ] {
        assert_eq!(Value::Array(select(&record, &record, path)), expected, "{path}");
    }
}

#[test]
fn a_path_without_dollar_begins_at_the_current_value() {
    let current = json!({"a": {"b": "x"}, "list": [1, 2]});
    for (path, expected) in [
        ("a.b", json!(["x"])),
        ("['a']['b']", json!(["x"])),
        ("list[1]", json!([2])),
        ("*.b", json!(["x"])),
        ("..b", json!(["x"])),
        ("[?@.b].b", json!(["x"])),
        (".", json!([current])),
    ] {
        assert_eq!(Value::Array(select(&Value::Null, &current, path)), expected, "{path}");
    }
}

#[test]
fn what_filters_compare_is_told() {
    let record = json!({"ids": [{"scheme": "doi", "id": "1"}, {"scheme": "url", "id": "2"}]});
    for (path, expected) in [
        ("$.ids[?@.scheme=='doi'].id", json!(["doi"])),
        ("$.ids[?@.scheme!='doi'].id", json!(["url"])),
        ("$.ids[?@.scheme].id", json!([])),
        ("$.ids[?match(@.scheme, 'd.*') || @.id=='2'].id", json!(["doi", "1", "url", "2"])),
    ] {
        let mut read = Vec::new();
        let tree = Tree::of(&record);
        JsonPath::parse(path).unwrap().visit(tree.root(), tree.root(), &mut |visit| {
            if let JsonVisit::Read(value) = visit {
                read.push(json!(value));
            }
        });
        assert_eq!(Value::Array(read), expected, "{path}");
    }
}

#[test]
fn a_mistake_is_placed() {
    for (path, at, message) in [
        ("$.", 2, "found the end, expected a name"),
        ("$[", 2, "found the end, expected a number, a quoted name, `*`, `?` or `:`"),
        ("$.a[?b]", 5, "found `b`, expected `@`, `$`, `(`, `!`, a function or a literal"),
        ("$.a b", 3, "found ` `, expected `.`, `[` or the end of the path"),
        ("$[1:2:0]", 6, "a slice in steps of 0"),
        ("$['a]", 2, "a quote that is not closed"),
        ("$[?@.a[*]=='x']", 3, "a comparison takes one value, and this path can lead to many"),
        ("$[?length(@..a)>1]", 10, "the function takes one value, and this path can lead to many"),
        ("$[?match(@.a, '(')]", 14, "regular expression: error: unclosed group"),
        ("$[?(@.a]", 7, "found `]`, expected `)`"),
        ("$[?'a']", 6, "found `]`, expected a comparison"),
        ("", 0, "found the end, expected a name"),
    ] {
        let error = JsonPath::parse(path).expect_err(path);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{path}");
    }
    let deep = format!("$[?{}@.a{}]", "(".repeat(40), ")".repeat(40));
    assert!(JsonPath::parse(&deep).is_err());
}
