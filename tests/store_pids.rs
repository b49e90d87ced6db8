//! What every keeper promises of PIDs: their states, their targets, redirects, the sequence.

use windrow::record::{Pid, PidChange, PidName, PidStatus, PidTarget};
use windrow::store::{Store, StoreError};

use crate::store_records::{at, id, load, load_record, new_record, on_every_keeper};

fn name(text: &str) -> PidName {
    text.parse().unwrap()
}

fn pid(text: &str, status: PidStatus, target: PidTarget) -> Pid {
    Pid { name: name(text), status, target }
}

async fn make(store: &dyn Store, text: &str, status: PidStatus) {
    store.create_pid(&pid(text, status, PidTarget::Nothing), at(10)).await.unwrap();
}

async fn turn(store: &dyn Store, text: &str, change: PidChange) -> Result<Option<Pid>, StoreError> {
    let changed = store.change_pid(&name(text), &change, at(20)).await?;
    assert_eq!(store.pid(&name(text)).await.unwrap(), changed, "what is told is what is there");
    Ok(changed)
}

on_every_keeper! {
    a_pid_is_made_once
    a_pid_goes_through_its_life
    a_pid_names_what_is_there
    a_chain_of_redirects_is_followed
    redirects_never_close_to_a_circle
    what_another_pid_leads_to_is_not_removed
    a_redirected_pid_names_nothing_else_until_it_is_unassigned
    a_reserved_pid_becomes_the_records
    the_sequence_of_recids_continues_above_what_was_given_out
    pids_of_odd_values_are_kept_as_they_are
}

async fn a_pid_is_made_once(store: &dyn Store) {
    assert_eq!(store.pid(&name("doi:10.1/a")).await.unwrap(), None);
    for status in [PidStatus::New, PidStatus::Reserved, PidStatus::Registered, PidStatus::Deleted] {
        let made = pid(&format!("doi:10.1/{}", status.as_str()), status, PidTarget::Nothing);
        store.create_pid(&made, at(10)).await.unwrap();
        assert_eq!(store.pid(&made.name).await.unwrap(), Some(made.clone()));
        let again = store.create_pid(&made, at(20)).await.unwrap_err();
        assert_eq!(again.code(), "pid_exists");
    }
    // The same value of another type is another PID.
    make(store, "handle:10.1/R", PidStatus::Registered).await;
}

async fn a_pid_goes_through_its_life(store: &dyn Store) {
    make(store, "doi:10.1/a", PidStatus::New).await;
    make(store, "doi:10.1/b", PidStatus::Registered).await;
    let letter = |pid: Option<Pid>| pid.map_or("-", |pid| pid.status.as_str());
    let steps = [
        (PidChange::Redirect(name("doi:10.1/b")), Err("pid_status")),
        (PidChange::Reserve, Ok("K")),
        (PidChange::Reserve, Ok("K")),
        (PidChange::Register, Ok("R")),
        (PidChange::Register, Err("pid_status")),
        (PidChange::Reserve, Err("pid_status")),
        (PidChange::Redirect(name("doi:10.1/b")), Ok("M")),
        (PidChange::Register, Err("pid_status")),
        (PidChange::Unassign, Ok("R")),
        (PidChange::Redirect(name("doi:10.1/b")), Ok("M")),
        (PidChange::Delete, Ok("D")),
        (PidChange::Redirect(name("doi:10.1/b")), Err("pid_status")),
        (PidChange::Sync(PidStatus::New), Ok("N")),
        (PidChange::Delete, Ok("-")),
    ];
    for (change, expected) in steps {
        let turned = turn(store, "doi:10.1/a", change.clone()).await;
        let found = turned.map(letter).map_err(|error| error.code().to_owned());
        assert_eq!(found, expected.map_err(str::to_owned), "{change:?}");
    }
    let gone = turn(store, "doi:10.1/a", PidChange::Reserve).await.unwrap_err();
    assert_eq!(gone.code(), "not_found");
}

