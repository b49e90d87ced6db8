//! XML selectors on small trees.

use proptest::prelude::*;

use super::*;
use crate::xml::Options;
use crate::xml::tree::Tree;

const RECORD: &str = r#"<r xmlns="urn:one" xmlns:b="urn:two" xmlns:xlink="urn:link" id="1">
  <titles><title type="main" xml:lang="de">Heu</title><title>Stroh</title>
    <b:title type="other">Gras</b:title></titles>
  <agents>
    <agent role="author"><name kind="p">Ada</name><id scheme="ORCID">o1</id><id scheme="isni">i1</id></agent>
    <agent role="editor"><org kind="o">Mowers</org></agent>
    <agent><name> Cy </name><agent role="author"><name>Dee</name></agent></agent>
  </agents>
  <note>a <i>b</i> c</note>
  <link xlink:href="https://example.org/"/>
</r>"#;

fn namespaces() -> Namespaces {
    let one = |prefix: &str, namespaces: &[&str]| {
        (prefix.to_owned(), namespaces.iter().map(|&namespace| namespace.to_owned()).collect())
    };
    Namespaces::new(vec![
        one("", &["urn:zero", "urn:one"]),
        one("b", &["urn:two"]),
        one("xlink", &["urn:link"]),
        one("w", &["*"]),
    ])
}

fn tree(text: &str) -> Tree {
    let mut tree = Tree::default();
    tree.read(text, Options::default(), &mut Vec::new()).unwrap();
    tree
}

fn select(tree: &Tree, root: Element<'_>, current: XmlNode<'_>, path: &str) -> Vec<String> {
    assert_eq!(tree.root().map(Element::index), Some(root.tree().root().unwrap().index()));
    let parsed = XmlPath::parse(path, &namespaces()).unwrap_or_else(|e| panic!("{path}: {e:?}"));
    let mut values = Vec::new();
    parsed.select(root, current, &mut |node| values.push(node.text().into_owned()));
    values
}

#[test]
fn paths_lead_to_their_nodes_in_document_order() {
    let tree = tree(RECORD);
    let root = tree.root().unwrap();
    for (path, expected) in [
        ("titles/title", &["Heu", "Stroh"][..]),
        ("titles/b:title", &["Gras"]),
        ("titles/*:title", &["Heu", "Stroh", "Gras"]),
        ("titles/w:title", &["Heu", "Stroh", "Gras"]),
        ("titles/*", &["Heu", "Stroh", "Gras"]),
        ("titles/b:*", &["Gras"]),
        ("/r/titles/title", &["Heu", "Stroh"]),
        ("/titles", &[]),
        ("@id", &["1"]),
        ("/@id", &["1"]),
        ("//@id", &["1"]),
        ("@*", &["1"]),
        ("titles/title/@type", &["main"]),
        ("titles/title/@xml:lang", &["de"]),
        ("titles/title/@*", &["main", "de"]),
        ("link/@xlink:href", &["https://example.org/"]),
        ("link/@href", &[]),
        ("link/@*:href", &["https://example.org/"]),
        ("//name", &["Ada", " Cy ", "Dee"]),
        (".//name", &["Ada", " Cy ", "Dee"]),
        ("//agent/name", &["Ada", " Cy ", "Dee"]),
        ("agents/agent/name", &["Ada", " Cy "]),
        ("agents//agent//name", &["Ada", " Cy ", "Dee"]),
        ("//agent/agent/..", &[" Cy Dee"]),
        ("//name/../@role", &["author", "author"]),
        ("note", &["a b c"]),
        ("note/text()", &["a ", " c"]),
        ("note//text()", &["a ", "b", " c"]),
        ("//r/@id", &["1"]),
        ("agents/agent[1]/name", &["Ada"]),
        ("agents/agent[last()]/name", &[" Cy "]),
        ("//agent[1]/name", &["Ada", "Dee"]),
        ("//agent[last()]/name", &[" Cy ", "Dee"]),
        ("agents/agent[9]", &[]),
        ("titles/title[@type='main']", &["Heu"]),
        ("titles/title[@type!='main']", &[]),
        ("titles/title[not(@type='main')]", &["Stroh"]),
        ("titles/title[@type]", &["Heu"]),
        ("titles/title[not(@type)]", &["Stroh"]),
        ("titles/title[.='Stroh']", &["Stroh"]),
        ("titles/title[. = \"Stroh\" or @type]", &["Heu", "Stroh"]),
        ("titles/title[@type and @xml:lang='de']", &["Heu"]),
        ("titles/*[(@type='main' or @type='other') and not(@xml:lang)]", &["Gras"]),
        ("titles/title[starts-with(., 'St')]", &["Stroh"]),
        ("titles/*[contains(., 'r')][2]", &["Gras"]),
        ("agents/agent[name='Cy']/agent/name", &["Dee"]),
        ("agents/agent[name/@kind='p']/@role", &["author"]),
        ("agents/agent[id[@scheme='ORCID']='o1']/@role", &["author"]),
        ("agents/agent/id[lower-case(@scheme)='orcid']", &["o1"]),
        ("agents/agent[(name|org)/@kind]/@role", &["author", "editor"]),
        ("agents/agent[org|id]/@role", &["author", "editor"]),
        ("agents/agent[../../@id='1'][1]/name", &["Ada"]),
        ("agents/agent/(name|org)/@kind", &["p", "o"]),
        ("agents/agent/(org|name)", &["Ada", "Mowers", " Cy "]),
        ("(//name|//org)[2]", &["Mowers"]),
        ("note|titles/title", &["Heu", "Stroh", "a b c"]),
        ("//name | agents/agent/name", &["Ada", " Cy ", "Dee"]),
        ("titles/title/@xml:lang|titles/title|@id", &["1", "Heu", "de", "Stroh"]),
        (".", &[&root.text()]),
        ("/", &[&root.text()]),
    ] {
        assert_eq!(select(&tree, root, XmlNode::Element(root), path), expected, "{path}");
    }
}

