-- the sequence Invenio mints recids from: it holds every numeric recid in use, so that the next
-- one is free
create table pidstore_recid (
    recid bigserial not null,
    constraint pk_pidstore_recid primary key (recid)
);
