"""Spending: a row for every call to a model, reserved before and settled after it, and budgets that stop it in time.

A budget counts while calls come and go, in one row for each of its periods, so that asking for room is one look at
one row however many calls there were. Without budgets nothing is counted: a call is one insert and one update.

Revision ID: 0009
"""

from importlib import import_module

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TENANT_TABLES = ("budgets", "budget_periods", "model_prices", "cached_replies")

TABLES = """
CREATE TABLE budgets (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    scope text NOT NULL,
    scope_id uuid,
    period text NOT NULL,
    limit_micros bigint NOT NULL,
    warn_percent integer,
    stops boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (org_id, scope, scope_id, period)
);

-- Updated twice a call, so pages keep room for heap-only updates.
CREATE TABLE budget_periods (
    budget_id uuid NOT NULL REFERENCES budgets(id) ON DELETE CASCADE,
    starts_on date NOT NULL,
    org_id uuid NOT NULL REFERENCES orgs(id),
    spent_micros bigint NOT NULL DEFAULT 0,
    reserved_micros bigint NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    warned_at timestamptz,
    PRIMARY KEY (budget_id, starts_on)
) WITH (fillfactor = 50);

-- US dollars for a million tokens; NULL: charged as other input.
CREATE TABLE model_prices (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    provider text NOT NULL,
    model text NOT NULL,
    valid_from timestamptz NOT NULL,
    input numeric(14, 6) NOT NULL,
    output numeric(14, 6) NOT NULL,
    cached_input numeric(14, 6),
    cache_write numeric(14, 6),
    source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, provider, model, valid_from)
);

CREATE TABLE cached_replies (
    org_id uuid NOT NULL REFERENCES orgs(id),
    key bytea NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    reply jsonb NOT NULL,
    cost_micros bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX cached_replies_expired ON cached_replies (org_id, expires_at);

ALTER TABLE turns ADD COLUMN api_key_id uuid;

ALTER TABLE model_calls NO FORCE ROW LEVEL SECURITY;

ALTER TABLE turns NO FORCE ROW LEVEL SECURITY;

ALTER TABLE agent_versions NO FORCE ROW LEVEL SECURITY;

ALTER TABLE model_calls
    ADD COLUMN place text,
    ADD COLUMN number integer NOT NULL DEFAULT 1,
    ADD COLUMN task text NOT NULL DEFAULT 'reply',
    ADD COLUMN conversation_id uuid,
    ADD COLUMN agent_id uuid,
    ADD COLUMN api_key_id uuid,
    ADD COLUMN outcome text,
    ADD COLUMN price text NOT NULL DEFAULT 'unknown',
    ADD COLUMN reserved_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN reserved_input_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN reserved_output_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN cache_written_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN reasoning_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN latency_ms double precision,
    ADD COLUMN estimated boolean NOT NULL DEFAULT false,
    ADD COLUMN detail text,
    DROP CONSTRAINT model_calls_turn_id_fkey,
    DROP CONSTRAINT model_calls_pkey;

ALTER TABLE model_calls RENAME COLUMN attempts TO attempt;

UPDATE model_calls c SET
    place = c.turn_id || '.' || c.step,
    outcome = CASE c.state
        WHEN 'settled' THEN 'answered' WHEN 'superseded' THEN 'superseded' WHEN 'abandoned' THEN 'lost' END,
    state = CASE c.state WHEN 'reserved' THEN 'reserved' ELSE 'settled' END,
    conversation_id = t.conversation_id, agent_id = v.agent_id
FROM turns t JOIN agent_versions v ON v.id = t.agent_version_id WHERE t.id = c.turn_id;

ALTER TABLE model_calls
    DROP COLUMN step,
    ALTER COLUMN turn_id DROP NOT NULL,
    ALTER COLUMN place SET NOT NULL;

ALTER TABLE agent_versions FORCE ROW LEVEL SECURITY;

ALTER TABLE turns FORCE ROW LEVEL SECURITY;

ALTER TABLE model_calls FORCE ROW LEVEL SECURITY;

CREATE INDEX model_calls_of_turn ON model_calls (turn_id);

CREATE INDEX model_calls_spent ON model_calls (org_id, reserved_at);

CREATE INDEX model_calls_open ON model_calls (org_id, reserved_at) WHERE state = 'reserved';

-- The last of the indexes: of those that look equally cheap while the table is small, Postgres takes the youngest, and
-- a function keeps its plan until the table is analysed. By the index of spending, settling read all calls of the
-- organisation: 0.60 ms after 1,000 calls instead of 0.30.
ALTER TABLE model_calls ADD PRIMARY KEY (org_id, place, number)
"""

