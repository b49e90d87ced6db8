//! Endpoints examined, one and a folder of them.

use super::cases::of_list;
use super::double::{Answer, Double};
use super::repository::error;

#[test]
fn an_endpoint_is_examined() {
    let examine = |double: &Double| {
        let output = crate::support::windrow().args(["doctor", &double.url()]).output().unwrap();
        let findings = String::from_utf8(output.stdout).unwrap();
        let wrong = findings.lines().filter_map(|line| line.strip_prefix("wrong"));
        let wrong: Vec<String> = wrong.map(|line| line.trim().to_owned()).collect();
        (output.status.code(), findings, wrong)
    };
    let (status, findings, wrong) =
        examine(&of_list(120, 60, |request, answer| match request.argument("from") {
            Some("junk") => error("badArgument", "from is no date"),
            Some("2001-01-01") => error("badArgument", "two granularities"),
            _ if request.argument("hay").is_some() => error("badArgument", "hay"),
            _ if request.argument("metadataPrefix") == Some("windrow_unknown") => {
                error("cannotDisseminateFormat", "none")
            }
            _ if request.arguments.len() < 2 => error("badArgument", "metadataPrefix"),
            _ => answer,
        }));
    // The double is no provider: it does not know its verbs.
    assert_eq!(wrong.len(), 2, "{findings}");
    assert!(wrong.iter().all(|line| line.contains("expected badVerb")), "{findings}");
    assert!(findings.contains("good     token, repeated (§3.5): gives the same page again"));
    assert_eq!(status, Some(1));
    let (status, findings, _) = examine(&Double::new(|_| Answer::status(200, "Welcome")));
    assert_eq!(status, Some(1));
    assert!(findings.starts_with("wrong    Identify: HTTP 200: the answer is a web page"));
}

#[test]
fn a_folder_of_endpoints_is_examined() {
    let folder = crate::support::Folder::new();
    let (good, bad) =
        (of_list(120, 60, |_, answer| answer), Double::new(|_| Answer::status(200, "Hi")));
    std::fs::create_dir(folder.path("endpoints")).unwrap();
    for (name, double) in [("good", &good), ("bad", &bad)] {
        let crosswalk = crate::support::project("crosswalks/oai_dc-to-record.yaml");
        let text = format!(
            "pipeline: {name}\nsource: {{ type: oai-pmh, url: {} }}\ncrosswalk: {}\n",
            double.url(),
            crosswalk.display()
        );
        folder.write(&format!("endpoints/{name}.yaml"), text);
    }
    let doctor = |options: &[&str]| {
        let mut command = folder.windrow(&["doctor", "endpoints"]);
        crate::support::end(command.args(options).env("NO_PROXY", "*"))
    };
    let found = doctor(&[]);
    assert_eq!(found.status, Some(1), "{}", found.stderr);
    assert!(found.stdout.starts_with("wrong    bad: Identify: HTTP 200: the answer is a web page"));
    let rows: Vec<&str> = found.stdout.lines().skip_while(|line| !line.is_empty()).collect();
    assert!(rows[1].trim().starts_with("pipeline  wrong  awkward  good  endpoint"), "{rows:?}");
    assert!(rows[2].contains("bad") && rows[2].contains(&bad.url()), "{rows:?}");
    assert!(rows[3].contains("good") && rows[3].contains(&good.url()), "{rows:?}");
    let lines = doctor(&["--json"]).stdout;
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["pipeline"], &first["grade"]), (&"bad".into(), &"wrong".into()));
    folder.write("endpoints/odd.yaml", "pipeline: odd\n");
    let found = doctor(&["--jobs", "1"]);
    assert_eq!(found.status, Some(78), "{}", found.stderr);
    assert!(found.stdout.contains("good") && found.stderr.contains("1 files have mistakes"));
}
