//! Reports as tables for people.

mod sheet;

use std::collections::BTreeMap;
use std::io::Result;

use crate::crosswalk::account::{AccountReport, ProblemCase, ProblemCounter, State};
use crate::pipeline::{Findings, Report, SKIPPED_MEMBER};
use crate::store::{Counts, Kinds};

pub use sheet::{Form, Sheet};

/// So many fields of an account are enough for a summary.
pub const LINES: usize = 15;

/// A run's report.
pub fn report(report: &Report, sheet: &mut Sheet<'_>) -> Result<()> {
    let run = report.run_id.map_or("dry run".to_owned(), |id| format!("run {id}"));
    let again =
        if report.attempt > 1 { format!(", attempt {}", report.attempt) } else { String::new() };
    sheet.title(&format!("{} ({run}{again}), {:.1} s", report.pipeline, report.seconds))?;
    sheet.gap()?;
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
    sheet.table(&head, &rows)?;
    if let Some(time) = &report.scheduled {
        sheet.gap()?;
        sheet.line(&format!("scheduled: {time}"))?;
    }
    for harvest in &report.harvests {
        sheet.gap()?;
        sheet.line(&format!(
            "harvested: {} records ({} deleted) on {} pages, {} windows{}",
            harvest.records,
            harvest.deleted,
            harvest.pages,
            harvest.windows.len(),
            if harvest.complete { "" } else { ", NOT COMPLETE" }
        ))?;
    }
    if let Some(compared) = &report.reconciled {
        sheet.gap()?;
        sheet.line(&format!(
            "reconciled: {} listed, {} live here, {} missing, {} deleted{}",
            compared.listed,
            compared.live,
            compared.missing,
            compared.deleted,
            if compared.refused.is_some() { ", REFUSED" } else { "" }
        ))?;
    }
    let c = &report.counts;
    sheet.gap()?;
    sheet.line(&format!(
        "balance: {} read = {} {created} + {} updated + {} unchanged + {} deleted + {} skipped \
         + {} quarantined{}",
        c.read,
        c.created,
        c.updated,
        c.unchanged,
        c.deleted,
        c.skipped,
        c.quarantined,
        if report.balanced { "" } else { "  DOES NOT BALANCE" }
    ))?;
    kinds(&report.kinds, sheet)?;
    let findings = Findings {
        account: report.account.clone(),
        rejections: report.rejections.clone(),
        reasons: report.reasons.clone(),
        skipped_members: report.skipped_members.clone(),
        kinds: report.kinds.clone(),
        access: report.access.clone(),
    };
    account(&findings.account, LINES, sheet)?;
    warnings(&findings.account, sheet)?;
    skipped_members(&findings, sheet)?;
    access(&findings.access, sheet)?;
    reasons(&findings, sheet)?;
    rejections("quarantined", &findings, sheet)?;
    list("redirects that are open", &report.open_redirects, report.open_redirects_count, sheet)
}

// What became of rules of access, and the command that lists them.
fn access(access: &BTreeMap<String, u64>, sheet: &mut Sheet<'_>) -> Result<()> {
    if access.is_empty() {
        return Ok(());
    }
    sheet.section("rules of access")?;
    let row = |(outcome, count): (&String, &u64)| {
        vec![outcome.clone(), count.to_string(), format!("windrow access --outcome {outcome}")]
    };
    let rows: Vec<Vec<String>> = access.iter().map(row).collect();
    sheet.table(&["outcome", "rules", "all of them"], &rows)
}

// Reasons for quarantine, and the command that lists the records.
fn reasons(findings: &Findings, sheet: &mut Sheet<'_>) -> Result<()> {
    if findings.reasons.is_empty() {
        return Ok(());
    }
    sheet.section("reasons for quarantine")?;
    let row = |(reason, count): (&String, &u64)| {
        let (stage, code) = reason.split_once(' ').unwrap_or((reason, ""));
        let command = format!("windrow quarantine list --stage {stage} --code {code}");
        vec![stage.to_owned(), code.to_owned(), count.to_string(), command]
    };
    let rows: Vec<Vec<String>> = findings.reasons.iter().map(row).collect();
    sheet.table(&["stage", "code", "times", "all of them"], &rows)
}