# Making a budget takes the lock alone, and sums what was spent before it: so no call is counted twice or not at all.
# Calls share it. A number, as two tables of locks with the same text would be one.
BUDGETS_LOCK = """
CREATE FUNCTION budgets_lock(p_org uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('budgets ' || p_org::text, 0)
$$
"""

PERIOD_START = """
CREATE FUNCTION period_start(p_period text, p_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc(p_period, p_at AT TIME ZONE 'UTC')::date
$$
"""

RESERVE_CALL = """
CREATE FUNCTION reserve_call(
    p_org uuid, p_place text, p_number integer, p_task text, p_turn uuid, p_conversation uuid, p_agent uuid,
    p_api_key uuid, p_provider text, p_model text, p_attempt integer, p_price text, p_micros bigint,
    p_input integer, p_output integer
) RETURNS TABLE (
    budget_id uuid, scope text, period text, limit_micros bigint, spent_micros bigint, reserved_micros bigint
) LANGUAGE plpgsql AS $$
-- No row: the call is reserved, now or before. Otherwise the budget that has no room for it.
DECLARE
    v_now timestamptz := clock_timestamp();
    v_budgets uuid[];
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    PERFORM pg_advisory_xact_lock_shared(budgets_lock(p_org));
    IF p_agent IS NULL THEN
        SELECT c.agent_id INTO p_agent FROM conversations c WHERE c.id = p_conversation;
    END IF;
    SELECT array_agg(b.id ORDER BY b.id) INTO v_budgets FROM budgets b
    WHERE b.scope = 'organisation' OR b.scope = 'agent' AND b.scope_id = p_agent
        OR b.scope = 'api_key' AND b.scope_id = p_api_key;
    IF v_budgets IS NOT NULL THEN
        PERFORM 1 FROM model_calls c WHERE c.org_id = p_org AND c.place = p_place AND c.number = p_number;
        IF FOUND THEN
            RETURN;
        END IF;
        INSERT INTO budget_periods AS p (budget_id, starts_on, org_id)
        SELECT b.id, period_start(b.period, v_now), p_org FROM budgets b WHERE b.id = ANY (v_budgets) ORDER BY b.id
        ON CONFLICT DO NOTHING;
        PERFORM 1 FROM budget_periods p JOIN budgets b ON b.id = p.budget_id
        WHERE b.id = ANY (v_budgets) AND p.starts_on = period_start(b.period, v_now)
        ORDER BY p.budget_id FOR UPDATE OF p;
        SELECT b.id, b.scope, b.period, b.limit_micros, p.spent_micros, p.reserved_micros
        INTO budget_id, scope, period, limit_micros, spent_micros, reserved_micros
        FROM budget_periods p JOIN budgets b ON b.id = p.budget_id
        WHERE b.id = ANY (v_budgets) AND p.starts_on = period_start(b.period, v_now)
            AND b.stops AND p.spent_micros + p.reserved_micros + p_micros > b.limit_micros
        ORDER BY b.limit_micros - p.spent_micros - p.reserved_micros LIMIT 1;
        IF FOUND THEN
            UPDATE budget_periods p SET refused = p.refused + 1
            WHERE p.budget_id = reserve_call.budget_id AND p.starts_on = period_start(period, v_now);
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    INSERT INTO model_calls (org_id, place, number, task, turn_id, conversation_id, agent_id, api_key_id, provider,
        model, attempt, price, state, reserved_micros, reserved_input_tokens, reserved_output_tokens, reserved_at)
    VALUES (p_org, p_place, p_number, p_task, p_turn, p_conversation, p_agent, p_api_key, p_provider,
        p_model, p_attempt, p_price, 'reserved', p_micros, p_input, p_output, v_now)
    ON CONFLICT DO NOTHING;
    IF FOUND AND v_budgets IS NOT NULL THEN
        UPDATE budget_periods p SET reserved_micros = p.reserved_micros + p_micros
        FROM budgets b WHERE b.id = p.budget_id AND b.id = ANY (v_budgets)
            AND p.starts_on = period_start(b.period, v_now);
    END IF;
END $$
"""

