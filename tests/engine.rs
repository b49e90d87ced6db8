//! The engine through the real command: limits, dry runs, resumption, broken files, memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use windrow::formats::marc21::Tag;

use crate::quickstart::generator::write;
use crate::support::{Folder, Process, brief_record, count, dump, end, read, value};

const RECORDS: u64 = 3000;

fn states(folder: &Folder) -> String {
    let sql = "select group_concat(state || ' ' || attempt, ', ') from windrow_run order by id";
    value(&folder.store(), sql)
}

fn loaded(folder: &Folder) -> i64 {
    value(&folder.store(), "select count(*) from records_metadata")
}

/// Starts the folder's pipeline and kills it behind its third batch.
fn interrupt(folder: &Folder) -> u64 {
    let mut command = folder.windrow(&["run", "pipeline.yaml"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut process = Process(child);
    let records = || -> rusqlite::Result<u64> {
        let sql = "select records from windrow_split";
        let records: i64 = read(&folder.store())?.query_row(sql, [], |row| row.get(0))?;
        Ok(records as u64)
    };
    while records().unwrap_or(0) < 300 {
        assert!(process.0.try_wait().unwrap().is_none(), "the run was too fast to be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(process);
    let records = records().unwrap();
    assert!(records < RECORDS, "the run was too fast to be killed");
    assert_eq!(states(folder), "running 1");
    records
}

fn folder_with_dump() -> Folder {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..RECORDS));
    folder.brief_pipeline("dump.mrc");
    folder
}

#[test]
fn a_limited_run_stops_in_time_and_is_not_gone_on_with() {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..200));
    folder.write("more.mrc", dump(1, 200..300));
    folder.brief_pipeline("[dump.mrc, more.mrc]");
    let report = folder.run(&["--limit", "150"]).report(0);
    assert_eq!((count(&report, "read"), count(&report, "created")), (150, 150));
    let title = &report["account"]["fields"]["001"]["mapped"]["values"];
    assert_eq!(title, 150, "the account is told of a part, too");
    assert_eq!((states(&folder).as_str(), loaded(&folder)), ("limited 1", 150));
    let report = folder.run(&["--limit", "220"]).report(0);
    assert_eq!((count(&report, "unchanged"), count(&report, "created")), (150, 70));
    let report = folder.run(&[]).report(0);
    assert_eq!((count(&report, "unchanged"), count(&report, "created")), (220, 80));
    assert_eq!(report["attempt"], 1);
    assert_eq!(states(&folder), "limited 1, limited 1, done 1");
    let zero = end(&mut folder.windrow(&["run", "pipeline.yaml", "--limit", "0"]));
    assert_eq!(zero.status, Some(64));
}

#[test]
fn a_record_that_its_source_withdraws_becomes_a_tombstone_and_may_come_back() {
    let folder = Folder::new();
    folder.write(
        "brief.yaml",
        "crosswalk: brief\nversion: 1\nfrom: { format: marc21 }\nto: { format: json }\nrules:\n\
         - { id: recid, to: id, from: \"001\" }\n\
         - { id: title, to: title, from: \"245$a\" }\n\
         - { id: deleted, to: deleted, let: { status: { from: LDR/05 } }, when: \"status == 'd'\", \
         const: true }\n",
    );
    folder.write(
        "pipeline.yaml",
        "pipeline: proof\nsource: { paths: dump.mrc }\ncrosswalk: brief.yaml\n",
    );
    let (kept, mut withdrawn) = (dump(1, 0..1), dump(1, 1..2));
    folder.write("dump.mrc", [kept.clone(), withdrawn.clone()].concat());
    assert_eq!(count(&folder.run(&[]).report(0), "created"), 2);
    let status = std::mem::replace(&mut withdrawn[5], b'd');
    folder.write("dump.mrc", [kept.clone(), withdrawn.clone()].concat());
    for (deleted, unchanged) in [(1, 1), (0, 2)] {
        let report = folder.run(&[]).report(0);
        assert_eq!((count(&report, "deleted"), count(&report, "unchanged")), (deleted, unchanged));
    }
    let states = "select group_concat(p.status || (m.json is null) || o.deleted order by p.id) from pidstore_pid p \
                  join records_metadata m on m.id = p.object_uuid join windrow_oai o on o.id = m.id";
    assert_eq!(value::<String>(&folder.store(), states), "R00,D11");
    withdrawn[5] = status;
    folder.write("dump.mrc", [kept, withdrawn].concat());
    assert_eq!(count(&folder.run(&[]).report(0), "updated"), 1);
    assert_eq!(value::<String>(&folder.store(), states), "R00,R00");
}

