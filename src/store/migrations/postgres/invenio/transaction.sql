-- one row for each group of revisions that became visible together; user_id names a row of
-- Invenio's accounts_user, and since windrow makes no accounts, its foreign key is left out here
create sequence if not exists transaction_id_seq;
create table "transaction" (
    id bigint not null,
    remote_addr varchar(50),
    user_id integer,
    issued_at timestamp without time zone,
    constraint pk_transaction primary key (id)
);
create index ix_transaction_user_id on "transaction" (user_id);