# A call belongs to the period in which it was reserved, so that both halves of it are counted in one row.
SETTLE_CALL = """
CREATE FUNCTION settle_call(
    p_org uuid, p_place text, p_number integer, p_outcome text, p_input integer, p_output integer, p_cached integer,
    p_cache_written integer, p_reasoning integer, p_cost bigint, p_latency double precision, p_first double precision,
    p_estimated boolean, p_detail text, p_ended timestamptz
) RETURNS TABLE (state text, warned jsonb) LANGUAGE plpgsql AS $$
-- state: settled now, repeated (nothing changed), or unknown: never reserved. warned: budgets that by this call
-- came to where a warning is due.
DECLARE
    v_now timestamptz := clock_timestamp();
    v_old record;
    v_budgets uuid[];
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    PERFORM pg_advisory_xact_lock_shared(budgets_lock(p_org));
    UPDATE model_calls c SET
        state = 'settled', outcome = p_outcome, input_tokens = p_input, output_tokens = p_output,
        cached_tokens = p_cached, cache_written_tokens = p_cache_written, reasoning_tokens = p_reasoning,
        cost_micros = p_cost, latency_ms = p_latency, first_token_ms = p_first, estimated = p_estimated,
        detail = p_detail, settled_at = coalesce(p_ended, v_now)
    FROM (
        SELECT o.state, o.outcome, o.cost_micros, o.reserved_micros, o.reserved_at, o.agent_id, o.api_key_id
        FROM model_calls o WHERE o.org_id = p_org AND o.place = p_place AND o.number = p_number FOR UPDATE
    ) AS old
    WHERE c.org_id = p_org AND c.place = p_place AND c.number = p_number
        AND (old.state = 'reserved' OR old.outcome = 'lost' AND p_outcome <> 'lost')
    RETURNING old.cost_micros, old.reserved_at, old.agent_id, old.api_key_id,
        CASE old.state WHEN 'reserved' THEN old.reserved_micros ELSE 0 END AS reserved_micros
    INTO v_old;
    IF NOT FOUND THEN
        PERFORM 1 FROM model_calls c WHERE c.org_id = p_org AND c.place = p_place AND c.number = p_number;
        state := CASE WHEN FOUND THEN 'repeated' ELSE 'unknown' END;
        RETURN NEXT;
        RETURN;
    END IF;
    state := 'settled';
    SELECT array_agg(b.id ORDER BY b.id) INTO v_budgets FROM budgets b
    WHERE b.scope = 'organisation' OR b.scope = 'agent' AND b.scope_id = v_old.agent_id
        OR b.scope = 'api_key' AND b.scope_id = v_old.api_key_id;
    IF v_budgets IS NOT NULL THEN
        PERFORM 1 FROM budget_periods p JOIN budgets b ON b.id = p.budget_id
        WHERE b.id = ANY (v_budgets) AND p.starts_on = period_start(b.period, v_old.reserved_at)
        ORDER BY p.budget_id FOR UPDATE OF p;
        WITH counted AS (
            UPDATE budget_periods p SET
                spent_micros = p.spent_micros + p_cost - v_old.cost_micros,
                reserved_micros = p.reserved_micros - v_old.reserved_micros,
                warned_at = CASE
                    WHEN p.warned_at IS NULL
                        AND (p.spent_micros + p_cost - v_old.cost_micros) * 100 >= b.limit_micros * b.warn_percent
                    THEN v_now ELSE p.warned_at END
            FROM budgets b WHERE b.id = p.budget_id AND b.id = ANY (v_budgets)
                AND p.starts_on = period_start(b.period, v_old.reserved_at)
            RETURNING b.id, b.scope, b.period, b.limit_micros, p.spent_micros, p.reserved_micros, p.warned_at
        )
        SELECT jsonb_agg(jsonb_build_object(
            'budget_id', n.id, 'scope', n.scope, 'period', n.period, 'limit_micros', n.limit_micros,
            'spent_micros', n.spent_micros, 'reserved_micros', n.reserved_micros))
        INTO warned FROM counted n WHERE n.warned_at = v_now;
    END IF;
    RETURN NEXT;
END $$
"""

