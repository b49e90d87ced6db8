-- persistent identifiers and the objects they name
create table pidstore_pid (
    id serial not null,
    pid_type varchar(6) not null,
    pid_value varchar(255) not null,
    pid_provider varchar(8),
    status char(1) not null,
    object_type varchar(3),
    object_uuid uuid,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_pidstore_pid primary key (id)
);
create unique index uidx_type_pid on pidstore_pid (pid_type, pid_value);
create index idx_status on pidstore_pid (status);
create index idx_object on pidstore_pid (object_type, object_uuid);
