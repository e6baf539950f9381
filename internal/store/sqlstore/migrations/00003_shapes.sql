-- +goose Up

-- How many sign-ups of which shape ended how, under which version of the
-- settings. Conversions at the same time count in different shards, so that they
-- do not wait for each other's commit; whoever reads adds the shards up.
CREATE TABLE shapes (
    instance_id      TEXT   NOT NULL,
    settings_version BIGINT NOT NULL,
    -- COMPLETE or ABANDONED.
    outcome          TEXT   NOT NULL,
    shape            TEXT   NOT NULL,
    shard            BIGINT NOT NULL,
    count            BIGINT NOT NULL,
    PRIMARY KEY (instance_id, settings_version, outcome, shape, shard)
);

-- The sign-ups that were counted as abandoned, for as long as one might be
-- reported again.
CREATE TABLE abandonments (
    attempt_id       TEXT   NOT NULL PRIMARY KEY,
    instance_id      TEXT   NOT NULL,
    settings_version BIGINT NOT NULL,
    shape            TEXT   NOT NULL,
    ended_at         BIGINT NOT NULL
);
CREATE INDEX abandonments_oldest ON abandonments (ended_at);

-- What was converted before has no shape, and adds up all the same.
INSERT INTO shapes (instance_id, settings_version, outcome, shape, shard, count)
SELECT instance_id, settings_version, 'COMPLETE', '', 0, COUNT(*)
FROM conversions GROUP BY instance_id, settings_version;