# The steps of a turn, without the ledger in them: a turn may make several calls, and each is written down by itself.
BEGIN_TURN = """
CREATE FUNCTION begin_turn(
    p_org uuid, p_conversation uuid, p_turn uuid, p_version uuid,
    p_message uuid[], p_text text[], p_client_key text[], p_api_key uuid
) RETURNS integer LANGUAGE plpgsql AS $$
-- The turn's number in its conversation, 1 and up; NULL when there is no such conversation.
DECLARE
    v_number integer;
    v_last integer;
    v_state text;
    v_types text[] := '{}';
    v_data jsonb[] := '{}';
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE event_streams SET turn_id = p_turn,
        spoken = spoken AND turn_id IS NOT DISTINCT FROM p_turn,
        shown = CASE WHEN turn_id IS NOT DISTINCT FROM p_turn THEN shown ELSE 0 END
    WHERE conversation_id = p_conversation;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH stored AS (
        INSERT INTO messages (id, org_id, conversation_id, turn_id, position, role, text, client_key)
        SELECT m.id, p_org, p_conversation, p_turn, last.position + m.ord, 'user', m.text, m.client_key
        FROM unnest(p_message, p_text, p_client_key) WITH ORDINALITY AS m(id, text, client_key, ord),
            (SELECT coalesce(max(position), 0) AS position FROM messages WHERE conversation_id = p_conversation) AS last
        ON CONFLICT DO NOTHING RETURNING id, text, position
    )
    SELECT coalesce(array_agg('message.created'::text), '{}'),
        coalesce(array_agg(jsonb_build_object(
            'message_id', id, 'role', 'user', 'text', text, 'citations', '[]'::jsonb) ORDER BY position), '{}')
    INTO v_types, v_data FROM stored;
    SELECT number, state INTO v_number, v_state FROM turns WHERE id = p_turn;
    IF v_state = 'running' THEN
        -- Opened before by an attempt that left no trace in the workflow, and other turns came in between:
        -- counted after them, its words are not taken for old ones.
        SELECT max(number) INTO v_last FROM turns WHERE conversation_id = p_conversation;
        IF v_last > v_number THEN
            v_number := v_last + 1;
            UPDATE turns SET number = v_number WHERE id = p_turn;
        END IF;
    ELSIF v_number IS NULL THEN
        INSERT INTO turns (id, org_id, conversation_id, agent_version_id, number, state, api_key_id)
        SELECT p_turn, p_org, p_conversation, p_version, coalesce(max(number), 0) + 1, 'running', p_api_key
        FROM turns WHERE conversation_id = p_conversation
        RETURNING number INTO v_number;
        v_types := v_types || 'turn.started'::text;
        v_data := v_data || jsonb_build_object('number', v_number);
    END IF;
    IF cardinality(v_types) > 0 THEN
        PERFORM append_own(p_org, p_conversation, p_turn, v_types, v_data);
    END IF;
    RETURN v_number;
END $$
"""

