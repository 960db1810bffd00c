"""What posting a message reads: conversation, head of the log and an earlier use of the key, in one round trip.

A query under row-level security needs its tenant set before it; a function does both at once, which
saves the hot path two round trips and a transaction.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

READ_INCOMING = """
CREATE FUNCTION read_incoming(p_org uuid, p_conversation uuid, p_client_key text)
RETURNS TABLE (
    state text, agent_version_id uuid, last_seq bigint,
    message_id uuid, message_text text, turn_id uuid, turn_state text
) LANGUAGE plpgsql AS $$
DECLARE
    v_before text := current_setting('app.org_id', true);
BEGIN
    PERFORM set_config('app.org_id', p_org::text, true);
    RETURN QUERY
    SELECT c.state, c.agent_version_id, s.last_seq, m.id, m.text, m.turn_id, t.state
    FROM conversations c
    JOIN event_streams s ON s.conversation_id = c.id
    LEFT JOIN messages m ON m.conversation_id = c.id AND m.client_key = p_client_key
    LEFT JOIN turns t ON t.id = m.turn_id
    WHERE c.id = p_conversation;
    PERFORM set_config('app.org_id', coalesce(v_before, ''), true);
END $$
"""


def upgrade() -> None:
    op.execute(READ_INCOMING)


def downgrade() -> None:
    op.execute("DROP FUNCTION read_incoming")
