-- the current revision of each record; json is null once the record is deleted
create table records_metadata (
    id uuid not null,
    json jsonb,
    version_id integer not null,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_records_metadata primary key (id)
);
