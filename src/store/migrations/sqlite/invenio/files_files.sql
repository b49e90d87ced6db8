-- the bytes of files, each where its uri says; several object versions may share one
create table files_files (
    id binary(16) not null,
    uri text,
    storage_class varchar(1),
    size integer,
    checksum varchar(255),
    readable boolean not null,
    writable boolean not null,
    last_check_at datetime,
    last_check boolean,
    created datetime not null,
    updated datetime not null,
    constraint pk_files_files primary key (id),
    constraint uq_files_files_uri unique (uri)
);
