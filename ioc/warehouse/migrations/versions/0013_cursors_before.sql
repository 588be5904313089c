-- A batch of an interface moves the cursor with its rows. When its rows are given up, the cursor goes back: an interface sends
-- nothing again by itself.
alter table ops.load_batch add column cursors_before jsonb not null default '{}';
comment on column ops.load_batch.cursors_before is
    'Cursors of interfaces that the batch moved, as they were before it, by name; {} as a value: there was none.';
