-- Version 1: the two tables, the commit in one round trip, and the upkeep of partitions.

CREATE TABLE kv (
    key   text COLLATE "C" PRIMARY KEY,
    rev   bytea NOT NULL,
    value bytea NOT NULL
);
-- Sealed values do not compress, and trying costs time.
ALTER TABLE kv ALTER COLUMN value SET STORAGE EXTERNAL;

-- By month, so that what is past its retention goes as a whole. No unique index could span partitions; (chain, seq) is
-- unique because each batch that brings records replaces its chain's witness in kv.
CREATE TABLE audit_logs (
    timestamp  timestamptz NOT NULL,
    operation  text NOT NULL,
    secret_id  text,
    client_ip  text,
    status     text NOT NULL,
    actor      text,
    accessor   text,
    path       text COLLATE "C" NOT NULL,
    mount      text,
    user_agent text,
    rule       text,
    request_id text NOT NULL,
    lease_id   text,
    error      text,
    elapsed_us bigint NOT NULL,
    chain      bytea NOT NULL,
    seq        bigint NOT NULL,
    canonical  bytea NOT NULL,
    link       bytea NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE INDEX audit_logs_chain ON audit_logs (chain, seq);
CREATE INDEX audit_logs_timestamp ON audit_logs (timestamp, chain, seq);
-- Takes what no month was made for: an insert never fails for want of a partition.
CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT;

-- One batch. Under READ COMMITTED each statement below sees what was committed before it began, so rows are first locked
-- in key order, then judged as they are now, then changed; keys that are absent are claimed by an insert, in key order
-- too, after all locks. Called alone, the transaction is this call.
--
--   keys    ascending, each once
--   expect  the revision that a key must have; NULL: it must be absent; empty: anything
--   vals    what it gets; NULL where nothing is written or the key goes
--   guards  is the key only looked at
--   runs    last positions of neighbours that need the same lock
--
-- Answers the keys whose condition does not hold; then nothing was changed. No rows: it is done, or was done before.
-- 40001: somebody was faster with an absent key; nothing was changed.
CREATE FUNCTION secrethub_commit(
    id bytea, keys text[], expect bytea[], vals bytea[], guards boolean[], runs int[],
    timestamps timestamptz[], operations text[], secret_ids text[], client_ips text[], statuses text[], actors text[],
    accessors text[], paths text[], mounts text[], user_agents text[], rules text[], request_ids text[],
    lease_ids text[], errors text[], elapsed bigint[], chains bytea[], seqs bigint[], canonicals bytea[], links bytea[]
) RETURNS SETOF text LANGUAGE plpgsql
-- One plan for every batch: through the index, whatever the table held when the session first planned.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    revs bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(keys)]);
    low   int := 1;
    high  int;
    row   record;
    fresh bigint;
    old   bigint;
    gone  bigint;
    done  bigint;
