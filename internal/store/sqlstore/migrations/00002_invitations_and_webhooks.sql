-- Times, JSON and bytes as in 00001; flags are 0 or 1.

-- +goose Up
CREATE TABLE invitations (
    id              TEXT   NOT NULL PRIMARY KEY,
    instance_id     TEXT   NOT NULL REFERENCES instances (id),
    -- {"EMAIL_ADDRESS": {"text": …, "key": …}, …}
    sent_values     TEXT   NOT NULL,
    public_metadata TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    expire_at       BIGINT NOT NULL,
    revoked_at      BIGINT NOT NULL,
    used_at         BIGINT NOT NULL,
    user_id         TEXT   NOT NULL
);
CREATE INDEX invitations_newest ON invitations (instance_id, created_at, id);

CREATE TABLE webhook_endpoints (
    id            TEXT   NOT NULL PRIMARY KEY,
    instance_id   TEXT   NOT NULL REFERENCES instances (id),
    url           TEXT   NOT NULL,
    -- A list of kinds; an empty one means all.
    events        TEXT   NOT NULL,
    sealed_secret TEXT   NOT NULL,
    enabled       BIGINT NOT NULL,
    -- How many steps of replays were made. Whoever makes one holds this row.
    replays       BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX webhook_endpoints_newest ON webhook_endpoints (instance_id, created_at, id);

CREATE TABLE webhook_deliveries (
    -- Derived from the event, the endpoint and, but for the first, the step of a
    -- replay: there cannot be two.
    id          TEXT   NOT NULL PRIMARY KEY,
    instance_id TEXT   NOT NULL,
    event_id    TEXT   NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    endpoint_id TEXT   NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    tries       BIGINT NOT NULL DEFAULT 0,
    done_at     BIGINT NOT NULL DEFAULT 0,
    failed_at   BIGINT NOT NULL DEFAULT 0,
    last_status BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT   NOT NULL DEFAULT ''
);
-- By endpoint, so that nobody has to pass what waits for one that is disabled.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, not_before, id) WHERE done_at = 0 AND failed_at = 0;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (instance_id, created_at, id);
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, created_at, id);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, created_at, id);

-- From here on done_at of an event tells when its deliveries were made, and
-- tries how often it was replayed. What happened when there were no endpoints
-- is not for those to come.
UPDATE outbox SET done_at = created_at WHERE done_at = 0;
CREATE INDEX outbox_oldest ON outbox (created_at, id);