#[test]
fn a_dry_run_makes_no_store() {
    let folder = Folder::new();
    folder.write("dump.mrc", [dump(1, 0..250), b"00026no record at all\x1E\x1D".to_vec()].concat());
    folder.brief_pipeline("dump.mrc");
    let report = folder.run(&["--dry-run"]).report(1);
    assert_eq!(count(&report, "read"), 251);
    assert_eq!((count(&report, "created"), count(&report, "quarantined")), (250, 1));
    assert_eq!(report["dry_run"], true);
    let names = std::fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["dump.mrc", "pipeline.yaml"]);
}

#[test]
fn a_killed_run_goes_on_and_its_report_is_of_the_whole() {
    let folder = folder_with_dump();
    interrupt(&folder);
    let report = folder.run(&[]).report(0);
    assert_eq!(report["attempt"], 2);
    assert_eq!((count(&report, "read"), count(&report, "created")), (RECORDS, RECORDS));
    assert_eq!(report["account"]["fields"]["001"]["mapped"]["values"], RECORDS);
    assert_eq!(states(&folder), "done 2");
    assert_eq!(folder.run(&[]).report(0)["attempt"], 1);
}

#[test]
fn a_fresh_run_begins_at_the_front() {
    let folder = folder_with_dump();
    let records = interrupt(&folder);
    let report = folder.run(&["--fresh"]).report(0);
    assert_eq!((&report["attempt"], &report["run_id"]), (&1.into(), &2.into()));
    assert_eq!(
        (count(&report, "unchanged"), count(&report, "created")),
        (records, RECORDS - records)
    );
    assert_eq!(states(&folder), "abandoned 1, done 1");
}

#[test]
fn source_bytes_are_kept_whoever_packs_them() {
    let kept = |folder: &Folder| -> String {
        let sql = "select group_concat(pid_value || hex(hash) || hex(zstd)) from (select * from \
                   windrow_oai o join windrow_source s on s.id = o.source order by pid_value)";
        value(&folder.store(), sql)
    };
    let [once, twice] = [(); 2].map(|()| Folder::new());
    twice.write("dump.mrc", dump(1, 0..1000));
    twice.brief_pipeline("dump.mrc");
    twice.run(&[]).report(0);
    // Batch after batch is known, so that the store packs what is new behind them.
    for folder in [&once, &twice] {
        folder.write("dump.mrc", dump(1, 0..1200));
        folder.brief_pipeline("dump.mrc");
    }
    assert_eq!(count(&once.run(&[]).report(0), "created"), 1200);
    assert_eq!(count(&twice.run(&[]).report(0), "created"), 200);
    assert!(kept(&once) == kept(&twice), "source bytes differ");
}

#[test]
fn a_changed_pipeline_abandons_the_interrupted_run() {
    let folder = folder_with_dump();
    let records = interrupt(&folder);
    let mut pipeline = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    pipeline += "note: changed\n";
    folder.write("pipeline.yaml", pipeline);
    let report = folder.run(&[]).report(0);
    assert_eq!(report["attempt"], 1);
    assert_eq!(
        (count(&report, "unchanged"), count(&report, "created")),
        (records, RECORDS - records)
    );
    assert_eq!(states(&folder), "abandoned 1, done 1");
}

#[test]
fn a_file_that_changes_between_two_attempts_is_read_from_its_front() {
    let folder = folder_with_dump();
    let records = interrupt(&folder);
    // A new record at the front, a changed one next: going on by number would miss both.
    let changed = write::iso2709(&brief_record(2, 0)).unwrap();
    folder.write("dump.mrc", [dump(1, 9000..9001), changed, dump(1, 1..RECORDS)].concat());
    let report = folder.run(&[]).report(0);
    assert_eq!((&report["attempt"], &report["run_id"]), (&2.into(), &1.into()));
    assert_eq!(count(&report, "read"), RECORDS + 1);
    assert_eq!((count(&report, "updated"), count(&report, "unchanged")), (1, records - 1));
    assert_eq!(loaded(&folder), RECORDS as i64 + 1);
    let counted: i64 = value(&folder.store(), "select read from windrow_split");
    assert_eq!(counted, RECORDS as i64 + 1);
}

