-- One text for SQLite and PostgreSQL. Times are Unix milliseconds, 0 standing
-- for "never"; JSON is TEXT, '' standing for "none"; bytes are base64.

-- +goose Up
CREATE TABLE instances (
    id               TEXT   NOT NULL PRIMARY KEY,
    -- The first instance is number 1, so that of several processes one makes it.
    number           BIGINT NOT NULL UNIQUE,
    publishable_key  TEXT   NOT NULL UNIQUE,
    secret_key_hash  TEXT   NOT NULL,
    sealed_keys      TEXT   NOT NULL,
    settings_version BIGINT NOT NULL,
    created_at       BIGINT NOT NULL
);

CREATE TABLE settings_versions (
    instance_id TEXT   NOT NULL REFERENCES instances (id),
    version     BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    changed_by  TEXT   NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, version)
);

-- Only clients that have completed a sign-up are here.
CREATE TABLE clients (
    instance_id     TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    generation      BIGINT NOT NULL,
    last_session_id TEXT   NOT NULL,
    PRIMARY KEY (instance_id, id)
);

CREATE TABLE users (
    id               TEXT   NOT NULL PRIMARY KEY,
    instance_id      TEXT   NOT NULL REFERENCES instances (id),
    external_id      TEXT,
    first_name       TEXT   NOT NULL,
    last_name        TEXT   NOT NULL,
    password_hash    TEXT   NOT NULL,
    public_metadata  TEXT   NOT NULL,
    private_metadata TEXT   NOT NULL,
    unsafe_metadata  TEXT   NOT NULL,
    consent          TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    UNIQUE (instance_id, external_id)
);
CREATE INDEX users_newest ON users (instance_id, created_at, id);

CREATE TABLE identifiers (
    instance_id TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    norm        TEXT   NOT NULL,
    display     TEXT   NOT NULL,
    user_id     TEXT   NOT NULL REFERENCES users (id),
    verified_at BIGINT NOT NULL,
    PRIMARY KEY (instance_id, kind, norm)
);
CREATE INDEX identifiers_user ON identifiers (user_id);
CREATE INDEX identifiers_norm ON identifiers (instance_id, norm);

CREATE TABLE sessions (
    id          TEXT   NOT NULL PRIMARY KEY,
    instance_id TEXT   NOT NULL,
    user_id     TEXT   NOT NULL REFERENCES users (id),
    client_id   TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expire_at   BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL
);
CREATE INDEX sessions_client ON sessions (instance_id, client_id, created_at);

-- The row is inserted first, which makes conversions of one attempt wait for
-- each other, and filled in before the same transaction commits.
CREATE TABLE conversions (
    attempt_id       TEXT   NOT NULL PRIMARY KEY,
    instance_id      TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    user_id          TEXT   NOT NULL DEFAULT '',
    session_id       TEXT   NOT NULL DEFAULT '',
    generation       BIGINT NOT NULL DEFAULT 0,
    settings_version BIGINT NOT NULL DEFAULT 0
);

-- Tries at a conversion that were refused, and are refused for ever.
CREATE TABLE refusals (
    attempt_id TEXT   NOT NULL,
    try        TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (attempt_id, try)
);

CREATE TABLE outbox (
    id          TEXT   NOT NULL PRIMARY KEY,
    instance_id TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    tries       BIGINT NOT NULL DEFAULT 0,
    done_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON outbox (not_before, id) WHERE done_at = 0;

CREATE TABLE signing_keys (
    instance_id TEXT   NOT NULL REFERENCES instances (id),
    -- Numbered from 1, so that of several processes one makes the first key.
    number      BIGINT NOT NULL,
    id          TEXT   NOT NULL,
    public_key  TEXT   NOT NULL,
    sealed_key  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, id),
    UNIQUE (instance_id, number)
);
