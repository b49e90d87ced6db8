//! The tree: what is kept, what is told, what is refused.

use proptest::prelude::*;

use super::*;
use crate::record::Warning;
use crate::xml::Options;

fn read_with(text: &str, repair: bool) -> (Result<Tree, &'static str>, Vec<Warning>) {
    let (mut tree, mut warnings) = (Tree::default(), Vec::new());
    let result = tree.read(text, Options { repair }, &mut warnings);
    (result.map(|()| tree).map_err(|error| error.code), warnings)
}

fn read(text: &str) -> Tree {
    let (tree, warnings) = read_with(text, false);
    assert_eq!(warnings, []);
    tree.unwrap()
}

fn written(tree: &Tree) -> String {
    let mut out = String::new();
    assert_eq!(tree.write(&mut out), 0);
    out
}

#[test]
fn names_are_resolved_where_prefixes_are_rebound_midway() {
    let text = "<a:x xmlns:a='urn:1' xmlns='urn:d' b='0' a:b='1'>\
                <y><a:z xmlns:a='urn:2' a:b='2'/><w xmlns=''><v/></w></y><a:z/></a:x>";
    let tree = read(text);
    let names: Vec<String> = tree
        .root()
        .unwrap()
        .descendants()
        .map(|element| format!("{}|{}", element.name().namespace, element.name().local))
        .collect();
    assert_eq!(names, ["urn:1|x", "urn:d|y", "urn:2|z", "|w", "|v", "urn:1|z"]);
    let root = tree.root().unwrap();
    let values = |element: Element<'_>| -> Vec<String> {
        let name = |attribute: &Attribute<'_>| attribute.name().namespace.to_owned();
        element.attributes().map(|found| format!("{}={}", name(&found), found.value())).collect()
    };
    assert_eq!(values(root), ["=0", "urn:1=1"]);
    let inner = root.child("urn:d", "y").unwrap().child("urn:2", "z").unwrap();
    assert_eq!(values(inner), ["urn:2=2"]);
    assert_eq!(inner.namespace_of("a"), Some("urn:2"));
    assert_eq!(inner.namespace_of(""), Some("urn:d"));
    assert_eq!(root.child("urn:d", "y").unwrap().child("", "w").unwrap().namespace_of(""), None);
    assert_eq!(read(&written(&tree)), tree);
}

#[test]
fn text_is_one_piece_whatever_it_is_made_of() {
    let tree = read("<a>R&amp;D <!-- no -->&#x4E2D;<![CDATA[<b> & ]]><?no?>end\r\n</a>");
    let root = tree.root().unwrap();
    assert_eq!(root.only_text(), Some("R&D 中<b> & end\n"));
    assert_eq!(root.text(), "R&D 中<b> & end\n");
    assert_eq!(read(&written(&tree)), tree);
}

#[test]
fn white_space_is_kept_where_text_is() {
    let count = |text: &str| read(text).root().unwrap().children().count();
    assert_eq!(count("<a>\n <b/>\n <c/>\n</a>"), 2);
    assert_eq!(count("<a> </a>"), 1);
    assert_eq!(count("<a> <b/> <c/> d</a>"), 5);
    assert_eq!(count("<a/>"), 0);
    let mixed = read("<p> <b>x</b> <i> y</i>, z</p>");
    assert_eq!(mixed.root().unwrap().text(), " x  y, z");
    assert_eq!(written(&mixed), "<p> <b>x</b> <i> y</i>, z</p>");
    assert_eq!(read("<a> <b/> </a>"), read("<a><b></b></a>"));
    assert_ne!(read("<a><b/><c/></a>"), read("<a><b><c/></b></a>"));
    assert_ne!(read("<a b='1' c='2'/>"), read("<a c='2' b='1'/>"));
}

#[test]
fn every_value_has_an_index_of_its_own() {
    let tree = read("<a b='1' c='2'>x<d e='3'>y</d>z</a>");
    let mut seen = vec![false; tree.value_count()];
    for element in tree.root().unwrap().descendants() {
        let texts = element.children().filter_map(|node| match node {
            Node::Text(text) => Some(text.index()),
            Node::Element(_) => None,
        });
        for index in element.attributes().map(|attribute| attribute.index()).chain(texts) {
            assert!(!seen[index]);
            seen[index] = true;
        }
    }
    assert_eq!(seen.iter().filter(|seen| **seen).count(), 6);
}

