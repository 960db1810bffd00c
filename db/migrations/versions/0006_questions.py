"""Questions: a turn knows what was said before it, and what a collection could not answer is kept.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TENANT_TABLES = ("knowledge_gaps", "gap_sightings", "message_feedback", "retrieval_tests")

TABLES = """
CREATE TABLE knowledge_gaps (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    collection_id uuid NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    question text NOT NULL,
    vector bytea NOT NULL,
    state text NOT NULL DEFAULT 'open',
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX knowledge_gaps_page ON knowledge_gaps (collection_id, created_at DESC, id DESC);

-- One row for a turn and a collection, so that a repeated step counts nothing twice. gap_id is filled when
-- the question is gathered with those that say the same.
CREATE TABLE gap_sightings (
    turn_id uuid NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
    collection_id uuid NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    org_id uuid NOT NULL REFERENCES orgs(id),
    gap_id uuid REFERENCES knowledge_gaps(id) ON DELETE SET NULL,
    reasons text[] NOT NULL,
    question text NOT NULL,
    vector bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (turn_id, collection_id)
);
CREATE INDEX gap_sightings_of_gap ON gap_sightings (gap_id, seen_at DESC);
CREATE INDEX gap_sightings_waiting ON gap_sightings (collection_id) WHERE gap_id IS NULL;

CREATE TABLE message_feedback (
    message_id uuid PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
    org_id uuid NOT NULL REFERENCES orgs(id),
    turn_id uuid NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
    rating text NOT NULL,
    comment text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE retrieval_tests (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    collection_id uuid NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    question text NOT NULL,
    history jsonb NOT NULL DEFAULT '[]',
    expected jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX retrieval_tests_page ON retrieval_tests (collection_id, created_at DESC, id DESC)
"""

# What came before costs no round trip of its own: it comes back with the turn's number. Only as much as a
# follow-up question can lean on.
BEGIN_TURN_WITH_HISTORY = """
CREATE FUNCTION begin_turn_with_history(
    p_org uuid, p_conversation uuid, p_turn uuid, p_version uuid,
    p_message uuid[], p_text text[], p_client_key text[], p_most integer, p_most_chars integer
) RETURNS TABLE (number integer, history jsonb) LANGUAGE plpgsql AS $$
BEGIN
    number := begin_turn(p_org, p_conversation, p_turn, p_version, p_message, p_text, p_client_key);
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

# In the transaction that ends the turn, and only by the call that ended it: so a gap is neither lost nor
# counted twice. A collection that was deleted meanwhile has no gaps.
END_TURN_WITH_GAP = """
CREATE FUNCTION end_turn_with_gap(
    p_org uuid, p_conversation uuid, p_turn uuid, p_fence bigint, p_shown integer, p_outcome jsonb, p_calls jsonb,
    p_message uuid, p_text text, p_cited integer[], p_corrections jsonb, p_closing_type text, p_closing jsonb,
    p_collections uuid[], p_reasons text[], p_question text, p_vector bytea
) RETURNS TABLE (agreed boolean, last_seq bigint, seconds double precision) LANGUAGE plpgsql AS $$
BEGIN
    SELECT e.agreed, e.last_seq, e.seconds INTO agreed, last_seq, seconds FROM end_turn(
        p_org, p_conversation, p_turn, p_fence, p_shown, p_outcome, p_calls,
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
    op.execute(BEGIN_TURN_WITH_HISTORY)
    op.execute(END_TURN_WITH_GAP)


def downgrade() -> None:
    op.execute("DROP FUNCTION end_turn_with_gap, begin_turn_with_history")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