// The balance of each kind of parts.
fn kinds(kinds: &Kinds, sheet: &mut Sheet<'_>) -> Result<()> {
    for (kind, counts) in kinds.iter() {
        sheet.line(&format!(
            "{kind}: {} read = {} loaded + {} unchanged + {} skipped + {} quarantined{}",
            counts.read,
            counts.loaded,
            counts.unchanged,
            counts.skipped,
            counts.quarantined,
            if counts.balance() { "" } else { "  DOES NOT BALANCE" }
        ))?;
    }
    Ok(())
}

/// What became of the values of records; the first `top` fields of those that are not in the
/// output, those with most values first.
pub fn account(account: &AccountReport, top: usize, sheet: &mut Sheet<'_>) -> Result<()> {
    let (values, bytes) = account.coverage();
    sheet.line(&format!("coverage: {values:.1} % of values, {bytes:.1} % of bytes"))?;
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
        sheet.section("not in the output")?;
        sheet.table(&["field", "records", "values", "state", "sample"], &rows)?;
        if more > 0 {
            sheet.line(&format!("  and {more} more; --json has all"))?;
        }
    }
    let mut rows = Vec::new();
    for (rule, codes) in &account.problems {
        for (code, problem) in codes {
            let first = problem.cases.first().map_or(String::new(), case);
            let count = problem.count.to_string();
            let ProblemCounter { at, policy, .. } = problem;
            let texts = [rule, at, code, policy, &count, &first];
            rows.push(texts.map(Clone::clone).to_vec());
        }
    }
    if !rows.is_empty() {
        sheet.section("what policies dealt with")?;
        sheet.table(&["rule", "stands at", "code", "policy", "times", "first"], &rows)?;
    }
    Ok(())
}

/// The first cases of each problem, so many of each.
pub fn cases(account: &AccountReport, most: usize, sheet: &mut Sheet<'_>) -> Result<()> {
    for (rule, codes) in &account.problems {
        for (code, problem) in codes {
            let ProblemCounter { count, at, policy, cases } = problem;
            sheet.section(&format!("{at} {rule}: {code} ({policy}), {count} in all"))?;
            let lines: Vec<String> = cases.iter().take(most).map(case).collect();
            sheet.list(&lines, count.saturating_sub(lines.len() as u64))?;
        }
    }
    Ok(())
}

fn case(case: &ProblemCase) -> String {
    let ProblemCase { record, place, value } = case;
    let comma = if record.is_empty() || place.is_empty() { "" } else { ", " };
    match value.as_str() {
        "" => format!("{record}{comma}{place}: nothing"),
        value => format!("{record}{comma}{place}: {value:?}"),
    }
}

/// The warnings by code.
pub fn warnings(account: &AccountReport, sheet: &mut Sheet<'_>) -> Result<()> {
    if !account.warnings.is_empty() {
        sheet.section("warnings")?;
        let rows: Vec<_> = account
            .warnings
            .iter()
            .map(|(code, count)| vec![code.clone(), count.to_string()])
            .collect();
        sheet.table(&["code", "times"], &rows)?;
    }
    Ok(())
}

/// The members of archives that hold no records, the first by name.
pub fn skipped_members(findings: &Findings, sheet: &mut Sheet<'_>) -> Result<()> {
    let all = findings.account.warnings.get(SKIPPED_MEMBER).copied().unwrap_or(0);
    list("members of archives that hold no records", &findings.skipped_members, all, sheet)
}

/// The first records that were rejected, each with its reason.
pub fn rejections(title: &str, findings: &Findings, sheet: &mut Sheet<'_>) -> Result<()> {
    list(title, &findings.rejections, findings.reasons.values().sum(), sheet)
}

fn list(title: &str, lines: &[String], all: u64, sheet: &mut Sheet<'_>) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    sheet.section(title)?;
    sheet.list(lines, all.saturating_sub(lines.len() as u64))
}
