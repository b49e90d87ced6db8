-- the files of one record, or of whatever has files; size is the sum over all versions
create table files_bucket (
    id binary(16) not null,
    default_location integer not null,
    default_storage_class varchar(1) not null,
    size integer not null,
    quota_size integer,
    max_file_size integer,
    locked boolean not null,
    deleted boolean not null,
    created datetime not null,
    updated datetime not null,
    constraint pk_files_bucket primary key (id),
    constraint fk_files_bucket_default_location_files_location foreign key (default_location)
        references files_location (id) on delete restrict
);
