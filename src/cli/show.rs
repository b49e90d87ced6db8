//! Reports as tables for people.

use std::io::{Result, Write};

use crate::crosswalk::account::{AccountReport, State};
use crate::pipeline::{Findings, Report, SKIPPED_MEMBER};
use crate::store::Counts;

/// So many fields of an account are enough for a summary.
pub const LINES: usize = 15;

/// A table with a head, columns of whole numbers to the right.
pub fn table(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or(0)
    };
    let line = |out: &mut dyn Write, cells: &mut dyn Iterator<Item = &str>| -> Result<()> {
        let mut text = String::from("  ");
        for (column, cell) in cells.enumerate() {
            let pad = " ".repeat(width(column).saturating_sub(cell.chars().count()));
            let right = column > 0 && is_numeric(rows, column);
            text.push_str(&if right { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(out, &mut head.iter().copied())?;
    for row in rows {
        line(out, &mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

fn is_numeric(rows: &[Vec<String>], column: usize) -> bool {
    rows.iter()
        .filter_map(|row| row.get(column))
        .all(|cell| cell.chars().all(|c| c.is_ascii_digit()))
}

/// A run's report.
pub fn report(report: &Report, out: &mut dyn Write) -> Result<()> {
    let run = report.run_id.map_or("dry run".to_owned(), |id| format!("run {id}"));
    let again =
        if report.attempt > 1 { format!(", attempt {}", report.attempt) } else { String::new() };
    writeln!(out, "{} ({run}{again}), {:.1} s", report.pipeline, report.seconds)?;
    writeln!(out)?;
    let created = if report.dry_run { "would load" } else { "created" };
    let head =
        ["file", "read", created, "updated", "unchanged", "deleted", "skipped", "quarantined"];
    let row = |name: &str, counts: &Counts| -> Vec<String> {
        let numbers = [
            counts.read,
            counts.created,
            counts.updated,
            counts.unchanged,
            counts.deleted,
            counts.skipped,
            counts.quarantined,
        ];
        std::iter::once(name.to_owned()).chain(numbers.iter().map(u64::to_string)).collect()
    };
    let mut rows: Vec<_> =
        report.splits.iter().map(|split| row(&split.name, &split.counts)).collect();
    rows.push(row("total", &report.counts));
    table(out, &head, &rows)?;
    if let Some(time) = &report.scheduled {
        writeln!(out, "\nscheduled: {time}")?;
    }
    for harvest in &report.harvests {
        writeln!(
            out,
            "\nharvested: {} records ({} deleted) on {} pages, {} windows{}",
            harvest.records,
            harvest.deleted,
            harvest.pages,
            harvest.windows.len(),
            if harvest.complete { "" } else { ", NOT COMPLETE" }
        )?;
    }
    if let Some(compared) = &report.reconciled {
        writeln!(
            out,
            "\nreconciled: {} listed, {} live here, {} missing, {} deleted{}",
            compared.listed,
            compared.live,
            compared.missing,
            compared.deleted,
            if compared.refused.is_some() { ", REFUSED" } else { "" }
        )?;
    }
    let c = &report.counts;
    writeln!(
        out,
        "\nbalance: {} read = {} {created} + {} updated + {} unchanged + {} deleted + {} skipped \
         + {} quarantined{}",
        c.read,
        c.created,
        c.updated,
        c.unchanged,
        c.deleted,
        c.skipped,
        c.quarantined,
        if report.balanced { "" } else { "  DOES NOT BALANCE" }
    )?;
    let findings = Findings {
        account: report.account.clone(),
        rejections: report.rejections.clone(),
        reasons: report.reasons.clone(),
        skipped_members: report.skipped_members.clone(),
    };
    account(&findings.account, LINES, out)?;
    warnings(&findings.account, out)?;
    skipped_members(&findings, out)?;
    rejections("quarantined", &findings, out)
}

/// What became of the values of records; the first `top` fields of those that are not in the
/// output, those with most values first.
pub fn account(account: &AccountReport, top: usize, out: &mut dyn Write) -> Result<()> {
    let (values, bytes) = account.coverage();
    writeln!(out, "coverage: {values:.1} % of values, {bytes:.1} % of bytes")?;
    let mut lost = Vec::new();
    for (name, states) in &account.fields {
        for state in [State::Unmapped, State::Failed, State::Dropped] {
            if let Some(counter) = states.get(&state) {
                lost.push((counter.values, name, state, counter));
            }
        }
    }
    if !lost.is_empty() {
        lost.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let more = lost.len().saturating_sub(top);
        let rows: Vec<Vec<String>> = lost
            .iter()
            .take(top)
            .map(|(values, name, state, counter)| {
                let sample = counter.samples.first();
                let sample = sample.map_or(String::new(), |(id, value)| format!("{id}: {value:?}"));
                let state = format!("{state:?}").to_lowercase();
                vec![
                    (*name).clone(),
                    counter.records.to_string(),
                    values.to_string(),
                    state,
                    sample,
                ]
            })
            .collect();
        writeln!(out, "\nnot in the output:")?;
        table(out, &["field", "records", "values", "state", "sample"], &rows)?;
        if more > 0 {
            writeln!(out, "  and {more} more; --json has all")?;
        }
    }
    let mut rows = Vec::new();
    for (rule, codes) in &account.problems {
        for (code, problem) in codes {
            let sample = problem.samples.first();
            let sample = sample.map_or(String::new(), |(id, value)| format!("{id}: {value:?}"));
            rows.push(vec![rule.clone(), code.clone(), problem.count.to_string(), sample]);
        }
    }
    if !rows.is_empty() {
        writeln!(out, "\nskipped values:")?;
        table(out, &["rule", "code", "times", "sample"], &rows)?;
    }
    Ok(())
}

/// The warnings by code.
pub fn warnings(account: &AccountReport, out: &mut dyn Write) -> Result<()> {
    if !account.warnings.is_empty() {
        writeln!(out, "\nwarnings:")?;
        let rows: Vec<_> = account
            .warnings
            .iter()
            .map(|(code, count)| vec![code.clone(), count.to_string()])
            .collect();
        table(out, &["code", "times"], &rows)?;
    }
    Ok(())
}

/// The members of archives that hold no records, the first by name.
pub fn skipped_members(findings: &Findings, out: &mut dyn Write) -> Result<()> {
    let all = findings.account.warnings.get(SKIPPED_MEMBER).copied().unwrap_or(0);
    list("members of archives that hold no records", &findings.skipped_members, all, out)
}

/// The first records that were rejected, each with its reason.
pub fn rejections(title: &str, findings: &Findings, out: &mut dyn Write) -> Result<()> {
    list(title, &findings.rejections, findings.reasons.values().sum(), out)
}

fn list(title: &str, lines: &[String], all: u64, out: &mut dyn Write) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}:")?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    let more = all.saturating_sub(lines.len() as u64);
    if more > 0 {
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}
