-- What every domain with units and deadlines needs: how names of units are compared, and arithmetic in working days.

-- The form in which names of units are compared: NFC, small letters, one spelling of tone marks (Hoá = Hóa, Thuỷ = Thủy),
-- without "UBND", "Xã", "Phường", "Thị trấn" before them, single spaces. A mark moves in open syllables only: Toán stays,
-- and so does the mark after q (Quý, Quỳ).
create function ref.normalised_name(name text) returns text language plpgsql immutable parallel safe as $$
declare
    said text := lower(normalize(coalesce(name, ''), nfc));
    pair text[];
begin
    foreach pair slice 1 in array array[
        ['oá', 'óa'], ['oà', 'òa'], ['oả', 'ỏa'], ['oã', 'õa'], ['oạ', 'ọa'],
        ['oé', 'óe'], ['oè', 'òe'], ['oẻ', 'ỏe'], ['oẽ', 'õe'], ['oẹ', 'ọe'],
        ['uý', 'úy'], ['uỳ', 'ùy'], ['uỷ', 'ủy'], ['uỹ', 'ũy'], ['uỵ', 'ụy']
    ] loop
        said := regexp_replace(said, '(?<!q)' || pair[1] || '(?![[:alpha:]])', pair[2], 'g');
    end loop;
    said := regexp_replace(btrim(regexp_replace(said, '\s+', ' ', 'g')), '^(ủy ban nhân dân|ubnd)\s+', '');
    said := regexp_replace(said, '^(xã|phường|thị trấn|x\.|p\.|tt\.)\s*', '');
    return nullif(said, '');
end $$;

-- Whether work is done on a day: its calendar has hours on it, holidays and make-up days considered.
create function ref.is_work_day(calendar text, on_day date) returns boolean language sql stable as $$
    select exists (select from ref.work_time(calendar, on_day))
$$;

-- Working days after `since` up to and with `upto`; negative when they are the wrong way round. A null calendar counts
-- every day.
create function ref.work_days_between(calendar text, since date, upto date) returns integer language sql stable as $$
    select case
        when calendar is null then upto - since
        else (case when upto < since then -1 else 1 end) * (
            select count(*)::integer
            from generate_series(
                (least(since, upto) + 1)::timestamp, greatest(since, upto)::timestamp, interval '1 day'
            ) as d (day)
            where ref.is_work_day(calendar, d.day::date)
        )
    end
$$;

-- The day that is `days` working days after `start` (not counting it); zero gives the first working day from `start` on.
-- A null calendar counts every day.
create function ref.add_work_days(calendar text, start date, days integer) returns date language plpgsql stable as $$
declare
    reached date := start;
    rest integer := days;
begin
    if days < 0 then
        raise exception 'working days % must not be negative', days using errcode = 'invalid_parameter_value';
    end if;
    if calendar is null then
        return start + days;
    end if;
    for ahead in 0..3660 loop
        reached := start + ahead;
        if ref.is_work_day(calendar, reached) and (ahead > 0 or days = 0) then
            if rest <= 1 then
                return reached;
            end if;
            rest := rest - 1;
        end if;
    end loop;
    raise exception 'calendar % has no % working days within ten years', calendar, days
        using errcode = 'invalid_parameter_value';
end $$;

-- dbt compares names, counts days, and maps former units; Airflow's loaders and the alert engine need none of it.
grant execute on function ref.normalised_name, ref.is_work_day, ref.work_days_between, ref.add_work_days
    to ioc_transformer, ioc_alerts, ioc_portal;
