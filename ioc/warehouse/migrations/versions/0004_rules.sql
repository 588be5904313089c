-- The administration of rules: drafts, tests, dry runs, approvals.

-- A version goes draft → submitted → approved or rejected. Only a draft can be edited: what was tested and dry-run is
-- what is submitted, and what was submitted is what is approved.
alter table alert.rule_version
    drop constraint rule_version_status_check,
    add constraint rule_version_status_check check (status in ('draft', 'submitted', 'approved', 'rejected')),
    add column editors text[] not null default '{}',    -- everybody who had a hand in it, the author included
    add column head jsonb,                  -- title, owner, procedure as the rule shall have them from now on
    add column is_backdated boolean not null default false,
    add column tests text,                  -- YAML, the language of alerts/rule_tests.py
    add column test_report jsonb,
    add column tests_passed_at timestamptz, -- null: not run since the last edit, or failed
    add column dry_run jsonb,
    add column dry_run_at timestamptz,      -- null: not since the last edit
    add column edited_at timestamptz not null default clock_timestamp(),
    add column submitted_by text,
    add column submitted_at timestamptz,
    add column rejected_by text,
    add column rejected_at timestamptz,
    add column reject_reason text,
    add constraint no_editor_approves check (approved_by is null or approved_by <> all(editors)),
    add constraint rejected_with_reason check
        ((status = 'rejected') = (rejected_by is not null) and (rejected_by is null) = (reject_reason is null)),
    add constraint submitted_is_proven check
        (status <> 'submitted' or (submitted_by is not null
            and coalesce(tests_passed_at >= edited_at and dry_run_at >= edited_at, false)));
create unique index one_open_draft on alert.rule_version (rule_id) where status in ('draft', 'submitted');

-- A submitted version changes by its decision alone; an approved one by the end of its range; a rejected one not at all.
create or replace function alert.freeze_rule_version() returns trigger language plpgsql as $$
declare
    may_change text[] := case old.status
        when 'submitted' then array['status', 'effective', 'approved_by', 'approved_at', 'rejected_by', 'rejected_at',
            'reject_reason']
        when 'approved' then array['effective']
        else '{}' end;
begin
    if tg_op = 'DELETE' then
        if old.status <> 'draft' then
            raise exception 'rule version % is not a draft: it stays', old.rule_version_id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if old.status <> 'draft' and to_jsonb(new) - may_change <> to_jsonb(old) - may_change then
        raise exception 'rule version % is %: it is frozen', old.rule_version_id, old.status
            using errcode = 'restrict_violation';
    end if;
    if old.status = 'approved' and lower(new.effective) <> lower(old.effective) then
        raise exception 'rule version % is approved: only the end of its effective range may change',
            old.rule_version_id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

-- Whatever the portal's code does, its role approves only what was submitted.
create function alert.gate_approval() returns trigger language plpgsql as $$
begin
    if current_user = 'ioc_portal' and new.status = 'approved'
        and (tg_op = 'INSERT' or old.status not in ('submitted', 'approved')) then
        raise exception 'rule version % was not submitted with passed tests and a dry run', new.rule_version_id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger gate before insert or update on alert.rule_version
    for each row execute function alert.gate_approval();

grant insert, update (owner_unit, title_vi, title_en, unit_vi, sop_template_code, sop_min_level, is_enabled)
    on alert.rule to ioc_portal;
grant insert, update, delete on alert.rule_version, alert.threshold to ioc_portal;