#[test]
fn what_breaks_a_limit_or_a_rule_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    let attributes: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    let long = format!("<a>{}</a>", "x".repeat(MAX_TEXT_BYTES + 1));
    for (text, code) in [
        (deep.as_str(), "xml.depth"),
        (&format!("<a{attributes}/>"), "xml.attributes"),
        (&long, "xml.text_size"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "xml.doctype"),
        ("<a>&nbsp;</a>", "xml.entity"),
        ("<a b='&nbsp;'/>", "xml.entity"),
        ("<a>&#xD800;</a>", "xml.entity"),
        ("<a b='1' b='2'/>", "xml.syntax"),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "xml.syntax"),
        ("<a b=1/>", "xml.syntax"),
        ("<a><b></a></b>", "xml.syntax"),
        ("<a:b:c/>", "xml.name"),
        ("<a+/>", "xml.name"),
        ("<a/>b", "xml.text"),
        ("<a/><b/>", "xml.syntax"),
        ("<a>", "xml.truncated"),
        ("", "xml.syntax"),
    ] {
        let start: String = text.chars().take(60).collect();
        assert_eq!(read_with(text, false).0.err(), Some(code), "{start}");
    }
}

#[test]
fn what_is_odd_is_told() {
    let warned = |text: &str, repair: bool| -> Vec<String> {
        let (tree, warnings) = read_with(text, repair);
        assert!(tree.is_ok(), "{text}");
        warnings.into_iter().map(|w| format!("{}: {}", w.code, w.message)).collect()
    };
    let ampersands = "<a b='?c&d=e'>Hay & Straw; more & more</a>";
    assert_eq!(warned(ampersands, false), ["xml.ampersand: 3 ampersands are not escaped"]);
    let (tree, _) = read_with(ampersands, false);
    let tree = tree.unwrap();
    assert_eq!(tree.root().unwrap().text(), "Hay & Straw; more & more");
    assert_eq!(tree.root().unwrap().attributes().next().unwrap().value(), "?c&d=e");
    assert_eq!(read(&written(&tree)), tree);
    assert_eq!(
        warned("<a>x\u{1}</a>", false),
        ["xml.control_character: 1 control characters that XML does not allow, \
          the first at byte 4"]
    );
    assert_eq!(
        warned("<a>&#x0;&#x1F;</a>", false),
        ["xml.control_character: 2 control characters that XML does not allow, by reference"]
    );
    assert_eq!(
        warned("<dc:a><dc:b x:c=''/></dc:a>", false),
        [
            "xml.prefix: prefix dc is bound to no namespace",
            "xml.prefix: prefix x is bound to no namespace"
        ]
    );
    assert_eq!(
        warned("<dc:a/>", true),
        [
            "xml.prefix: prefix dc is bound to no namespace, read as http://purl.org/dc/elements/1.1/"
        ]
    );
    assert_eq!(
        warned("<a b='&eacute;'>&nbsp;&ndash;&nbsp;&#xD800;</a>", true),
        [
            "xml.entity: &eacute; is read as U+00E9, 1 times, first at byte 16",
            "xml.entity: &nbsp; is read as U+00A0, 2 times, first at byte 16",
            "xml.entity: &ndash; is read as U+2013, 1 times, first at byte 22",
            "xml.entity: &#xD800; is read as U+FFFD, 1 times, first at byte 35"
        ]
    );
}

#[test]
fn what_xml_cannot_carry_is_replaced_and_counted() {
    let (tree, _) = read_with("<a b='\u{1}'>\u{1B}&#2;x\u{FFFE}</a>", false);
    let mut out = String::new();
    assert_eq!(tree.unwrap().write(&mut out), 4);
    assert_eq!(out, "<a b=\"\u{FFFD}\">\u{FFFD}\u{FFFD}x\u{FFFD}</a>");
}

#[test]
fn an_element_is_written_with_the_declarations_around_it() {
    let tree = read(
        "<r xmlns='urn:d' xmlns:p='urn:p' xmlns:q='urn:q'><p:a q:b='1' xmlns:q='urn:2' t='p:x'/></r>",
    );
    let mut out = String::new();
    tree.root().unwrap().child("urn:p", "a").unwrap().write(&mut out);
    let expected = "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:p\" xmlns:q=\"urn:2\" q:b=\"1\" t=\"p:x\"/>";
    assert_eq!(out, expected);
}

#[test]
fn a_tree_can_be_built_and_used_again() {
    let mut tree = read("<old>text</old>");
    let mut builder = Builder::new(&mut tree);
    builder.open("urn:1", "a", "root");
    builder.attribute("", "", "plain", "1");
    builder.attribute(XML_NAMESPACE, "xml", "lang", "de");
    builder.open("urn:1", "a", "child");
    builder.text("x ");
    builder.text("< y");
    builder.close();
    builder.open("urn:2", "", "other");
    builder.finish();
    let expected = "<a:root xmlns:a=\"urn:1\" plain=\"1\" xml:lang=\"de\">\
                    <a:child>x &lt; y</a:child><other xmlns=\"urn:2\"/></a:root>";
    assert_eq!(written(&tree), expected);
    assert_eq!(read(expected), tree);
    let child = tree.root().unwrap().child("urn:1", "child").unwrap();
    assert_eq!(child.language(), Some("de"));
}

