//! `descriptions` and `about` of a site's file: the protocol's own containers, and free XML.

use crate::oai::container::{Icon, branding, friends, rights};
use crate::xml::Options;
use crate::xml::tree::Tree;
use crate::yaml::{Checker, Node};

/// Reads `descriptions`: what `Identify` has beside the scheme of identifiers.
pub(super) fn descriptions(check: &mut Checker, node: &Node) -> Vec<String> {
    let fields = check.fields(node, "descriptions", &["friends", "branding", "xml"]);
    let mut found = Vec::new();
    if let Some(node) = fields.get("friends") {
        let urls = check.one_or_many(node).iter().filter_map(|url| web_address(check, url));
        found.push(friends(&urls.collect::<Vec<_>>()));
    }
    if let Some(node) = fields.get("branding") {
        found.extend(icon(check, node).as_ref().map(branding));
    }
    found.extend(fields.get("xml").into_iter().flat_map(|node| elements(check, node)));
    found
}

/// Reads `about`: what stands beside the metadata of every record.
pub(super) fn about(check: &mut Checker, node: &Node) -> Vec<String> {
    let fields = check.fields(node, "about", &["rights", "xml"]);
    let reference = fields.get("rights").and_then(|node| web_address(check, node));
    let mut found: Vec<String> = reference.iter().map(|reference| rights(reference)).collect();
    found.extend(fields.get("xml").into_iter().flat_map(|node| elements(check, node)));
    found
}

fn icon(check: &mut Checker, node: &Node) -> Option<Icon> {
    let fields = check.fields(node, "branding", &["url", "link", "title", "width", "height"]);
    let url = check.required(fields, "url", "branding")?;
    let number =
        |check: &mut Checker, key: &str| fields.get(key).and_then(|node| check.number(node, key));
    Some(Icon {
        url: web_address(check, url)?,
        link: fields.get("link").and_then(|node| web_address(check, node)),
        title: fields.get("title").and_then(|node| check.text(node, "title")),
        width: number(check, "width"),
        height: number(check, "height"),
    })
}

fn web_address(check: &mut Checker, node: &Node) -> Option<String> {
    let text = check.text(node, "a URL")?;
    let fits = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme))
        && !text.contains(char::is_whitespace);
    if !fits {
        let message = format!("`{text}` is no URL, expected http:// or https://");
        check.error("E0103", node.span, message);
    }
    fits.then_some(text)
}

fn elements(check: &mut Checker, node: &Node) -> Vec<String> {
    check.one_or_many(node).iter().filter_map(|node| element(check, node)).collect()
}

/// One element that stands alone: read, and written anew, so that it cannot break an answer.
fn element(check: &mut Checker, node: &Node) -> Option<String> {
    let text = check.text(node, "xml")?;
    let (mut tree, mut warnings) = (Tree::default(), Vec::new());
    let read = tree.read(text.trim(), Options::default(), &mut warnings);
    let mistake = match (read, warnings.first(), tree.root()) {
        (Err(error), ..) => error.message,
        (Ok(()), Some(warning), _) => warning.message.clone(),
        (Ok(()), None, None) => "there is no element".to_owned(),
        (Ok(()), None, Some(root)) if root.namespace().is_empty() => {
            format!("element {} is in no namespace", root.local())
        }
        (Ok(()), None, Some(root)) => {
            let mut written = String::new();
            root.write(&mut written);
            return Some(written);
        }
    };
    check.error("E0103", node.span, format!("xml is not well-formed: {mistake}"));
    None
}