BEGIN
    FOREACH high IN ARRAY runs LOOP
        IF guards[low] THEN
            FOR row IN SELECT o.at, kv.rev FROM unnest(keys[low:high]) WITH ORDINALITY AS o (key, at)
                JOIN kv ON kv.key = o.key COLLATE "C" ORDER BY o.at FOR SHARE OF kv
            LOOP revs[low + row.at - 1] := row.rev; END LOOP;
        ELSE
            FOR row IN SELECT o.at, kv.rev FROM unnest(keys[low:high]) WITH ORDINALITY AS o (key, at)
                JOIN kv ON kv.key = o.key COLLATE "C" ORDER BY o.at FOR UPDATE OF kv
            LOOP revs[low + row.at - 1] := row.rev; END LOOP;
        END IF;
        low := high + 1;
    END LOOP;

    IF EXISTS (SELECT FROM unnest(guards, revs) AS o (guard, rev) WHERE NOT o.guard AND o.rev = id) THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT o.key FROM unnest(keys, expect, revs) AS o (key, expect, rev)
        WHERE o.expect IS DISTINCT FROM ''::bytea AND o.expect IS DISTINCT FROM o.rev;
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT count(*) FILTER (WHERE o.val IS NOT NULL AND o.rev IS NULL),
           count(*) FILTER (WHERE o.val IS NOT NULL AND o.rev IS NOT NULL),
           count(*) FILTER (WHERE o.val IS NULL AND NOT o.guard)
        INTO fresh, old, gone FROM unnest(vals, guards, revs) AS o (val, guard, rev);
    IF fresh > 0 THEN
        INSERT INTO kv (key, rev, value)
            SELECT o.key, id, o.val FROM unnest(keys, vals, revs) WITH ORDINALITY AS o (key, val, rev, at)
            WHERE o.val IS NOT NULL AND o.rev IS NULL ORDER BY o.at ON CONFLICT (key) DO NOTHING;
        GET DIAGNOSTICS done = ROW_COUNT;
        IF done <> fresh THEN
            RAISE EXCEPTION 'another commit was faster' USING ERRCODE = '40001';
        END IF;
    END IF;
    IF old > 0 THEN
        UPDATE kv SET rev = id, value = o.val FROM unnest(keys, vals, revs) AS o (key, val, rev)
            WHERE o.val IS NOT NULL AND o.rev IS NOT NULL AND kv.key = o.key COLLATE "C";
    END IF;
    IF gone > 0 THEN
        DELETE FROM kv USING unnest(keys, vals, guards) AS o (key, val, guard)
            WHERE o.val IS NULL AND NOT o.guard AND kv.key = o.key COLLATE "C";
    END IF;
    IF cardinality(seqs) > 0 THEN
        INSERT INTO audit_logs SELECT * FROM unnest(timestamps, operations, secret_ids, client_ips, statuses, actors,
            accessors, paths, mounts, user_agents, rules, request_ids, lease_ids, errors, elapsed, chains, seqs,
            canonicals, links);
    END IF;
END $$;

-- Makes the partition of each month from this one to `ahead` months on; drops those of months past that are empty.
-- Runs with its owner's rights, so that a node needs none of its own. One at a time; whoever comes second has nothing
-- to do. What it cannot have within a moment it leaves to the next call: nobody waits for upkeep.
CREATE FUNCTION secrethub_upkeep(ahead int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '500ms'
AS $$
DECLARE
    month timestamptz := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    until timestamptz;
    name  text;
    used  boolean;
BEGIN
    -- "SeHu", as the migrations' lock, and a number of its own.
    IF NOT pg_try_advisory_xact_lock(1399146613, 2) THEN
        RETURN;
    END IF;
    FOR number IN 0..least(greatest(ahead, 1), 24) LOOP
        until := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
        name := 'audit_logs_' || to_char(month AT TIME ZONE 'UTC', '"y"YYYY"m"MM');
        BEGIN
            IF to_regclass(quote_ident(name)) IS NULL THEN
                -- Attached rather than made in place: the table stays open to readers and writers meanwhile.
                EXECUTE format('CREATE TABLE %I (LIKE audit_logs INCLUDING ALL)', name);
                EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                    name, month, until);
            END IF;
        EXCEPTION
            -- Locked by somebody; or the default partition holds rows of that month already, and goes on to.
            WHEN lock_not_available OR check_violation THEN NULL;
        END;
        month := until;
    END LOOP;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'audit_logs'::regclass AND c.relname ~ '^audit_logs_y[0-9]{4}m[0-9]{2}$'
            AND c.relname < 'audit_logs_' || to_char(now() AT TIME ZONE 'UTC', '"y"YYYY"m"MM')
    LOOP
        BEGIN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO used;
            CONTINUE WHEN used;
            -- A record may still come late, by a clock that is slow: nobody writes from here on.
            EXECUTE format('LOCK TABLE audit_logs, ONLY %I IN ACCESS EXCLUSIVE MODE', name);
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO used;
            CONTINUE WHEN used;
            EXECUTE format('DROP TABLE %I', name);
        EXCEPTION
            WHEN lock_not_available THEN NULL;
        END;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION secrethub_upkeep(int) FROM PUBLIC;
