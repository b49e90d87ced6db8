-- the current revision of each record; json is null once the record is deleted
create table records_metadata (
    id binary(16) not null,
    json text,
    version_id integer not null,
    created datetime not null,
    updated datetime not null,
    constraint pk_records_metadata primary key (id)
);
