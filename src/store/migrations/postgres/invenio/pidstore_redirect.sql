-- where a redirected PID leads: the PID's object_uuid is the id of a row here
create table pidstore_redirect (
    id uuid not null,
    pid_id integer not null,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_pidstore_redirect primary key (id),
    constraint fk_pidstore_redirect_pid_id_pidstore_pid foreign key (pid_id)
        references pidstore_pid (id) on update cascade on delete restrict
);
