-- the store's own facts: its schema version, the key that signs resumption tokens
create table windrow_setting (
    name text primary key,
    value blob not null
) without rowid;
insert into windrow_setting (name, value) values ('token_key', randomblob(32));

-- runs of pipelines; one that is 'running' and older than the last start was interrupted
create table windrow_run (
    id integer primary key,
    pipeline text not null,
    definition text not null,
    state text not null,
    attempt integer not null,
    started text not null,
    finished text,
    report text
);
create index windrow_run_pipeline on windrow_run (pipeline, state);

-- checkpoints: how far each split of a run has come, committed with the batch that got it there
create table windrow_split (
    run_id integer not null references windrow_run (id) on delete cascade,
    split text not null,
    fingerprint text not null,
    records integer not null,
    done integer not null,
    account text not null,
    read integer not null,
    created integer not null,
    updated integer not null,
    unchanged integer not null,
    deleted integer not null,
    skipped integer not null,
    quarantined integer not null,
    primary key (run_id, split)
) without rowid;

-- what each source id was last loaded as; hash is null when the source deleted it. It decides
-- "unchanged", so the key is all that is ever looked up
create table windrow_ledger (
    source_name text not null,
    source_id text not null,
    record_id blob not null,
    hash blob,
    primary key (source_name, source_id)
) without rowid;

-- the bytes that records came from. A rowid table without further index: rows are appended, and
-- found by the number in windrow_oai.source
create table windrow_source (
    id integer primary key,
    format text not null,
    locator text not null,
    hash blob not null,
    zstd blob not null
);

-- records that stopped, with the bytes to try again; one row for each place in a source
create table windrow_quarantine (
    id integer primary key,
    source_name text not null,
    file text not null,
    number integer not null,
    run_id integer not null,
    stage text not null,
    rule text,
    code text not null,
    message text not null,
    locator text not null,
    zstd blob not null,
    unique (source_name, file, number)
);

-- the records as OAI-PMH lists them. datestamp is in seconds since 1970, sets are the setSpecs
-- with spaces between them, source is a row of windrow_source or null
create table windrow_oai (
    id blob primary key,
    pid_value text not null,
    datestamp integer not null,
    deleted integer not null,
    source integer,
    sets text not null
) without rowid;
create index windrow_oai_datestamp on windrow_oai (datestamp, id);

-- numbers for setSpecs, those that only lead to another included ('a' of 'a:b')
create table windrow_set (
    id integer primary key,
    spec text not null unique
);

-- which records are in a set or in a set below it, in the order in which they are listed
create table windrow_oai_set (
    set_id integer not null,
    datestamp integer not null,
    id blob not null,
    primary key (set_id, datestamp, id)
) without rowid;
