-- versions of the files of a bucket, by key; one without a file_id is a delete marker
create table files_object (
    version_id binary(16) not null,
    key text not null,
    bucket_id binary(16) not null,
    file_id binary(16),
    _mimetype varchar(255),
    is_head boolean not null,
    created datetime not null,
    updated datetime not null,
    constraint pk_files_object primary key (version_id),
    constraint uq_files_object_bucket_id unique (bucket_id, version_id, key),
    constraint fk_files_object_bucket_id_files_bucket foreign key (bucket_id)
        references files_bucket (id) on delete restrict,
    constraint fk_files_object_file_id_files_files foreign key (file_id)
        references files_files (id) on delete restrict
);
create index ix_files_object__mimetype on files_object (_mimetype);
create index ix_files_object_bucket_id on files_object (bucket_id);
