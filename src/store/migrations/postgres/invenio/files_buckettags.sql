-- what else is known of a bucket
create table files_buckettags (
    bucket_id uuid not null,
    key varchar(255) not null,
    value text not null,
    constraint pk_files_buckettags primary key (bucket_id, key),
    constraint fk_files_buckettags_bucket_id_files_bucket foreign key (bucket_id)
        references files_bucket (id) on delete cascade
);
create index ix_files_buckettags_bucket_id on files_buckettags (bucket_id);
