-- the files of one record, or of whatever has files; size is the sum over all versions
create table files_bucket (
    id uuid not null,
    default_location integer not null,
    default_storage_class varchar(1) not null,
    size bigint not null,
    quota_size bigint,
    max_file_size bigint,
    locked boolean not null,
    deleted boolean not null,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_files_bucket primary key (id),
    constraint fk_files_bucket_default_location_files_location foreign key (default_location)
        references files_location (id) on delete restrict
);