#[test]
fn relative_paths_begin_at_the_current_node() {
    let tree = tree(RECORD);
    let root = tree.root().unwrap();
    let title = root.descendants().find(|element| element.name().local == "title").unwrap();
    let attribute = title.attributes().next().unwrap();
    let at = |current, path| select(&tree, root, current, path);
    assert_eq!(at(XmlNode::Element(title), "@type"), ["main"]);
    assert_eq!(at(XmlNode::Element(title), "../title[2]"), ["Stroh"]);
    assert_eq!(at(XmlNode::Element(title), "/@id"), ["1"]);
    assert_eq!(at(XmlNode::Attribute(attribute), "."), ["main"]);
    assert_eq!(at(XmlNode::Attribute(attribute), ".."), ["Heu"]);
    assert_eq!(at(XmlNode::Attribute(attribute), "title"), [] as [&str; 0]);
}

#[test]
fn the_header_of_oai_pmh_is_read_from_anywhere() {
    let tree = tree(concat!(
        "<record xmlns='http://www.openarchives.org/OAI/2.0/'><header status='deleted'>",
        "<identifier>oai:x:1</identifier><datestamp>2024-01-01</datestamp>",
        "<setSpec>a</setSpec><setSpec>b</setSpec></header>",
        "<metadata><r xmlns='urn:one'><t>x</t></r></metadata></record>"
    ));
    let record = tree.root().unwrap().descendants().find(|e| e.name().local == "r").unwrap();
    let current = XmlNode::Element(record.elements().next().unwrap());
    for (path, expected) in [
        ("@oai:identifier", &["oai:x:1"][..]),
        ("@oai:datestamp", &["2024-01-01"]),
        ("@oai:setSpec", &["a", "b"]),
        ("@oai:setSpec[last()]", &["b"]),
        ("@oai:status", &["deleted"]),
        ("t|@oai:identifier", &["oai:x:1"]),
        ("/t", &[]),
        ("/r/t", &["x"]),
        ("//t", &["x"]),
    ] {
        assert_eq!(select(&tree, record, current, path), expected, "{path}");
    }
}

#[test]
fn what_predicates_compare_is_told() {
    let tree = tree(RECORD);
    let root = tree.root().unwrap();
    for (path, expected) in [
        ("titles/title", &[][..]),
        ("titles/title[@type]", &[]),
        ("titles/*[@type='main']", &["main"]),
        ("titles/*[not(@type='main')]", &["other"]),
        ("agents/agent[name/@kind='p' or @role='x']/id", &["p", "author"]),
        ("(titles|agents)/title[@type='main']/@xml:lang", &["main"]),
    ] {
        let path = XmlPath::parse(path, &namespaces()).unwrap();
        let mut read = Vec::new();
        path.visit(root, XmlNode::Element(root), &mut |visit| {
            if let Visit::Read(node) = visit {
                read.push(node.text().into_owned());
            }
        });
        assert_eq!(read, expected, "{path:?}");
    }
}

#[test]
fn the_values_behind_a_text_have_their_numbers() {
    let tree = tree("<r a='1'>x<i b='2'>y</i>\n<e/>z</r>");
    let root = tree.root().unwrap();
    let mut origins = Vec::new();
    XmlNode::Element(root).origins(&mut |index| origins.push(index));
    let texts: Vec<usize> = root.texts().map(|text| text.index()).collect();
    assert_eq!(origins.len(), 4, "x, y, the line break, z: {origins:?}");
    assert!(texts.iter().all(|index| origins.contains(index)));
    let attribute = root.attributes().next().unwrap();
    let mut origins = Vec::new();
    XmlNode::Attribute(attribute).origins(&mut |index| origins.push(index));
    assert_eq!(origins, [attribute.index()]);
}

