-- versions of the files of a bucket, by key; one without a file_id is a delete marker
create table files_object (
    version_id uuid not null,
    key text not null,
    bucket_id uuid not null,
    file_id uuid,
    _mimetype varchar(255),
    is_head boolean not null,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_files_object primary key (version_id),
    constraint uq_files_object_bucket_id unique (bucket_id, version_id, key),
    constraint fk_files_object_bucket_id_files_bucket foreign key (bucket_id)
        references files_bucket (id) on delete restrict,
    constraint fk_files_object_file_id_files_files foreign key (file_id)
        references files_files (id) on delete restrict
);
create index ix_files_object__mimetype on files_object (_mimetype);
create index ix_files_object_bucket_id on files_object (bucket_id);
create unique index ix_uq_partial_files_object_is_head on files_object (bucket_id, key) where is_head;
