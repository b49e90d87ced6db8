-- where a redirected PID leads: the PID's object_uuid is the id of a row here
create table pidstore_redirect (
    id binary(16) not null,
    pid_id integer not null,
    created datetime not null,
    updated datetime not null,
    constraint pk_pidstore_redirect primary key (id),
    constraint fk_pidstore_redirect_pid_id_pidstore_pid foreign key (pid_id)
        references pidstore_pid (id) on delete restrict on update cascade
);