BEGIN_TURN_WITH_HISTORY = """
CREATE FUNCTION begin_turn_with_history(
    p_org uuid, p_conversation uuid, p_turn uuid, p_version uuid,
    p_message uuid[], p_text text[], p_client_key text[], p_api_key uuid,
    p_most integer, p_most_chars integer
) RETURNS TABLE (number integer, history jsonb) LANGUAGE plpgsql AS $$
BEGIN
    number := begin_turn(p_org, p_conversation, p_turn, p_version, p_message, p_text, p_client_key, p_api_key);
    SELECT coalesce(jsonb_agg(jsonb_build_object('role', m.role, 'text', m.text) ORDER BY m.position), '[]')
    INTO history
    FROM (
        SELECT x.role, left(x.text, p_most_chars) AS text, x.position FROM messages x
        WHERE x.conversation_id = p_conversation AND x.turn_id IS DISTINCT FROM p_turn
        ORDER BY x.position DESC LIMIT p_most
    ) AS m;
    RETURN NEXT;
END $$
"""

TAKE_FLOOR = """
CREATE FUNCTION take_floor(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_place text,
    p_evidence jsonb, p_history integer, p_announce jsonb
) RETURNS TABLE (shown integer, history jsonb, calls integer, agent_id uuid, api_key_id uuid) LANGUAGE plpgsql AS $$
-- No row when somebody else holds the right to speak. p_evidence NULL: the turn's evidence stays as it is.
-- calls: how many calls to models this step has made before, of p_place in the ledger; whose turn it is goes along.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE event_streams s SET fence = p_fence
    WHERE s.conversation_id = p_conversation AND s.turn_id = p_turn AND s.fence < p_fence
    RETURNING s.shown INTO shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF p_evidence IS NOT NULL THEN
        DELETE FROM turn_passages WHERE turn_id = p_turn;
        INSERT INTO turn_passages (turn_id, org_id, marker, collection_id, document_id, passage_id,
            title, heading, page, char_start, char_end, text, score)
        SELECT p_turn, p_org, e.* FROM jsonb_to_recordset(p_evidence) AS e(
            marker integer, collection_id uuid, document_id uuid, passage_id text, title text, heading text,
            page integer, char_start integer, char_end integer, text text, score double precision);
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('role', m.role, 'text', m.text) ORDER BY m.position), '[]')
    INTO history
    FROM (
        SELECT x.role, x.text, x.position FROM messages x
        WHERE x.conversation_id = p_conversation AND x.turn_id IS DISTINCT FROM p_turn
        ORDER BY x.position DESC LIMIT p_history
    ) AS m;
    SELECT v.agent_id, t.api_key_id INTO agent_id, api_key_id
    FROM turns t JOIN agent_versions v ON v.id = t.agent_version_id WHERE t.id = p_turn;
    SELECT coalesce(max(c.number), 0) INTO calls FROM model_calls c WHERE c.org_id = p_org AND c.place = p_place;
    PERFORM append_own(p_org, p_conversation, p_turn, ARRAY['reply.started'], ARRAY[p_announce]);
    RETURN NEXT;
END $$
"""

END_TURN = """
CREATE FUNCTION end_turn(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_shown integer, p_outcome jsonb,
    p_message uuid, p_text text, p_cited integer[], p_corrections jsonb, p_closing_type text, p_closing jsonb
) RETURNS TABLE (agreed boolean, last_seq bigint, seconds double precision) LANGUAGE plpgsql AS $$
-- No row when there is no such conversation; seconds is NULL when the turn had ended before.
DECLARE
    v_shown integer;
    v_citations jsonb;
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE event_streams s SET fence = p_fence WHERE s.conversation_id = p_conversation
    RETURNING s.shown, s.last_seq INTO v_shown, last_seq;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    agreed := true;
    PERFORM 1 FROM turns t WHERE t.id = p_turn AND t.state = 'running';
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    IF v_shown <> p_shown THEN
        agreed := false;
        RETURN NEXT;
        RETURN;
    END IF;
    UPDATE turns t SET state = o.state, language = o.language, intent = o.intent, record = o.record,
        error_code = o.error_code, error_detail = o.error_detail, finished_at = clock_timestamp()
    FROM jsonb_to_record(p_outcome) AS o(
        state text, language text, intent text, record jsonb, error_code text, error_detail text)
    WHERE t.id = p_turn
    RETURNING extract(epoch FROM t.finished_at - t.started_at) INTO seconds;
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'marker', e.marker, 'passage_id', e.passage_id, 'collection_id', e.collection_id,
        'document_id', e.document_id, 'title', e.title, 'heading', e.heading, 'page', e.page,
        'char_start', e.char_start, 'char_end', e.char_end, 'quote', e.text) ORDER BY m.ord), '[]')
    INTO v_citations
    FROM unnest(p_cited) WITH ORDINALITY AS m(marker, ord)
    JOIN turn_passages e ON e.turn_id = p_turn AND e.marker = m.marker;
    INSERT INTO messages (id, org_id, conversation_id, turn_id, position, role, text, citations)
    SELECT p_message, p_org, p_conversation, p_turn, coalesce(max(m.position), 0) + 1, 'assistant', p_text, v_citations
    FROM messages m WHERE m.conversation_id = p_conversation;
    UPDATE event_streams s SET shown = char_length(p_text) WHERE s.conversation_id = p_conversation
        AND s.shown <> char_length(p_text);
    last_seq := append_own(
        p_org, p_conversation, p_turn,
        ARRAY(SELECT c->>'type' FROM jsonb_array_elements(p_corrections) AS c)
            || ARRAY['message.created', p_closing_type],
        ARRAY(SELECT c->'data' FROM jsonb_array_elements(p_corrections) AS c) || ARRAY[
            jsonb_build_object('message_id', p_message, 'role', 'assistant', 'text', p_text, 'citations', v_citations),
            p_closing]
    );
    RETURN NEXT;
END $$
"""

