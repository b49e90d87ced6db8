-- where bytes of files are kept: a folder or a bucket of an S3
create table files_location (
    id serial not null,
    name varchar(20) not null,
    uri varchar(255) not null,
    "default" boolean not null,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_files_location primary key (id),
    constraint uq_files_location_name unique (name)
);