fn piece() -> impl Strategy<Value = String> {
    let marks = [
        "<a>",
        "</a>",
        "<b c='1'>",
        "</b>",
        "<p:d xmlns:p='urn:1'>",
        "</p:d>",
        "<e xmlns='urn:2'/>",
        "text",
        " ",
        "&amp;",
        "&#65;",
        "&",
        ";",
        "<![CDATA[x]]>",
        "<!--",
        "-->",
        "<f q:g='&lt;'/>",
        "\r\n",
        "<",
        "ä",
        "<a xmlns=''>",
        "\"",
        "<?x?>",
        "\u{1}",
    ];
    prop_oneof![8 => prop::sample::select(marks.to_vec()).prop_map(str::to_owned), 1 => ".{0,3}"]
}

// A well-formed document; with odd pieces, which need the whole reader, or refuse it.
fn document(odd: bool) -> impl Strategy<Value = String> {
    let plain = [
        "text",
        " ",
        "\n",
        "\t",
        "ä",
        "&amp;",
        "&#228;",
        "&#13;",
        "]]>",
        "<e xmlns='urn:2'/>",
        "<p:e p:x='1' x='2' />",
        "<f y='&quot; > \"' />",
        "<g xmlns:q='urn:3' q:y=''\n></g>",
    ];
    let odder = [
        "&#1;",
        "&nbsp;",
        "&",
        "\r",
        "\u{1}",
        "<!--c-->",
        "<![CDATA[x]]>",
        "<?x?>",
        "<q:g/>",
        "<f y='1' y='2'/>",
        "<f xmlns:q='urn:2' p:y='1' q:y='2'/>",
        "<f y='\t'/>",
        "<ä/>",
        "<f  >x</f >",
    ];
    let weight = u32::from(odd);
    let leaf = prop_oneof![
        8 => prop::sample::select(plain.to_vec()),
        weight => prop::sample::select(odder.to_vec()),
    ];
    let inside = leaf.prop_map(str::to_owned).prop_recursive(4, 40, 6, |inner| {
        let tags = [
            ("a", ""),
            ("p:b", ""),
            ("p:b", " xmlns:p='urn:3'"),
            ("c", " xmlns=''"),
            ("d", " xml:lang='de' p:k=\"v\""),
        ];
        (prop::sample::select(tags.to_vec()), prop::collection::vec(inner, 0..6)).prop_map(
            |((name, attributes), inside)| {
                format!("<{name}{attributes}>{}</{name}>", inside.concat())
            },
        )
    });
    prop::collection::vec(inside, 0..8)
        .prop_map(|inside| format!("<r xmlns='urn:1' xmlns:p='urn:2'>{}</r>\n", inside.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_one_scan_reads_is_what_the_whole_reader_reads(text in document(true), repair: bool) {
        let (read, warnings) = read_with(&text, repair);
        // A comment leaves a document to the whole reader.
        let whole = read_with(&format!("{text}<!---->"), repair);
        prop_assert_eq!((read, warnings), whole);
    }

    #[test]
    fn a_document_without_oddities_is_read_in_one_scan(text in document(false)) {
        let mut tree = Tree::default();
        tree.text.push_str(&text);
        prop_assert!(tree.read_plain(&text).is_some());
        let (whole, warnings) = read_with(&format!("{text}<!---->"), false);
        let whole = whole.unwrap();
        prop_assert_eq!(&warnings, &[]);
        prop_assert_eq!(tree.root(), whole.root());
        let declared = |tree: &Tree| tree.namespaces().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(declared(&tree), declared(&whole));
        prop_assert_eq!((tree.value_count(), tree.names()), (whole.value_count(), whole.names()));
    }

    #[test]
    fn what_was_read_is_read_again_from_what_is_written(pieces in prop::collection::vec(piece(), 0..24), repair: bool) {
        let text = format!("<a>{}</a>", pieces.concat());
        let (tree, _) = read_with(&text, repair);
        if let Ok(tree) = tree {
            let mut out = String::new();
            let replaced = tree.write(&mut out);
            let (again, _) = read_with(&out, false);
            let again = again.unwrap();
            if replaced == 0 {
                prop_assert_eq!(&again, &tree);
            }
            let mut twice = String::new();
            again.write(&mut twice);
            prop_assert_eq!(out, twice);
        }
    }
}