END_TURN_WITH_GAP = """
CREATE FUNCTION end_turn_with_gap(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_shown integer, p_outcome jsonb,
    p_message uuid, p_text text, p_cited integer[], p_corrections jsonb, p_closing_type text, p_closing jsonb,
    p_collections uuid[], p_reasons text[], p_question text, p_vector bytea
) RETURNS TABLE (agreed boolean, last_seq bigint, seconds double precision) LANGUAGE plpgsql AS $$
BEGIN
    SELECT e.agreed, e.last_seq, e.seconds INTO agreed, last_seq, seconds FROM end_turn(
        p_org, p_conversation, p_turn, p_fence, p_shown, p_outcome,
        p_message, p_text, p_cited, p_corrections, p_closing_type, p_closing) AS e;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF seconds IS NOT NULL THEN
        INSERT INTO gap_sightings (turn_id, collection_id, org_id, reasons, question, vector)
        SELECT p_turn, c.id, p_org, p_reasons, p_question, p_vector FROM collections c WHERE c.id = ANY (p_collections)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEXT;
END $$
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON {table} "
            "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO everturn_app")
    for function in (BUDGETS_LOCK, PERIOD_START, RESERVE_CALL, SETTLE_CALL):
        op.execute(function)
    op.execute("DROP FUNCTION end_turn_with_gap, end_turn, take_floor, begin_turn_with_history, begin_turn")
    for function in (BEGIN_TURN, BEGIN_TURN_WITH_HISTORY, TAKE_FLOOR, END_TURN, END_TURN_WITH_GAP):
        op.execute(function)


def downgrade() -> None:
    """Calls that belong to no turn are forgotten: there was no room for them."""
    op.execute("DROP FUNCTION end_turn_with_gap, end_turn, take_floor, begin_turn_with_history, begin_turn")
    op.execute("DROP FUNCTION settle_call, reserve_call, period_start, budgets_lock")
    steps, questions = (
        import_module(f"db.migrations.versions.{name}") for name in ("0003_turn_steps", "0006_questions")
    )
    for function in (steps.BEGIN_TURN, steps.TAKE_FLOOR, steps.END_TURN):
        op.execute(function)
    for function in (questions.BEGIN_TURN_WITH_HISTORY, questions.END_TURN_WITH_GAP):
        op.execute(function)
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE turns DROP COLUMN api_key_id")
    op.execute("DROP TABLE model_calls")
    spine = import_module("db.migrations.versions.0001_spine")
    op.execute(next(table for table in spine.TABLES.split(";\n") if "CREATE TABLE model_calls (" in table))
    op.execute("ALTER TABLE model_calls ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON model_calls "
        "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON model_calls TO everturn_app")
