-- Until when the lists have been read.
select {{ source_read_at('documents') }} as read_until