#[test]
fn a_path_knows_the_names_without_which_it_leads_nowhere() {
    for (path, expected) in [
        ("titles/title", vec![vec!["titles", "title"]]),
        ("a|b/c", vec![vec!["a"], vec!["b", "c"]]),
        ("//x/@y", vec![vec!["x", "y"]]),
        ("*/x/..", vec![vec!["x"]]),
        ("a[@y]/x", vec![vec!["a"]]),
        ("*[@y]/x", vec![vec![]]),
        ("(a|b)/x", vec![vec![]]),
        (".|@*", vec![vec![], vec![]]),
    ] {
        let parsed = XmlPath::parse(path, &namespaces()).unwrap();
        let set = |names: Vec<&str>| {
            let names = names.into_iter().map(|name| NameSet::of(&LocalName::new(name)));
            names.fold(NameSet::default(), NameSet::union)
        };
        let expected: Vec<NameSet> = expected.into_iter().map(set).collect();
        assert_eq!(parsed.needs, expected, "{path}");
    }
    let names = tree("<a><b c='1'/></a>").names();
    let may_lead = |path| XmlPath::parse(path, &namespaces()).unwrap().may_lead(names);
    assert!(may_lead("a/b") && may_lead("b/@c") && may_lead("d|b") && !may_lead("a/d"));
}

/// A small element with elements, attributes and texts of few names in it.
fn elements() -> impl Strategy<Value = String> {
    let attributes = "( a='1')?( b='2')?";
    let leaf = (attributes, "[ab]", "t?")
        .prop_map(|(attributes, name, text)| format!("<{name}{attributes}>{text}</{name}>"));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (attributes, "[abc]", proptest::collection::vec(inner, 0..4), "t?").prop_map(
            |(attributes, name, inside, text)| {
                format!("<{name}{attributes}>{}{text}</{name}>", inside.concat())
            },
        )
    })
}

proptest! {
    #[test]
    fn a_plain_path_covers_what_it_is_walked_to(
        text in elements(),
        path in "(/|//)?(a|b|\\*|\\.)((/|//)(a|b|c|\\*|\\.)){0,3}((/|//)(@a|@\\*|text\\(\\)))?(\\|b/@b)?",
        record in 0_usize..3,
    ) {
        let any = Namespaces::new(vec![(String::new(), vec!["*".to_owned()])]);
        let Ok(path) = XmlPath::parse(&path, &any) else { return Ok(()) };
        prop_assert!(path.is_plain());
        let tree = tree(&text);
        let outermost = tree.root().unwrap();
        // The record may stand in others.
        let record = outermost.descendants().nth(record).unwrap_or(outermost);
        let mut walked = Vec::new();
        path.select(record, XmlNode::Element(record), &mut |node| walked.push(node));
        for element in outermost.descendants() {
            let attributes = element.attributes().map(XmlNode::Attribute);
            let texts = element.texts().map(XmlNode::Text);
            for node in [XmlNode::Element(element)].into_iter().chain(attributes).chain(texts) {
                let covers = path.covers(record, node, node.names());
                let expected = node.and_around().any(|node| walked.contains(&node));
                prop_assert_eq!(covers, expected, "{:?} in {}", node, &text);
            }
        }
    }
}

#[test]
fn a_path_that_looks_around_is_not_asked_from_below() {
    for path in ["a[@b]", "a/..", "(a|b)/@c", "@oai:status", "a|b[1]"] {
        assert!(!XmlPath::parse(path, &namespaces()).unwrap().is_plain(), "{path}");
    }
}

#[test]
fn a_mistake_is_placed() {
    for (path, at, message) in [
        ("", 0, "found the end, expected a name, `@`, `.`, `*` or `(`"),
        ("a/", 2, "found the end, expected a name, `@`, `.`, `*` or `(`"),
        ("a b", 2, "found `b`, expected `/`, `[`, `|` or the end of the selector"),
        ("a/dc:b", 2, "`from.ns` has no namespace for the prefix `dc`"),
        ("@oai:about", 1, "found `@oai:about`, expected identifier, datestamp, setSpec or status"),
        ("a/@oai:setSpec", 2, "the OAI header is read from its beginning: `@oai:identifier`"),
        ("a[@b=c]", 5, "found `c`, expected a quoted text"),
        ("a[@b='c]", 5, "a quote that is not closed"),
        ("a[0]", 2, "positions begin at 1"),
        ("a[1", 3, "found the end, expected `]`"),
        ("(a|b", 4, "found the end, expected `)`"),
        ("a[not(@b]", 8, "found `]`, expected `)`"),
        ("1a", 0, "found `1`, expected a name, `@`, `.`, `*` or `(`"),
        ("a:", 2, "found the end, expected a name behind the prefix"),
    ] {
        let error = XmlPath::parse(path, &namespaces()).expect_err(path);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{path}");
    }
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(XmlPath::parse(&deep, &namespaces()).expect_err("deep").at, 17);
}
