"""Which models may answer, by organisation and agent, and how well each provider's models are doing.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = (
    """
CREATE TABLE model_policies (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    agent_id uuid REFERENCES agents(id),
    number integer NOT NULL,
    policy jsonb NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE NULLS NOT DISTINCT (org_id, agent_id, number)
)
""",
    # No foreign key: the keys of a deployment are shared by its organisations, so its health belongs to none of
    # them and is kept under the nil organisation.
    """
CREATE TABLE provider_health (
    org_id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    window_began timestamptz NOT NULL DEFAULT clock_timestamp(),
    calls integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    opens integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    probe_until timestamptz,
    last_kind text,
    last_detail text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, provider, model)
)
""",
)

FAILED = """
CREATE FUNCTION provider_failed(
    p_org uuid, p_provider text, p_model text, p_kind text, p_detail text, p_others integer, p_at_once boolean,
    p_retry_after double precision, p_rule jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
-- Whether this failure opened the breaker. p_others: calls that went well since this process last reported.
DECLARE
    h provider_health;
    rule record;
    v_now timestamptz;
    v_pause double precision;
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    SELECT * INTO rule FROM jsonb_to_record(p_rule) AS r(
        window_seconds double precision, failures integer, share double precision,
        pause_seconds double precision, longest_seconds double precision);
    INSERT INTO provider_health (org_id, provider, model) VALUES (p_org, p_provider, p_model) ON CONFLICT DO NOTHING;
    SELECT * INTO h FROM provider_health
    WHERE org_id = p_org AND provider = p_provider AND model = p_model FOR UPDATE;
    v_now := clock_timestamp();
    IF h.open_until > v_now THEN
        -- Calls that began before it opened still come in; only a longer wish of the provider says something new.
        UPDATE provider_health SET last_kind = p_kind, last_detail = p_detail,
            open_until = greatest(open_until, v_now + make_interval(secs => coalesce(p_retry_after, 0)))
        WHERE org_id = p_org AND provider = p_provider AND model = p_model;
        RETURN false;
    END IF;
    IF h.window_began < v_now - make_interval(secs => rule.window_seconds) THEN
        h.window_began := v_now;
        h.calls := 0;
        h.failures := 0;
    END IF;
    h.calls := h.calls + p_others + 1;
    h.failures := h.failures + 1;
    IF h.opens > 0 OR p_at_once OR coalesce(p_retry_after, 0) > 0
        OR (h.failures >= rule.failures AND h.failures >= rule.share * h.calls) THEN
        -- A tenth at random, so that what was opened together is not tried again together.
        v_pause := least(rule.longest_seconds, rule.pause_seconds * 2 ^ least(h.opens, 20)) * (1 + random() / 10);
        UPDATE provider_health SET opens = h.opens + 1, calls = 0, failures = 0, window_began = v_now,
            open_until = v_now + make_interval(secs => greatest(v_pause, coalesce(p_retry_after, 0))),
            probe_until = NULL, last_kind = p_kind, last_detail = p_detail, changed_at = v_now
        WHERE org_id = p_org AND provider = p_provider AND model = p_model;
        RETURN true;
    END IF;
    UPDATE provider_health SET calls = h.calls, failures = h.failures, window_began = h.window_began,
        last_kind = p_kind, last_detail = p_detail
    WHERE org_id = p_org AND provider = p_provider AND model = p_model;
    RETURN false;
END $$
"""

PROBE = """
CREATE FUNCTION claim_probe(p_org uuid, p_provider text, p_model text, p_seconds double precision)
RETURNS boolean LANGUAGE plpgsql AS $$
-- Whether the caller may try a half-open one: one at a time, among all workers.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE provider_health SET probe_until = clock_timestamp() + make_interval(secs => p_seconds)
    WHERE org_id = p_org AND provider = p_provider AND model = p_model
        AND open_until <= clock_timestamp() AND (probe_until IS NULL OR probe_until <= clock_timestamp());
    RETURN FOUND;
END $$
"""

ANSWERED = """
CREATE FUNCTION provider_answered(p_org uuid, p_provider text, p_model text)
RETURNS boolean LANGUAGE plpgsql AS $$
-- Whether this answer closed the breaker. One of a call that began before it opened does not.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE provider_health SET opens = 0, open_until = NULL, probe_until = NULL, calls = 0, failures = 0,
        window_began = clock_timestamp(), changed_at = clock_timestamp()
    WHERE org_id = p_org AND provider = p_provider AND model = p_model
        AND opens > 0 AND open_until <= clock_timestamp();
    RETURN FOUND;
END $$
"""

RELEASE = """
CREATE FUNCTION release_probe(p_org uuid, p_provider text, p_model text)
RETURNS boolean LANGUAGE plpgsql AS $$
-- Gives back the right to try, when the try said nothing about the provider's health.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE provider_health SET probe_until = NULL
    WHERE org_id = p_org AND provider = p_provider AND model = p_model AND opens > 0;
    RETURN FOUND;
END $$
"""

READ = """
CREATE FUNCTION read_provider_health(p_org uuid) RETURNS TABLE (
    provider text, model text, opens integer, open_seconds double precision, probe_seconds double precision,
    last_kind text, last_detail text, changed_at timestamptz
) LANGUAGE plpgsql AS $$
-- Those that are not closed. Times are what is left, in seconds, so that no two clocks are compared.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    RETURN QUERY SELECT h.provider, h.model, h.opens,
        extract(epoch FROM h.open_until - clock_timestamp())::double precision,
        extract(epoch FROM h.probe_until - clock_timestamp())::double precision,
        h.last_kind, h.last_detail, h.changed_at
    FROM provider_health h WHERE h.org_id = p_org AND h.opens > 0;
END $$
"""

FUNCTIONS = (FAILED, PROBE, ANSWERED, RELEASE, READ)


def upgrade() -> None:
    for statement in (*TABLES, *FUNCTIONS):
        op.execute(statement)
    for table in ("model_policies", "provider_health"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON {table} "
            "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO everturn_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION read_provider_health, release_probe, provider_answered, claim_probe, provider_failed")
    op.execute("DROP TABLE provider_health")
    op.execute("DROP TABLE model_policies")