async fn a_pid_names_what_is_there(store: &dyn Store) {
    for record in ["7", "8"] {
        store.create(&new_record(record, Some("One"), &[]), at(10)).await.unwrap();
    }
    make(store, "doi:10.1/a", PidStatus::Registered).await;
    let assign = |record: &str, overwrite| PidChange::Assign { record: id(record), overwrite };
    let missing = turn(store, "doi:10.1/a", assign("9", false)).await.unwrap_err();
    assert_eq!(missing.code(), "not_found");
    turn(store, "doi:10.1/a", assign("7", false)).await.unwrap();
    turn(store, "doi:10.1/a", assign("7", false)).await.unwrap();
    let other = turn(store, "doi:10.1/a", assign("8", false)).await.unwrap_err();
    assert_eq!(other.code(), "pid_assigned");
    assert!(other.to_string().contains(&id("7").to_string()), "{other}");
    assert_eq!(store.record("doi", "10.1/a").await.unwrap().id, id("7"));
    turn(store, "doi:10.1/a", assign("8", true)).await.unwrap();
    assert_eq!(store.record("doi", "10.1/a").await.unwrap().id, id("8"));
    let names = |pids: Vec<Pid>| pids.iter().map(|pid| pid.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(store.pids(id("8")).await.unwrap()), ["doi:10.1/a", "recid:8"]);
    assert_eq!(names(store.pids(id("7")).await.unwrap()), ["recid:7"]);
    turn(store, "doi:10.1/a", PidChange::Unassign).await.unwrap();
    assert_eq!(store.record("doi", "10.1/a").await.unwrap_err().code(), "not_found");
    let lost = pid("doi:10.1/b", PidStatus::Registered, PidTarget::Record(id("9")));
    assert_eq!(store.create_pid(&lost, at(10)).await.unwrap_err().code(), "not_found");
    assert_eq!(store.pid(&lost.name).await.unwrap(), None);
}

async fn a_chain_of_redirects_is_followed(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    for n in 0..20 {
        make(store, &format!("doi:10.1/{n}"), PidStatus::Registered).await;
        let to = if n == 0 { "recid:7".to_owned() } else { format!("doi:10.1/{}", n - 1) };
        let turned = turn(store, &format!("doi:10.1/{n}"), PidChange::Redirect(name(&to))).await;
        assert_eq!(turned.unwrap().unwrap().target, PidTarget::Pid(name(&to)));
    }
    assert_eq!(store.record("doi", "10.1/19").await.unwrap().id, id("7"));
    assert_eq!(store.pids(id("7")).await.unwrap().len(), 1, "redirects name no record");
}

async fn redirects_never_close_to_a_circle(store: &dyn Store) {
    for n in 0..4 {
        make(store, &format!("doi:10.1/{n}"), PidStatus::Registered).await;
    }
    let to = |n: u32| PidChange::Redirect(name(&format!("doi:10.1/{n}")));
    for n in 0..3 {
        turn(store, &format!("doi:10.1/{n}"), to(n + 1)).await.unwrap();
    }
    for n in 0..4 {
        let circle = turn(store, "doi:10.1/3", to(n)).await.unwrap_err();
        assert_eq!(circle.code(), "pid_circle", "{n}");
    }
    let nowhere = turn(store, "doi:10.1/3", to(9)).await.unwrap_err();
    assert_eq!(nowhere.code(), "not_found");
    // Turned elsewhere, the chain is shorter and open.
    turn(store, "doi:10.1/1", to(3)).await.unwrap();
    turn(store, "doi:10.1/0", to(2)).await.unwrap();
    turn(store, "doi:10.1/1", PidChange::Unassign).await.unwrap();
    turn(store, "doi:10.1/1", to(0)).await.unwrap();
    assert_eq!(turn(store, "doi:10.1/3", to(1)).await.unwrap_err().code(), "pid_circle");
}

async fn what_another_pid_leads_to_is_not_removed(store: &dyn Store) {
    make(store, "doi:10.1/a", PidStatus::New).await;
    make(store, "doi:10.1/b", PidStatus::Registered).await;
    turn(store, "doi:10.1/b", PidChange::Redirect(name("doi:10.1/a"))).await.unwrap();
    let needed = turn(store, "doi:10.1/a", PidChange::Delete).await.unwrap_err();
    assert_eq!(needed.code(), "pid_destination");
    assert!(needed.to_string().contains("doi:10.1/b"), "{needed}");
    turn(store, "doi:10.1/b", PidChange::Delete).await.unwrap();
    assert_eq!(turn(store, "doi:10.1/a", PidChange::Delete).await.unwrap(), None);
}

