"""Parked turns: a turn that no model can answer now waits, where operators can find it.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# parked_until: when it is tried again; NULL while it is tried. parks counts the pauses, so that a step that is
# repeated writes each once.
COLUMNS = """
ALTER TABLE turns ADD COLUMN parks integer NOT NULL DEFAULT 0,
    ADD COLUMN parked_at timestamptz, ADD COLUMN parked_until timestamptz
"""

INDEX = """
CREATE INDEX turns_needing_attention ON turns (conversation_id)
WHERE state = 'handed_over' OR parked_until IS NOT NULL
"""

# Nobody may speak while a turn is parked, also not an attempt that was thought dead: so what is said of
# `spoken` stays true until the next try takes the floor.
PARK_TURN = """
CREATE FUNCTION park_turn(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_pause integer, p_seconds double precision,
    p_event jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
-- Whether the reply has already said something; NULL when the turn does not run any more.
DECLARE
    v_spoken boolean;
    v_turn turns;
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    UPDATE event_streams s SET fence = p_fence
    WHERE s.conversation_id = p_conversation AND s.turn_id = p_turn AND s.fence <= p_fence
    RETURNING s.spoken INTO v_spoken;
    PERFORM 1 FROM turns t WHERE t.id = p_turn AND t.state = 'running';
    IF v_spoken IS NULL OR NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE turns t SET parks = p_pause, parked_at = coalesce(t.parked_at, clock_timestamp()),
        parked_until = clock_timestamp() + make_interval(secs => p_seconds)
    WHERE t.id = p_turn AND t.parks < p_pause RETURNING t.* INTO v_turn;
    IF FOUND THEN
        PERFORM append_own(p_org, p_conversation, p_turn, ARRAY['turn.parked'], ARRAY[
            jsonb_build_object('since', v_turn.parked_at, 'until', v_turn.parked_until) || p_event]);
    END IF;
    RETURN v_spoken;
END $$
"""

UNPARK_TURN = """
CREATE FUNCTION unpark_turn(p_org uuid, p_conversation uuid, p_turn uuid, p_pause integer, p_event jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    PERFORM 1 FROM event_streams s WHERE s.conversation_id = p_conversation FOR UPDATE;
    UPDATE turns t SET parked_until = NULL
    WHERE t.id = p_turn AND t.state = 'running' AND t.parks = p_pause AND t.parked_until IS NOT NULL;
    IF FOUND THEN
        PERFORM append_own(p_org, p_conversation, p_turn, ARRAY['turn.resumed'], ARRAY[p_event]);
    END IF;
END $$
"""


def upgrade() -> None:
    for statement in (COLUMNS, INDEX, PARK_TURN, UNPARK_TURN):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION unpark_turn, park_turn")
    op.execute("DROP INDEX turns_needing_attention")
    op.execute("ALTER TABLE turns DROP COLUMN parks, DROP COLUMN parked_at, DROP COLUMN parked_until")
