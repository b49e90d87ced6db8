//! The one integration-test binary; `tidy` fails when a file of this folder is not listed here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test stops at the first surprise"
)]

mod audit;
mod bagit;
mod configuration;
mod containers;
mod convert;
mod crosswalk_extends;
mod crosswalk_loss;
mod crosswalk_misuse;
mod crosswalk_proof;
mod crosswalk_roundtrip;
mod crosswalk_verbs;
mod crosswalk_ways;
mod crosswalks;
mod endpoint_on_stores;
mod engine;
mod fetching;
mod files;
mod formats;
mod harvest;
mod json_crosswalks;
mod json_formats;
mod json_patch;
mod kill;
mod kill_postgres;
mod marc8;
mod marc_family;
mod migrate;
mod migrate_access;
mod migrate_files;
mod migrate_files_faults;
mod migrate_files_held;
mod migrate_kill;
mod migrate_pipelines;
mod oai_conformance;
mod oai_endpoint;
mod oai_histories;
mod pica;
mod private_postgres;
mod pipeline_pids;
mod quickstart;
mod real_formats;
mod real_marc;
mod real_xml;
mod records_verbs;
mod redrive;
mod reference;
mod run_limits;
mod s3_double;
mod serving;
mod source;
mod store_changes;
mod store_files;
mod store_follow;
mod store_history;
mod store_model;
mod store_pids;
mod store_postgres;
mod store_quarantine;
mod store_records;
mod store_settled;
mod store_sqlite;
mod store_suite;
mod support;
mod tables;
mod text_formats;
mod tidy;
mod truth;
mod written;
mod xml_formats;
