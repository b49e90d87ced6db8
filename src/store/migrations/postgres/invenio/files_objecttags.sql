-- what else is known of an object version
create table files_objecttags (
    version_id uuid not null,
    key varchar(255) not null,
    value text not null,
    constraint pk_files_objecttags primary key (version_id, key),
    constraint fk_files_objecttags_version_id_files_object foreign key (version_id)
        references files_object (version_id) on delete cascade
);
create index ix_files_objecttags_version_id on files_objecttags (version_id);