#[test]
fn a_gzip_that_breaks_off_is_named_and_what_came_before_it_is_kept() {
    let folder = Folder::new();
    let whole = dump(1, 0..1000);
    let at = whole.len() * 2 / 3;
    let gzip = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip
    };
    let mut broken = gzip(&whole[..at]);
    broken.flush().unwrap();
    // No block begins like this.
    let broken = [broken.get_ref().as_slice(), &[0xFF; 64]].concat();
    let until = |at: usize| whole[..at].iter().filter(|&&byte| byte == 0x1D).count() as i64;
    // A decoder unpacks so much at a time and then forgets it.
    let (least, most) = (until(at - (16 << 10)), until(at));
    folder.write("dump.mrc.gz", broken);
    folder.brief_pipeline("dump.mrc.gz");
    let mut before = None;
    for attempt in 1..=2 {
        let ended = end(&mut folder.windrow(&["run", "pipeline.yaml"]));
        assert_eq!(ended.status, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("dump.mrc.gz cannot be read behind byte"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stderr.matches("dump.mrc.gz").count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("goes on from there"), "{}", ended.stderr);
        assert_eq!(states(&folder), format!("running {attempt}"));
        let counts: String = value(
            &folder.store(),
            "select read || ' = ' || created || ' + ' || quarantined || ', done ' || done \
             from windrow_split",
        );
        let loaded = loaded(&folder);
        assert!((least..=most).contains(&loaded), "{counts}, expected {least} to {most}");
        // In quarantine are the record that has no end and the break itself.
        assert_eq!(counts, format!("{} = {loaded} + 2, done 0", loaded + 2));
        assert_eq!(before.replace(counts.clone()).unwrap_or(counts.clone()), counts);
    }
    let kept = loaded(&folder) as u64;
    folder.write("dump.mrc.gz", gzip(&whole).finish().unwrap());
    let report = folder.run(&[]).report(0);
    assert_eq!((count(&report, "unchanged"), count(&report, "created")), (kept, 1000 - kept));
    let held: i64 = value(&folder.store(), "select count(*) from windrow_quarantine");
    assert_eq!(held, 0, "a record that got through is out of quarantine");
}

#[test]
fn memory_is_bounded_by_the_bytes_in_flight_and_not_by_the_file() {
    const MEBIBYTES: u64 = 300;
    if !Path::new("/proc/self/status").exists() {
        return eprintln!("ignored: no /proc to measure memory with");
    }
    let folder = Folder::new();
    let size = write_repeated(&folder.path("large.mrc"), MEBIBYTES);
    folder.brief_pipeline("large.mrc");
    let begun = Instant::now();
    let mut command = folder.windrow(&["run", "pipeline.yaml", "--dry-run", "--json"]);
    let output = File::create(folder.path("report.json")).unwrap();
    let child = command.stdout(output).stderr(Stdio::null()).spawn().unwrap();
    let mut process = Process(child);
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_memory(&process.0).unwrap_or(0));
        if let Some(status) = process.0.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let report = std::fs::read_to_string(folder.path("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    eprintln!(
        "{} records in {} MiB: peak {} MiB, {:.1?}",
        report["counts"]["read"],
        size >> 20,
        peak >> 10,
        begun.elapsed()
    );
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&report, "created"), count(&report, "read"));
    assert!(peak > 0 && peak < 200 << 10, "peak of {peak} KiB");
}

/// A file of about so many MiB, of one block over and over: many small records and some of nearly
/// the size that the format allows.
fn write_repeated(path: &Path, mebibytes: u64) -> u64 {
    let mut large = brief_record(1, 5000);
    for _ in 0..9 {
        large.push_data(Tag(*b"520"), [' ', ' ']);
        large
            .push_subfield('a', &"The measurements were repeated over three seasons. ".repeat(190));
    }
    let large = write::iso2709(&large).unwrap();
    let block = [dump(1, 0..60), large.repeat(10)].concat();
    let times = (mebibytes << 20).div_ceil(block.len() as u64);
    let mut file = BufWriter::new(File::create(path).unwrap());
    for _ in 0..times {
        file.write_all(&block).unwrap();
    }
    file.flush().unwrap();
    times * block.len() as u64
}

/// The most memory that a process has had so far, in KiB.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn check_that_one_process_runs_a_pipeline(folder: &Folder) {
    folder.write("dump.mrc", dump(1, 0..50));
    folder.brief_pipeline("dump.mrc");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(windrow::store::open(&folder.url())).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let begun = runtime.block_on(store.begin_run("proof", "x", false, now)).unwrap();
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(75), "{}", ended.stderr);
    let message = "pipeline proof is being run by another process";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    let done = windrow::store::RunState::Done;
    runtime.block_on(store.end_run(begun.id, done, "{}", now)).unwrap();
    assert_eq!(count(&folder.run(&[]).report(0), "created"), 50);
}

#[test]
fn a_pipeline_that_runs_is_not_run_by_another_process() {
    check_that_one_process_runs_a_pipeline(&Folder::new());
}

#[test]
#[cfg(unix)]
fn a_pipeline_that_runs_on_postgres_is_not_run_by_another_process() {
    let Some(database) = crate::private_postgres::database() else { return };
    check_that_one_process_runs_a_pipeline(&Folder::on(database));
}