async fn a_redirected_pid_names_nothing_else_until_it_is_unassigned(store: &dyn Store) {
    for record in ["7", "8"] {
        store.create(&new_record(record, Some("One"), &[]), at(10)).await.unwrap();
    }
    turn(store, "recid:7", PidChange::Redirect(name("recid:8"))).await.unwrap();
    assert_eq!(store.record("recid", "7").await.unwrap().id, id("8"));
    assert!(store.pids(id("7")).await.unwrap().is_empty());
    let assign = PidChange::Assign { record: id("7"), overwrite: true };
    let refused = turn(store, "recid:7", assign.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "pid_status");
    // A source that does not know of the redirect brings the PID as that of another record.
    let mut unaware = load_record(1, "9", Some("Two"), &[]);
    unaware.record.pid_value = "7".to_owned();
    assert_eq!(load(store, 30, vec![unaware]).await.rejections[0].code, "pid_redirected");
    turn(store, "recid:7", PidChange::Unassign).await.unwrap();
    turn(store, "recid:7", assign).await.unwrap();
    assert_eq!(store.record("recid", "7").await.unwrap().id, id("7"));
}

async fn a_reserved_pid_becomes_the_records(store: &dyn Store) {
    make(store, "recid:7", PidStatus::Reserved).await;
    make(store, "doi:10.1/a", PidStatus::New).await;
    make(store, "doi:10.1/b", PidStatus::Reserved).await;
    make(store, "doi:10.1/c", PidStatus::Deleted).await;
    let mut record = new_record("7", Some("One"), &[]);
    record.pids = vec![name("doi:10.1/a")];
    store.create(&record, at(20)).await.unwrap();
    let mut loaded = load_record(1, "8", Some("One"), &[]);
    loaded.record.pids = vec![name("doi:10.1/b")];
    assert_eq!(load(store, 20, vec![loaded]).await.counts.created, 1);
    for (text, owner) in [("recid:7", "7"), ("doi:10.1/a", "7"), ("doi:10.1/b", "8")] {
        let registered = pid(text, PidStatus::Registered, PidTarget::Record(id(owner)));
        assert_eq!(store.pid(&name(text)).await.unwrap(), Some(registered));
    }
    let mut late = new_record("9", Some("One"), &[]);
    late.pids = vec![name("doi:10.1/c")];
    assert_eq!(store.create(&late, at(30)).await.unwrap_err().code(), "pid_taken");
}

async fn the_sequence_of_recids_continues_above_what_was_given_out(store: &dyn Store) {
    assert_eq!(store.next_recid().await.unwrap(), 1);
    assert_eq!(store.next_recid().await.unwrap(), 2);
    load(store, 10, vec![load_record(1, "40", Some("One"), &[])]).await;
    assert_eq!(store.next_recid().await.unwrap(), 41);
    store.create(&new_record("50", Some("One"), &[]), at(20)).await.unwrap();
    assert_eq!(store.next_recid().await.unwrap(), 51);
    make(store, "recid:60", PidStatus::Reserved).await;
    make(store, "recid:070", PidStatus::Reserved).await;
    make(store, "doi:80", PidStatus::Reserved).await;
    assert_eq!(store.next_recid().await.unwrap(), 61, "070 is no number of the sequence");
}

async fn pids_of_odd_values_are_kept_as_they_are(store: &dyn Store) {
    let long = format!("recid:{}", "é".repeat(255));
    for text in ["doi:10.1/<a>&\"'\\", "oai:oai:x.org:a b/é", "recid:' or 1=1 --", &long] {
        make(store, text, PidStatus::Registered).await;
        assert_eq!(store.pid(&name(text)).await.unwrap().unwrap().name.to_string(), text);
    }
    let mut record = load_record(1, "7", Some("One"), &[]);
    record.record.pids = vec![name("doi:10.2/[\"a\",{}]")];
    load(store, 10, vec![record.clone()]).await;
    record.record.json = Some(b"{}".to_vec());
    record.hash = windrow::record::content_hash(b"{}");
    assert_eq!(load(store, 20, vec![record]).await.counts.updated, 1);
    assert_eq!(store.pids(id("7")).await.unwrap().len(), 2);
}
