"""Each step of a turn that writes is one function: one round trip, one transaction.

A step as separate statements under row-level security took five to seven round trips (BEGIN with the
tenant, the statements, COMMIT), and a round trip costs the worker more processor time than Postgres
needs for the statement (docs/decisions/0006). All lock the head of the log first, so that two workers
that both think they run the turn take turns; all are safe to repeat.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What the owner of the head's lock tells, after the tenant is set: never fenced off, unlike streamed
# text, which goes through append_events.
APPEND_OWN = """
CREATE FUNCTION append_own(p_org uuid, p_conversation uuid, p_turn uuid, p_type text[], p_data jsonb[])
RETURNS bigint LANGUAGE plpgsql AS $$
-- The sequence number of the last event.
DECLARE
    v_last bigint;
BEGIN
    UPDATE event_streams SET last_seq = last_seq + cardinality(p_type)
    WHERE conversation_id = p_conversation RETURNING last_seq INTO v_last;
    INSERT INTO events (conversation_id, seq, org_id, turn_id, type, data)
    SELECT p_conversation, v_last - cardinality(p_type) + e.ord, p_org, p_turn, e.type, e.data
    FROM unnest(p_type, p_data) WITH ORDINALITY AS e(type, data, ord);
    PERFORM pg_notify('everturn_events', p_conversation || ':' || v_last);
    RETURN v_last;
END $$
"""

BEGIN_TURN = """
CREATE FUNCTION begin_turn(
    p_org uuid, p_conversation uuid, p_turn uuid, p_version uuid,
    p_message uuid[], p_text text[], p_client_key text[]
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
        INSERT INTO turns (id, org_id, conversation_id, agent_version_id, number, state)
        SELECT p_turn, p_org, p_conversation, p_version, coalesce(max(number), 0) + 1, 'running'
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

TAKE_FLOOR = """
CREATE FUNCTION take_floor(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_step integer, p_provider text, p_model text,
    p_evidence jsonb, p_history integer, p_announce jsonb
) RETURNS TABLE (shown integer, history jsonb) LANGUAGE plpgsql AS $$
-- No row when somebody else holds the right to speak. p_evidence NULL: the turn's evidence stays as it is.
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE event_streams s SET fence = p_fence
    WHERE s.conversation_id = p_conversation AND s.turn_id = p_turn AND s.fence < p_fence
    RETURNING s.shown INTO shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO model_calls (turn_id, org_id, step, state, provider, model)
    VALUES (p_turn, p_org, p_step, 'reserved', p_provider, p_model)
    ON CONFLICT (turn_id, step) DO UPDATE
        SET attempts = model_calls.attempts + 1, provider = p_provider, model = p_model;
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
    PERFORM append_own(p_org, p_conversation, p_turn, ARRAY['reply.started'], ARRAY[p_announce]);
    RETURN NEXT;
END $$
"""

# Ends a turn if its log shows as much text as the caller believes; otherwise the caller reads what was
# shown, which cannot change any more since the fence is closed, and comes again with what sets it right.
END_TURN = """
CREATE FUNCTION end_turn(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_shown integer, p_outcome jsonb, p_calls jsonb,
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
    -- What was reserved and never answered is marked so, and costs nothing.
    UPDATE model_calls AS c SET
        state = CASE WHEN s.step IS NULL THEN 'abandoned' ELSE 'settled' END,
        provider = coalesce(s.provider, c.provider), model = coalesce(s.model, c.model),
        input_tokens = coalesce(s.input_tokens, 0), output_tokens = coalesce(s.output_tokens, 0),
        cached_tokens = coalesce(s.cached_tokens, 0), cost_micros = coalesce(s.cost_micros, 0),
        first_token_ms = s.first_token_ms, settled_at = clock_timestamp()
    FROM model_calls AS r
    LEFT JOIN jsonb_to_recordset(p_calls) AS s(
        step integer, provider text, model text, input_tokens integer, output_tokens integer, cached_tokens integer,
        cost_micros bigint, first_token_ms double precision) ON s.step = r.step
    WHERE r.turn_id = p_turn AND r.state = 'reserved' AND c.turn_id = r.turn_id AND c.step = r.step;
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


def upgrade() -> None:
    for function in (APPEND_OWN, BEGIN_TURN, TAKE_FLOOR, END_TURN):
        op.execute(function)


def downgrade() -> None:
    op.execute("DROP FUNCTION end_turn, take_floor, begin_turn, append_own")
