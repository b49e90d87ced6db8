//! A page for people: titles, lines, tables and lists, as text, Markdown or HTML.

use std::io::{Result, Write};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// Markdown with tables.
    Markdown,
    /// One HTML document that needs nothing beside it.
    Html,
}

/// A page that is being written.
pub struct Sheet<'o> {
    out: &'o mut dyn Write,
    form: Form,
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<style>\nbody { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }\n\
table { border-collapse: collapse } th, td { padding: .2em .8em; text-align: left; \
border-bottom: 1px solid #ccc; vertical-align: top }\ntd.number { text-align: right; \
font-variant-numeric: tabular-nums }\ncode { font-size: 90% }\n</style>\n";

impl<'o> Sheet<'o> {
    /// A page for a terminal.
    pub fn text(out: &'o mut dyn Write) -> Sheet<'o> {
        Sheet { out, form: Form::Text }
    }

    /// A page in this form; [`Sheet::end`] completes it.
    pub fn new(out: &'o mut dyn Write, form: Form) -> Sheet<'o> {
        Sheet { out, form }
    }

    /// The first line of the page.
    pub fn title(&mut self, title: &str) -> Result<()> {
        match self.form {
            Form::Text => writeln!(self.out, "{title}"),
            Form::Markdown => writeln!(self.out, "# {}", markdown(title)),
            Form::Html => {
                let title = html(title);
                write!(
                    self.out,
                    "{HEAD}<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n"
                )
            }
        }
    }

    /// The title of what follows.
    pub fn section(&mut self, title: &str) -> Result<()> {
        match self.form {
            Form::Text => writeln!(self.out, "\n{title}:"),
            Form::Markdown => writeln!(self.out, "\n## {}", markdown(title)),
            Form::Html => writeln!(self.out, "<h2>{}</h2>", html(title)),
        }
    }

    /// Space between two parts; HTML has it anyway.
    pub fn gap(&mut self) -> Result<()> {
        if self.form == Form::Html { Ok(()) } else { writeln!(self.out) }
    }

    /// A line of its own.
    pub fn line(&mut self, text: &str) -> Result<()> {
        match self.form {
            Form::Text => writeln!(self.out, "{text}"),
            Form::Markdown => writeln!(self.out, "{}\n", markdown(text)),
            Form::Html => writeln!(self.out, "<p>{}</p>", html(text)),
        }
    }

    /// A list, and how many more there are than it has.
    pub fn list(&mut self, lines: &[String], more: u64) -> Result<()> {
        if self.form == Form::Html {
            writeln!(self.out, "<ul>")?;
        } else if self.form == Form::Markdown {
            writeln!(self.out)?;
        }
        let more = (more > 0).then(|| format!("and {more} more"));
        for line in lines.iter().chain(&more) {
            match self.form {
                Form::Text => writeln!(self.out, "  {line}")?,
                Form::Markdown => writeln!(self.out, "- {}", markdown(line))?,
                Form::Html => writeln!(self.out, "<li>{}</li>", html(line))?,
            }
        }
        if self.form == Form::Html { writeln!(self.out, "</ul>") } else { Ok(()) }
    }

    /// A table with a head; columns of whole numbers stand to the right.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
        match self.form {
            Form::Text => self.text_table(head, rows),
            Form::Markdown => self.markdown_table(head, rows),
            Form::Html => self.html_table(head, rows),
        }
    }

    /// Completes the page.
    pub fn end(self) -> Result<()> {
        if self.form == Form::Html { write!(self.out, "</body>\n</html>\n") } else { Ok(()) }
    }

    fn text_table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let mut widths: Vec<usize> = head.iter().map(|name| name.len()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let numeric = numeric_columns(head.len(), rows);
        let mut line = |cells: &mut dyn Iterator<Item = &str>| -> Result<()> {
            let mut text = String::from("  ");
            for (column, ((cell, width), is_number)) in cells.zip(&widths).zip(&numeric).enumerate()
            {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                let right = column > 0 && *is_number;
                let cell = if right { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") };
                text.push_str(&cell);
            }
            writeln!(self.out, "{}", text.trim_end())
        };
        line(&mut head.iter().copied())?;
        for row in rows {
            line(&mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }

    fn markdown_table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let numeric = numeric_columns(head.len(), rows);
        let rules: Vec<&str> =
            numeric.iter().map(|is_number| if *is_number { "--:" } else { "---" }).collect();
        writeln!(self.out, "\n| {} |\n|{}|", head.join(" | "), rules.join("|"))?;
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| markdown(cell)).collect();
            writeln!(self.out, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    fn html_table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let names: String = head.iter().map(|name| format!("<th>{}</th>", html(name))).collect();
        writeln!(self.out, "<table>\n<tr>{names}</tr>")?;
        let numeric = numeric_columns(head.len(), rows);
        for row in rows {
            write!(self.out, "<tr>")?;
            for (cell, is_number) in row.iter().zip(&numeric) {
                let class = if *is_number { " class=\"number\"" } else { "" };
                write!(self.out, "<td{class}>{}</td>", html(cell))?;
            }
            writeln!(self.out, "</tr>")?;
        }
        writeln!(self.out, "</table>")
    }
}

// Which columns hold nothing but whole numbers.
fn numeric_columns(columns: usize, rows: &[Vec<String>]) -> Vec<bool> {
    let mut numeric = vec![true; columns];
    for row in rows {
        for (is_number, cell) in numeric.iter_mut().zip(row) {
            *is_number &= cell.bytes().all(|byte| byte.is_ascii_digit());
        }
    }
    numeric
}

// What a reader of Markdown would take for a mark, and a cell for its end.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '<' | '*' | '_' | '`' | '\\' | '[' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(form: Form) -> String {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, form);
        sheet.title("a <run>").unwrap();
        sheet.section("lost").unwrap();
        let rows =
            [vec!["245$a|x".to_owned(), "12".to_owned()], vec!["é".to_owned(), "3".to_owned()]];
        sheet.table(&["field", "records"], &rows).unwrap();
        sheet.list(&["first & last".to_owned()], 2).unwrap();
        sheet.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_is_the_same_in_every_form() {
        assert_eq!(
            page(Form::Text),
            "a <run>\n\nlost:\n  field    records\n  245$a|x       12\n  é              3\n  \
             first & last\n  and 2 more\n"
        );
        assert_eq!(
            page(Form::Markdown),
            "# a \\<run>\n\n## lost\n\n| field | records |\n|---|--:|\n| 245$a\\|x | 12 |\n\
             | é | 3 |\n\n- first & last\n- and 2 more\n"
        );
        let html = page(Form::Html);
        assert!(html.contains("<h1>a &lt;run&gt;</h1>"), "{html}");
        assert!(html.contains("<tr><td>245$a|x</td><td class=\"number\">12</td></tr>"), "{html}");
        assert!(html.contains("<li>first &amp; last</li>\n<li>and 2 more</li>"), "{html}");
        assert!(html.ends_with("</ul>\n</body>\n</html>\n"), "{html}");
    }
}
